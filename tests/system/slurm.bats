#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The rest of what srun and sbatch can do: each test compares a bare step with
# one in a container.

# shellcheck disable=SC2154  # status and stderr are bats's
# shellcheck disable=SC2016  # the steps' shells expand what is quoted
load lib

@test "--task-prolog's output, environment and TMPDIR are as bare" {
    cat >"$HOME1/prolog.sh" <<'END'
#!/bin/sh
echo "print from the prolog of $SLURM_PROCID"
echo "export FROM_PROLOG=$SLURM_PROCID"
echo "export TMPDIR=$HOME/prolog-$SLURM_PROCID"
echo "unset TO_UNSET"
END
    chmod 755 "$HOME1/prolog.sh"
    # Where both have it: what names a place that a container lacks stays outside.
    install -d -o berth1 "$HOME1"/prolog-{0,1}
    export TO_UNSET=here
    alike -n2 -N1 --task-prolog="$HOME1/prolog.sh" --task-epilog=/bin/true \
        sh -c 'echo "$SLURM_PROCID $FROM_PROLOG $TMPDIR ${TO_UNSET-unset}"'
    unset TO_UNSET
    contains "$BARE" "1 1 $HOME1/prolog-1 unset"
    contains "$BARE" 'from the prolog of 1'
    rm -r "$HOME1"/prolog{.sh,-0,-1}
    alike sh -c 'echo "$TMPDIR"'
    equal "$BARE" /tmp
}

@test "--export in each of its forms is as bare" {
    local form script='env | grep -E "^(OF_MINE|OTHER|NEW|SLURM_JOB_NAME|USER)=" | sort'
    export OF_MINE=mine OTHER=other
    for form in ALL NONE NIL OTHER OF_MINE,NEW=new OTHER=,NEW= ALL,NEW=new,OTHER=changed NONE,NEW=new; do
        alike --export="$form" /bin/sh -c "$script"
        [[ $form != ALL || $BARE == *OF_MINE=mine* ]] || fail "ALL is not all: $BARE"
    done
    printf '#!/bin/sh\n%s\n' "$script" >"$HOME1/job.sh"
    printf 'NEW=of the file\0OTHER=\0' >"$HOME1/job.env"
    for form in --export=NONE --export=ALL,NEW=new --export-file=job.env; do
        run_batch --output=bare.out "$form" job.sh
        run_batch --output=job.out --container=debian "$form" job.sh
        equal "$(cat "$HOME1/job.out")" "$(cat "$HOME1/bare.out")"
    done
    # 26.05 does not take it over, bare as well.
    slurm_has 26.05 || contains "$(cat "$HOME1/job.out")" 'NEW=of the file'
    unset OF_MINE OTHER
    rm "$HOME1"/{job.sh,job.env,bare.out,job.out}
}

@test "--chdir leads to the same directory as bare" {
    as_user mkdir -p 'elsewhere/a b'
    alike --chdir=elsewhere sh -c 'pwd; ls'
    alike --chdir="$HOME1/elsewhere/a b" sh -c 'pwd; : >made'
    equal "$(stat -c %U "$HOME1/elsewhere/a b/made")" berth1
    rm -r "$HOME1/elsewhere"
}

@test "--multi-prog's programs, with %t and %o, are as bare" {
    printf '%s\n' '# a comment' '0 echo first of all' '1,3 echo %t-%o' "* sh -c 'echo of the rest: \$SLURM_PROCID'" >"$HOME1/multi"
    alike -n5 -N1 -l --multi-prog multi
    contains "$BARE" '3: 3-1'
    contains "$BARE" '4: of the rest: 4'
    rm "$HOME1/multi"
}

@test "--bcast's copy of a program is what runs, where the working directory has it" {
    cp "$BATS_SUITE_TMPDIR/probe/probe" "$HOME1/probe"
    alike -w n1 --bcast probe hello
    alike -w n1 --bcast="$HOME1/copy" ./probe hello
    equal "$BARE" hello
    rm -f "$HOME1"/{probe,copy,slurm_bcast_*}
}

@test "files named by %t, %N, %n, %j and the like are as bare" {
    pattern() {
        as_user mkdir files
        as_user srun -Q -N2 -n4 --ntasks-per-node=2 --open-mode=append --output="files/$1" --error="files/e-$1" "${@:2}" \
            sh -c 'echo "out $SLURM_PROCID"; echo "err $SLURM_PROCID" >&2'
        find "$HOME1/files" -type f -printf '%f %u\n' | sed -E 's/[0-9]{2,}|j[0-9]+/N/g' | sort
        cat "$HOME1"/files/* | sort
        rm -r "$HOME1/files"
    }
    local name bare
    for name in t-%t 'N-%N' n-%n j%j 'j%J.s%s-%4t' '%u-%x'; do
        bare=$(pattern "$name")
        equal "$(pattern "$name" --container=debian)" "$bare"
        contains "$bare" 'out 3'
    done
    echo 'for the job' >"$HOME1/in-job"
    printf '#!/bin/sh\ncat\n' >"$HOME1/job.sh"
    run_batch --container=debian --input=in-%x --output=job-%N.out --job-name=job job.sh
    equal "$(cat "$HOME1"/job-*.out)" 'for the job'
    rm "$HOME1"/{in-job,job.sh,job-*.out}
}

@test "an array's variables, and files named by %A and %a, are as bare" {
    local bare
    array() {
        printf '#!/bin/sh\nenv | grep ^SLURM_ARRAY | sort\necho "of $SLURM_ARRAY_TASK_ID"\n' >"$HOME1/job.sh"
        as_user mkdir files
        run_batch --array=3-9:3%2 --output=files/%A_%a.out "$@" job.sh
        (cd "$HOME1/files" && grep '' ./* | sed -E 's,\./[0-9]+,N,; s/(JOB_ID=)[0-9]+/\1N/' | sort)
        rm -r "$HOME1/files" "$HOME1/job.sh"
    }
    bare=$(array)
    equal "$(array --container=debian)" "$bare"
    contains "$bare" 'N_9.out:SLURM_ARRAY_TASK_ID=9'
    contains "$bare" 'N_6.out:of 6'
    nothing_left
}

@test "--input named by %t, %n, %N, %j and the like is as bare" {
    local bare name
    cat >"$HOME1/inputs.sh" <<'END'
# The host's name, and that of a node in 26.05.
for name in t{0..3} n{0,1} "N$(uname -n)" Nn{1,2} "j$SLURM_JOB_ID" "$USER-bats"; do
    echo "of ${name/$SLURM_JOB_ID/N}" >"in-$name"
done
for name in in-t%t in-n%n in-N%N in-j%j in-%u-%x none; do
    srun -Q --input="$name" "$@" sh -c 'echo "$SLURM_PROCID $(cat)"' | sort
done
rm in-*
END
    # Of Slurm's own, bare as well: besides the files, srun passes on what it
    # reads itself, its end included, which ends slurmstepd. It gets silence.
    exec 5<> <(:)
    inputs() { as_user salloc -Q -J bats -N2 -n4 --ntasks-per-node=2 bash inputs.sh "$@" <&5; }
    bare=$(inputs)
    equal "$(inputs --container=debian)" "$bare"
    exec 5<&-
    equal "$(wc -l <<<"$bare")" 24
    for name in '3 of t3' '3 of n1' '3 of N' '3 of jN' '3 of berth1-bats'; do
        contains "$bare" "$name"
    done
    rm "$HOME1/inputs.sh"
    nothing_left
}

@test "--label and --unbuffered are as bare" {
    alike -N2 -n4 --label sh -c 'echo "from $SLURM_PROCID"; printf "no newline"'
    contains "$BARE" '3: from 3'
    # Each character as it comes, and not with the line.
    first() {
        timeout 60 "$QUICKSTART" run -- srun -Q --unbuffered "$@" \
            sh -c 'printf now; sleep 2; echo later' | { read -r -N 3 -t "$SOON" word; date +%s%N; echo "$word"; cat; date +%s%N; }
    }
    local got
    mapfile -t got < <(first --container=debian)
    equal "${got[1]}${got[2]}" nowlater
    ((got[3] - got[0] > 500000000)) || fail "it came with the line"
}

@test "components of a heterogeneous step share one image, and different ones are refused" {
    run as_user srun -Q -n1 --container=debian sh -c 'test -e /run/berth/init && echo "first $SLURM_PROCID"' : \
        -n2 --container=debian sh -c 'test -e /run/berth/init && echo "second $SLURM_PROCID"'
    equal "$(sort <<<"$output")" $'first 0\nsecond 1\nsecond 2'
    # One holds for those that follow.
    run as_user srun -Q -n1 --container=debian test -e /run/berth/init : -n1 test -e /run/berth/init
    equal "$status" 0
    run --separate-stderr as_user srun -n1 --container=debian true : -n1 --container=berth/probe /probe hello
    refused heterogeneous --het-group
    run --separate-stderr as_user srun -n1 true : -n1 --container=debian true
    refused heterogeneous --het-group
    # A step for each.
    run as_user salloc -Q -n1 : -n1 bash -c '
        srun -Q --het-group=0 --container=debian sh -c "test -e /run/berth/init && echo debian"
        srun -Q --het-group=1 --container=berth/probe /probe hello
        srun -Q --het-group=0,1 --container=debian sh -c "echo \$SLURM_PROCID" | sort'
    equal "$output" $'debian\nhello\n0\n1'
    nothing_left
}

@test "a heterogeneous batch job's steps, of one component and of both, are as bare" {
    local bare
    het() {
        cat >"$HOME1/job.sh" <<END
#!/bin/sh
#SBATCH --output=job.out -n1 --mem=100
#SBATCH hetjob
#SBATCH -n2 --mem=100
show='echo "\$SLURM_PROCID of \$SLURM_NTASKS in \$SLURM_HET_SIZE, \$(env | grep -c ^SLURM_HET_) variables"'
for group in 0 1 0,1; do
    echo "\$group"
    srun -Q $* --het-group="\$group" sh -c "\$show" | sort
done
END
        run_batch job.sh
        cat "$HOME1/job.out"
        rm "$HOME1"/job.{sh,out}
    }
    bare=$(het)
    equal "$(het --container=debian)" "$bare"
    equal "$(grep -c ' in 2, ' <<<"$bare")" 6
    nothing_left
}

@test "several steps at once in one job, each with an image of its own, and --overlap" {
    run as_user salloc -Q -n3 bash -c '
        srun -Q -n1 --exact --container=debian sh -c "echo one; sleep 1" &
        srun -Q -n1 --exact --container=berth/probe /probe hello &
        srun -Q -n1 --exact sh -c "test -e /run/berth/init || echo bare" &
        srun -Q -n3 --overlap --container=debian sh -c "echo \$SLURM_PROCID" & wait'
    equal "$(sort <<<"$output" | xargs)" "0 1 2 bare hello one"
    nothing_left
}

@test "squeue, scontrol show step and show job tell the image" {
    start_step --container=debian sh -c "$(waiter)"
    contains "$(squeue -h -s -O 'StepID:30,Container:30' 2>&1; squeue -hj "$JOB" -O Container:30)" debian
    contains "$(scontrol show step "$JOB.0")" Container=debian
    contains "$(scontrol show job "$JOB")" Container=debian
    scancel "$JOB"
    await_step
}

# --- loads -------------------------------------------------------------------

@test "300 MB of standard input go through at the pace of a bare step" {
    local bare got start
    pace() {
        start=$(date +%s%N)
        head -c 300000000 /dev/zero | "$QUICKSTART" run -- srun -Q "$@" wc -c
        echo $(($(date +%s%N) - start))
    }
    # A busy machine is given twice the time, and what a container costs, and if
    # one of them met it in a calm moment, another try.
    for _ in 1 2; do
        mapfile -t bare < <(pace)
        mapfile -t got < <(pace --container=debian)
        equal "${got[0]}" 300000000
        equal "${bare[0]}" 300000000
        ((got[1] >= 2 * bare[1] + 3000000000)) || return 0
    done
    fail "it takes ${got[1]} ns, bare ${bare[1]}"
}

@test "a task that reads nothing of its input ends when it ends, as bare" {
    local bare
    unread() {
        head -c 50000000 /dev/zero | timeout 60 "$QUICKSTART" run -- srun -Q "$@" sh -c 'sleep 0.5; exit 3' 2>&1 |
            sed 's/n[12]/n/'
        echo "${PIPESTATUS[1]}"
    }
    bare=$(unread)
    equal "$(unread --container=debian)" "$bare"
    equal "${bare##*$'\n'}" 3
    nothing_left
}

@test "a task that closes all its descriptors goes on, and ends as bare" {
    alike perl -MPOSIX -e 'POSIX::close($_) for 0 .. 1023; select undef, undef, undef, 1; open my $f, ">", "done"; POSIX::_exit(0)'
    [[ -e $HOME1/done ]] || fail "it did not go on"
    rm "$HOME1/done"
    run as_user srun -Q --container=debian perl -MPOSIX -e 'POSIX::close($_) for 0 .. 1023; sleep 1; POSIX::_exit(9)'
    equal "$status" 9
    nothing_left
}

@test "a reader that stalls gets everything in the end" {
    local got
    got=$("$QUICKSTART" run -- srun -Q -n2 --container=debian head -c 20000000 /dev/zero | { sleep 3; wc -c; })
    equal "$got" 40000000
    nothing_left
}

@test "a fork bomb stops at the limit, and ends with its step" {
    run as_user bash -c 'ulimit -u 300; timeout 60 srun -Q --propagate=NPROC --container=debian perl -e "
        \$n = 0; while (defined(\$p = fork)) { if (!\$p) { \$n = 0; sleep 4751 if rand() < .5 } \$n++ < 1000 or last } exit 4"'
    poll "$SOON" no_naps || fail "it goes on"
    ((status != 124)) || fail "it lasts"
    nothing_left
}
no_naps() { ! pgrep -u berth1 perl >/dev/null; }
