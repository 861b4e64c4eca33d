#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Slurm's commands in a container, where the policy lets a user have them.

# shellcheck disable=SC2154  # status, output, stderr are bats's
# shellcheck disable=SC2016  # in quotes for the container's shell
load lib

host_only() { echo "test -d '$LIBEXEC' && echo host || echo container"; }

teardown() {
    rm -f "$HOME1"/{inner,input}.txt
    tidy
}

# script WORD ...: runs what comes on standard input as a batch script of two
# nodes with these options, and prints what it printed.
script() {
    { echo '#!/bin/sh' && cat; } >"$HOME1/job.sh"
    run as_user sbatch -Q --wait -N2 -n4 -o job.out "$@" job.sh
    ENDED=$status
    cat "$HOME1/job.out"
    rm -f "$HOME1/job.out"
    return "$ENDED"
}

# The same batch script, bare and in a container, prints and ends alike.
alike_script() {
    local text bare
    text=$(cat)
    bare=$(script <<<"$text"; echo "ended $?")
    equal "$(script --container=debian --container-slurm <<<"$text"; echo "ended $?")" "$bare"
    contains "$bare" "$1"
}

@test "nobody has Slurm's commands in a container unless the policy says so (threat 69)" {
    run --separate-stderr as_user srun --container=debian --container-slurm squeue
    refused --container-slurm "berth's default"
    run --separate-stderr bypassing_slurm
    refused --container-slurm "berth's default"
    conf <<<'slurm = never
mode = audit'
    run --separate-stderr as_user srun --container=debian --container-slurm squeue
    refused --container-slurm "berth.conf line 1"
    conf <<<'user "berth2" { slurm = allowed }'
    run --separate-stderr as_user srun --container=debian --container-slurm squeue
    refused --container-slurm
    as_other srun --container=debian --container-slurm squeue
    nothing_left
}
bypassing_slurm() {
    bypassing env SLURM_SPANK__SLURM_SPANK_OPTION_berth_container_slurm= \
        srun --container=debian squeue
}

@test "a batch script in a container starts its steps as one on the host does" {
    conf <<<'slurm = allowed'
    alike_script 'procs 4' <<'END'
echo "procs $(srun -Q true && srun -Q -l echo | wc -l)"
srun -Q -l sh -c 'echo $SLURM_PROCID of $SLURM_NTASKS on $SLURMD_NODENAME' | sort
echo input >input.txt
srun -Q -N1 -n1 cat <input.txt
srun -Q -N1 -n1 sh -c 'exit 77'; echo "exit $?"
srun -Q -N1 -n1 sh -c 'kill -KILL $$' 2>/dev/null; echo "killed $?"
srun -Q -N1 -n2 --mpi=pmi2 sh -c 'echo rank $PMI_RANK of $PMI_SIZE' | sort
printf '0 echo zero\n1-3 echo other %%t\n' >multi
srun -Q -l --multi-prog multi | sort
srun -Q -n2 -l echo here : -n1 echo there | sort
exit 9
END
    nothing_left
}

@test "what a step starts runs as it does itself, in its image and with its options, unless it says otherwise (threat 81)" {
    conf <<<'slurm = allowed
writable = allowed
mounts_allowed = {"/srv/**"}'
    local where='test -e /run/berth/init \&\& echo in || echo host; touch /x 2>/dev/null \&\& echo rw; ls -d /data 2>/dev/null; pwd' how
    where=${where//\\/}
    run script --container=debian --container-slurm --container-mounts=/srv:/data --container-workdir=/data <<END
srun -Q -N1 -n1 sh -c '$where'
srun -Q -N1 -n1 --container-workdir=/opt sh -c '$where'
srun -Q -N1 -n1 srun -Q -N1 -n1 --overlap sh -c '$where'
sbatch --parsable --chdir=$HOME1 -W -N1 -n1 -o $HOME1/inner.txt --wrap '$where' >/dev/null; cat $HOME1/inner.txt
for how in --container=none --container-image=none '--container=debian --container-image=none' '--container-image=debian --container=none'; do
    srun -Q -N1 -n1 --chdir=/ \$how sh -c '$where; env | grep -e SLURM_CONTAINER || :'
done
BERTH_CONTAINER_IMAGE= srun -Q -N1 -n1 --chdir=/ sh -c '$where'
BERTH_CONTAINER_IMAGE=none srun -Q -N1 -n1 --chdir=/ sh -c '$where'
srun -Q -N1 -n1 --container=none --container-readonly echo ran
END
    equal "$(head -n 12 <<<"$output")" $'in\n/data\n/data\nin\n/data\n/opt\nin\n/data\n/data\nin\n/data\n/data'
    equal "$(sed -n 13,24p <<<"$output")" $'host\n/\nhost\n/\nhost\n/\nhost\n/\nhost\n/\nhost\n/'
    contains "$output" "--container-readonly is given without an image"
    lacks "$output" ran
    # The step's own choice, and not that of the job around it.
    equal "$(as_user env BERTH_CONTAINER_IMAGE=berth/probe BERTH_CONTAINER_WRITABLE=yes srun --container=debian --container-slurm --container-readonly \
        srun --overlap sh -c 'touch /x 2>&1 | grep -o Read-only')" Read-only
    # Where Slurm's commands are not, there is nothing to be said to them.
    equal "$(as_user srun --container=debian sh -c 'env | grep BERTH_CONTAINER || echo none')" none
    nothing_left
}

@test "its steps run where they say: on the host, or in a container of their own" {
    conf <<<'slurm = allowed'
    run script --container=debian --container-slurm <<END
srun -Q -N1 -n1 --container=none sh -c '$(host_only | tr "'" '"')'
srun -Q -N1 -n1 --container=debian sh -c '$(host_only | tr "'" '"')'
srun -Q -N1 -n1 --container=berth/probe /probe hello
srun -Q -N1 -n1 --container=debian --container-slurm sh -c 'squeue -h -j \$SLURM_JOB_ID -o %j'
srun -Q -N1 -n1 --container=nobody/has true
END
    equal "$(head -n 4 <<<"$output")" $'host\ncontainer\nhello\nbats'
    contains "$output" "image docker.io/nobody/has:latest is not allowed by"
    nothing_left
}

@test "jobs are submitted, seen and cancelled from a container" {
    conf <<<'slurm = default'
    run -0 script --container=debian <<'END'
cat >inner.sh <<'IN'
#!/bin/sh
#SBATCH --container=debian
id -un
IN
sbatch --parsable --wait -o inner.txt inner.sh >/dev/null && cat inner.txt
job=$(sbatch --parsable -H --wrap 'sleep 1000' -o /dev/null)
squeue -h -j "$job" -o '%u %t'
scontrol show job "$job" | grep -o 'JobState=PENDING'
scancel "$job" && squeue -h -j "$job" -o %t
sinfo -h -o %P
END
    equal "$output" $'berth1\nberth1 PD\nJobState=PENDING\nmain*'
    # Who he is, munge says, whatever he calls himself.
    run --separate-stderr as_user srun --container=debian env USER=root LOGNAME=root \
        scontrol update nodename=n1 state=drain reason=no
    ((status != 0))
    contains "$stderr" "Invalid user id"
    nothing_left
}

@test "Slurm's commands need nothing of the image" {
    conf <<<'slurm = allowed'
    equal "$(as_user srun --container=berth/probe --container-slurm squeue -h -n bats -o %u)" berth1
    equal "$(as_user srun --container=berth/passwd --container-slurm squeue -h -n bats -o %u)" berth1
    # An image that has a Slurm of its own gets the node's.
    equal "$(in_container --container-slurm sh -c 'command -v srun')" /run/berth/slurm/bin/srun
    # The loader's words for the image's programs are not for these.
    as_user srun --container=debian --container-slurm env LD_LIBRARY_PATH=/nowhere squeue -h
    run -127 --separate-stderr as_user srun -Q --container=debian --container-slurm /run/berth/slurm/bin/berth-slurm
    one_sentence "$stderr"
    nothing_left
}

@test "what is mounted for Slurm's commands cannot be written, and munge's key is not there" {
    conf <<<'slurm = allowed'
    run as_user srun --container=debian --container-slurm sh -c '
        for dir in /run/berth/slurm/bin /run/berth/slurm/lib /run/berth/slurm/commands "${SLURM_CONF%/*}"; do
            test -d "$dir" || echo "no $dir"
            ! touch "$dir/x" 2>/dev/null || echo "wrote to $dir"
            findmnt -n -o VFS-OPTIONS --target "$dir" | grep -c ^ro,nosuid,nodev,
        done
        ! cat "${SLURM_CONF%/*}/munge.key" 2>/dev/null || echo "read the key"'
    equal "$output" $'1\n1\n1\n1'
    nothing_left
}

@test "without the node's network there are no commands of Slurm's" {
    conf <<<'slurm = default
networks = {"host", "none"}'
    run --separate-stderr as_user srun --container=debian --container-slurm --container-network=none squeue
    refused --container-slurm --container-network=host
    equal "$(in_container --container-network=none sh -c 'echo $PATH; test -e /run/berth/slurm || echo none')" \
        "$(in_container --no-container-slurm sh -c 'echo $PATH; test -e /run/berth/slurm || echo none')"
    nothing_left
}

@test "an allocation's shell in a container starts steps" {
    conf <<<'slurm = allowed'
    run -0 as_user salloc -Q -N2 -n4 srun -N1 -n1 --overlap --container=debian --container-slurm \
        sh -c 'srun --overlap -N2 -n4 --ntasks-per-node=2 sh -c "echo \$SLURMD_NODENAME" | sort | uniq -c | xargs'
    equal "$output" "2 n1 2 n2"
    nothing_left
}
