#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What a step has written in its container, saved as a file of the user's or as
# an image of his own, and run again.

# shellcheck disable=SC2016  # the task's shell expands it
load lib

# berth/open is small, and has a directory that is berth1's.
setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    image berth/open "$(open_root)" 'ENV OWN=1' 'LABEL who=me' 'WORKDIR /open' \
        'ENTRYPOINT ["/bin/echo","entry"]' 'CMD ["command"]'
}
open_root() {
    local root=$BATS_FILE_TMPDIR/root name file
    mkdir -p "$root"/{bin,lib64,etc,mnt/there} "$root"/open/{gone,replaced,kept}
    for name in sh cat chmod cp cut dd echo env find id kill ln ls mkdir mkfifo \
        mv printf rm sed sleep sort stat touch tr true; do
        file=$(type -P "$name")
        cp -L "$file" "$root/bin/$name"
        ldd "$file" | grep -o '/[^ ]*' | while read -r file; do
            mkdir -p "$root${file%/*}"
            cp -Ln "$file" "$root$file"
        done
    done
    for file in gone/file replaced/file deleted changed mode; do
        echo base >"$root/open/$file"
    done
    ln "$root/open/mode" "$root/open/hard"
    chown -R berth1: "$root/open"
    echo secret >"$root/open/secret"
    chmod 600 "$root/open/secret"
    echo "$root"
}
teardown() {
    tidy
    [[ -z ${GATE-} ]] || kill "$GATE"
}
teardown_file() {
    rm -rf "$HOME1"/saved
    forget
    restore_policy
}
setup() {
    SAVED=$HOME1/saved
    rm -rf "$SAVED"
    install -d -o berth1 -g "$(id -g berth1)" "$SAVED"
    conf <<<$'save = yes\narchives = yes'
}

# saves TARGET WORD ...: a step that changes this and that.
saves() {
    local target=$1
    shift
    run --separate-stderr as_user srun -w n1 --container=berth/open \
        "--container-save=$target" "$@" sh -c "$CHANGES"
}
CHANGES='cd /open
    rm -r gone deleted
    rm -r replaced && mkdir replaced && echo new >replaced/other
    echo changed >changed
    chmod 640 mode
    mkdir -p made/deep && echo made >made/deep/file
    ln made/deep/file made/hard
    ln -s ../changed made/link
    cp /bin/true made/setuid && chmod 4755 made/setuid
    mkfifo made/fifo
    echo x >"made/$(printf "%0200d" 7)"
    chmod 1777 kept
    ln -s /etc/shadow made/away
    touch -d 2001-02-03 made/old
    echo tmp >/tmp/not-saved'

# shows IMAGE: all that can be seen of /open.
shows() {
    as_user srun -Q -w n1 --container="$1" sh -c "$SHOW"
}
SHOW='cd /open && find . -printf "%P %y %m %U %l %s %n\n" | sed "/ d /s/ [0-9]* [0-9]*$//" | sort
    find made -name old -printf "%TY-%Tm-%Td\n"
    cat changed made/deep/file replaced/* 2>&1
    [ made/hard -ef made/deep/file ] && echo same
    [ hard -ef mode ] || cat hard
    ls /tmp /mnt'

# What the container itself would show, after the changes.
wanted() {
    conf <<<$'save = yes\narchives = yes\nwritable = allowed'
    as_user srun -Q -w n1 --container=berth/open --container-writable \
        sh -c "($CHANGES); rm /tmp/not-saved; $SHOW"
}

@test "what was written comes back from a file: new, changed, deleted, links, modes (threat 101)" {
    saves "$SAVED/a.tar"
    equal "$status" 0
    contains "$stderr" "berth: saved $SAVED/a.tar: "
    equal "$(stat -c '%U %a' "$SAVED/a.tar")" "berth1 600"
    equal "$(shows "$SAVED/a.tar")" "$(wanted)"
    # All of it comes from the archive, not from what the node has.
    lacks "$(tar -xOf "$SAVED/a.tar" | strings)" "$(grep ^root: /etc/shadow)"
    equal "$(ls -A "$SAVED")" a.tar
    nothing_left
}

@test "and as an image of one's own, which no other user has (threat 102)" {
    forget
    saves image:own:1
    equal "$status" 0
    contains "$stderr" "berth: saved my/own:1: "
    equal "$(shows my/own:1)" "$(wanted)"
    run --separate-stderr as_other srun -w n1 --container=my/own:1 true
    refused "no image my/own:1" "node n1"
    run --separate-stderr as_user srun -w n2 --container=my/own:1 true
    refused "no image my/own:1" "node n2"
    run --separate-stderr as_user srun -w n1 --container="berth.local/u$(id -u berth1)/my/own:1" true
    refused "berth's own"
    nothing_left
}

@test "steps that follow each other are in one container of it, until it is another" {
    forget
    run --separate-stderr as_user salloc -Q -w n1 -n1 bash -c '
        where() { srun -Q --container=my/own:1 sh -c "cut -d\  -f22 /proc/1/stat; ls /open/made"; }
        save() { srun -Q --container=berth/open --container-save=image:own:1"$@"; }
        save "" sh -c "mkdir /open/made; : >/open/made/one" 2>/dev/null
        where; where
        save :replace sh -c "mkdir /open/made; : >/open/made/two" 2>/dev/null
        where'
    equal "$(wc -l <<<"$output")" 6
    equal "$(sed -n 3,4p <<<"$output")" "$(sed -n 1,2p <<<"$output")"
    equal "$(sed -n 4p <<<"$output") $(sed -n 6p <<<"$output")" "one two"
    nothing_left
}

@test "an image of one's own is saved again, in its own place" {
    forget
    saves image:own
    run --separate-stderr as_user srun -Q -w n1 --container=my/own --container-save=image:own sh -c 'echo 2 >/open/second'
    refused "image my/own:latest on node n1 already" ":replace"
    run --separate-stderr as_user srun -Q -w n1 --container=my/own --container-save=image:own:replace \
        sh -c 'echo 2 >/open/second; rm /open/made/hard'
    equal "$status" 0
    equal "$(as_user srun -Q -w n1 --container=my/own sh -c 'cat /open/second /open/changed; ls /open/made')" \
        "$(printf '2\nchanged\n%s' "$(as_user srun -Q -w n1 --container=my/own ls /open/made)")"
    lacks "$(as_user srun -Q -w n1 --container=my/own ls /open/made)" hard
    # And as a file, which has three layers below its own.
    run as_user srun -Q -w n1 --container=my/own --container-save="$SAVED/c.tar" sh -c 'echo 3 >/open/third'
    equal "$status" 0
    equal "$(as_user srun -Q -w n2 --container="$SAVED/c.tar" sh -c 'cat /open/second /open/third; ls /open/made')" \
        "$(printf '2\n3\n%s' "$(as_user srun -Q -w n1 --container=my/own ls /open/made)")"
    nothing_left
}

@test "what was saved is listed by its name, and goes by it" {
    forget
    saves image:own:1
    saves image:own
    run -0 --separate-stderr as_user berth images -w n1 --format=NAME
    equal "$(grep my/ <<<"$output" | sort)" $'my/own:1\nmy/own:latest'
    run -0 --separate-stderr as_user berth rmi -w n1 my/own
    contains "$output" "my/own:latest on n1"
    run -0 --separate-stderr as_user berth rmi -w n1 my/own:1
    equal "$(fetched)" ''
    lacks "$(as_user berth images -w n1)" my/
    nothing_left
}

@test "an image that is too large when it is saved is said to be so" {
    [[ $BERTH_ENGINE == podman ]] || skip_without "a Podman, which needs the whole image"
    conf <<<$'save = yes\nsave_max = "1M"\npull_max_unpacked = "1M"'
    saves image:large
    contains "$stderr" "its image has grown too large" "(pull_max_unpacked)"
    nothing_left
}

@test "what is replaced goes, and not only when the job does (threat 103)" {
    local lock id
    forget
    # No epilog makes room meanwhile.
    exec {lock}<"$STATE"
    flock "$lock"
    saves image:own
    id=$(fetched)
    run -0 as_user srun -Q -w n1 --container=berth/open --container-save=image:own:replace sh -c 'echo other >/open/changed'
    exec {lock}<&-
    equal "$(fetched | wc -l)" 1
    lacks "$(fetched)" "$id"
    nothing_left
}

# gate SOCKET: the engine, where what is asked with the words in SOCKET.shut waits as
# long as that is there, and says so in SOCKET.waits. Sets GATE.
gate() {
    /usr/bin/python3 - "$1" "${DOCKER_HOST#unix://}" <<'END' 3>&- 4>&- &
import os, socket, sys, threading, time
path, engine = sys.argv[1:]

def is_shut(data):
    try:
        return open(path + ".shut", "rb").read() in data
    except FileNotFoundError:
        return False

def pass_on(source, target, asks):
    while data := source.recv(1 << 16):
        while asks and is_shut(data):
            open(path + ".waits", "w").close()
            time.sleep(0.02)
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)

server = socket.socket(socket.AF_UNIX)
server.bind(path)
os.chmod(path, 0o600)
server.listen(64)
while True:
    here, there = server.accept()[0], socket.socket(socket.AF_UNIX)
    there.connect(engine)
    for words in (here, there, True), (there, here, False):
        threading.Thread(target=pass_on, args=words, daemon=True).start()
END
    GATE=$!
    poll "$SOON" test -S "$1"
}
replace() {
    run -0 as_user srun -Q -w n1 --container=berth/open --container-save=image:own:replace \
        sh -c "echo $1 >/open/changed"
}
begin_step() {
    as_user srun -Q -w n1 --container=my/own cat /open/changed >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- 4>&- &
    STEP=$!
}
# shows_then TEXT: the step that was begun ends well, and has seen it.
shows_then() {
    wait "$STEP" || fail "$(cat "$BATS_TEST_TMPDIR/out")"
    equal "$(cat "$BATS_TEST_TMPDIR/out")" "$1"
}

goes() { berth-images gc && [[ $(fetched) != *"$1"* ]]; }

@test "what is replaced stays for a step that is about to start from it, and goes then" {
    local socket=/run/berth-bats-gate lock old file
    forget
    rm -f "$socket"*
    gate "$socket"
    policy 'allow=berth/**' "engine=unix://$socket"
    # No epilog makes room meanwhile.
    exec {lock}<"$STATE"
    flock "$lock"
    saves image:own
    old=$(fetched)
    # The request for the container has it so.
    printf '%s"' "$old" >"$socket.shut"
    begin_step
    poll "$SOON" test -e "$socket.waits"
    replace other
    contains "$(fetched)" "$old"
    rm "$socket.shut"
    shows_then changed
    flock -u "$lock"
    poll "$SOON" goes "$old"
    equal "$(fetched | wc -l)" 1
    # What went before the step could hold it is not what it starts from.
    old=$(fetched)
    file=$STATE/n1/images/sha256:$old.id.lock
    exec {lock}>"$file"
    flock "$lock"
    begin_step
    poll "$SOON" grep -q "OFDLCK.*:$(stat -c %i "$file") " /proc/locks
    replace third
    api DELETE "/images/berth.local/image:$old" >/dev/null
    flock -u "$lock"
    shows_then third
    nothing_left
}

@test "the result is the image's own: nothing of berth's, nor of what was mounted" {
    local dir=$BATS_TEST_TMPDIR/oci layer
    conf <<<$'save = yes\narchives = yes\nmounts_allowed = {"/var/tmp/**"}'
    as_user mkdir -p /var/tmp/berth1-there
    run --separate-stderr as_user srun -w n1 --container=berth/open --container-save="$SAVED/a.tar" \
        --container-mounts=/var/tmp/berth1-there:/mnt/new/there,/var/tmp/berth1-there:/mnt/there \
        sh -c 'echo x >/open/new; echo y >/mnt/there/y; echo z >/tmp/z'
    rm -rf /var/tmp/berth1-there
    equal "$status" 0
    skopeo copy -q --insecure-policy "docker-archive:$SAVED/a.tar" "dir:$dir"
    skopeo inspect --config "oci-archive:$SAVED/a.tar" >"$BATS_TEST_TMPDIR/config"
    run /usr/bin/python3 - "$BATS_TEST_TMPDIR/config" <<<'import json, sys
c = json.load(open(sys.argv[1]))["config"]
print(c["Entrypoint"], c["Cmd"], c["WorkingDir"], c.get("Labels"), c.get("User", ""),
    [e for e in c["Env"] if not e.startswith("PATH=")])'
    equal "$output" "['/bin/echo', 'entry'] ['command'] /open {'who': 'me'}  ['OWN=1']"
    layer=$(/usr/bin/python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["layers"][-1]["digest"][7:])' "$dir/manifest.json")
    equal "$(tar -tf "$dir/$layer" 2>/dev/null || gzip -dc "$dir/$layer" | tar -t)" $'open/\nopen/new'
    equal "$(as_user srun -Q -w n1 --container="$SAVED/a.tar" --container-entrypoint "")" "entry command"
    nothing_left
}

@test "a step that failed is saved with :always alone, and ends as it ended" {
    run --separate-stderr as_user srun -Q -w n1 --container=berth/open --container-save="$SAVED/a.tar" \
        sh -c 'echo x >/open/new; exit 3'
    equal "$status" 3
    contains "$stderr" ":always"
    equal "$(ls -A "$SAVED")" ""
    run --separate-stderr as_user srun -Q -w n1 --container=berth/open --container-save="$SAVED/a.tar:always" \
        sh -c 'echo x >/open/new; exit 3'
    equal "$status" 3
    contains "$stderr" "saved $SAVED/a.tar: "
    equal "$(as_user srun -Q -w n1 --container="$SAVED/a.tar" cat /open/new)" x
    nothing_left
}

@test "what is there already, and where the user cannot write, is said before the step (threat 100)" {
    local target=$BATS_TEST_TMPDIR/others
    as_user touch "$SAVED/there"
    as_user mkdir "$SAVED/dir"
    echo kept >"$target"
    chmod 644 "$target"
    as_user ln -s "$target" "$SAVED/link"
    turned_away() {
        run --separate-stderr as_user srun -Q -w n1 --container=berth/open --container-save="$1" \
            sh -c 'echo x >/open/new; echo ran'
        shift
        refused "cannot be saved to" "$@"
    }
    turned_away "$SAVED/there" "a file of that name" ":replace"
    turned_away "$SAVED/link" "a file of that name"
    turned_away "$SAVED/dir" "a directory of that name"
    turned_away "$SAVED/dir:replace" "a directory of that name"
    turned_away "$SAVED/none/a.tar" "No such file or directory"
    turned_away /root/a.tar "Permission denied"
    turned_away /etc/a.tar "Permission denied"
    run --separate-stderr as_user srun -Q -w n1 --container=berth/open --container-save="$SAVED/dir/" true
    refused "write the name of a file"
    # A link gives way as a whole; what it led to stays.
    run as_user srun -Q -w n1 --container=berth/open --container-save="$SAVED/link:replace" true
    equal "$status" 0
    equal "$(<"$target")" kept
    [[ -f $SAVED/link && ! -L $SAVED/link ]] || fail "$(ls -l "$SAVED")"
    equal "$(ls -A "$SAVED")" $'dir\nlink\nthere'
    nothing_left
}

@test "what becomes of the name while the step runs" {
    run --separate-stderr as_user srun -Q -w n1 --container=berth/open --container-save="$SAVED/a.tar" \
        --container-mounts="$SAVED:/mnt/there" sh -c 'echo mine >/mnt/there/a.tar'
    equal "$status" 125
    contains "$stderr" "there is a file of that name"
    equal "$(<"$SAVED/a.tar")" mine
    run as_user srun -Q -w n1 --container=berth/open --container-save="$SAVED/b.tar:replace" \
        --container-mounts="$SAVED:/mnt/there" sh -c 'ln -s /etc/passwd /mnt/there/b.tar'
    equal "$status" 0
    [[ -f $SAVED/b.tar && ! -L $SAVED/b.tar ]] || fail "$(ls -l "$SAVED")"
    equal "$(ls -A "$SAVED")" $'a.tar\nb.tar'
    nothing_left
}

@test "save_max, save_total, a full disk (threat 103)" {
    local much='dd if=/dev/zero of=/open/much bs=1024k count=3 2>/dev/null'
    forget
    conf <<<$'save = yes\narchives = yes\nsave_max = "2M"'
    run --separate-stderr as_user srun -Q -w n1 --container=berth/open --container-save="$SAVED/a.tar" sh -c "$much"
    equal "$status" 125
    contains "$stderr" "(save_max)"
    conf <<<$'save = yes\nsave_total = "5M"'
    run --separate-stderr as_user srun -Q -w n1 --container=berth/open --container-save=image:one sh -c "$much"
    equal "$status" 0
    run --separate-stderr as_user srun -Q -w n1 --container=berth/open --container-save=image:two sh -c "$much"
    equal "$status" 125
    contains "$stderr" "(save_total)"
    run --separate-stderr as_user srun -Q -w n1 --container=berth/open --container-save=image:one:replace sh -c "$much"
    equal "$status" 0
    mkdir "$SAVED/small"
    mount -t tmpfs -o size=4m,mode=1777 tmpfs "$SAVED/small"
    run --separate-stderr as_user srun -Q -w n1 --container=berth/open --container-save="$SAVED/small/a.tar" sh -c "$much"
    left=$(ls -A "$SAVED/small")
    poll "$SOON" umount "$SAVED/small"
    rmdir "$SAVED/small"
    equal "$status" 125
    contains "$stderr" "No space left on device"
    equal "$left" ""
    equal "$(ls -A "$SAVED")" ""
    nothing_left
}

no_saver() { [[ -z $(pids berth-save) ]]; }

@test "cancelled, or killed in the middle, with berth-save stopped by its user: nothing is saved, nothing is left (threat 62)" {
    local how
    for how in cancel stepd saver child first; do
        start_saving_slowly "$SAVED/$how.tar"
        case $how in
        cancel) scancel "$JOB" ;;
        stepd) kill -KILL "$STEPD" ;;
        saver) kill -KILL $SAVER ;;
        child) kill -KILL "$(parent "$(parent "$SAVER")")" ;;
        first) kill -KILL "$(parent "$SAVER")" ;;
        esac
        await_step 30
        ((STATUS != 0)) || fail "$how: srun ended well: $(<"$ERR")"
        poll "$SOON" no_saver || fail "$how: berth-save is left"
        equal "$(ls -A "$SAVED")" ""
        nothing_left
    done
}
# So large that berth-save is met at work.
start_saving_slowly() {
    start_step -w n1 --container=berth/open "--container-save=$1" \
        sh -c "echo ready \$SLURM_JOB_ID; dd if=/dev/urandom of=/open/much bs=1024k count=60 2>/dev/null"
    poll 60 met || fail "no berth-save: $(<"$ERR")"
    # It may be as good as done by then, or done.
    if ! is_in_the_middle; then
        kill -CONT $SAVER 2>/dev/null || true
        await_step 60
        rm -f "$1"
        start_saving_slowly "$1"
        return
    fi
    STEPD=$(parent "$(parent "$(parent "$SAVER")")")
}
# Of berth-save that is the first of its namespace, whose parent is berth-stepd's
# child.
parent() { ps -o ppid= -p "$1" | tr -d ' '; }
met() { stop_saver_at_work || grep -q '^berth: saved' "$ERR"; }
is_in_the_middle() {
    local written
    written=$(sed -n 's/^wchar: //p' "/proc/$SAVER/io" 2>/dev/null) && ((${written:-99999999} < 40000000))
}
stop_saver_at_work() {
    SAVER=$(pids berth-save)
    # Not the one that looks beforehand.
    [[ -n $SAVER ]] && ! tr '\0' ' ' <"/proc/$SAVER/cmdline" | grep -q -e --check &&
        as_user kill -STOP "$SAVER"
}

@test "what a process outside has open, and changes meanwhile, is not saved (threat 101)" {
    local pid writer
    start_step -w n1 --container=berth/open --container-save="$SAVED/a.tar" --container-mounts="$SAVED:/mnt/there" \
        sh -c 'echo 0 >/open/f; sleep 5254 & echo ready $SLURM_JOB_ID; until [ -e /mnt/there/go ]; do sleep 0.1; done'
    poll "$SOON" sleeps 5254
    pid=$(sleepers 5254)
    as_user /usr/bin/python3 -c 'import os, sys
fd = os.open("/proc/%s/root/open/f" % sys.argv[1], os.O_WRONLY)
open(sys.argv[2] + "/go", "w").close()
n = 0
while os.path.exists(sys.argv[2] + "/go"):
    n += 1
    os.pwrite(fd, b"%020d" % n, 0)' "$pid" "$SAVED" 3>&- 4>&- &
    writer=$!
    await_step 30
    rm "$SAVED/go"
    wait "$writer"
    equal "$STATUS" 125
    contains "$(<"$ERR")" "changed while they were saved"
    equal "$(ls -A "$SAVED")" ""
    nothing_left
}
@test "tasks of a node are saved together, and each node's by its name" {
    run --separate-stderr as_user srun -Q -w n1 -n2 --container=berth/open --container-save="$SAVED/a.tar" \
        sh -c 'echo $SLURM_PROCID >/open/$SLURM_PROCID'
    equal "$status" 0
    equal "$(grep -c 'saved ' <<<"$stderr")" 1
    equal "$(as_user srun -Q -w n1 --container="$SAVED/a.tar" cat /open/0 /open/1)" $'0\n1'
    run --separate-stderr as_user srun -Q -N2 --container=berth/open --container-save="$SAVED/b.tar" true
    ((status != 0)) || fail "it was not refused"
    contains "$stderr" "%N"
    run as_user srun -Q -N2 --container=berth/open --container-save="$SAVED/b-%N.tar" \
        sh -c 'echo $SLURMD_NODENAME >/open/node'
    equal "$status" 0
    equal "$(as_user srun -Q -w n1 --container="$SAVED/b-n2.tar" cat /open/node)" n2
    equal "$(ls -A "$SAVED")" $'a.tar\nb-n1.tar\nb-n2.tar'
    nothing_left
}

@test "what a step has left running is killed before; a path from the working directory" {
    run --separate-stderr as_user sh -c "cd $SAVED && srun -Q -w n1 --container=berth/open --container-save=./a.tar \
        sh -c 'sleep 5253 >/dev/null 2>&1 & echo x >/open/new'"
    equal "$status" 0
    poll "$SOON" no_sleeper 5253 || fail "it runs on"
    equal "$(as_user srun -Q -w n1 --container="$SAVED/a.tar" cat /open/new)" x
    nothing_left
}

@test "a batch script, and steps of its own, which save nothing" {
    cat >"$HOME1/save.sh" <<'EOS'
#!/bin/sh
echo x >/open/new
EOS
    chown berth1: "$HOME1/save.sh"
    run_batch -w n1 -o "$HOME1/out-save.txt" --container=berth/open --container-save="$SAVED/a.tar" "$HOME1/save.sh"
    contains "$(<"$HOME1/out-save.txt")" "saved $SAVED/a.tar: "
    equal "$(as_user srun -Q -w n1 --container="$SAVED/a.tar" cat /open/new)" x
    nothing_left
}

# The job's end ends the step that sleeps. Where scancel did that, from within,
# Slurm's salloc would at times look for its command for ever (22.05).
@test "a container with a name is saved by the step that asks, if it is alone there" {
    conf <<<$'save = yes\narchives = yes\nwritable = allowed'
    run --separate-stderr as_user salloc -Q -w n1 -n4 --mem=2000 bash -c "
        in_one() { srun -Q -n1 --mem=100 --overlap --container-name=x \"\$@\"; }
        in_one --container=berth/open --container-writable sh -c 'echo 1 >/open/first'
        in_one --container-save=$SAVED/a.tar sh -c 'echo 2 >/open/second'
        echo \$?
        in_one sleep 1000 &
        for i in {1..100}; do
            ! in_one sh -c 'cat /proc/[0-9]*/comm' | grep -q '^sleep\$' || break
        done
        in_one --container-save=$SAVED/b.tar true
        echo \$?" 3>&- 4>&-
    contains "$output" 0
    contains "$output" 125
    contains "$stderr" "another step is in the container"
    equal "$(as_user srun -Q -w n1 --container="$SAVED/a.tar" cat /open/first /open/second)" $'1\n2'
    equal "$(ls -A "$SAVED")" a.tar
    nothing_left
}

@test "the first step of a container with a name saves it, too; a read-only one is refused" {
    conf <<<$'save = yes\narchives = yes\nwritable = allowed'
    run --separate-stderr as_user salloc -Q -w n1 -n4 --mem=2000 bash -c "
        in_one() { srun -Q -n1 --mem=100 --overlap --container-name=\$1 \"\${@:2}\"; }
        in_one x --container=berth/open --container-save=$SAVED/a.tar sh -c 'echo 1 >/open/first'
        in_one x cat /open/first
        in_one y --container=berth/open true
        in_one y --container-save=$SAVED/b.tar echo ran"
    equal "$output" 1
    contains "$stderr" "is read-only"
    equal "$(ls -A "$SAVED")" a.tar
    nothing_left
}

@test "berth save: a container with a name, in which no step is" {
    conf <<<$'save = yes\narchives = yes\nwritable = allowed'
    forget
    run --separate-stderr as_user salloc -Q -w n1 -n4 --mem=2000 bash -c "
        srun -Q -n1 --mem=100 --overlap --container=berth/open --container-writable --container-name=x \
            sh -c 'echo 1 >/open/first'
        cd $SAVED && berth save \$SLURM_JOB_ID x a.tar && berth save \$SLURM_JOB_ID x image:x
        berth save \$SLURM_JOB_ID x a.tar || berth save --replace --node=n1 \$SLURM_JOB_ID x a.tar"
    equal "$status" 0
    equal "$(as_user srun -Q -w n1 --container="$SAVED/a.tar" cat /open/first)" 1
    equal "$(as_user srun -Q -w n1 --container=my/x cat /open/first)" 1
    run as_user berth save 1 a.tar
    equal "$status" 2
    contains "$output" "--container-name"
    nothing_left
}

# deep NAME COUNT DIR: berth/open with so many layers more.
deep() {
    api GET /images/docker.io/berth/open:latest/get >"$3/open.tar"
    /usr/bin/python3 - "$@" <<'EOF'
import hashlib, io, json, sys, tarfile
name, count, dir = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with tarfile.open(dir + "/open.tar") as old, tarfile.open(dir + "/deep.tar", "w") as new:
    def put(name, data):
        head = tarfile.TarInfo(name)
        head.size = len(data)
        new.addfile(head, io.BytesIO(data))
    manifest = json.load(old.extractfile("manifest.json"))[0]
    config = json.load(old.extractfile(manifest["Config"]))
    config.pop("history", None)
    for path in set(manifest["Layers"]):
        put(path, old.extractfile(old.getmember(path)).read())
    for i in range(count):
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            text = b"%d\n" % i
            head = tarfile.TarInfo("deep/%d" % i)
            head.size = len(text)
            tar.addfile(head, io.BytesIO(text))
        data = layer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        put(digest + ".tar", data)
        manifest["Layers"].append(digest + ".tar")
        config["rootfs"]["diff_ids"].append("sha256:" + digest)
    text = json.dumps(config).encode()
    digest = hashlib.sha256(text).hexdigest()
    put(digest + ".json", text)
    put("manifest.json", json.dumps([{"Config": digest + ".json", "RepoTags": [name],
        "Layers": manifest["Layers"]}]).encode())
EOF
    api POST /images/load -H 'Content-Type: application/x-tar' -T "$3/deep.tar" >"$3/reply"
    contains "$(cat "$3/reply")" "oaded image"
}

@test "an image of so many layers that the overlay's options are more than a page" {
    deep docker.io/berth/deep:latest 100 "$BATS_TEST_TMPDIR"
    forget
    local target
    for target in "$SAVED/deep.tar" image:deep:1; do
        run --separate-stderr as_user srun -w n1 --container=berth/deep "--container-save=$target" \
            sh -c 'cat /deep/0 /deep/99; rm -r /open/gone; echo more >/open/kept/more'
        equal "$status" 0
        equal "$output" $'0\n99'
        contains "$stderr" "berth: saved "
    done
    for target in "$SAVED/deep.tar" my/deep:1; do
        run --separate-stderr as_user srun -Q -w n1 --container="$target" \
            sh -c 'cat /deep/1 /deep/98 /open/kept/more; ls /open'
        equal "$output" $'1\n98\nmore\nchanged\ndeleted\nhard\nkept\nmode\nreplaced\nsecret'
    done
    forget
    api DELETE /images/docker.io/berth/deep:latest >/dev/null
    nothing_left
}

@test "what the policy says, and who says it" {
    conf <<<'archives = yes'
    run --separate-stderr as_user srun -w n1 --container=berth/open --container-save="$SAVED/a.tar" true
    refused "--container-save cannot be had" "(save)"
    run --separate-stderr as_user srun -w n1 --container=my/own true
    refused "my/own:latest cannot be run" "(save)"
    conf <<<'save = yes'
    run --separate-stderr as_user srun -w n1 --container=berth/open --container-readonly --container-save="$SAVED/a.tar" true
    refused "exclude each other"
    for name in image: image:Own image:a@b; do
        run --separate-stderr as_user srun -w n1 --container=berth/open --container-save="$name" true
        refused "--container-save=$name"
    done
    contains "$(as_user srun --container=help)" "--container-save=FILE"
    nothing_left
}

@test "the audit log says what was saved, and why not" {
    conf <<<"save = yes
audit_log = \"$BATS_TEST_TMPDIR/audit.log\""
    as_user srun -Q -w n1 --container=berth/open --container-save="$SAVED/a.tar" true
    run as_user srun -Q -w n1 --container=berth/open --container-save="$SAVED/b.tar" sh -c 'exit 3'
    nothing_left
    contains "$(grep '"event":"end"' "$BATS_TEST_TMPDIR/audit.log" | head -n 1)" "\"saved\":\"$SAVED/a.tar\""
    contains "$(grep '"event":"end"' "$BATS_TEST_TMPDIR/audit.log" | tail -n 1)" '"not_saved":"a task has failed"'
}
