# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The processes of the sandbox: each is started, found and ended here.
# shellcheck shell=bash

# process_stat PID N: prints field N of its stat, counted from the state as 0;
# fails if there is no process, or only its zombie.
process_stat() {
    local line
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -ra line <<<"${line##*) }"
    [[ ${line[0]} != [ZX] ]] && echo "${line[$2]}"
}
parent() { process_stat "$1" 1; }
start_time() { process_stat "$1" 19; }

alive() {
    local pid start
    { read -r pid start <"$RUN/pid/$1"; } 2>/dev/null &&
        [[ $(start_time "$pid") == "$start" ]]
}

# spawn NAME COMMAND: a daemon that doesn't fork, and inherits nothing of ours.
spawn() {
    local name=$1 fd
    shift
    (
        for fd in "/proc/$BASHPID/fd"/*; do
            ((${fd##*/} <= 2)) || eval "exec ${fd##*/}>&-"
        done
        exec env -i --default-signal=INT,QUIT "$MARK" HOME=/root PATH="$INSTALLED_PATH" LANG=C.UTF-8 \
            SLURM_CONF="$ETC/slurm.conf" setsid "$@"
    ) </dev/null >>"$LOG/$name.log" 2>&1 &
    echo "$! $(start_time $!)" >"$RUN/pid/$name"
    disown
}

# spawn_unit NAME COMMAND: likewise, as a unit of systemd's with what Slurm's own
# unit file has.
spawn_unit() {
    local name=$1 unit=berth-quickstart-$1.service
    shift
    systemd-run --quiet --collect --unit="$unit" -p Delegate=yes -p KillMode=process \
        -p TasksMax=infinity -p LimitNOFILE=131072 -p LimitMEMLOCK=infinity \
        -p LimitSTACK=infinity -p "StandardOutput=append:$LOG/$name.log" \
        -p "StandardError=append:$LOG/$name.log" \
        env -i "$MARK" HOME=/root PATH="$INSTALLED_PATH" LANG=C.UTF-8 \
        SLURM_CONF="$ETC/slurm.conf" "$@"
    set -- "$(systemctl show -P MainPID "$unit")"
    echo "$1 $(start_time "$1")" >"$RUN/pid/$name"
}

# stop NAME: end a daemon, the hard way after ten seconds.
stop() {
    local pid
    if alive "$1"; then
        read -r pid _ <"$RUN/pid/$1"
        kill "$pid" 2>/dev/null || true
        if ! poll 10 not_alive "$1"; then
            kill -KILL "$pid" 2>/dev/null || true
            poll 5 not_alive "$1" || true
        fi
    fi
    rm -f "$RUN/pid/$1"
}
not_alive() { ! alive "$1"; }

# must_start NAME SECONDS COMMAND: wait for a daemon to answer.
must_start() {
    local name=$1
    shift
    poll "$@" && return
    tail -n 15 "$LOG/$name.log" >&2
    die "$name does not answer (its log is $LOG/$name.log)"
}

# descends PID ANCESTOR: also if they are the same.
descends() {
    local pid=$1
    while [[ $pid != "$2" ]]; do
        pid=$(parent "$pid") && ((pid > 0)) || return 1
    done
}

# Prints the pids that are the sandbox's and live, but for this script, what it
# runs and what runs it.
our_pids() (
    set +e     # a process may end while it is looked at
    {
        grep -lzxF "$MARK" /proc/[0-9]*/environ | cut -d/ -f3
        find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$STATE/*" |
            cut -d/ -f3
        find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' \
            \( -lname '*/conmon*' -o -lname '*/containerd-shim*' \) |
            while read -r line; do
                grep -lzE "^($RUN|$STATE)/" "${line%exe}cmdline" | cut -d/ -f3
            done
        for line in "${USERS[@]}"; do
            ! our_user "$line" ||
                find /proc -maxdepth 1 -name '[0-9]*' -user "$line" -printf '%f\n'
        done
        cgroup_pids .
    } 2>/dev/null | sort -un | while read -r pid; do
        # A zombie is over, whether anybody waits for it or not.
        process_stat "$pid" 0 >/dev/null || continue
        descends "$pid" $$ || descends $$ "$pid" || echo "$pid"
    done
)

# End what a run that was killed left at work. A sandbox in another namespace
# of processes sees to its own.
end_work() {
    local pid
    grep -lzxF "$WORK" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 |
        while read -r pid; do
            [[ /proc/$pid/ns/pid -ef /proc/self/ns/pid ]] || continue
            descends "$pid" $$ || descends $$ "$pid" ||
                kill -KILL "$pid" 2>/dev/null || true
        done || true
}

# unmount_below DIR: all but what rooms have in common.
unmount_below() {
    local mounts
    for _ in 1 2 3; do
        mapfile -t mounts < <(awk -v dir="$1/" -v common="$COMMON" \
            'index($5, dir) == 1 && $5 != common { print $5 }' /proc/self/mountinfo | tac)
        ((${#mounts[@]})) || break
        umount -n "${mounts[@]}" 2>/dev/null || umount -nl "${mounts[@]}" || true
    done
}

kill_all() {
    local pids
    for _ in {1..40}; do
        mapfile -t pids < <(our_pids)
        ((${#pids[@]})) || return 0
        kill -KILL "${pids[@]}" 2>/dev/null || true
        sleep 0.05
    done
    die "these processes do not die: ${pids[*]}"
}

# One at a time; `check` runs others below it.
lock() {
    local pid start
    install -d -m 0755 "$STATE"
    if { read -r pid start <"$STATE/lock"; } 2>/dev/null &&
        [[ $(start_time "$pid") == "$start" ]]; then
        ! descends $$ "$pid" || return 0
        die "another quickstart is at work, process $pid"
    fi
    echo "$$ $(start_time $$)" >"$STATE/lock"
    end_work
}
