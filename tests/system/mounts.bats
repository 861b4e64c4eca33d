#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What is mounted into a container, the user's and the administrator's.

# shellcheck disable=SC2154  # output and stderr are bats's
# shellcheck disable=SC2016  # the task's shell expands it
load lib

setup() {
    DATA=/srv/berth-test
    mkdir -p "$DATA"/{a,b/inner}
    echo of-a >"$DATA/a/file"
    echo of-b >"$DATA/b/inner/file"
    chmod 777 "$DATA"/{a,b}
    WORK=$HOME1/mounts
    install -d -o berth1 "$WORK"
}

teardown() {
    umount -l "$WORK"/fuse "$DATA"/b/{one/inner,one,two/deep,closed/inner,closed,link,etc,many} 2>/dev/null || true
    umount -l "$DATA"/auto/sub "$DATA"/auto "$DATA"/auto 2>/dev/null || true
    [[ -z ${FUSE-} ]] || kill "$FUSE" 2>/dev/null || true
    [[ -z ${AUTOMOUNT-} ]] || kill "$AUTOMOUNT" 2>/dev/null || true
    rm -rf "$WORK" "$DATA"
    tidy
}

fuse() {
    [[ -c /dev/fuse ]] || skip_without "/dev/fuse"
    cc -O1 -o "$BATS_TEST_TMPDIR/fuse" "$BATS_TEST_DIRNAME/fuse.c"
    install -d -o berth1 "$WORK/fuse"
    "$BATS_TEST_TMPDIR/fuse" "$WORK/fuse" "$(id -u berth1)" "$@" \
        </dev/null >/dev/null 2>&1 3>&- 4>&- &
    FUSE=$!
    poll "$SOON" grep -q " $WORK/fuse " /proc/self/mounts
}

# with MOUNTS COMMAND
with() {
    local mounts=$1
    shift
    as_user srun --chdir="$WORK" --container=debian --container-mounts="$mounts" "$@"
}

@test "a user's mounts: read-only, writable, a file, and one in memory" {
    conf <<END
mounts_allowed = {"$DATA/**:rw"}
END
    equal "$(with "$DATA/a:/mnt:ro,$DATA/b" sh -c "cat /mnt/file $DATA/b/inner/file; touch $DATA/b/new && echo new; touch /mnt/no 2>&1")" \
        "$(printf 'of-a\nof-b\nnew\n')
touch: cannot touch '/mnt/no': Read-only file system"
    [[ $(stat -c %U "$DATA/b/new") == berth1 ]]
    equal "$(with "$DATA/a/file:/opt/one" cat /opt/one)" of-a
    contains "$(with tmpfs:/scratch grep ' /scratch ' /proc/self/mounts)" tmpfs
    run with "$DATA/a" grep " $DATA/a " /proc/self/mountinfo
    contains "$output" nosuid,nodev
    nothing_left
}

@test "the working directory, the home and what is in them go to any place, and no link leads out of them (threat 16)" {
    local m got
    conf <<<"mounts_allowed = {\"$DATA/a\"}"
    as_user mkdir "$WORK/sub"
    as_user tee "$WORK/sub/file" "$WORK/file" "$HOME1/of-home" <<<own >/dev/null
    as_user ln -s "$DATA/a" "$WORK/allowed"
    as_user ln -s "$DATA/b" "$WORK/out"
    as_user ln -s sub "$WORK/in"
    while IFS='|' read -r m got; do
        equal "$(with "$m" cat "$got" </dev/null)" own || fail "$m"
    done <<END
$WORK:/workspace|/workspace/file
.:/work:ro|/work/file
$WORK/sub:/x|/x/file
in:/x|/x/file
$WORK/sub/file:/x|/x
$HOME1:/home/me|/home/me/of-home
$WORK/sub|$WORK/sub/file
END
    equal "$(with "$WORK:/workspace" --container-workdir=/workspace sh -c 'pwd; touch new; ls new')" "/workspace
new"
    equal "$(with allowed:/x:ro cat /x/file)" of-a
    run --separate-stderr with out:/x true
    refused "/out leads to $DATA/b, which mounts_allowed"
    for m in "$DATA/b:/x" "$HOME1/../berth2:/x" "${HOME1%1}:/x"; do
        run --separate-stderr with "$m" true
        refused || fail "$m"
    done
    conf <<<'home = never'
    run --separate-stderr with "$HOME1:/x" true
    refused "cannot be mounted"
    conf <<<$'workdir = never\nhome = never'
    run --separate-stderr with "$WORK:/x" true
    refused "cannot be mounted"
    rm "$HOME1/of-home"
    nothing_left
}

@test "the name by which the user came to his directory leads there inside as well (threat 6)" {
    local link=/srv/berth-test/link
    conf <<<'home = never'
    ln -s "$WORK" "$link"
    as_user mkdir "$WORK/sub"
    as_user tee "$WORK/t" "$WORK/sub/t" <<<own >/dev/null
    install -m755 -o berth1 /dev/stdin "$WORK/tool" <<<$'#!/bin/sh\necho ran'
    came() { as_user sh -c "cd $link; $1"; }
    equal "$(came 'srun --container=debian cat $PWD/t')" own
    equal "$(came 'srun --container=debian $PWD/tool')" ran
    equal "$(came 'srun --container=debian sh -c "pwd; cd '"$link"' && touch new && cat t"')" "$WORK
own"
    [[ -e $WORK/new ]]
    equal "$(came 'srun --container=debian --container-workdir=$PWD/sub cat t')" own
    equal "$(came 'srun --container=debian --container-mounts=$PWD/sub:/x cat /x/t')" own
    equal "$(came 'srun --container=debian --container-mounts=$PWD:/x cat /x/t')" own
    as_user tee "$WORK/job" <<END >/dev/null
#!/bin/sh
#SBATCH --container=debian
cd $link && cat t
END
    came 'sbatch -W -o out job' >/dev/null
    equal "$(<"$WORK/out")" own
    # Made up, it counts for nothing.
    for link in "$DATA/a" /etc /proc/self / "$WORK/none" a //srv; do
        equal "$(as_user srun --chdir="$WORK" --export=ALL,PWD="$link" --container=debian sh -c 'cat t; ls '"$DATA/a" 2>/dev/null)" own ||
            fail "$link"
    done
    conf <<<"mounts_allowed = {\"$DATA/a\"}"
    equal "$(as_user srun --chdir="$WORK" --export=ALL,PWD="$DATA" --container=debian \
        --container-mounts="$DATA/a:/x" cat /x/file)" of-a
    conf </dev/null
    run --separate-stderr as_user srun --chdir="$WORK" --export=ALL,PWD="$DATA" --container=debian \
        --container-mounts="$DATA/a:/x" true
    refused
    nothing_left
}

@test "a mount is one line of mountinfo" {
    conf <<END
mounts_allowed = {"$DATA/**:rw"}
mounts_default = {"$DATA/b:/default"}
home = always
END
    run with "$DATA/a:/mnt,$DATA/a/file:/opt/one,$DATA/b:/tmp,tmpfs:/x,$DATA/a:/x/y,/dev/null:/opt/two" \
        cat /proc/self/mountinfo
    for place in "$HOME1" /mnt /opt/one /x /x/y /opt/two /default; do
        equal "$(grep -c " $place " <<<"$output")" 1 || fail "$place"
    done
    nothing_left
}

@test "what no rule allows is not mounted, whatever it is called" {
    conf <<END
mounts_allowed = {"$DATA/a", "$DATA/b:/only-here"}
END
    local m reason
    ln -s "$DATA/b" "$WORK/link"
    while IFS='|' read -r m reason; do
        run --separate-stderr with "$m" true </dev/null
        refused "$reason" || fail "$m"
    done <<END
$DATA/b|name that place
$DATA/b:/elsewhere|name that place
$DATA/a/../b:/mnt|name that place
$DATA/a:/mnt/../x|has ".." in it
~/x:/y|~ is not expanded here
\$PWD:/y|variables are not expanded here
$DATA/a:/mnt:rw|can only be had read-only
/etc:/mnt|/etc cannot be mounted: $BERTH_CONF line 1 allows only
/:/mnt|/ cannot be mounted: $BERTH_CONF line 1 allows only
$DATA:/mnt|$DATA cannot be mounted: $BERTH_CONF line 1 allows only
$DATA/a:/etc|can put nothing at /etc
$DATA/a:/usr/lib|can put nothing at /usr/lib in a container: of the image's own directories, berth's default leaves only /usr/local/**, /usr/share/**, /usr/src/** (targets)
$DATA/a:/usr|can put nothing at /usr in
$DATA/a:/proc/x|can put nothing at /proc/x
$DATA/a:/run/berth|can put nothing at /run/berth
$DATA/a:/mnt:exec|"exec" is no flag
$DATA/a:mnt|is not absolute
|--container-mounts is empty
$DATA/a:/mnt,tmpfs:/mnt|has two mounts at /mnt
link:/mnt|/link leads to $DATA/b, which mounts_allowed
END
    in_container true
    nothing_left
}

@test "a source that cannot be had is told with whose it is, and what to do" {
    mkdir -m 700 "$DATA/closed"
    mkdir "$DATA/closed/in"
    ln -s /etc/hosts "$DATA/to-etc"
    conf <<<"mounts_allowed = {\"$DATA/**\"}"
    run --separate-stderr with "$DATA/closed/in:/x" true
    refused "$DATA/closed/in cannot be mounted, as user berth1 cannot open it: Permission denied: name another, or leave it out"
    run --separate-stderr with "$DATA/none:/x" true
    refused "there is no $DATA/none on this node to be mounted: name another, or leave it out"
    run --separate-stderr with "$DATA/to-etc:/x" true
    refused "$DATA/to-etc leads to /etc/hosts, which cannot be mounted" "lies in /etc, which no container gets: name another, or leave it out"
    conf <<<"mounts_always = {\"$DATA/none:/x\"}"
    run --separate-stderr with tmpfs:/y true
    refused "there is no $DATA/none on this node to be mounted, which every container is to have by" \
        "berth.conf line 1: tell your administrator"
    nothing_left
}

@test "never: the node's own, though a rule allows everything (threats 20, 66)" {
    local m socket=${DOCKER_HOST#unix://}
    conf <<<'mounts_allowed = {"/**:rw"}'
    for m in / /etc /etc/slurm /proc /proc/self /sys /dev /dev/shm /boot /root /run /var/run /var \
        /var/lib /usr /usr/share /bin /var/log "$STATE" "${socket%/*}" "$LIBEXEC"; do
        [[ -e $m ]] || continue
        run --separate-stderr with "$m:/mnt" true
        refused "$m cannot be mounted" "which no container gets" || fail "$m"
    done
    run --separate-stderr with "$socket:/mnt" true
    refused "$socket is neither a directory nor a file"
    with "$DATA/a:/mnt" cat /mnt/file
    nothing_left
}

@test "below /usr and /etc there are the places that the administrator names (threat 23)" {
    local m
    conf <<<"mounts_allowed = {\"$DATA/**\"}"
    equal "$(with "$DATA/a:/usr/src/app,$DATA/b:/usr/local/share/ref" cat /usr/src/app/file /usr/local/share/ref/inner/file)" \
        $'of-a\nof-b'
    equal "$(with "$DATA/a:/usr/share/a,tmpfs:/usr/local/b" sh -c 'cat /usr/share/a/file; touch /usr/local/b/x')" of-a
    conf <<END
mounts_allowed = {"$DATA/**"}
targets += {"/etc/*.conf", "/etc/passwd", "/etc/**"}
END
    equal "$(with "$DATA/a/file:/etc/my.conf" cat /etc/my.conf)" of-a
    for m in /etc /etc/passwd /etc/group /usr/lib/x; do
        run --separate-stderr with "$DATA/a/file:$m" true
        refused "can put nothing at $m in a container" || fail "$m"
    done
    conf <<END
mounts_allowed = {"$DATA/**"}
targets = {}
END
    run --separate-stderr with "$DATA/a:/usr/local/x" true
    refused "can put nothing at /usr/local/x"
    nothing_left
}

@test "mounts as people write them: .., flags, an empty file, one default that is declined" {
    local m
    conf <<END
mounts_allowed = {"$DATA/**:rw"}
mounts_default = {"$DATA/a:/default", "$DATA/b:/other"}
END
    as_user mkdir "$WORK/sub"
    as_user tee "$WORK/file" <<<own >/dev/null
    for m in ../file:/x "$WORK/sub/../file:/x:" ../file:/x:rprivate+rw+x-create=auto; do
        equal "$(as_user srun --chdir="$WORK/sub" --container=debian --container-mounts="$m" cat /x)" own ||
            fail "$m"
    done
    run with "$DATA/b:/x:nosuid+ro" touch /x/new
    contains "$output" "Read-only file system"
    equal "$(with "/dev/null:/opt/hidden,/dev/null:$WORK/file" sh -c "wc -c </opt/hidden; wc -c <file; stat -c %F:%a file; (echo x >file); true" 2>&1)" "0
0
regular empty file:444
sh: 1: cannot create file: Read-only file system"
    [[ $(<"$WORK/file") == own ]]
    equal "$(with umount:/default sh -c 'ls -d /default /other' 2>/dev/null)" /other
    run --separate-stderr with umount:/nothing true
    refused "nothing is mounted there by default"
    equal "$(with tmpfs:/fast:rw --container-workdir=/fast//./ pwd)" /fast
    nothing_left
}

@test "a file is not mounted onto a directory, nor the other way round, and a sentence says so" {
    local m
    conf <<<"mounts_allowed = {\"$DATA/**\"}"
    # The last as an engine speaks of GPUs, of which the step has none.
    for m in "$DATA/a/file:/mnt" "$DATA/a:/root/.profile" "$DATA/a:/root/.profile/unresolvable CDI devices"; do
        run --separate-stderr with "$m" true
        refused "choose another target" || fail "$m"
    done
    nothing_left
}

@test "a rule's name that leads out of it is refused (threat 16)" {
    conf <<END
mounts_allowed = {"$WORK/**:rw"}
END
    ln -s "$DATA/a" "$WORK/out"
    ln -s /etc "$WORK/etc"
    as_user mkdir "$WORK/in"
    as_user ln -s in "$WORK/in-link"
    run --separate-stderr with out:/mnt true
    refused "leads to $DATA/a" mounts_allowed
    run --separate-stderr with etc:/mnt true
    refused "lies in /etc, which no container gets"
    with in-link:/mnt ls /mnt
    nothing_left
}

@test "a name that no rule has, and that leads to an allowed place, is told as that" {
    local variable=SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_mounts run name
    ln -s "$DATA/a" "$DATA/link"
    ln -s b "$DATA/other"
    ln -s /root/none "$DATA/gone"
    conf <<<"mounts_allowed = {\"$DATA/a\"}"
    asked() { run --separate-stderr with "$1:/x" true; }
    node_asked() {
        run --separate-stderr bypassing env "$variable=$1:/x" srun --container=debian true
        contains "$stderr" "berth: node n"
    }
    for run in asked node_asked; do
        "$run" "$DATA/link"
        refused "$DATA/link cannot be mounted by that name" "it leads to $DATA/a, write that"
        "$run" "$DATA/other/inner"
        refused "$DATA/other/inner cannot be mounted: " "; $DATA/other/inner leads to $DATA/b/inner"
        for name in b none gone; do
            "$run" "$DATA/$name"
            refused "$DATA/$name cannot be mounted: "
            lacks "$stderr" "leads to"
        done
    done
    nothing_left
}

@test "an image's symbolic link leads a mount to no place that could not be named, and to others as it says (threat 23)" {
    local dir=$BATS_TEST_TMPDIR/links place m
    mkdir -p "$dir"/{etc,usr/lib,data,deep,run,var}
    cc -static -O1 -o "$dir/probe" "$BATS_TEST_DIRNAME/probe.c"
    ln -s usr/lib "$dir/lib"
    for place in etc usr lib proc sys dev run run/berth data; do
        ln -s "/$place" "$dir/to-${place##*/}"
    done
    mkdir -p "$dir/usr/local" "$dir/usr/share" "$dir/bin"
    ln -s /etc "$dir/usr/local/to-etc"
    ln -s ../../bin "$dir/usr/share/to-bin"
    ln -s ../to-usr "$dir/deep/chain"
    ln -s /usr/../../../to-etc "$dir/deep/out"
    ln -s ../run "$dir/var/run"
    image berth/links "$dir"
    linked() { as_user srun --chdir=/ --container=berth/links --container-mounts="$1" /probe "${@:2}"; }
    conf <<<"mounts_allowed = {\"$DATA/**:rw\"}"
    for place in to-etc to-usr to-lib to-run deep/chain deep/out to-etc/new usr/local/to-etc \
        usr/local/to-etc/x usr/share/to-bin; do
        for m in "$DATA/a" tmpfs; do
            run --separate-stderr linked "$m:/$place" exit 0
            refused "/$place leads to /" "choose another place" || fail "$m:/$place"
        done
    done
    # There the engine itself mounts nothing, or berth finds that its own is gone.
    for place in to-proc to-sys to-dev to-berth; do
        for m in "$DATA/a" tmpfs; do
            run --separate-stderr linked "$m:/$place" exit 0
            refused || fail "$m:/$place"
        done
    done
    equal "$(linked "$DATA/a:/to-data" show /data/file)" of-a
    equal "$(linked "$DATA/a:/var/run/mine" show /run/mine/file)" of-a
    equal "$(linked "$DATA/a/file:/to-data/one" show /data/one)" of-a
    # The administrator's as well.
    conf <<<"mounts_always = {\"$DATA/a:/to-etc\"}"
    run --separate-stderr as_user srun --chdir=/ --container=berth/links /probe exit 0
    refused "/to-etc leads to /etc"
    nothing_left
}

@test "the administrator's mounts: always, by default, and with variables" {
    mkdir -p "$DATA/berth1" "$DATA/$(id -u berth1)"
    conf <<END
mounts_always = {"$DATA/a:/always", "$DATA/%u:/mine:rw", "tmpfs:/memory"}
mounts_default = {"$DATA/b:/default", "$DATA/absent:/absent"}
mounts_allowed = {"$DATA/**"}
END
    equal "$(in_container sh -c 'cat /always/file /default/inner/file; ls -d /mine /absent 2>&1; grep -c " /memory tmpfs" /proc/self/mounts')" \
        "$(printf 'of-a\nof-b\n')
ls: cannot access '/absent': No such file or directory
/mine
1"
    # Declined.
    equal "$(with "$DATA/a:/default" ls /default)" file
    run --separate-stderr with "$DATA/b:/always" true
    refused /always
    conf <<<"mounts_always = {\"$DATA/absent\"}"
    run --separate-stderr in_container true
    refused "$DATA/absent"
    nothing_left
}

@test "home: never, allowed, by default, always" {
    local say='cut -d" " -f5 /proc/self/mountinfo | sort -u | grep -cx '$HOME1'; echo $HOME'
    run_in() { as_user srun --chdir="$WORK" --container=debian "$@" sh -c "$say"; }
    conf <<<'home = never'
    equal "$(run_in)" "0
/tmp"
    run --separate-stderr run_in --container-mount-home
    refused
    conf <<<'home = allowed'
    equal "$(run_in)" "0
/tmp"
    equal "$(run_in --container-mount-home)" "1
$HOME1"
    conf <<<'home = default'
    equal "$(run_in)" "1
$HOME1"
    equal "$(run_in --no-container-mount-home)" "0
/tmp"
    conf <<<'home = always'
    equal "$(run_in --no-container-mount-home)" "1
$HOME1"
    nothing_left
}

@test "the working directory: where tasks start, and whether it is there" {
    conf <<<'workdir = never'
    equal "$(as_user srun --chdir="$WORK" --container=debian pwd)" /
    conf <<<'workdir = default'
    equal "$(as_user srun --chdir="$WORK" --container=debian pwd)" "$WORK"
    equal "$(as_user srun --chdir="$WORK" --container=debian --container-workdir=/usr \
        sh -c 'pwd; echo $PWD; grep -c mounts /proc/self/mountinfo' | tr '\n' ' ')" "/usr /usr 0 "
    conf <<<'workdir = allowed'
    equal "$(as_user srun --chdir="$WORK" --container=debian pwd)" /
    equal "$(with "$WORK" pwd)" "$WORK"
    nothing_left
}

@test "mounts within mounts, in any order: their places are the user's, or made as the user (threats 16, 23)" {
    local m
    conf <<END
mounts_allowed = {"$DATA/**:rw"}
home = always
END
    equal "$(with "$DATA/b,$DATA/b/inner" sh -c "cat $DATA/b/inner/file; pwd" | tr '\n' ' ')" "of-b $WORK "
    for m in "$DATA/b:/mnt,$DATA/a:/mnt/new/deep" "$DATA/a:/mnt/new/deep,$DATA/b:/mnt"; do
        equal "$(with "$m" cat /mnt/new/deep/file /mnt/inner/file)" $'of-a\nof-b' || fail "$m"
        [[ -d $DATA/b/new/deep && $(stat -c %U "$DATA/b/new/deep") == berth1 ]]
        rmdir "$DATA/b/new/deep" "$DATA/b/new"
    done
    equal "$(with "$DATA/b:/mnt,$DATA/a/file:/mnt/inner/file,$DATA/a/file:/mnt/one" cat /mnt/inner/file /mnt/one)" \
        $'of-a\nof-a'
    [[ -f $DATA/b/one && $(<"$DATA/b/inner/file") == of-b ]]
    equal "$(with "$DATA/a:$WORK/ref" cat ref/file)" of-a
    [[ $(stat -c %U "$WORK/ref") == berth1 ]]
    # What is mounted over the home holds the working directory.
    equal "$(with "$DATA/b:$HOME1" sh -c "pwd; cat $HOME1/inner/file")" "$WORK
of-b"
    # He can make none there, or a link of his leads to where no mount may be.
    chmod 755 "$DATA/b"
    for m in "$DATA/b:/mnt,$DATA/a:/mnt/other" "$DATA/b:/mnt:ro,$DATA/a:/mnt/inner/other"; do
        run --separate-stderr with "$m" true
        refused "nothing can be mounted at /mnt/" "make it there first" || fail "$m"
    done
    as_user ln -s /etc "$WORK/to-etc"
    as_user ln -s /proc "$WORK/to-proc"
    for m in to-etc to-proc to-etc/new to-proc/self; do
        run --separate-stderr with "$WORK:/mnt,$DATA/a:/mnt/$m" true
        refused "/mnt/$m" || fail "$m"
    done
    [[ ! -e $DATA/b/other && ! -e $DATA/b/inner/other ]]
    nothing_left
}

@test "a tmpfs within a mount, in any order: bounded, gone with the container, and others within that (threats 22, 53)" {
    local m
    conf <<END
mounts_allowed = {"$DATA/**:rw"}
tmp_size = "1M"
END
    for m in "$DATA/b:/mnt,tmpfs:/mnt/fast" "tmpfs:/mnt/fast,$DATA/b:/mnt"; do
        equal "$(with "$m" sh -c 'stat -f -c %T /mnt/fast; stat -c "%a %U" /mnt/fast
            echo x >/mnt/fast/x; cat /mnt/inner/file; grep -c " /mnt/fast " /proc/self/mountinfo')" \
            $'tmpfs\n1777 root\nof-b\n1' || fail "$m"
        contains "$(with "$m" grep ' /mnt/fast ' /proc/self/mounts)" nosuid,nodev
        [[ -z $(ls "$DATA/b/fast") ]] || fail "something stayed"
        run with "$m" sh -c 'head -c 2000000 /dev/zero >/mnt/fast/y'
        contains "$output" "No space left on device"
        rmdir "$DATA/b/fast"
    done
    equal "$(with "tmpfs:$WORK/fast,$DATA/a:$WORK/fast/new/a" sh -c 'echo x >fast/x; cat fast/new/a/file')" of-a
    [[ -z $(ls "$WORK/fast") ]] || fail "something stayed"
    # A place that the user cannot make, or that a link of his leads away from.
    chmod 755 "$DATA/b"
    run --separate-stderr with "$DATA/b:/mnt,tmpfs:/mnt/other" true
    refused "nothing can be mounted at /mnt/other" "make it there first"
    as_user ln -s /etc "$WORK/to-etc"
    run --separate-stderr with "tmpfs:$WORK/to-etc/fast" true
    refused to-etc/fast
    # A step that follows has the same container for the same words only.
    equal "$(allocation "cd $WORK; export BERTH_CONTAINER_IMAGE=debian
        for m in fast fast fast/new; do
            srun -w n1 -N1 -n1 --container-mounts=tmpfs:$WORK/\$m sh -c 'cat \$0; echo kept >\$0' \$m/x 2>/dev/null
        done")" kept
    nothing_left
}

@test "file systems within a mount come along where a rule says recursive, and are named where not (threats 20, 21, 24)" {
    local got sub
    for sub in one two/deep closed link; do
        mkdir -p "$DATA/b/$sub"
        mount -t tmpfs -o mode=755 "nested-$sub" "$DATA/b/$sub"
        echo "of-$sub" >"$DATA/b/$sub/file"
    done
    mkdir "$DATA/b/one/inner" "$DATA/b/closed/inner" "$DATA/b/etc"
    mount -t tmpfs unreachable "$DATA/b/closed/inner"
    mount -t tmpfs -o mode=755 inner "$DATA/b/one/inner"
    install -m 4755 /bin/true "$DATA/b/one/inner/setuid"
    mount --bind /etc "$DATA/b/etc"
    chmod 700 "$DATA/b/closed"
    read_all() { cat "$1"/{one,two/deep,closed,link}/file; ls "$1/etc" "$1/one/inner"; } 2>/dev/null
    # As it always was, and he hears of it, once.
    conf <<<"mounts_allowed = {\"$DATA/**:rw\"}"
    run --separate-stderr with "$DATA/b:/mnt" bash -c "$(declare -f read_all); read_all /mnt"
    equal "${output//[$'\n:']/}" "/mnt/etc"
    one_sentence "$stderr"
    contains "$stderr" "has mounted at"
    for sub in one two/deep closed link one/inner etc; do
        contains "$stderr" "$DATA/b/$sub"
    done
    run --separate-stderr with "$DATA/b:/mnt,$DATA/b/one:/mnt/one,tmpfs:/x" cat /mnt/one/file
    equal "$output" of-one
    contains "$stderr" "$DATA/b/two/deep"
    lacks "$stderr" "$DATA/b/one,"
    contains "$stderr" "$DATA/b/one/inner"
    # What none may have does not come along, nor what he cannot reach.
    conf <<<"mounts_allowed = {\"$DATA/**:rw+recursive\"}"
    run --separate-stderr with "$DATA/b:/mnt" bash -c "$(declare -f read_all); read_all /mnt"
    equal "$output" "of-one
of-two/deep
of-link
/mnt/etc:

/mnt/one/inner:
setuid"
    contains "$stderr" "has mounted at $DATA/b/etc: "
    got=$(with "$DATA/b:/mnt:ro" grep ' /mnt/' /proc/self/mountinfo 2>/dev/null)
    for sub in one one/inner two/deep link closed; do
        equal "$(grep -c " /mnt/$sub ro,nosuid,nodev" <<<"$got")" 1 || fail "$got"
    done
    equal "$(wc -l <<<"$got")" 5
    # It is about the place, however it comes to be mounted, and not its name.
    chmod 777 "$DATA/b/two"
    equal "$(as_user srun --chdir="$DATA/b/two" --container=debian cat deep/file)" of-two/deep
    ln -s b "$DATA/to-b"
    conf <<<"mounts_allowed = {\"$DATA/to-b:ro+recursive\", \"$DATA/b\"}"
    run --separate-stderr with "$DATA/to-b:/mnt" cat /mnt/one/file
    equal "$status" 1
    contains "$stderr" "$DATA/b/one"
    conf <<<"mounts_always = {\"$DATA/b:/mnt:recursive\"}"
    equal "$(with tmpfs:/x cat /mnt/one/file /mnt/two/deep/file 2>/dev/null)" $'of-one\nof-two/deep'
    # One that does not answer is left out, and the step runs.
    fuse hang
    conf <<<"mounts_allowed = {\"$WORK/**:recursive\"}
probe_seconds = 2"
    run --separate-stderr as_user srun --chdir="$WORK" --container=debian pwd
    equal "$output" "$WORK"
    contains "$stderr" "has mounted at $WORK/fuse: "
    kill "$FUSE"
    umount -l "$WORK/fuse"
    nothing_left
}

@test "what comes along with a mount takes no place from what the step is to have besides" {
    local i
    mkdir "$DATA/b/many"
    mount -t tmpfs many "$DATA/b/many"
    for i in {1..70}; do
        mkdir "$DATA/b/many/$i"
        mount -t tmpfs -o mode=755 "many-$i" "$DATA/b/many/$i"
    done
    conf <<<"mounts_allowed = {\"$DATA/**:rw+recursive\"}
shm = node"
    run --separate-stderr with "$DATA/b:/mnt,tmpfs:/mnt/inner,/dev/null:/opt/hidden" sh -c '
        stat -f -c %T /mnt/inner; wc -c </opt/hidden; grep -c " /mnt/many/" /proc/self/mounts'
    contains "$stderr" "has mounted at $DATA/b/many/"
    equal "$(head -n 2 <<<"$output")" $'tmpfs\n0'
    (($(tail -n 1 <<<"$output") > 50))
    nothing_left
}

@test "an automount comes as it is mounted, be it a source or within one" {
    local at=$DATA/auto
    mkdir "$at"
    cc -O1 -o "$BATS_TEST_TMPDIR/automount" "$BATS_TEST_DIRNAME/automount.c"
    automount() {
        timeout 60 "$BATS_TEST_TMPDIR/automount" "$@" </dev/null >/dev/null 2>&1 3>&- 4>&- &
        AUTOMOUNT=$!
        poll "$SOON" grep -q " $1 autofs " /proc/self/mounts || skip_without "autofs"
    }
    automounted() {
        wait "$AUTOMOUNT"
        poll "$SOON" umount "$at"
        poll "$SOON" umount "$at"
    }
    conf <<<"mounts_allowed = {\"$DATA/**:recursive\"}"
    automount "$at"
    equal "$(with "$at:/mnt" timeout 20 ls /mnt)" came
    automounted
    automount "$at"
    equal "$(with "$DATA:/mnt" timeout 20 ls /mnt/auto)" came
    automounted
    # In one of an indirect map a container would wait for ever.
    automount "$at" indirect
    poll "$SOON" grep -q " $at/sub " /proc/self/mounts
    run --separate-stderr with "$at:/mnt" true
    refused "$at is where the node's automounts come" "name a directory below it"
    run --separate-stderr with "$DATA:/mnt" ls /mnt
    equal "$output" $'a\nauto\nb'
    contains "$stderr" "has mounted at $at: "
    equal "$(with "$at/sub:/mnt" sh -c 'grep " /mnt " /proc/self/mounts' | cut -d' ' -f1)" sub
    kill "$AUTOMOUNT"
    umount -l "$at/sub" "$at"
    nothing_left
}

@test "a file system that only its user may look into is mounted, and root never asks (threat 17)" {
    fuse
    conf <<<"mounts_allowed = {\"$WORK/**\"}"
    run -1 cat "$WORK/fuse/hello"
    equal "$(with fuse:/mnt cat /mnt/hello)" "hello from FUSE"
    poll "$SOON" umount "$WORK/fuse"
    nothing_left
}

@test "a file server that does not answer costs probe_seconds, and an error (threat 16)" {
    fuse hang
    conf <<END
mounts_allowed = {"$WORK/**"}
probe_seconds = 2
END
    local start=$SECONDS pid
    run --separate-stderr with fuse:/mnt true
    refused "did not open within 2 seconds"
    ((SECONDS - start < 20))
    # The process that asked as the user has nothing of root's (threat 9).
    conf <<END
mounts_allowed = {"$WORK/**"}
probe_seconds = 8
END
    with fuse:/mnt true >/dev/null 2>&1 3>&- &
    local step=$!
    asks() {
        local p
        for p in $(pids berth-stepd); do
            ! grep -q "^Uid:.$(id -u berth1)" "/proc/$p/status" || pid=$p
        done
        [[ -n $pid ]]
    }
    poll "$SOON" asks
    # It closes what it has when it is the user.
    descriptors() { find "/proc/$pid/fd" -type l -printf '%f %l\n'; }
    only_its_own() {
        local all
        all=$(descriptors) && [[ $all ]] && ! grep -qv -e '^0 socket:' -e " $WORK/fuse\$" <<<"$all"
    }
    poll "$SOON" only_its_own || fail "it has: $(descriptors)"
    wait "$step" || true
    # The node is free for others meanwhile.
    in_container true
    kill "$FUSE"
    umount -l "$WORK/fuse"
    nothing_left
}
