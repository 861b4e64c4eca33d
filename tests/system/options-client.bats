#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The options of srun, sbatch and salloc: how they are given and how they
# travel, what is refused at submission, and what --container=help says.

# shellcheck disable=SC2154  # status, output, stderr are bats's
load lib

OPTIONS=(container-image container-mounts container-workdir container-env
    container-mount-home no-container-mount-home container-writable
    container-readonly container-entrypoint no-container-entrypoint
    container-network container-slurm no-container-slurm)

# Says where it runs, and what it is given of the options' variables.
where() { echo "test -e /run/berth/init && echo container || echo host; env | grep SPANK || true"; }

# by CLIENT WORD ...: runs the words as the options of srun, sbatch or salloc
# with a program that prints "ran".
by() {
    local client=$1
    shift
    case $client in
    srun) as_user srun "$@" echo ran ;;
    sbatch) as_user sbatch --wrap 'echo ran' -o /dev/null "$@" ;;
    script)
        # As lines of the script.
        { echo '#!/bin/sh'; printf '#SBATCH %s\n' "$@"; echo 'echo ran'; } >"$HOME1/job.sh"
        as_user sbatch -o /dev/null job.sh ;;
    salloc) as_user salloc -Q "$@" echo ran ;;
    esac
}
by_env() { (export "${1?}"; by "$2"); }
next_job() { scontrol show config | sed -n 's/^NEXT_JOB_ID *= //p'; }

# turned_away WORDS OPTION ...: srun, sbatch and salloc each refuse the options
# with one sentence that has each of WORDS (one a line), and spend no job id.
turned_away() {
    local client words next
    mapfile -t words <<<"$1"
    shift
    next=$(next_job)
    for client in srun sbatch script salloc; do
        run --separate-stderr by "$client" "$@"
        refused "${words[@]}"
    done
    equal "$(next_job)" "$next"
}

# batch OPTION ...: what a batch script says of where it runs.
batch() {
    { echo '#!/bin/sh'; where; } >"$HOME1/job.sh"
    rm -f "$HOME1/job.out"
    run_batch -o job.out "$@" job.sh
    cat "$HOME1/job.out"
}

conf() {
    cat >"${PLUGSTACK_CONF%/*}/berth-test.conf"
    policy "$ENGINE" conf="${PLUGSTACK_CONF%/*}/berth-test.conf"
}
teardown() { rm -f "${PLUGSTACK_CONF%/*}/berth-test.conf"; tidy; }

# --- how they are given ------------------------------------------------------

@test "srun, sbatch and salloc show each option in a line of their help" {
    local client option
    for client in srun sbatch salloc; do
        run as_user "$client" --help
        for option in "${OPTIONS[@]}"; do
            contains "$output" "--$option"
        done
        lacks "$output" "conflicting"
        # Beside the option, or below where that is too long: never two lines.
        ! grep -A3 -e '^ *--\(no-\)\?container-[a-z]' <<<"$output" |
            grep '^ \{30\}' | awk 'length > 80' | grep . || fail "too long"
    done
}

@test "an image by any name of the option runs there, and leaves no trace in the environment" {
    equal "$(as_user srun --container-image=debian sh -c "$(where)")" container
    equal "$(as_user srun --container=debian sh -c "$(where)")" container
    equal "$(as_user env BERTH_CONTAINER_IMAGE=debian srun sh -c "$(where)")" container
    equal "$(as_user srun sh -c "$(where)")" host
    equal "$(batch --container-image=debian)" container
    equal "$(BERTH_CONTAINER_IMAGE=debian batch)" container
    nothing_left
}

@test "an image arrives whatever --export and --export-file leave of the environment" {
    local how
    printf 'FOO=1\0' >"$HOME1/job.env"
    for how in --export=NONE --export=HOME --export-file=job.env; do
        equal "$(batch "$how" --container=debian)" container
        equal "$(batch "$how" --container-image=debian)" container
        equal "$(BERTH_CONTAINER_IMAGE=debian batch "$how")" container
    done
    for how in --container=debian --container-image=debian; do
        equal "$(as_user srun --export=NONE "$how" sh -c "$(where)")" container
    done
    equal "$(as_user env BERTH_CONTAINER_IMAGE=debian srun --export=NONE sh -c "$(where)")" container
    rm "$HOME1/job.env"
    nothing_left
}

@test "a script's #SBATCH lines hold, and the command line may repeat them" {
    { echo '#!/bin/sh'; echo '#SBATCH --container-image=debian --container-readonly'; where; } >"$HOME1/job.sh"
    run_batch -o job.out job.sh
    equal "$(cat "$HOME1/job.out")" container
    run_batch -o job.out --container-image=debian --container=debian job.sh
    equal "$(cat "$HOME1/job.out")" container
}

@test "the step of salloc's own shell has what salloc was given" {
    local option
    for option in --container=debian --container-image=debian; do
        run as_user bash -c "{ echo 'test -e /run/berth/init && echo in-\"\"side; exit'; sleep 1; } |
            script -qec 'salloc -Q $option' /dev/null"
        contains "$output" in-side
    done
    nothing_left
}

@test "the command line wins over the environment, and the environment over nothing" {
    equal "$(as_user env BERTH_CONTAINER_IMAGE=berth/probe srun --container=debian sh -c "$(where)")" container
    equal "$(as_user env BERTH_CONTAINER_IMAGE=berth/probe srun --container-image=debian sh -c "$(where)")" container
    equal "$(as_user env BERTH_CONTAINER_WRITABLE=yes srun --container=debian --container-readonly sh -c "$(where)")" container
    equal "$(as_user env BERTH_CONTAINER_WRITABLE=no srun --container=debian sh -c "$(where)")" container
    # Empty is unset. Without an image the others ask for nothing.
    equal "$(as_user env BERTH_CONTAINER_IMAGE= BERTH_CONTAINER_WRITABLE=maybe srun sh -c "$(where)")" host
    run --separate-stderr as_user env BERTH_CONTAINER_WRITABLE=maybe srun --container=debian true
    refused BERTH_CONTAINER_WRITABLE=maybe "yes or no"
    nothing_left
}

@test "what a job was given does not hold for the steps in it, and a user's own variables do" {
    local variable
    for variable in SLURM_CONTAINER _SLURM_SPANK_OPTION_berth_container_image \
        SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_image; do
        run as_user env "$variable=debian" srun sh -c "$(where)"
        equal "$output" host
        (export "$variable=debian"; run_batch -o job.out --wrap "$(where)")
        equal "$(cat "$HOME1/job.out")" host
    done
    run as_user env BERTH_CONTAINER_IMAGE=debian salloc -Q srun sh -c "$(where)"
    equal "$output" container
    # In a batch script, which is on the host: the option was srun's.
    { echo '#!/bin/sh'; echo 'export BERTH_CONTAINER_IMAGE=debian'; echo "srun sh -c '$(where)'"; } >"$HOME1/job.sh"
    run_batch -o job.out job.sh
    equal "$(cat "$HOME1/job.out")" container
    nothing_left
}

@test "squeue and scontrol show the image, however it was given" {
    start_step --container-image=debian sh -c "$(waiter)"
    contains "$(scontrol show step "$JOB.0")" Container=debian
    scancel "$JOB"
    BERTH_CONTAINER_IMAGE=debian start_step sh -c "$(waiter)"
    contains "$(scontrol show step "$JOB.0")" "$(printf 'Container=')"
    scancel "$JOB"
}

@test "what salloc is given for a command on its own host is refused, and its shell has it (threat 81)" {
    local option next
    next=$(next_job)
    for option in --container=debian --container-image=debian; do
        run --separate-stderr as_user salloc -Q "$option" echo ran
        refused "${option%=*}" "each srun" use_interactive_step
        run --separate-stderr as_user salloc -Q --no-shell "$option"
        refused "each srun"
        run --separate-stderr as_user env BERTH_CONTAINER_MOUNTS=tmpfs:/x salloc -Q "$option" sh -c 'srun true'
        refused "each srun"
    done
    run --separate-stderr as_user env SALLOC_CONTAINER=debian salloc -Q echo ran
    refused "each srun"
    run --separate-stderr as_user env BERTH_CONTAINER_IMAGE=debian salloc -Q --container-readonly echo ran
    refused --container-readonly "each srun"
    equal "$(next_job)" "$next"
    # The variable is of the steps in there.
    equal "$(as_user env BERTH_CONTAINER_IMAGE=debian salloc -Q srun sh -c "$(where)")" container
    nothing_left
}

@test "salloc's options are refused where its shell is on its own host (threat 81)" {
    local conf=${PLUGSTACK_CONF%/*}/berth-test.conf
    sed 's/^LaunchParameters=.*//' "$SLURM_CONF" >"$conf"
    run --separate-stderr as_user env SLURM_CONF="$conf" salloc -Q --container-image=debian
    refused --container-image "each srun" use_interactive_step
    # Slurm's own word.
    run as_user env SLURM_CONF="$conf" salloc -Q --container=debian
    contains "$output" use_interactive_step
}

@test "a variable that berth does not know is refused, and pyxis's are taken for what they are (threat 81)" {
    local client row
    for client in srun sbatch salloc; do
        for row in BERTH_CONTAINER_IMGAE=debian PYXIS_CONTAINER_SAV=x; do
            run --separate-stderr by_env "$row" "$client"
            refused "${row%=*}" BERTH_CONTAINER_IMAGE
        done
    done
    equal "$(as_user env PYXIS_CONTAINER_IMAGE=debian srun sh -c "$(where)")" container
    equal "$(as_user env PYXIS_CONTAINER_IMAGE=debian PYXIS_CONTAINER_WORKDIR=/usr PYXIS_CONTAINER_MOUNTS=tmpfs:/x srun sh -c 'pwd; test -w /x && echo x')" $'/usr\nx'
    equal "$(PYXIS_CONTAINER_IMAGE=debian batch)" container
    conf <<<'allow = {"debian"} writable = default'
    equal "$(as_user env BERTH_CONTAINER_READONLY=1 srun --container=debian sh -c 'touch /x 2>&1 | grep -o Read-only')" Read-only
    equal "$(as_user env BERTH_CONTAINER_WRITABLE=n srun --container=debian sh -c 'touch /x 2>&1 | grep -o Read-only')" Read-only
    equal "$(as_user env PYXIS_CONTAINER_READONLY=0 srun --container=debian sh -c 'touch /x 2>&1 | grep -o Permission')" Permission
    nothing_left
}

@test "pyxis's options that berth lacks say what to do instead" {
    turned_away "--container-unshare is pyxis's, and not berth's: " --container=debian --container-unshare=net
    # Nor does it run on the host.
    turned_away "--container-unshare is pyxis's" --container-unshare=net
    equal "$(as_user srun --no-container-remap-root --container-entrypoint-log --container=debian echo x)" x
    nothing_left
}

# --- what is refused at submission -------------------------------------------

@test "of an option that is given again the last holds, and mounts and variables add up, the command line over the script" {
    local there=${PLUGSTACK_CONF%/etc/*}/again
    mkdir -p "$there/1" "$there/2"
    conf <<END
allow = {"debian", "berth/probe"} writable = allowed networks = {"host", "none"} mounts_allowed = {"$there/*"}
END
    { echo '#!/bin/sh'
      printf '#SBATCH %s\n' --container=berth/probe --container-writable "--container-mounts=$there/1:/data1" --container-workdir=/nowhere
      echo 'echo $PWD; ls -d /data?; touch /x 2>&1 | grep -o Read-only; test -e /etc/debian_version && echo debian'; } >"$HOME1/job.sh"
    for option in --container=debian --container-image=debian; do
        run_batch -o job.out "$option" --container-readonly --container-mounts="$there/2:/data2" --container-workdir=/usr job.sh
        equal "$(cat "$HOME1/job.out")" $'/usr\n/data1\n/data2\nRead-only\ndebian'
    done
    # In one command line, and among the script's lines.
    run --separate-stderr as_user srun --container=berth/probe --container-network=none --container-mounts="$there/1:/data1" \
        --container-image=debian --container-network=host --container-mounts="$there/2:/data2" --container-mounts="$there/1:/data1" \
        --container-env=PATH --container-env=TERM --container-entrypoint --no-container-entrypoint \
        sh -c 'ls -d /data?; grep -c : /proc/net/dev'
    equal "$status/$stderr" 0/
    contains "$output" $'/data1\n/data2'
    equal "$(as_user srun --container-image=berth/probe --container=debian sh -c "$(where)")" container
    sed -i '/mounts/a #SBATCH --container-mounts='"$there"'/2:/data2\n#SBATCH --container=debian' "$HOME1/job.sh"
    run_batch -o job.out --container-workdir=/ job.sh
    contains "$(cat "$HOME1/job.out")" $'/data1\n/data2'
    contains "$(cat "$HOME1/job.out")" debian
    # Each by itself is judged.
    run --separate-stderr as_user srun --container=debian --container-mounts=/etc:/x --container-mounts="$there/1:/data1" echo ran
    refused /etc
    rm -r "$there"
    nothing_left
}

@test "an empty value and one that is no text are refused at submission" {
    local option
    # By the name that the user wrote.
    turned_away '--container is empty: write --container=IMAGE' --container=
    # A variable that is empty counts as unset.
    equal "$(as_user env BERTH_CONTAINER_IMAGE= srun -Q sh -c "$(where)")" host
    equal "$(as_user env BERTH_CONTAINER_IMAGE= BERTH_CONTAINER_WORKDIR= srun -Q --container=debian sh -c "$(where)")" container
    for option in image mounts workdir env network; do
        turned_away $'--container-'"$option"$'\nempty' --container=debian "--container-$option="
    done
    turned_away $'control character' --container=debian $'--container-env=A\x01B'
    run --separate-stderr by srun --container=debian --container-workdir="/$(printf 'a%.0s' {1..20000})"
    refused "make it shorter"
}

@test "an option without an image is refused at submission, and by the node (threats 1, 2)" {
    local option words
    for option in container-mounts=/a container-workdir=/ container-env=A container-mount-home \
        no-container-mount-home container-readonly container-writable container-network=host \
        container-entrypoint no-container-entrypoint container-slurm no-container-slurm; do
        words=$'--'"${option%=*}"$'\nwithout an image'
        turned_away "$words" "--$option"
    done
    run --separate-stderr bypassing env SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_env=A srun echo ran
    refused --container-env "without an image"
    run --separate-stderr bypassing env _SLURM_SPANK_OPTION_berth_container_readonly= srun echo ran
    refused --container-readonly "without an image"
    nothing_left
}

@test "options that another client has let through are refused by the node, and nothing runs on the host (threats 1, 2)" {
    local value
    for value in '' $'a\x01' "$(printf 'a%.0s' {1..20000})"; do
        run --separate-stderr bypassing env _SLURM_SPANK_OPTION_berth_container_mounts="$value" \
            _SLURM_SPANK_OPTION_berth_container_image=debian srun echo ran
        refused --container-mounts
        run --separate-stderr bypassing env SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_mounts="$value" \
            SLURM_CONTAINER=debian srun echo ran
        refused --container-mounts
    done
    run --separate-stderr bypassing env _SLURM_SPANK_OPTION_berth_container_image=debian \
        SLURM_CONTAINER=berth/probe srun echo ran
    refused "more than one image"
    # A batch script, whose options are in its environment only.
    { echo '#!/bin/sh'; echo 'echo ran'; } >"$HOME1/job.sh"
    run bypassing env SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_image=fedora \
        sbatch -Q --wait -o job.out job.sh
    one_sentence "$(cat "$HOME1/job.out")"
    contains "$(cat "$HOME1/job.out")" fedora
    nothing_left
}

@test "what the policy of the submit host refuses is refused there, with the node's sentence" {
    local said
    turned_away $'docker.io/library/fedora\n'"$PLUGSTACK_CONF" --container=fedora
    turned_away $'docker.io/library/fedora\n'"$PLUGSTACK_CONF" --container-image=fedora
    run --separate-stderr by srun --container=fedora
    said=${stderr#*error: berth: }
    run --separate-stderr bypassing srun --container=fedora echo ran
    contains "$stderr" "$said"
    run --separate-stderr as_user env BERTH_CONTAINER_IMAGE=fedora srun echo ran
    refused docker.io/library/fedora
    # By berth.conf as well.
    conf <<<'allow = {"debian"}'
    turned_away $'docker.io/library/fedora\nberth-test.conf' --container=fedora
    conf <<<'alow = {"debian"}'
    turned_away $'berth-test.conf line 1\nalow' --container=debian
}

@test "a submit host that does not know the policy says nothing" {
    # A file that the user cannot read, or that is not there: the node decides,
    # whose answer takes a job.
    local next
    conf <<<'allow = {"debian"}'
    chmod 600 "${PLUGSTACK_CONF%/*}/berth-test.conf"
    next=$(next_job)
    run --separate-stderr by srun --container=fedora
    refused docker.io/library/fedora
    [[ $(next_job) != "$next" ]] || fail "the client has decided"
    rm "${PLUGSTACK_CONF%/*}/berth-test.conf"
    next=$(next_job)
    run --separate-stderr by srun --container=fedora
    refused "berth-test.conf cannot be opened"
    [[ $(next_job) != "$next" ]] || fail "the client has decided"
    policy "$ENGINE"
    next=$(next_job)
    run --separate-stderr by srun --container=debian
    refused "allows no image"
    [[ $(next_job) != "$next" ]] || fail "the client has decided"
}

@test "what only some partition allows is refused at submission only where no such partition can be meant" {
    local next
    conf <<'END'
allow = {"berth/**"}
partition "main" { allow += {"debian"} }
partition "other" { allow = {"fedora"} }
END
    turned_away rocky --container=rocky
    turned_away docker.io/library/fedora --container=fedora --partition=main
    turned_away docker.io/library/debian --container=debian --partition=other
    # Either may be the one.
    next=$(next_job)
    run by srun --container=fedora
    [[ $(next_job) != "$next" ]] || fail "the client has decided"
    next=$(next_job)
    run by srun --container=fedora --partition=main,other
    [[ $(next_job) != "$next" || $output == *partition* ]] || fail "the client has decided"
}

@test "the parts of a heterogeneous step cannot have different containers" {
    local next
    next=$(next_job)
    run --separate-stderr as_user srun --container=debian echo ran : --container=berth/probe /probe hello
    refused "share one image"
    equal "$(next_job)" "$next"
}

# travels KEY OPTION ...: the option reaches the node from srun, sbatch, a
# script, and an environment with little else, where a policy that the client
# cannot read forbids it by its name.
travels() {
    local name=$1
    shift
    run --separate-stderr as_user srun --export=NONE --container=debian "$@" echo ran
    refused "$name cannot be used here"
    run_batch --export=NONE -o job.out --container-image=debian "$@" --wrap 'echo ran'
    contains "$(cat "$HOME1/job.out")" "$name cannot be used here"
    { echo '#!/bin/sh'; printf '#SBATCH %s\n' --container=debian "$@"; echo 'echo ran'; } >"$HOME1/job.sh"
    run_batch -o job.out job.sh
    contains "$(cat "$HOME1/job.out")" "$name cannot be used here"
    lacks "$(cat "$HOME1/job.out")" ran
}

# twin VARIABLE=VALUE NAME: the same for the variable of an option.
twin() {
    run --separate-stderr as_user env "$1" srun --export=NONE --container=debian echo ran
    refused "$2 cannot be used here"
    (export "${1?}"; run_batch --export=NONE -o job.out --container=debian --wrap 'echo ran')
    contains "$(cat "$HOME1/job.out")" "$2 cannot be used here"
    lacks "$(cat "$HOME1/job.out")" ran
}

@test "each option reaches the node, from srun, sbatch and a script, whatever is exported" {
    conf <<<'allow = {"debian"} options = {"image"}'
    chmod 600 "${PLUGSTACK_CONF%/*}/berth-test.conf"
    travels --container-mounts --container-mounts=/tmp:/data
    travels --container-workdir --container-workdir=/tmp
    travels --container-env --container-env=LANG,TERM
    travels --container-mount-home --container-mount-home
    travels --no-container-mount-home --no-container-mount-home
    travels --container-writable --container-writable
    travels --container-readonly --container-readonly
    travels --container-entrypoint --container-entrypoint
    travels --no-container-entrypoint --no-container-entrypoint
    travels --container-network --container-network=host
    travels --container-slurm --container-slurm
    travels --no-container-slurm --no-container-slurm
    nothing_left
}

@test "each variable of an option reaches the node, whatever is exported" {
    conf <<<'allow = {"debian"} options = {"image"}'
    chmod 600 "${PLUGSTACK_CONF%/*}/berth-test.conf"
    twin BERTH_CONTAINER_MOUNTS=/tmp:/data --container-mounts
    twin BERTH_CONTAINER_WORKDIR=/tmp --container-workdir
    twin BERTH_CONTAINER_ENV=LANG --container-env
    twin BERTH_CONTAINER_MOUNT_HOME=yes --container-mount-home
    twin BERTH_CONTAINER_MOUNT_HOME=no --no-container-mount-home
    twin BERTH_CONTAINER_WRITABLE=yes --container-writable
    twin BERTH_CONTAINER_WRITABLE=no --container-readonly
    twin BERTH_CONTAINER_ENTRYPOINT=yes --container-entrypoint
    twin BERTH_CONTAINER_ENTRYPOINT=no --no-container-entrypoint
    twin BERTH_CONTAINER_NETWORK=host --container-network
    twin BERTH_CONTAINER_SLURM=yes --container-slurm
    twin BERTH_CONTAINER_SLURM=no --no-container-slurm
    # The command line wins: of two opposites only one arrives.
    conf <<<'allow = {"debian"} writable = allowed'
    chmod 600 "${PLUGSTACK_CONF%/*}/berth-test.conf"
    equal "$(as_user env BERTH_CONTAINER_WRITABLE=yes srun --container=debian --container-readonly \
        sh -c 'touch /x 2>&1 | grep -o Read-only')" Read-only
    equal "$(as_user env BERTH_CONTAINER_WRITABLE=no srun --container=debian --container-writable \
        sh -c 'touch /x 2>&1 | grep -o Permission')" Permission
    equal "$(as_user env BERTH_CONTAINER_WORKDIR=/nowhere srun --container=debian --container-workdir=/usr pwd)" /usr
    nothing_left
}

@test "what each option is refused for, srun, sbatch and salloc say before there is a job" {
    conf <<<'allow = {"debian"} mounts_allowed = {"/data/%u/**"}'
    turned_away $'/etc' --container=debian --container-mounts=/etc:/data
    turned_away $'rx' --container=debian --container-mounts=/data/berth1:/data:rx
    turned_away $'/proc' --container=debian --container-workdir=/proc/self
    turned_away $'A=B' --container=debian --container-env=A=B
    turned_away $'--container-writable' --container=debian --container-writable
    turned_away $'bridge\nhost' --container=debian --container-network=bridge
    turned_away $'.sqsh' --container=/images/debian.sqsh
    # Nor what a variable says.
    run --separate-stderr as_user env BERTH_CONTAINER_MOUNTS=/etc:/data srun --container=debian echo ran
    refused /etc
}

@test "a name that nearly is an allowed one is told from it at submission" {
    policy allow=debian allow=berth/probe "$ENGINE"
    turned_away $'did you mean debian' --container=debain
    turned_away $'did you mean berth/probe' --container-image=bert/probe
}

@test "a directory that the job will start in counts, and not that of the client (--chdir)" {
    conf <<<'allow = {"debian"} workdir = never mounts_allowed = {"/srv/*"}'
    turned_away /var/lib/data --container=debian --container-mounts=./data --chdir=/var/lib
    run by srun --container=debian --container-mounts=./data:/data --chdir=/srv
    lacks "$output" "not allowed"
}

# --- help --------------------------------------------------------------------

@test "--container=help says what may run, in srun, sbatch and salloc, and submits nothing" {
    local client next option
    next=$(next_job)
    for option in --container=help --container-image=help; do
        for client in srun sbatch salloc; do
            run --separate-stderr as_user "$client" "$option"
            equal "$status/$stderr" 0/
            contains "$output" $'\n    debian\n    berth/**\n'
            run --separate-stderr by "$client" "$option"
            equal "$status/$stderr" 0/
            contains "$output" $'\n    debian\n    berth/**\n'
        done
    done
    equal "$(next_job)" "$next"
    # It is another program's word here.
    run --separate-stderr as_user srun echo --container=help
    equal "$output" --container=help
}

@test "--container=help fits a terminal" {
    run as_user srun --container=help
    equal "$(awk 'length > 80' <<<"$output")" ""
}

@test "--container=help is about the partition that is given, and names those with other rules" {
    conf <<'END'
allow = {"debian"}
mounts_allowed = {"/data/%u/**"}
partition "main" { allow += {"berth/**"} }
END
    run --separate-stderr as_user srun --container=help
    contains "$output" /data/berth1/
    contains "$output" "partitions: main"
    lacks "$output" berth/
    for words in --partition=main "-p main"; do
        # shellcheck disable=SC2086  # words
        run --separate-stderr by srun $words --container=help
        contains "$output" 'berth/**'
        lacks "$output" partitions
    done
    run --separate-stderr as_user sbatch --partition=main --container=help
    contains "$output" 'berth/**'
}

@test "--container=help where nothing is allowed, or known, says so" {
    conf <<<'help_text = "Ask at the harbour office."'
    run --separate-stderr as_user srun --container=help
    contains "$output" "no image"
    contains "$output" "Ask at the harbour office."
    chmod 600 "${PLUGSTACK_CONF%/*}/berth-test.conf"
    run --separate-stderr as_user srun --container=help
    equal "$status/$stderr" 0/
    contains "$output" "does not know"
}
