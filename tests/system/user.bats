#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# berth, the users' command, as a user types it.

# shellcheck disable=SC2154  # status, output and lines are bats's
load lib

berth() { as_user berth "$@"; }

@test "run: docker's words make the step that they say" {
    run --separate-stderr berth run --rm -e "GREETING=a, b" -w /tmp debian \
        sh -c 'echo "$GREETING"; pwd; exit 3'
    equal "$status" 3
    equal "$output" $'a, b\n/tmp'
}

@test "run: a directory of the user's is mounted, also by a relative name" {
    run as_user sh -c 'mkdir -p "$HOME/data" && cd "$HOME" && echo here >data/f &&
        berth run -v ./data:/data:ro debian cat /data/f'
    equal "$output" here
    as_user sh -c 'rm -r "$HOME/data"'
}

@test "run: without a command the image's own runs" {
    local root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root/bin"
    gcc -static -o "$root/bin/say" -x c - <<<'#include <stdio.h>
        int main(int c, char **v) { return puts(c > 1 ? v[1] : "nothing") < 0; }'
    image berth/own-command "$root" 'ENTRYPOINT ["/bin/say"]' 'CMD ["from the image"]'
    run --separate-stderr berth run berth/own-command
    equal "$output" "from the image"
    run --separate-stderr berth run berth/own-command "from here"
    equal "$output" "from here"
}

@test "run -n: what is shown is a command that does the same" {
    run berth run -n -e 'A=x y' debian sh -c 'echo "$A"'
    equal "$status" 0
    run as_user sh -c "$output"
    equal "$output" "x y"
}

@test "run -d: a batch job writes to a file, which logs shows" {
    local job
    job=$(as_user sh -c 'cd "$HOME" && berth run -d debian sh -c "echo from inside; sleep 1000"')
    [[ $job =~ ^[0-9]+$ ]] || fail "no job number: $job"
    poll "$SOON" wrote "$job" || fail "logs shows nothing: $(berth logs "$job")"
    run berth stop "$job"
    equal "$status" 0
    poll "$SOON" no_job "$job" || fail "the job goes on"
    as_user sh -c "rm -f \"\$HOME\"/slurm-$job.out"
}
wrote() { berth logs "$1" | grep -qx "from inside"; }
no_job() { [[ -z $(squeue -h -j "$1" -o %i 2>/dev/null) ]]; }

@test "ps: own containers are listed, as a table, as JSON and by column" {
    start_step --container=debian bash -c "$(waiter)"
    poll "$SOON" ready 1
    run berth ps
    contains "${lines[0]}" "STEP"
    contains "${lines[1]}" "debian"
    contains "${lines[1]}" "bash"
    run berth ps --json
    contains "$output" '"image": "debian"'
    run berth ps --format=image,nodes
    [[ $output == debian$'\t'n[12] ]] || fail "columns: $output"
    run as_other berth ps --format=STEP
    equal "$output" ""
    run berth ps --format=nosuch
    equal "$status" 2
    contains "$output" "there is no column nosuch"
    berth stop "$JOB.0"
    await_step
}

@test "ps: no other user gets a row in, or a byte to the terminal, by a step's name (threat 124)" {
    local row other uid
    uid=$(id -u berth1)
    start_step --job-name=$'mine \e]0;x\a y|z' --container=debian sh -c "$(waiter)"
    row="StepId=$JOB.0 UserId=$uid StartTime=2026-01-01T00:00:00 State=RUNNING NodeList=n9"
    row+=" Container=forged TresPerNode=gres:gpu:7"
    other=$(as_other sbatch --parsable -n2 -o /dev/null --wrap "
        srun -n1 --overlap -J 'x $row' sleep 1000 &
        srun -n1 --overlap -J 'x
$row
StepId=9999.0 UserId=$uid Container=forged y' sleep 1000")
    both() { [[ $(scontrol show step "$other" | grep -c Container=forged) == 3 ]]; }
    poll "$SOON" both || fail "$(scontrol show step "$other")"
    for as in '' -l --json --format=STEP,IMAGE,NODES,NAME,GPUS; do
        # shellcheck disable=SC2086  # nothing, or one
        run berth ps $as
        equal "$status" 0
        contains "$output" "mine ?]0;x? y|z"
        lacks "$output" forged
        lacks "$output" 9999
        lacks "$output" $'\e'
    done
    equal "$output" "$JOB.0"$'\tdebian\t'"$(squeue -h -j "$JOB" -o %N)"$'\tmine ?]0;x? y|z\t'
    scancel "$JOB" "$other"
    await_step
    poll "$SOON" no_jobs
}

@test "pause and unpause: a step's processes stop and go on; stats sees them" {
    local step
    start_step --container=debian bash -c "$(counting_program)"
    step=$JOB.0
    poll "$SOON" all_count || fail "nothing counts"
    berth pause "$step"
    poll "$SOON" none_counts || fail "it goes on: $(counted)"
    berth unpause "$step"
    poll "$SOON" all_count || fail "it does not go on: $(counted)"
    run berth stats "$step"
    contains "${lines[0]}" "MAXRSS"
    contains "${lines[1]}" "$step"
    berth kill "$step"
    await_step
}

@test "exec, stop: a step of an array's task, by its name and by the number of the job that it is" {
    local raw name
    as_user sbatch -Q --array=3,4 -w n1 -n1 --mem=200 -o "$HOME1/array.%a" \
        --wrap 'srun -Q --container=debian sh -c "echo up; exec sleep 5860"; echo "ended $?"'
    up() { [[ $(cat "$HOME1"/array.[34]) == $'up\nup' ]]; }
    poll "$SOON" up || fail "$(cat "$HOME1"/array.*)"
    raw=$(as_user squeue --me -h -o "%i %A" | sed -n 's/^[^ ]*_3 //p')
    name=$(berth ps --format=STEP | grep _4)
    run --separate-stderr berth exec "$name" sh -c 'echo "$SLURM_JOB_ID"; pidof sleep | wc -w'
    equal "$output" "$(as_user squeue --me -h -o "%i %A" | sed -n 's/^[^ ]*_4 //p')"$'\n1'
    run --separate-stderr berth exec "${name/_4/_5}" true
    ((status != 0)) || fail "there is no such task"
    run berth stop "$raw.0"
    equal "$status $output" "0 "
    poll "$SOON" grep -q ended "$HOME1/array.3" || fail "$(cat "$HOME1/array.3")"
    equal "$(cat "$HOME1/array.4")" up
    run berth stop "$name"
    equal "$status $output" "0 "
    poll "$SOON" grep -q ended "$HOME1/array.4" || fail "$(cat "$HOME1/array.4")"
    as_user scancel --me
    poll "$SOON" no_jobs
    rm "$HOME1"/array.[34]
    nothing_left
}

@test "attach: what a step writes is seen" {
    start_step --container=debian bash -c \
        'echo ready $SLURM_JOB_ID; while :; do echo tick; sleep 0.2; done'
    run as_user timeout 60 sh -c "berth attach $JOB.0 | head -n 2"
    contains "$output" tick
    berth stop "$JOB.0"
    await_step
}

@test "exec: a command runs in the container of a step, beside what runs there" {
    start_step --mem=100 --container=debian bash -c "$(waiter 'echo here >/tmp/mark')"
    run berth exec "$JOB.0" cat /tmp/mark
    equal "$status" 0
    equal "$output" here
    run --separate-stderr berth exec -w /tmp -e "GREETING=a b" "$JOB.0" sh -c 'pwd; echo "$GREETING"; exit 4'
    equal "$status" 4
    equal "$output" $'/tmp\na b'
    run as_other berth exec "$JOB.0" cat /tmp/mark
    ((status != 0)) || fail "another user is in it"
    lacks "$output" here
    berth stop "$JOB"
    await_step
}

@test "gpus: what the nodes have, and what of it is free" {
    run berth gpus --format=NODE,GPUS,USED
    equal "$output" $'n1\t2\t0\nn2\t2\t0'
    run berth gpus --used
    equal "${#lines[@]}" 1
}

@test "ps -c: containers that wait, have a name, or are in use; stop and rm end those that wait (threat 90)" {
    OUT=$(mktemp -p "$BATS_TEST_TMPDIR")
    as_user salloc -Q -N2 -n4 --mem=2000 bash -c 'one() { srun -Q -N1 -n1 -w n1 --mem=100 --overlap "$@"; }
        one --container=debian true
        one --container=debian --container-name=x true
        one --container=debian --container-name=y sleep 5858 &
        until one --container-name=y:exec true 2>/dev/null; do sleep 0.1; done
        one --container-name=y:exec sleep 5859 &
        echo "ready $SLURM_JOB_ID"
        until [ -z "$(squeue -h -j $SLURM_JOB_ID)" ]; do sleep 0.1; done' \
        >"$OUT" 2>&1 </dev/null 3>&- 4>&- &
    SRUN=$! ERR=$OUT
    poll 30 grep -q ^ready "$OUT" || fail "$(cat "$OUT")"
    JOB=$(sed -n 's/^ready //p' "$OUT")
    here() { berth ps -c --format=STEP,IMAGE,NODES,NAME,STATE "$@" | tr '\t' ' '; }
    both() { [[ $(berth ps -c --format=JOINED) == *"$JOB."* ]]; }
    poll "$SOON" both || fail "$(berth ps -c; cat "$OUT")"
    # Its number is another where a step was tried before it was there.
    y=$(berth ps -c --format=STEP,NAME | sed -n 's/\ty$//p')
    run here
    equal "$output" "$JOB.0 debian:latest n1  waiting
$JOB.1 debian:latest n1 x waiting
$y debian:latest n1 y running"
    equal "$(here "$JOB")" "$output"
    equal "$(berth ps -c -q | wc -l)" 3
    contains "$(berth ps -c --json)" '"name": "x"'
    [[ $(berth ps -c --format=SINCE | head -n 1) == "$(date +%Y-%m-)"*T*:* ]] || fail "$(berth ps -c)"
    equal "$(as_other berth ps -c | wc -l)" 1
    # What was noted in another run of the job is none of this one's.
    sed -i 's/run=/&x/' "$STATE/n1/$JOB.1/asked"
    lacks "$(here)" " x waiting"
    sed -i 's/run=x/run=/' "$STATE/n1/$JOB.1/asked"
    # What waits is ended by its step's number, or its name.
    equal "$(berth stop "$JOB.0")" "$JOB.0 on n1"
    run --separate-stderr berth stop "$JOB.0"
    equal "$status" 1
    contains "$stderr" "no container $JOB.0 that waits"
    # One that is over keeps no other from being ended.
    run --separate-stderr berth rm --job="$JOB" "$JOB.0" x
    equal "$status/$output" "1/$JOB.1 on n1"
    # And what runs is ended first.
    run --separate-stderr berth rm "$y"
    contains "$stderr" "berth stop"
    joiner=$(berth ps -c --format=JOINED)
    berth stop "$y" "$joiner"
    # As long as Slurm has the step, it is that which is stopped.
    waits() { [[ $(here) == "$y debian:latest n1 y waiting" && $(squeue -hs -o %i) != *"$y"* ]]; }
    poll "$SOON" waits || fail "$(here)"
    equal "$(berth stop "$y")" "$y on n1"
    equal "$(here)" ""
    run --separate-stderr berth stop "$y" "$JOB"
    equal "$status" 1
    contains "$stderr" "no container $y that waits"
    await_step
    nothing_left
}

@test "ps: a step that joined a container has its image in its job, and a bare one has none" {
    run --separate-stderr as_user salloc -Q -N2 bash -c '
        srun -Q -w n1 -N1 --container=debian --container-name=x true
        srun -Q -w n1 -N1 --overlap --container-name=x sleep 1000 &
        srun -Q -w n2 -N1 --overlap sleep 1000 &
        until [[ $(berth ps -c --format=JOINED) == *.* &&
            $(squeue -hs -j "$SLURM_JOB_ID" -o %j | grep -c sleep) == 2 ]]; do
            sleep 0.05
        done
        berth ps --format=IMAGE,NODES,NAME
        [[ $(berth ps -q) == $(berth ps -c --format=JOINED) ]] || echo "another step"
        berth ps -l --format=IMAGE,TASKS
        env -u SLURM_JOB_ID berth ps -q
        kill %1 %2
        wait %1 %2 || :'
    equal "$output" $'debian:latest\tn1\tsleep\ndebian:latest\t1'
    nothing_left
}

@test "words that make no sense are one sentence, and exit status 2" {
    local words
    for words in nonsense "run" "run -p 80:80 debian true" "exec 1" "attach 1" \
        "attach x.0" "stop" "kill -s" "logs" "ps -x" "ps -c -l" "ps -c x" "stats"; do
        # shellcheck disable=SC2086  # several words
        run --separate-stderr berth $words
        equal "$status" 2
        one_sentence "$stderr"
    done
}

# completed LINE: what bash makes of it, as the user.
completed() {
    as_user env LINE="$1" FILE="$PREFIX/share/bash-completion/completions/berth" bash -c '
        . "$FILE"; COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_WORDBREAKS=":= "
        _berth; echo "${COMPREPLY[@]}"'
}

# zsh_completed LINE: what zsh is given to choose from, as the user, that begins
# with the last word. compadd and _files are the shell's; here they print.
zsh_completed() {
    type -P zsh >/dev/null || skip_without zsh
    as_user env LINE="$1" FILE="$PREFIX/share/zsh/site-functions/_berth" zsh -f -c '
        compadd() { print -l -- $found }
        _files() { print FILES }
        words=("${(@s: :)LINE}") found=()
        CURRENT=$#words
        . "$FILE"' >"$BATS_TEST_TMPDIR/zsh" 2>&1
    awk -v last="${1##* }" 'index($0, last) == 1 || $0 == "FILES"' "$BATS_TEST_TMPDIR/zsh" |
        paste -sd ' '
}

# what_completes FUNCTION: the same of each shell.
what_completes() {
    contains " $($1 'berth ') " " images "
    equal "$($1 'berth im')" images
    equal "$($1 'berth --v')" --version
    contains "$($1 'berth run --sh')" "--shm-size="
    equal "$($1 'berth run --rm deb')" debian
    equal "$($1 'berth images --j')" "--json"
    equal "$($1 'berth ps --c')" "--containers"
    equal "$($1 'berth rm --job=1 --n')" "--nodes="
    # Each verb that has options has them here.
    local verb
    for verb in $($1 'berth '); do
        case $verb in
        attach | stop | pause | unpause | version | help) ;;
        *) contains "$($1 "berth $verb -")" -- ;;
        esac
    done
    start_step --container=debian bash -c "$(waiter)"
    for verb in exec attach stats rm; do
        contains " $($1 "berth $verb ") " " $JOB.0 "
    done
    for verb in logs save; do
        equal "$($1 "berth $verb $JOB")" "$JOB"
    done
    for verb in stop kill pause unpause; do
        equal "$($1 "berth $verb $JOB")" "$JOB $JOB.0"
    done
    scancel "$JOB"
    await_step
    start_other
    lacks " $($1 'berth stop ') " " $JOB"
    scancel "$JOB"
    await_step
}
# start_other: as start_step, by the other user.
start_other() {
    OUT=$(mktemp -p "$BATS_TEST_TMPDIR")
    as_other srun sh -c 'echo "ready $SLURM_JOB_ID"; exec sleep 1000' </dev/null >"$OUT" 2>&1 3>&- 4>&- &
    SRUN=$! ERR=$OUT
    poll "$SOON" grep -q '^ready ' "$OUT" || fail "no step came up: $(cat "$OUT")"
    JOB=$(sed -n 's/^ready //p' "$OUT")
}

@test "completion of bash: verbs, options, images, one's own steps and nothing of others" {
    what_completes completed
    equal "$(completed 'berth run debian ')" ""
    policy "allow=$REGISTRY/app:1" "$ENGINE"
    # What is in front of the last colon stands there already.
    equal "$(completed "berth run $REGISTRY/a")" "${REGISTRY##*:}/app:1"
    equal "$(as_user bash -c ". $PREFIX/share/bash-completion/completions/berth; complete -p berth")" \
        "complete -F _berth berth"
}

@test "completion of zsh: the same" {
    type -P zsh >/dev/null || skip_without zsh
    what_completes zsh_completed
    equal "$(zsh_completed 'berth run debian ')" FILES
    equal "$(zsh_completed 'berth load x')" FILES
    policy "allow=$REGISTRY/app:1" "$ENGINE"
    equal "$(zsh_completed "berth run $REGISTRY/a")" "$REGISTRY/app:1"
}

@test "completion offers what the usage has, in both shells the same" {
    local verb option offered
    for verb in $(completed 'berth '); do
        [[ $verb != help && $verb != version ]] || continue
        offered=$(completed "berth $verb -" | tr ' ' '\n' | sort)
        ! type -P zsh >/dev/null ||
            equal "$(zsh_completed "berth $verb -" | tr ' ' '\n' | sort)" "$offered"
        run berth "$verb" --no-such-option
        # Not those in the sentences behind it.
        for option in $(sed 's/([^)]*)//g' <<<"$output" | grep -o -e '--[a-z][a-z-]*=\{0,1\}' | sort -u); do
            [[ $verb == run || $option == --no-such-option ]] ||
                contains " ${offered//$'\n'/ } " " $option "
        done
    done
}

@test "docker's verbs that mean nothing here say what to do instead, its other words are taken" {
    local verb
    for verb in build commit cp inspect login top volume; do
        run --separate-stderr berth "$verb" x
        equal "$status" 2
        one_sentence "$stderr"
        contains "$stderr" "no verb of berth's: "
    done
    run berth container ls --format=STEP
    equal "$status" 0
    run berth container exec 1
    equal "$status" 2
    run berth image rm
    contains "$output" "write berth rmi"
    run berth run --help
    contains "$output" "--entrypoint=..."
    lacks "$output" "--privileged"
    run berth rm --help
    contains "$output" "usage: berth rm"
}

@test "ps: what steps use, those with GPUs, and numbers alone" {
    start_step --gres=gpu:1 --container=debian bash -c "$(waiter)"
    poll "$SOON" ready 1
    run berth ps -q
    equal "$output" "$JOB.0"
    run berth ps --gpu-used --format=STEP,GPUS
    equal "$output" "$JOB.0"$'\t1'
    poll "$SOON" uses_memory || fail "no memory: $(berth ps -l)"
    run berth ps --gpu-free --format=NODE,FREE
    equal "$(grep -c . <<<"$output")" 2
    contains "$output" $'\t1'
    berth stop "$JOB"
    await_step
    # For each task; and the job's, where the step says nothing.
    start_step -N2 -n2 --gpus-per-task=2 --container=debian bash -c "$(waiter)"
    poll "$SOON" ready 2
    equal "$(berth ps --format=GPUS)" 4
    berth stop "$JOB"
    await_step
    run --separate-stderr as_user salloc -Q -N2 --gres=gpu:2 bash -c '
        srun -Q --container=debian sleep 1000 &
        until [[ $(berth ps -q) ]]; do sleep 0.05; done
        berth ps --format=GPUS
        kill %1
        wait %1 || :'
    equal "$output" 4
    start_step --container=debian bash -c "$(waiter)"
    run berth ps --gpu-used -q
    equal "$output" ""
    run berth ps --json
    contains "$output" '"gpus": null'
    run berth ps -a -l
    equal "$status" 2
    berth stop "$JOB"
    await_step
}
uses_memory() { [[ $(berth ps -l --format=TASKS,MEMORY) =~ ^1$'\t'[1-9] ]]; }

@test "a table is as wide as there is room, and whole where nobody looks" {
    start_step --job-name=a-name-that-is-longer-than-any-that-somebody-reads-in-a-table \
        --container=debian bash -c "$(waiter)"
    local whole
    whole=$(berth ps)
    run as_user env COLUMNS=60 berth ps
    # Its name is not by which jobs of the tests are ended.
    scancel "$JOB"
    await_step
    equal "$(sed 's/…/./g' <<<"$output" | awk 'length > 60')" ""
    contains "$output" "…"
    contains "$whole" "a-name-that-is-longer-than-any-that-somebody-reads-in-a-table"
}
