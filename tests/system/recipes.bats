#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The job scripts of doc/recipes.md, and what is typed in doc/user.md, as they
# stand there.

# shellcheck disable=SC2154  # status and output are bats's
load lib

DOC=$BATS_TEST_DIRNAME/../../doc
PAGE=$DOC/recipes.md
JOBDIR=$HOME1/recipe

# The images that the pages' are in the sandbox.
setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    python_image
    push --private lab/app:1 "${PREFIX%/*}/images/debian.tar"
    "$QUICKSTART" mpi
    mpicc.mpich -o "$BATS_FILE_TMPDIR/hello" -x c - <<'END'
#include <mpi.h>
#include <stdio.h>
int main(void)
{
    int rank, size;
    MPI_Init(NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    printf("rank %d of %d\n", rank, size);
    return MPI_Finalize();
}
END
}
# The sandbox's Debian, and this machine's Python.
python_image() {
    local root=$BATS_FILE_TMPDIR/python
    install -d "$root"
    tar -C "$root" -xf "${PREFIX%/*}/images/debian.tar"
    (cd / && tar -cf - --exclude=dist-packages --exclude=__pycache__ \
        usr/bin/python3 usr/bin/python3.* usr/lib/python3 usr/lib/python3.*) | tar -C "$root" -xf -
    ldd /usr/bin/python3 | awk '$3 ~ /^\// { print $3 }' | xargs cp -nL --parents -t "$root"
    image python "$root"
    rm -rf "$root"
}
setup() {
    conf <<END
allow = {"python", "$PRIVATE_REGISTRY/lab/*"}
env_sets = {"torch"}
END
    echo -n berth1 >"$HOME1/registry-password"
    rm -rf "$JOBDIR"
    install -d -o berth1 "$JOBDIR"
}
teardown() {
    rm -rf "$JOBDIR" "$HOME1/registry-password" "$HOME1/.docker"
    tidy
}

# recipe N: writes the page's Nth script to job.sh in a directory of the user's,
# and sets WANTED to what it prints.
recipe() {
    rm -rf "$JOBDIR"
    install -d -o berth1 "$JOBDIR"
    install -m 755 "$BATS_FILE_TMPDIR/hello" "$JOBDIR"
    WANTED=$(awk -v n="$1" '/^<!-- runs, and prints: / && ++i == n {
        sub(/^<!-- runs, and prints: /, ""); sub(/ -->$/, ""); print }' "$PAGE")
    awk -v n="$1" '/^<!-- runs/ { i++ } i == n && /^```$/ { exit }
        i == n && inside { print } i == n && /^```bash$/ { inside = 1 }' "$PAGE" |
        sed "s,registry.example.org,$PRIVATE_REGISTRY," >"$JOBDIR/job.sh"
    [[ $WANTED && -s $JOBDIR/job.sh ]] || fail "there is no recipe $1"
}

@test "each job script of the page prints what it says" {
    local n count
    count=$(grep -c '^<!-- runs' "$PAGE")
    ((count >= 13)) || fail "$count recipes"
    # All code of the page that begins as a script does is one of these.
    equal "$(grep -c '^```bash$' "$PAGE")" "$count"
    equal "$(grep -c '^#!/bin/bash$' <(sed "/<<'END'/,/^END/d" "$PAGE"))" "$count"
    for ((n = 1; n <= count; n++)); do
        recipe "$n"
        # The names of the sandbox's nodes lead to no address.
        run_batch --chdir="$JOBDIR" --time=2 --export=ALL,MASTER_ADDR=localhost \
            --output=job.out --error=job.err "$JOBDIR/job.sh" ||
            fail "recipe $n ($WANTED)"
        equal "$(cat "$JOBDIR/job.out")" "$WANTED" || fail "recipe $n:" "$(cat "$JOBDIR/job.err")"
    done
    nothing_left
}

# Each line behind a "$ " is typed, in a shell for the page's block.
@test "what is typed in doc/user.md is answered as there" {
    local n count
    count=$(grep -c '^<!-- runs -->$' "$DOC/user.md")
    ((count >= 4)) || fail "$count sessions"
    for ((n = 1; n <= count; n++)); do
        awk -v n="$n" '/^<!-- runs -->$/ { i++; next } i == n && /^```$/ && inside++ { exit }
            i == n && inside && !/^```/' "$DOC/user.md" >"$BATS_TEST_TMPDIR/wanted"
        sed -n "s/^\\$ \\(.*\\)/cat <<'END'\n$ \\1\nEND\n\\1/p" "$BATS_TEST_TMPDIR/wanted" >"$JOBDIR/session"
        [[ -s $JOBDIR/session ]]
        equal "$(as_user sh -c "cd $JOBDIR && timeout 90 bash session 2>&1")" "$(<"$BATS_TEST_TMPDIR/wanted")"
    done
    nothing_left
}

@test "the page's bridge is a connection to a server in a container" {
    local srun port=28765
    awk '/^\$ cat bridge.py$/ { inside = 1; next } inside && /^```$/ { exit } inside' "$PAGE" >"$JOBDIR/bridge.py"
    [[ -s $JOBDIR/bridge.py ]]
    start_step -n1 --container=python --chdir="$JOBDIR" sh -c \
        "echo ready \$SLURM_JOB_ID; exec python3 -m http.server --bind 127.0.0.1 $port"
    srun=(srun --quiet --jobid="$JOB" --overlap --chdir="$JOBDIR" --container=python python3)
    poll "$SOON" as_user "${srun[@]}" -c "import socket; socket.create_connection(('127.0.0.1', $port))" ||
        fail "no server: $(cat "$ERR")"
    output=$(printf 'GET /bridge.py HTTP/1.0\r\n\r\n' | as_user "${srun[@]}" bridge.py "$port")
    contains "$output" "200 OK"
    equal "$(tail -n +2 <<<"${output#*$'\r\n\r'}")" "$(<"$JOBDIR/bridge.py")"
    scancel "$JOB"
    await_step
    nothing_left
}
