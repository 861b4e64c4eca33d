# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The cluster: slurmctld and some slurmds on this one machine, and munge.
# shellcheck shell=bash

slurm_conf() {
    local i gres='' hooks=() nodes=$1 host
    host=$(uname -n)
    [[ ! -x $PREFIX/sbin/berth-prolog ]] || hooks+=("Prolog=$PREFIX/sbin/berth-prolog")
    [[ ! -x $PREFIX/sbin/berth-epilog ]] || hooks+=("Epilog=$PREFIX/sbin/berth-epilog")
    cat <<END
ClusterName=berth
SlurmctldHost=${host%%.*}(127.0.0.1)
SlurmctldPort=$CTLD_PORT
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$RUN/munge.sock
StateSaveLocation=$STATE/slurmctld
SlurmctldPidFile=$RUN/slurmctld.pid
SlurmdPidFile=$RUN/slurmd-%n.pid
SlurmdSpoolDir=$STATE/spool/%n
TmpFS=$STATE/tmp/%n
SlurmctldDebug=verbose
SlurmdDebug=verbose
PlugStackConfig=$ETC/plugstack.conf

ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup,task/affinity
TaskPluginParam=none
JobAcctGatherType=jobacct_gather/cgroup
JobAcctGatherFrequency=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=256
MpiDefault=none
PrologFlags=Alloc
LaunchParameters=use_interactive_step
$(has_address || echo CommunicationParameters=EnableIPv6)
$(printf '%s\n' "${hooks[@]}")

# A sandbox is to be quick, and to outlive a busy machine.
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
KillWait=5
UnkillableStepTimeout=50
ReturnToService=2
SlurmdTimeout=300
InactiveLimit=0

# More CPUs than the machine may have, so that 16 tasks run at a time.
SlurmdParameters=config_overrides
$(! have_gpus || echo GresTypes=gpu)
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE
END
    ! have_gpus || gres=' Gres=gpu:fake:2'
    for ((i = 1; i <= nodes; i++)); do
        echo "NodeName=n$i NodeHostname=${host%%.*} NodeAddr=127.0.0.1" \
            "Port=$((NODE_PORT + i)) CPUs=16 RealMemory=4096$gres State=UNKNOWN"
    done
}

# Where this machine has no address but 127.0.0.1, the C library finds none for
# who asks for those of IPv4 alone, as Slurm does.
has_address() { ip -4 -o addr show | grep -qv ' 127\.0\.0\.1/'; }

# A kernel for one CPU may have none.
has_cpusets() { grep -q '^cpuset' /proc/cgroups; }

cgroup_conf() {
    cat <<END
ConstrainCores=$(has_cpusets && echo yes || echo no)
ConstrainRAMSpace=yes
ConstrainDevices=yes
CgroupMountpoint=/sys/fs/cgroup
END
    if [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; then
        echo CgroupPlugin=cgroup/v2
        # Else slurmd makes its own directories under system.slice.
        with_systemd || echo IgnoreSystemd=yes
        case $(slurmd -V) in
        *' 22.'*) echo CgroupAutomount=yes ;;
        *) echo EnableControllers=yes ;;
        esac
    else
        echo CgroupPlugin=cgroup/v1
    fi
}

# What systemd has made elsewhere: slurmd looks for its controllers there.
make_slice() {
    install -d /sys/fs/cgroup/system.slice
    enable_controllers /sys/fs/cgroup
    enable_controllers /sys/fs/cgroup/system.slice
}

gres_conf() {
    ! have_gpus || echo "Name=gpu Type=fake File=$GPUS/gpu[0-1]"
}

plugstack_conf() {
    local plugin=$PREFIX/lib/slurm/spank_berth.so
    echo "# Written anew by each 'quickstart up' that starts the cluster."
    # The tests' images are berth/NAME.
    [[ ! -e $plugin ]] ||
        echo "required $plugin allow=debian allow=berth/**" \
            "allow=$REGISTRY/** allow=$PRIVATE_REGISTRY/** engine=unix://$(engine_socket)"
}

start_munge() {
    ( umask 077; [[ -e $ETC/munge.key ]] || head -c 1024 /dev/urandom >"$ETC/munge.key" )
    spawn munge munged --foreground --key-file "$ETC/munge.key" \
        --socket "$RUN/munge.sock" --pid-file "$RUN/munge.pid" \
        --log-file "$LOG/munge.log" --seed-file "$STATE/munge.seed"
    must_start munge 60 munge -n -S "$RUN/munge.sock"
}

start_slurmctld() {
    install -d "$STATE/slurmctld"
    spawn slurmctld slurmctld -D -f "$ETC/slurm.conf"
    must_start slurmctld 60 slurm scontrol ping
}

start_node() {
    install -d "$STATE/spool/$1"
    install -d -m 1777 "$STATE/tmp/$1"
    if with_systemd; then
        spawn_unit "$1" slurmd -D -N "$1" -f "$ETC/slurm.conf"
    else
        spawn "$1" slurmd -D -N "$1" -f "$ETC/slurm.conf"
    fi
}

slurm() { SLURM_CONF=$ETC/slurm.conf "$@"; }
node_is_up() { [[ $(slurm sinfo -hN -p main -n "$1" -o %T 2>/dev/null) =~ ^(idle|mixed|allocated|completing)$ ]]; }
# node_is_new NODE SINCE: it is up, and its slurmd, which has started since then,
# has told slurmctld so.
node_is_new() {
    local start
    start=$(slurm scontrol -o show node "$1" | grep -o 'SlurmdStartTime=[^ ]*')
    start=$(date -d "${start#*=}" +%s) && ((start >= $2)) && node_is_up "$1"
}

nodes() { seq -f 'n%.0f' "$(cat "$RUN/nodes" 2>/dev/null || echo 0)"; }
daemons() {
    [[ $(engine) != docker ]] || echo containerd
    printf '%s\n' engine registry private-registry munge slurmctld
    nodes
}

start_all() {
    local node
    install -d -m 0755 "$RUN" "$RUN/pid" "$ETC"
    echo "$1" >"$RUN/engine"
    echo "$2" >"$RUN/nodes"
    [[ ! ${3-} ]] || : >"$RUN/systemd"
    note_before
    make_users
    # As `make install` made it, before `down` removed it.
    install -d -m 0711 "$STATE/var/lib/berth"
    start_engine
    start_registries
    import docker.io/library/debian <"$STATE/images/debian.tar"
    make_gpus
    slurm_conf "$2" >"$ETC/slurm.conf"
    cgroup_conf >"$ETC/cgroup.conf"
    gres_conf >"$ETC/gres.conf"
    ! grep -q IgnoreSystemd "$ETC/cgroup.conf" || make_slice
    plugstack_conf >"$ETC/plugstack.conf"
    start_munge
    start_slurmctld
    for node in $(nodes); do
        start_node "$node"
    done
    for node in $(nodes); do
        must_start "$node" 60 node_is_up "$node"
    done
}
