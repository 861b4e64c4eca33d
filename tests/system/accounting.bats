#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# What Slurm's accounting keeps of a job: sacct's account of a job in a
# container, and of the same job without one. For as long as this file runs,
# the cluster has a slurmdbd, with a MariaDB that only its socket leads to.

load lib

ETC=${SLURM_CONF%/*}
SANDBOX=${HOME1%/home/*}
# Where `quickstart down` removes it if this is killed, which ends the daemons
# as well, since they carry this mark.
DB=$SANDBOX/tmp/accounting
MARK=BERTH_QUICKSTART_DAEMON=$SANDBOX
PORT=26818

setup_file() {
    local munge
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    map_ids
    cp -p "$SLURM_CONF" "$BATS_FILE_TMPDIR"
    munge=$(sed -n 's/^AuthInfo=socket=//p' "$SLURM_CONF")
    install -d -m 700 "$DB"
    start_database
    start_slurmdbd
    cat >>"$SLURM_CONF" <<END
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$PORT
AccountingStoragePass=$munge
END
    sacctmgr -iQ add cluster berth
    # slurmctld has made up a cluster's ID by itself, and slurmdbd another one.
    rm -f "$SANDBOX/slurmctld/clustername"
    restart_slurmctld
}
teardown_file() {
    cp -p "$BATS_FILE_TMPDIR/${SLURM_CONF##*/}" "$SLURM_CONF"
    restart_slurmctld
    end slurmdbd
    end mariadbd
    rm -rf "$DB" "$ETC/slurmdbd.conf" "$SANDBOX/slurmctld/dbd.messages"
    unmap_ids
    restore_policy
}
restart_slurmctld() {
    "$QUICKSTART" restart slurmctld 3>&- 4>&-
    # The nodes have yet to say that they are there.
    poll "$SOON" all_idle
}

# daemon NAME WORD ...: starts it; its log and pid are in DB.
daemon() {
    env -i "$MARK" PATH="$PATH" LANG=C.UTF-8 SLURM_CONF="$SLURM_CONF" \
        MYSQL_UNIX_PORT="$DB/socket" setsid "$@" \
        </dev/null >>"$DB/$1.log" 2>&1 3>&- 4>&- &
    echo $! >"$DB/$1.pid"
    disown
}

# end NAME: SIGTERM, or SIGKILL after ten seconds.
end() {
    local pid
    pid=$(cat "$DB/$1.pid" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || true
    poll 10 gone "$pid" || kill -KILL "$pid"
}

# The system tables are all that MariaDB itself needs, and no one else gets to
# its socket: it asks for no password.
start_database() {
    local sql=(/usr/share/{mysql/mysql,mariadb/mariadb}_system_tables.sql)
    local flags=(--no-defaults --user=root --datadir="$DB/data"
        --innodb-log-file-size=16M --innodb-buffer-pool-size=32M
        --loose-innodb-buffer-pool-size-max=64M) # it maps as much
    mkdir "$DB/data"
    # A slurmdbd that has not found its database does not go on with the client's
    # library of MariaDB 11.8.9.
    { printf '%s;\n' 'CREATE DATABASE slurm_acct_db' 'CREATE DATABASE mysql' 'USE mysql'
        cat "${sql[@]}" 2>/dev/null; } |
        mariadbd "${flags[@]}" --bootstrap >"$DB/bootstrap.log" 2>&1 || fail "$(cat "$DB/bootstrap.log")"
    daemon mariadbd "${flags[@]}" --skip-grant-tables --skip-networking \
        --socket="$DB/socket"
    poll 60 test -S "$DB/socket" || fail "$(cat "$DB/mariadbd.log")"
}

start_slurmdbd() {
    install -m 600 /dev/stdin "$ETC/slurmdbd.conf" <<END
$(grep -E '^Auth' "$SLURM_CONF")
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$PORT
SlurmUser=root
PidFile=$DB/slurmdbd.pidfile
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
END
    daemon slurmdbd -D
    poll 60 answers || fail "$(cat "$DB/slurmdbd.log")"
}
answers() { : <"/dev/tcp/127.0.0.1/$PORT"; }

# --- what sacct says ---------------------------------------------------------

# jobs_of COMMAND ...: runs it, and sets JOBS to the jobs that it has made.
jobs_of() {
    local first
    first=$(next_job)
    "$@" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- 4>&- || true
    JOBS=$(seq -s, "$first" "$(($(next_job) - 1))")
    [[ $JOBS ]] || fail "no job was made: $(cat "$BATS_TEST_TMPDIR/log")"
}
next_job() { scontrol show config | sed -n 's/^NEXT_JOB_ID *= //p'; }

# account JOBS FIELDS: what sacct says of these jobs and their steps when all
# have ended, with J1, J2 ... for their numbers, sorted.
account() {
    poll 60 settled "$1" || fail "$(sacct -aj "$1")"
    sacct -anP --noconvert -j "$1" -o "JobID,$2" | awk -v jobs="$1" '
        BEGIN { for (n = split(jobs, job, ","); n; n--) name[job[n]] = "J" n }
        { match($0, /^[0-9]+/)
          print name[substr($0, 1, RLENGTH)] substr($0, RLENGTH + 1) }' | LC_ALL=C sort
}
# slurmctld tells the database within some seconds. If a job has ended before
# it does, its name comes last.
settled() {
    local ended
    ended=$(sacct -anPX -j "$1" -o End,JobName | grep -vcE 'Unknown|\|allocation$')
    ((ended == $(tr , '\n' <<<"$1" | wc -l))) &&
        ! sacct -anP -j "$1" -o State | grep -qE 'RUNNING|PENDING'
}

ends() {
    as_user salloc -Q -J bats -N2 -n4 --mem=300 bash ends.sh "$@"
    as_user sbatch -w n1 -o /dev/null "$@" --wrap 'exit 0'
    as_user sbatch -w n1 -o /dev/null "$@" --wrap 'exit 9'
    # shellcheck disable=SC2016  # of the job's shell
    as_user sbatch -w n1 -o /dev/null "$@" --wrap 'kill -KILL $$'
}

# limited WORD ...: starts a job that is soon at its time limit.
limited() {
    JOB=$(as_user sbatch --parsable --time=1 -w n2 -o /dev/null "$@" --wrap 'exec sleep 1000')
    poll "$SOON" job_is "$JOB" RUNNING
    scontrol update jobid="$JOB" EndTime=now+1
}

# The options of the containers whose jobs are compared with bare ones: one a
# line. In the second the user is root.
in_containers() { printf '%s\n' --container=debian '--container=debian --container-root'; }

@test "sacct tells how each job and step ended as bare, and root's" {
    local options end bare jobs limited words=JobName,State,ExitCode,NTasks,AllocCPUS,ReqMem,NodeList
    cat >"$HOME1/ends.sh" <<'END'
srun "$@" true
srun "$@" -n3 sh -c 'exit $((SLURM_PROCID * 3))'
srun "$@" sh -c 'kill -TERM $$'
srun "$@" -n1 -w n1 sh -c 'kill -SEGV $$'
srun "$@" -n1 -w n1 --mem=50M perl -e '$x = "x" x 300_000_000'
srun "$@" -n1 -w n1 sh -c 'echo ready; sleep 1000' | { read -r; scancel "$SLURM_JOB_ID.5"; cat; }
exit 7
END
    root_conf
    limited
    limited=$JOB
    limited --container=debian
    jobs_of ends
    jobs=$JOBS
    bare=$(account "$jobs" $words)
    while read -ra options; do
        jobs_of ends "${options[@]}" </dev/null
        equal "$(account "$JOBS" $words)" "$bare"
    done < <(in_containers)
    for end in 'J1|bats|FAILED|7:0' 'J1.0|true|COMPLETED|0:0' 'J1.1|sh|FAILED|6:0' \
        'J1.2|sh|CANCELLED|0:15' 'J1.3|sh|CANCELLED|0:11' 'J1.4|perl|OUT_OF_MEMORY|0:125' \
        "J1.5|sh|CANCELLED by $(id -u berth1)|0:9" 'J3|bats|FAILED|9:0' 'J4|bats|FAILED|0:9'; do
        contains "$bare" "$end|"
    done
    # Whether the script's own row says what ended it, or the limit, depends on
    # which of slurmd and slurmctld is quicker.
    bare=$(account "$limited" $words | grep -v ^J1.batch)
    equal "$(account "$JOB" $words | grep -v ^J1.batch)" "$bare"
    contains "$bare" '|TIMEOUT|'
    rm "$HOME1/ends.sh"
    nothing_left
}

@test "sacct tells the memory and CPU time of each task as bare, and root's" {
    local all=NTasks,MaxRSSTask,MaxRSSNode,MinCPUTask,MinCPUNode,AveCPU,MaxRSS,TRESUsageInTot,TotalCPU
    local bare cpu got options rss total
    root_conf
    # Task 1 has the memory, and task 3 nothing to do. (Slurm 22.05 sees the
    # memory of tasks on the first node only.)
    cat >"$HOME1/load.pl" <<'END'
my $x = "x" x ($ENV{SLURM_PROCID} == 1 ? 150_000_000 : 1);
my $used = $ENV{SLURM_PROCID} == 3 ? 9 : 0;
while ($used < 1.5) {
    $i++ for 1 .. 100_000;
    $used = (times)[0] + (times)[1];
}
sleep 2;
END
    load() { as_user srun -N2 --ntasks-per-node=2 --mem=400 --acctg-freq=task=1 "$@" perl load.pl; }
    readings() {
        account "$1" $all | sed -nE 's/^J1\.0\|(.*)\|([0-9]+)\|cpu=00:00:0([0-9]).*\|00:0([0-9.]*)$/\1 \2 \3 \4/p'
    }
    jobs_of load
    read -r bare rss cpu total < <(readings "$JOBS")
    equal "$bare" '4|1|n1|3|n2|00:00:01'
    while read -ra options; do
        jobs_of load "${options[@]}" </dev/null
        read -ra got < <(readings "$JOBS")
        equal "${got[0]}" "$bare"
        ((rss > 150000000 && got[1] > rss - 10000000 && got[1] < rss + 10000000)) ||
            fail "MaxRSS is ${got[1]}, bare $rss"
        ((cpu >= 4 && got[2] >= cpu - 1 && got[2] <= cpu + 1)) ||
            fail "the CPU time is ${got[2]} s, bare $cpu s"
        # Of a task in a container, this counts whole seconds.
        ((${got[3]%.*} >= 3 && ${got[3]%.*} <= ${total%.*})) ||
            fail "TotalCPU is ${got[3]} s, bare $total s"
    done < <(in_containers)
    rm "$HOME1/load.pl"
    nothing_left
}

# The forms in which a job asks for its container: $1 and $2 are the options.
forms() {
    local image=${1-} other=${2-}
    # shellcheck disable=SC2086  # no word where there is no option
    {
        as_user srun $image true
        as_user env ${image:+BERTH_CONTAINER_IMAGE=debian} srun true
        as_user sbatch -o /dev/null $image --wrap true
        printf '#!/bin/sh\n#SBATCH -o /dev/null %s\ntrue\n' "$image" >"$HOME1/job.sh"
        as_user sbatch --array=7 job.sh
        as_user srun -n1 $image true : -n1 true
        as_user timeout 60 script -qc "salloc -Q -J bats -n1 $image" /dev/null <<<exit
    }
    printf '#!/bin/sh\nsrun %s true; srun %s true\n' "$image" "$other" >"$HOME1/job.sh"
    as_user sbatch -o /dev/null job.sh
    rm "$HOME1/job.sh"
}

@test "sacct shows the image of each job and step, in whatever form it was asked for" {
    local bare images job
    images='J1.0|debian J1|debian J2.0|debian J2|debian J3.batch|debian J3|debian
        J4_7.batch|debian J4_7|debian J5+0.0|debian J5+0|debian J5+1.0|debian J5+1|debian
        J7.interactive|debian J7|debian J8.0|debian J8.1|berth/probe J8.batch| J8|'
    jobs_of forms
    job=$JOBS
    jobs_of forms --container=debian --container-image=berth/probe
    bare=$(account "$job" Container)
    equal "$(account "$JOBS" Container | xargs)" "$(xargs <<<"$images")"
    # As many rows, and no image.
    equal "$(xargs <<<"$bare")" "$(xargs -n1 <<<"$images" | sed 's/|.*/|/' | xargs)"
    nothing_left
}

@test "what is refused makes no job, and on the node a failed one with 125" {
    local each=Container,State,ExitCode jobs=''
    run jobs_of as_user srun --container=nope true
    ((status != 0))
    contains "$output" 'no job was made'
    jobs_of bypassing srun --container=nope true
    jobs=$JOBS
    jobs_of bypassing sbatch -o /dev/null --container=nope --wrap true
    jobs+=,$JOBS
    jobs_of in_container /no-such-program
    equal "$(account "$jobs,$JOBS" $each)" "J1.0|nope|FAILED|125:0
J1|nope|FAILED|125:0
J2.batch|nope|FAILED|125:0
J2|nope|FAILED|125:0
J3.0|debian|FAILED|127:0
J3|debian|FAILED|127:0"
    nothing_left
}
