#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# MPI: Debian's MPICH by Slurm's PMI, and Debian's Open MPI by PMIx, with the
# same programs bare and in an image that has both. Neither works by the
# other's, in a container as little as bare.

# shellcheck disable=SC2154  # stderr is bats's
# shellcheck disable=SC2016  # the tasks' shells expand these

load lib

SPOOL=${PLUGSTACK_CONF%/etc/*}/spool
TMPFS=${PLUGSTACK_CONF%/etc/*}/tmp

# The programs lie in the user's home, which is the working directory.
setup() {
    local mpi conf=${PLUGSTACK_CONF%/*}/berth-mpi.conf
    # Docker's own profile, before 23.0, denies what ranks read each other's
    # memory by; Podman's does not.
    cat >"$conf" <<'END'
allow = {debian, "berth/mpi"}
seccomp = "/usr/share/containers/seccomp.json"
END
    policy "$ENGINE" conf="$conf"
    [[ ! -e $HOME1/mpi.openmpi ]] || return 0
    "$QUICKSTART" mpi
    for mpi in mpich openmpi; do
        "mpicc.$mpi" -O2 -o "$HOME1/mpi.$mpi" "$BATS_TEST_DIRNAME/../bench/mpi.c"
    done
}
teardown_file() {
    rm -f "$HOME1"/mpi.* "${PLUGSTACK_CONF%/*}/berth-mpi.conf"
    restore_policy
}

# mpi PMI MPI [SRUN'S WORDS]: two ranks on each node; what they print, by rank.
mpi() {
    local pmi=$1 program=$2
    shift 2
    as_user srun -Q -N2 -n4 --ntasks-per-node=2 --mpi="$pmi" "$@" \
        sh -c "exec ./mpi.$program check" | sort
}

# Bare ranks of the sandbox's two nodes would share /dev/shm, and Open MPI's
# files there have the same names on both.
bare() {
    local pmi=$1 program=$2
    as_user srun -Q -N2 -n4 --ntasks-per-node=2 --mpi="$pmi" sh -c "
        export OMPI_MCA_btl_vader_backing_directory=$TMPFS/\$SLURMD_NODENAME
        exec ./mpi.$program check" | sort
}

# Four lines, each of another rank, and each with the right sum.
right() {
    local rank
    [[ $(wc -l <<<"$1") == 4 ]] || fail "not four ranks: $1"
    for rank in 0 1 2 3; do
        contains "$1" "rank $rank of 4 on n$((rank / 2 + 1)): sum 10,"
    done
}

@test "an all-reduce over two nodes has the right sum: MPICH by PMI, Open MPI by PMIx, bare and in a container" {
    needs_pmix
    right "$(bare pmi2 mpich)"
    right "$(mpi pmi2 mpich --container=berth/mpi)"
    right "$(bare pmix openmpi)"
    right "$(mpi pmix openmpi --container=berth/mpi)"
}

@test "ranks in one container share memory, and ranks in two containers use the network" {
    needs_pmix
    local combination out
    for combination in 'pmi2 mpich' 'pmix openmpi'; do
        # shellcheck disable=SC2086  # two words
        out=$(mpi $combination --container=berth/mpi)
        contains "$out" "rank 0 of 4 on n1: sum 10, shared 1, tcp 2,3, reads 1, segments "
        contains "$out" "rank 1 of 4 on n1: sum 10, shared 0, tcp 2,3, reads 0, segments "
        contains "$out" "rank 2 of 4 on n2: sum 10, shared 3, tcp 0,1, reads 3, segments "
        contains "$out" "rank 3 of 4 on n2: sum 10, shared 2, tcp 0,1, reads 2, segments "
        lacks "$out" "segments 0"
        lacks "$out" "segments 1"
    done
}

@test "the sums are right under the engine's own seccomp profile, too" {
    needs_pmix
    usual_policy
    right "$(mpi pmi2 mpich --container=berth/mpi)"
    right "$(mpi pmix openmpi --container=berth/mpi 2>/dev/null)"
}

@test "MPI works for who is root inside, by PMI, and by PMIx where the step says so (threat 117)" {
    needs_pmix
    [[ $BERTH_ENGINE == podman ]] || skip_without "the node's network for who is root, with Docker"
    local combination out security='echo $PMIX_SECURITY_MODE'
    printf '%s\n' 'root = allowed' 'root_ids = "2000000:65536"' >>"${PLUGSTACK_CONF%/*}/berth-mpi.conf"
    for combination in 'pmi2 mpich' 'pmix openmpi'; do
        # shellcheck disable=SC2086  # two words
        out=$(mpi $combination --container=berth/mpi --container-root)
        right "$out"
        contains "$out" "rank 0 of 4 on n1: sum 10, shared 1, tcp 2,3, reads 1, segments "
        lacks "$out" "segments 0"
    done
    # One step after the other, in one container.
    out=$(as_user salloc -Q -w n1 -n2 --mem=1000 bash -c '
        for i in 1 2 3; do
            srun -Q -n2 --mpi=pmix --container=berth/mpi --container-root --container-name=one sh -c "
                echo pid:\$(cut -d\  -f22 /proc/1/stat); ls -d $0/* | wc -l; exec ./mpi.openmpi check"
        done' "$SPOOL/n1")
    equal "$(grep pid: <<<"$out" | sort | uniq -c | awk '{ print $1 }')" 6 || fail "$out"
    equal "$(grep -cx 1 <<<"$out") $(grep -c "rank [01] of 2 on n1: sum 3," <<<"$out")" "6 6" || fail "$out"
    # Its server, and no other, asks nobody who he is.
    equal "$(as_user env PMIX_MCA_psec=native srun -Q --mpi=pmix --container=debian --container-root sh -c "$security")" none
    equal "$(as_user env PMIX_MCA_psec=none srun -Q --mpi=pmix --container=debian sh -c "$security")" \
        "$(as_user srun -Q --mpi=pmix sh -c "$security")"
    lacks "$(as_user env PMIX_MCA_psec=none srun -Q --mpi=pmix --container=debian sh -c "$security")" none
    # Nor that one where the administrator says how they are known.
    bash -euc 'for part in settings process slurm; do
            . "$(dirname "$QUICKSTART")/tests/sandbox/$part.bash"
        done
        stop n2
        since=$EPOCHSECONDS
        spawn n2 env PMIX_MCA_psec=native slurmd -D -N n2 -f "$SLURM_CONF"
        must_start n2 60 node_is_new n2 "$since"' 3>&- 4>&-
    run -0 as_user srun -Q -w n2 --mpi=pmix --container=debian --container-root sh -c "$security; echo \$PMIX_MCA_psec"
    "$QUICKSTART" restart n2 3>&- 4>&-
    equal "$output" native
    nothing_left
}

@test "MPICH by PMIx and Open MPI by PMI work as little as bare" {
    needs_pmix
    local bare in
    bare=$(bare pmix mpich)
    in=$(mpi pmix mpich --container=berth/mpi)
    # Each rank is a world of its own.
    [[ $(grep -c 'rank 0 of 1 on n[12]: sum 1,' <<<"$bare") == 4 ]] || fail "bare: $bare"
    equal "$(cut -d, -f1-4 <<<"$in")" "$(cut -d, -f1-4 <<<"$bare")"
    # Open MPI 4 gives up, with a reason, and Open MPI 5 does as MPICH does.
    bare=$(openmpi_by_pmi)
    [[ $bare == *"OMPI was not built with SLURM's PMI support"* ||
        $bare == '0/rank 0 of 1 on '* ]] || fail "bare: $bare"
    equal "$(openmpi_by_pmi --container=berth/mpi)" "$bare"
}
openmpi_by_pmi() {
    local rc=0 out
    out=$(as_user srun -Q -w n1 --mpi=pmi2 "$@" ./mpi.openmpi check 2>"$BATS_TEST_TMPDIR/err") || rc=$?
    echo "$rc/$(cut -d, -f1-4 <<<"$out")"
    grep -o "OMPI was not built with SLURM's PMI support" "$BATS_TEST_TMPDIR/err" || true
}

@test "mpirun in a container with Slurm's commands has its ranks there, on both nodes (threat 81)" {
    local out
    cat >>"${PLUGSTACK_CONF%/*}/berth-mpi.conf" <<<'slurm = allowed'
    { echo '#!/bin/sh'
      echo "mpirun.openmpi -n 4 sh -c 'test -e /run/berth/init && echo in \$SLURMD_NODENAME || echo host'"; } >"$HOME1/mpi.sh"
    run_batch -N2 -n4 --ntasks-per-node=2 --mem=1000 -o mpi.out --container=berth/mpi --container-slurm mpi.sh
    out=$(sort "$HOME1/mpi.out" | uniq -c | tr -s ' ')
    equal "$out" $' 2 in n1\n 2 in n2'
    nothing_left
}

@test "mpirun and mpiexec without Slurm's commands run on their node, and end" {
    local launcher
    for launcher in mpirun.openmpi mpiexec.mpich; do
        run --separate-stderr timeout 60 "$QUICKSTART" run -- srun -Q -n1 -c2 --container=berth/mpi "$launcher" -n 2 echo rank
        equal "$status/$output" $'0/rank\nrank'
        # The job's other node is not theirs to use.
        echo '#!/bin/sh' >"$HOME1/mpi.sh"
        echo "$launcher -n 2 ./mpi.${launcher#*.} check" >>"$HOME1/mpi.sh"
        run_batch -N2 -n4 --ntasks-per-node=2 --mem=1000 -o mpi.out --container=berth/mpi mpi.sh
        contains "$(cat "$HOME1/mpi.out")" "rank 0 of 2 on n1: sum 3,"
        contains "$(cat "$HOME1/mpi.out")" "rank 1 of 2 on n1: sum 3,"
    done
    # What the user has said counts.
    equal "$(as_user env HYDRA_BOOTSTRAP=ssh OMPI_MCA_plm=rsh srun --container=berth/mpi sh -c 'echo $HYDRA_BOOTSTRAP $OMPI_MCA_plm')" 'ssh rsh'
    nothing_left
}

@test "a step of sbatch and a step among others have their MPI as well" {
    needs_pmix
    local out
    cat >"$HOME1/mpi.sh" <<'END'
#!/bin/bash
srun -n2 --mem=400 --exact --mpi=pmix --container=berth/mpi ./mpi.openmpi check &
srun -n2 --mem=400 --exact --mpi=pmi2 --container=berth/mpi ./mpi.mpich check &
wait
END
    run_batch -N1 -n4 --mem=1000 -o mpi.out mpi.sh
    out=$(cat "$HOME1/mpi.out")
    [[ $(grep -c '^rank 0 of 2 on .*: sum 3, shared 1, tcp, reads 1,' <<<"$out") == 2 ]] || fail "$out"
    [[ $(grep -c '^rank 1 of 2 on .*: sum 3, shared 0, tcp, reads 0,' <<<"$out") == 2 ]] || fail "$out"
}

@test "ranks of two components of a heterogeneous step are one world, as bare" {
    needs_pmix
    local pmi bare got
    het() {
        as_user srun -Q --mpi="$1" "${@:3}" -w n1 -n1 "./mpi.$2" check : -w n2 -n2 "./mpi.$2" check |
            cut -d, -f1 | sort
    }
    for pmi in 'pmix openmpi' 'pmi2 mpich'; do
        # shellcheck disable=SC2086
        bare=$(het $pmi)
        # shellcheck disable=SC2086
        got=$(het $pmi --container=berth/mpi)
        equal "$got" "$bare"
        equal "$got" $'rank 0 of 3 on n1: sum 6\nrank 1 of 3 on n2: sum 6\nrank 2 of 3 on n2: sum 6'
    done
    nothing_left
}

@test "PMI's descriptor reaches the task, and answers in both of PMI's protocols" {
    local ask version bare
    ask='echo "$PMI_RANK $PMI_SIZE"
        echo "cmd=init $0" >&"$PMI_FD"
        read -r -u "$PMI_FD" answer
        echo "$answer"'
    for version in 'pmi_version=1 pmi_subversion=1' 'pmi_version=2 pmi_subversion=0'; do
        bare=$(as_user srun -Q --mpi=pmi2 bash -c "$ask" "$version")
        contains "$bare" "${version% *}"
        contains "$bare" "rc=0"
        equal "$(as_user srun -Q --mpi=pmi2 --container=debian bash -c "$ask" "$version")" "$bare"
    done
}

@test "256 tasks of a node are in a container at once" {
    local out
    cat >"$HOME1/meet.sh" <<'END'
pmi() {
    echo "cmd=$1" >&"$PMI_FD"
    read -r -u "$PMI_FD" answer
}
pmi 'init pmi_version=1 pmi_subversion=1'
# It answers when all have asked.
pmi barrier_in
echo "$SLURM_PROCID $answer"
pmi finalize
END
    out=$(as_user srun -Q -N1 -n256 --overcommit --mem=3000 --mpi=pmi2 --container=debian bash meet.sh)
    equal "$(sort -n <<<"$out")" "$(for ((i = 0; i < 256; i++)); do echo "$i cmd=barrier_out rc=0"; done)"
    nothing_left
}

@test "PMIx's variables and directories reach the task, and nothing else of Slurm's spool directory" {
    needs_pmix
    local look bare in before
    before=$(find "$SPOOL" "$TMPFS" -name '*pmix*')
    look='
        env | grep "^PMIX_" | sort
        find "$PMIX_SERVER_TMPDIR" "$0"/*/spmix_appdir_* -printf "%p %y %m %U\n" | sort
        for dir in "$PMIX_SERVER_TMPDIR" "$0"/*/spmix_appdir_*; do
            touch "$dir/mine" && echo writable
        done'
    bare=$(as_user srun -Q -w n1 --mpi=pmix sh -c "$look" "$TMPFS")
    in=$(as_user srun -Q -w n1 --mpi=pmix --container=debian sh -c "$look" "$TMPFS")
    equal "$(grep -c writable <<<"$bare")" 2
    # But for the job, the server's process and its port.
    same() { sed -E 's/(appdir_[0-9]+_|pmix[.])[0-9]+[.]/\1JOB./g; s/(ds[12]+_|server[.])[0-9]+/\1PID/g; s/(:)[0-9]+$/\1PORT/' <<<"$1"; }
    equal "$(same "$in")" "$(same "$bare")"
    equal "$(as_user srun -Q -w n1 --mpi=pmix --container=debian \
        sh -c 'echo "$SLURM_JOB_ID"; ls "$0" "$0/n1" "$1/n1"' "$SPOOL" "$TMPFS" |
        sed -E '1{h;d}; G; s/^(.*[_.])[0-9]+([.][0-9]+)\n.*/\1JOB\2/; s/\n.*//; /^$/d')" \
        "$SPOOL:
n1
$SPOOL/n1:
pmix.JOB.0
$TMPFS/n1:
spmix_appdir_$(id -u berth1)_JOB.0"
    nothing_left
    equal "$(find "$SPOOL" "$TMPFS" -name '*pmix*')" "$before"
}

@test "a step without PMIx has no such directory, whatever its environment says (threat 6)" {
    needs_pmix
    install -d -o berth1 "$HOME1/pmix.1.0"
    run -0 as_user env PMIX_SERVER_TMPDIR="$HOME1/pmix.1.0" PMIX_SYSTEM_TMPDIR=/ \
        SLURM_PMIX_TMPDIR="$HOME1" srun -Q -w n1 --chdir=/ --container=debian \
        find "$HOME1" "$SPOOL/n1"
    rmdir "$HOME1/pmix.1.0"
    # Where a later step of the job may have them, and no other place for that.
    equal "$output" "$HOME1"$'\n'"$SPOOL/n1"
    for base in / /usr /etc relative /dev; do
        equal "$(as_user env SLURM_PMIX_TMPDIR="$base" srun -Q --container=debian \
            grep -c " $base tmpfs " /proc/self/mountinfo)" 0
    done
}

# Where PMIx's directories are, what of them is mounted, and who sees that.
LOOK='echo $(readlink /proc/self/ns/pid) $(cut -d\  -f22 /proc/1/stat); cd "$0"; ls; cd "$1"; ls
    grep -Eo " [^ ]*/(pmix[.]|spmix_appdir_)[^ ]* r[wo],nosuid,nodev" /proc/self/mountinfo | sort; echo end'

@test "steps with PMIx and without follow each other in one container, each with its own of its directories alone" {
    needs_pmix
    local base out job
    for base in "$TMPFS/n1" /tmp /tmp/of/mine "$HOME1/pmix-base" /dev/shm; do
        install -d -o berth1 "$HOME1/pmix-base" /tmp/of{,/mine}
        out=$(as_user env SLURM_PMIX_TMPDIR="$base" salloc -Q -w n1 bash -c '
            echo $SLURM_JOB_ID; in_one() { srun -Q --container=debian "$@"; }
            look() { in_one "$@" sh -c "$0" "$1" "$2"; }
            LOOK=$0; SPOOL=$1; BASE=$2
            for mpi in none pmix pmix none; do in_one --mpi=$mpi sh -c "$LOOK" "$SPOOL" "$BASE"; done' \
            "$LOOK" "$SPOOL/n1" "$base")
        job=$(head -n 1 <<<"$out")
        equal "$(grep pid: <<<"$out" | sort -u | wc -l)" 1
        equal "$(grep -v pid: <<<"$out" | tail -n +2)" "end
$(for step in 1 2; do
    echo "pmix.$job.$step"
    echo "spmix_appdir_$(id -u berth1)_$job.$step"
    for dir in "$SPOOL/n1/pmix.$job.$step" "$base/spmix_appdir_$(id -u berth1)_$job.$step"; do
        echo " $dir rw,nosuid,nodev"
    done | sort
    echo end
done)
end"
        rm -r "$HOME1/pmix-base" /tmp/of
        nothing_left
    done
}

@test "ranks of one step after the other, and of steps at once in one container, find their own server" {
    needs_pmix
    local out n
    # shellcheck disable=SC2034  # of the job
    out=$(as_user salloc -Q -N2 -n4 --ntasks-per-node=2 --mem=2000 bash -c '
        step() { srun -Q -n4 --mpi=pmix --mem=400 --overlap "$@" sh -c "
            echo \$(readlink /proc/self/ns/pid) \$(cut -d\  -f22 /proc/1/stat); exec ./mpi.openmpi check"; }
        for i in 1 2 3; do step --container=berth/mpi; done
        srun -Q -n2 -N2 --mem=400 --overlap --container=berth/mpi --container-name=x true
        for i in 1 2 3; do step --container-name=x & done
        wait')
    # Two nodes, and in each two containers: that without a name, and x.
    equal "$(grep pid: <<<"$out" | sort -u | wc -l)" 4
    equal "$(grep -c pid: <<<"$out")" 24
    for rank in 0 1 2 3; do
        equal "$(grep -c "rank $rank of 4 on n$((rank / 2 + 1)): sum 10," <<<"$out")" 6
    done
    nothing_left
}

@test "a step with PMIx joins one without, and the other way, from outside of the job as well" {
    needs_pmix
    local out
    out=$(as_user timeout 60 salloc -Q -w n1 -n4 --mem=2000 bash -c '
        look="readlink /proc/self/ns/pid; echo server \$PMIX_SERVER_TMPDIR; ls $0"
        step() { srun -Q -n1 --mem=100 --overlap "$@"; }
        for mpi in none pmix; do
            rm -f up go
            step --mpi=$mpi --container=debian sh -c "touch up; until [ -e go ]; do sleep 0.05; done; $look" &
            until [ -e up ]; do sleep 0.05; done
            for other in none pmix; do
                env -u SLURM_JOB_ID srun -Q --jobid=$SLURM_JOB_ID -n1 --mem=100 --overlap \
                    --mpi=$other --container-join=$SLURM_JOB_ID sh -c "$look"
            done
            touch go
            wait
        done
        rm up go' "$SPOOL/n1" 2>&1)
    equal "$(grep -c pid: <<<"$out") $(grep pid: <<<"$out" | sort -u | wc -l)" "6 1"
    # Those that have a server, each its own, and in the end the first one's alone.
    equal "$(grep -c "^server $SPOOL/n1/pmix" <<<"$out") $(grep "^server /" <<<"$out" | sort -u | wc -l)" "3 3"
    equal "$(grep "^pmix" <<<"$out" | sort | uniq -c | awk '{ print $1 }' | sort | xargs)" "1 1 3"
    nothing_left
}

@test "PMIx's clients have their files where SLURM_PMIX_TMPDIR says, unless no container gets that (threat 20)" {
    needs_pmix
    local out
    out=$(as_user env SLURM_PMIX_TMPDIR=/tmp srun -Q -n2 --mpi=pmix --container=berth/mpi \
        sh -c 'grep -q " /tmp/spmix_appdir_[^ ]* " /proc/self/mountinfo && exec ./mpi.openmpi check')
    contains "$out" "rank 1 of 2 on n1: sum 3, shared 0, tcp, reads 0,"
    # slurmstepd makes it, as root, wherever that is.
    run --separate-stderr as_user env SLURM_PMIX_TMPDIR=/etc \
        srun -Q --mpi=pmix --container=debian true
    refused "/etc/spmix_appdir_" "lies in /etc, which no container gets"
    poll "$SOON" eval '! compgen -G "/etc/spmix_appdir_*"'
}

@test "PMIx's clients have their files in /dev/shm where Slurm says so, and nothing else of the node's there" {
    needs_pmix
    local out
    touch /dev/shm/berth-test-file
    out=$(as_user env SLURM_PMIX_TMPDIR=/dev/shm srun -Q -n2 --mpi=pmix --container=berth/mpi \
        sh -c 'grep -q " /dev/shm/spmix_appdir_[^ ]* " /proc/self/mountinfo && ls /dev/shm >&2 && exec ./mpi.openmpi check' 2>"$BATS_TEST_TMPDIR/ls")
    rm /dev/shm/berth-test-file
    contains "$out" "rank 1 of 2 on n1: sum 3, shared 0, tcp, reads 0,"
    lacks "$(<"$BATS_TEST_TMPDIR/ls")" berth-test-file
    contains "$(<"$BATS_TEST_TMPDIR/ls")" "spmix_appdir_$(id -u berth1)_"
    # In the node's own it is there as it is, and laid over itself.
    conf <<<'shm = node'
    out=$(as_user env SLURM_PMIX_TMPDIR=/dev/shm srun -Q -n2 --mpi=pmix --container=berth/mpi \
        ./mpi.openmpi check)
    contains "$out" ": sum 3, shared 0, tcp, reads 0,"
    nothing_left
    poll "$SOON" eval '! compgen -G "/dev/shm/spmix_appdir_*"'
}

@test "/dev/shm is as large as the node's, to a page" {
    local in bare
    in=$(in_container df --output=size /dev/shm | tail -n 1)
    bare=$(as_user df --output=size /dev/shm | tail -n 1)
    ((in - bare <= 4 && bare - in <= 4)) || fail "$in KiB instead of $bare"
}
