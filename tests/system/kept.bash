# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Jobs of several steps, in containers that outlive these.
# shellcheck shell=bash
# shellcheck disable=SC2016  # the job's shell, or a task's, expands it

# in_job SCRIPT: in an allocation on n1. In it, `in_one WORDS` is a step in a
# container, and `where` prints which container a step is in: the kernel gives the
# numbers of namespaces again, and says when the first process began.
in_job() { as_user salloc -Q -w n1 -n4 --mem=2000 ${GRES:+"$GRES"} bash -c "$IN_JOB$1"; }
IN_JOB='
in_one() { srun -Q -n1 --mem=100 --overlap --container=debian "$@"; }
where() { in_one "$@" sh -c "$where"; }
where="echo \$(readlink /proc/self/ns/pid) \$(cut -d\  -f22 /proc/1/stat)"
'

# rounds TEST: once, or ten times in the long form.
rounds() {
    local n=${BERTH_LONG:+10}
    for _ in $(seq "${n:-1}"); do
        "$@"
    done
}

# start_job SCRIPT: the same, in the background, until there is the file go.out.
# It prints "ready JOB" behind SCRIPT. Sets JOB, OUT, ERR, SRUN.
start_job() {
    rm -f "$HOME1"/{go,a,b}.out
    OUT=$(mktemp -p "$BATS_TEST_TMPDIR")
    ERR=$OUT.err
    as_user salloc -Q -w n1 -n4 --mem=2000 bash -c "$IN_JOB
        go() { for _ in {1..1500}; do [ ! -e \$1.out ] || return 0; sleep 0.05; done; exit 1; }
        $1" </dev/null >"$OUT" 2>"$ERR" 3>&- 4>&- &
    SRUN=$!
    poll 30 grep -q '^ready ' "$OUT" || fail "no job came up: $(cat "$OUT" "$ERR")"
    JOB=$(sed -n 's/^ready //p' "$OUT" | head -n 1)
}
# The user's files, by which it goes on: go NAME.
go() { touch "$HOME1/$1.out"; }
# said COUNT: so many lines have come.
said() { (($(wc -l <"$OUT") >= $1)); }
line() { sed -n "$1p" "$OUT"; }

# keeper: berth-stepd of the job's only container.
keeper() { pids berth-stepd; }
one_program() { [[ $(programs | wc -l) == 2 ]]; } # berth-stepd and berth-init

teardown() {
    rm -rf "$HOME1"/{a,b}
    tidy
}
