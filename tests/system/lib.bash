# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# For every file here: `load lib`. What they need of the sandbox comes from
# the environment that `quickstart admin` sets, through which tests/run runs them.
#
# "As bare", in the name of a test: the same step is run without a container
# and with one, and what Slurm and the user see of it is compared.
# shellcheck shell=bash
# shellcheck disable=SC2154  # status, output, stderr are bats's
# shellcheck disable=SC2034  # some are for the files that load this

bats_require_minimum_version 1.5.0

: "${QUICKSTART:?run these by: tests/run FILE}"

PLUGIN=$(sed -n 's/^required \([^ ]*spank_berth.so\).*/\1/p' "$PLUGSTACK_CONF")
PLUGIN=${PLUGIN%%$'\n'*}
PREFIX=${PLUGIN%/lib/slurm/*}
LIBEXEC=$PREFIX/libexec/berth
STATE=${PREFIX%/*}/var/lib/berth
HOME1=$(getent passwd berth1 | cut -d: -f6)
HOME2=$(getent passwd berth2 | cut -d: -f6)
RESTORE=${BATS_FILE_TMPDIR:-$BATS_RUN_TMPDIR}/plugstack.conf

# Our jobs are known by their name; salloc takes none from the environment.
export SLURM_JOB_NAME=bats SBATCH_JOB_NAME=bats
JOB_NAMES=bats,interactive

# How long anything may take that is to happen at once.
SOON=30

as_user() { "$QUICKSTART" run --user=berth1 -- "$@"; }
as_other() { "$QUICKSTART" run --user=berth2 -- "$@"; }

# in_container COMMAND: as a step of one task.
in_container() { as_user srun --container=debian "$@"; }

# alike WORD ...: srun prints and ends alike with these words, bare and in a
# container, and ends well. Sets BARE.
alike() {
    local bare
    run --separate-stderr as_user srun -Q "$@"
    bare=$status/$(sort <<<"$output")/$stderr
    BARE=$output
    run --separate-stderr as_user srun -Q --container=debian "$@"
    equal "$status/$(sort <<<"$output")/$stderr" "$bare"
    equal "$status" 0
}

# prints_alike OPTIONS FUNCTION WORD ...: it prints alike with these options, which
# ask for a container, and without. What a busy Slurm says of a step's end one time
# it may not say the next: one of two bare runs is to be the same. Sets BARE.
prints_alike() {
    local options=$1 got
    shift
    BARE=$("$@")
    # shellcheck disable=SC2086  # several words
    got=$("$@" $options)
    if [[ $got != "$BARE" ]]; then
        printf '%s\n' "bare:" "$BARE" "in a container:" "$got" >&2
        BARE=$("$@")
    fi
    equal "$got" "$BARE"
}

# run_batch SBATCH'S WORDS: submits a job, and waits for its end. sbatch's own
# --wait looks after 2 seconds, and not again for 8.
run_batch() {
    local job
    job=$(as_user sbatch --parsable "$@")
    poll 60 has_ended "$job" || fail "job $job lasts"
}
has_ended() {
    local there
    there=$(squeue -hj "$1" -o %i) && [[ -z $there ]]
}

# allocation SCRIPT: runs it in an allocation of the whole of both nodes.
allocation() {
    as_user salloc -Q -N2 -n32 --mem=3000 bash -c "$1"
}

# poll SECONDS COMMAND: tries it until it succeeds. What is over stays so: for that
# it looks less and less often, as looks are a good part of what the tests cost.
poll() {
    local end=$((SECONDS + $1)) naps=(0.3 0.2 0.12 0.08 0.05)
    shift
    [[ $1 == @(no_*|gone|all_idle) ]] || naps=(0.05)
    until "$@" >/dev/null 2>&1; do
        ((SECONDS <= end)) || return 1
        # A sleep that is no process: nobody writes to it.
        read -rt "${naps[-1]}" <>"$BATS_SUITE_TMPDIR/silent" || true
        ((${#naps[@]} == 1)) || unset 'naps[-1]'
    done
}

# fail TEXT: says why, behind what was printed.
fail() {
    printf '%s\n' "$@" >&2
    [[ -z ${status-} ]] || printf 'status: %s\n' "$status" >&2
    [[ -z ${output-} ]] || printf 'stdout: %s\n' "${output:0:2000}" >&2
    [[ -z ${stderr-} ]] || printf 'stderr: %s\n' "${stderr:0:2000}" >&2
    return 1
}

# equal GOT WANTED
equal() {
    [[ $1 == "$2" ]] ||
        fail "wanted: ${2:0:500}" "   got: ${1:0:500}" \
            "$(diff -U0 <(echo "$2") <(echo "$1") | tail -n +3 | head -c 2000)"
}

# contains TEXT WORD
contains() {
    [[ $1 == *"$2"* ]] || fail "this lacks \"$2\": ${1:0:2000}"
}

lacks() {
    [[ $1 != *"$2"* ]] || fail "this has \"$2\": ${1:0:2000}"
}

# Whether Slurm puts berth-task in front of each task (23.11 and newer).
prepends() { nm -D "$PLUGIN" | grep -q spank_prepend_task_argv; }

# For a step's shell, with its number and how many there are: it waits until all
# are there. One that ends earlier leaves its GPU or its container to the next.
MEET=': >met.$1
    n=0
    until [ $(ls | grep -c "^met[.]") = $2 ] || [ $n = 600 ]; do
        n=$((n + 1))
        sleep 0.05
    done'

skip_without() { skip "this machine lacks $1"; }
# slurm_has RELEASE: this Slurm is of that one or a later.
slurm_has() {
    printf '%s\n' "$1" "$(slurmd -V | sed 's/.* //')" | sort -VC
}
has_pmix() { srun --mpi=list 2>&1 | grep -q pmix; }
needs_pmix() { has_pmix || skip_without "Slurm's plugin for PMIx"; }

# --- the engine --------------------------------------------------------------

# api METHOD PATH [CURL'S OPTIONS]: in the version in which the tests know the
# answers, or the oldest that the engine has.
api() {
    local method=$1 path=$2 curl version known=$BATS_RUN_TMPDIR/api
    curl=(curl -sS --max-time 30 --unix-socket "${DOCKER_HOST#unix://}")
    shift 2
    [[ -s $known ]] || "${curl[@]}" http://engine/version |
        sed -n 's/.*"MinAPIVersion":"1\.\([0-9]*\)".*/\1/p' | head -n 1 >"$known"
    version=$(<"$known")
    ((${version:-0} > 40)) || version=40
    "${curl[@]}" -X "$method" -H 'Content-Type: application/json' "$@" \
        "http://engine/v1.$version$path"
}

# The names of the engine's containers, dead ones included.
containers() {
    api GET '/containers/json?all=1' | grep -o '"Names":\["[^"]*"' |
        sed 's/.*"\/\?\([^"]*\)"$/\1/'
    # Of a second one as well (map_ids).
    [[ $DOCKER_HOST == "${ROOT_ENGINE:-$DOCKER_HOST}" ]] || DOCKER_HOST=$ROOT_ENGINE containers
}
berths() { containers | grep '^berth-' || true; }
# That of JOB's step: the one of a step before it may be on its way out.
step_container() { berths | grep "^berth-$JOB\."; }

# engine_errors LINE: what the engine's log has for errors from that line on, but
# for what dockerd says of a container that ends before it reads its output.
ENGINE_LOG=${STATE%/var/lib/berth}/log/engine.log
engine_errors() {
    tail -n +"$1" "$ENGINE_LOG" | grep -E 'level=(error|fatal)' |
        grep -v 'stream copy error: reading from a closed fifo' || true
}

volumes() { api GET /volumes | grep -o '"Name":"[^"]*"' | sort; }

# image NAME DIR [INSTRUCTION ...]
image() { "$QUICKSTART" image "$@"; }

# For an engine that lacks the sandbox's images: import NAME <TAR.
import() {
    api POST "/images/create?fromSrc=-&repo=docker.io/$1&tag=latest" \
        -H 'Content-Type: application/x-tar' -T - >/dev/null
}
import_debian() { import library/debian <"${HOME1%/home/*}/images/debian.tar"; }

# sandbox FUNCTION: of tests/sandbox.
sandbox() {
    bash -euc 'dir=$(dirname "$QUICKSTART")/tests/sandbox
        for part in settings process engines; do . "$dir/$part.bash"; done
        "$@"' - "$@" 3>&- 4>&-
}

# map_ids: from now on users can be root inside, until unmap_ids. Podman gives each
# IDs of his own; where the engine is Docker, a second one beside it gives all of
# them the same, has debian and no other image, and no network. Sets ROOT_ENGINE
# and ROOT_IDS, which berth.conf has.
map_ids() {
    export ROOT_ENGINE=$DOCKER_HOST ROOT_IDS=2000000:65536
    [[ $BERTH_ENGINE == docker ]] || return 0
    ROOT_ENGINE=unix://$(sandbox start_mapping_docker)
    ROOT_IDS=$(mapped_ids)
    DOCKER_HOST=$ROOT_ENGINE import_debian
}
mapped_ids() { awk -F: '$1 == "dockremap" { print $2 ":" $3 ":" $1 }' /etc/subuid; }
unmap_ids() {
    [[ $BERTH_ENGINE != docker ]] || sandbox stop_mapping_docker
    rm -rf "$STATE"/*/ids
}

# root_conf [LINE ...]: the policy lets users be root, and says this as well.
root_conf() {
    [[ $BERTH_ENGINE != docker ]] || set -- 'networks = {"none", "host"}' "$@"
    printf '%s\n' "root = ${ROOT:-allowed}" "root_ids = \"$ROOT_IDS\"" \
        "root_engine = \"$ROOT_ENGINE\"" "$@" | conf
}

# The first ID of the range of the user with the ID $1.
root_start() {
    case $ROOT_IDS in
    *:*:*) echo "${ROOT_IDS%%:*}" ;;
    *) echo $((${ROOT_IDS%%:*} + $1 * 65536)) ;;
    esac
}

# --- registries --------------------------------------------------------------

# push [--private] NAME DIR|TAR: prints the image's reference.
push() { "$QUICKSTART" push "$@"; }

# start_front: for a file of tests, the registry that misbehaves (front.py says
# how). Sets FRONT, which is its host, and a port but for the last digit.
start_front() {
    local dir=$BATS_FILE_TMPDIR i
    export FRONT=${REGISTRY%:*}:2683 FRONT_LOG=$dir/front.log
    export FRONT_CONF=/etc/containers/registries.conf.d/berth-quickstart-front.conf
    openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
        -days 30 -subj /CN=front -addext "subjectAltName=IP:${REGISTRY%:*}" \
        -keyout "$dir/front.key" -out "$dir/front.crt" 2>/dev/null
    for i in 0 2 3 4 5 6 7 8 9; do
        printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$FRONT$i"
    done >"$FRONT_CONF"
    # Not the one of a path.
    /usr/bin/python3 "$BATS_TEST_DIRNAME/front.py" "$FRONT_LOG" "${REGISTRY%:*}" \
        "${FRONT#*:}0" "$REGISTRY" "$dir"/front.{crt,key} >&2 3>&- 4>&- &
    export FRONT_PID=$!
    poll "$SOON" grep -q '^ready' "$FRONT_LOG" || fail "the front is not up"
}
end_front() {
    kill "$FRONT_PID" || true
    rm -f "$FRONT_CONF"
}

# What waits at the front (layer-gate) goes on, until it is shut again.
open_gate() { : >"$FRONT_LOG.open"; }
shut_gate() { rm -f "$FRONT_LOG.open"; }

# asked WORDS: how many requests of the log have these in them, in this order.
asked() { grep -v ^end "$FRONT_LOG" | grep -c -- "$*" || true; }

# --- what berth leaves, or rather does not -----------------------------------

# Prints what is there of berth's on any node, but for the jobs' records, and
# those of what an engine may yet make. It is called a lot, as what follows is: few
# processes.
traces() (
    shopt -s nullglob dotglob
    local path images=("$STATE"/*/images)
    for path in "$STATE"/*/*; do
        case ${path##*/} in
        *.job | gpus.json | images | ids | unanswered) ;;
        *) echo "$path" ;;
        esac
    done
    # Of what was fetched there is a record; the rest goes with the job.
    ((${#images[@]} == 0)) || find "${images[@]}" -type f ! -name '*.json' 2>/dev/null
    [[ $(</proc/self/mountinfo) != *" $STATE/"* ]] ||
        awk -v s="$STATE/" 'index($5, s) == 1 { print "mount", $5 }' /proc/self/mountinfo
    containers | sed -n 's/^berth-/container &/p'
    # That one lives as long as slurmd.
    programs | while read -r path; do
        [[ $path == *\ berth-starter ]] || echo "process $path"
    done
)

# Prints "PID PROGRAM" for each running program of berth's. In a container
# berth-init's path is another, or none where that was mounted anew.
programs() {
    local pid name
    find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$LIBEXEC/*" \
        -printf '%h %l\n' 2>/dev/null | while read -r pid name; do
        echo "${pid#/proc/} ${name##*/}"
    done
    grep -lsx init /proc/[0-9]*/comm | while read -r pid; do
        pid=${pid%/comm}
        IFS= read -rd '' name 2>/dev/null <"$pid/cmdline" || continue
        [[ $name != /run/berth/init ]] || echo "${pid#/proc/} berth-init"
    done
}

# pids PROGRAM
pids() { programs | awk -v n="$1" '$2 == n { print $1 }'; }

# kill_stepds: each berth-stepd, and its children. One of these may be gone
# before its turn, since it dies with its parent.
kill_stepds() {
    # shellcheck disable=SC2046  # several words
    kill -KILL $(pids berth-stepd)
}

# The tags of what is in the engine by a name of berth's own. Podman tells those
# as well that an image once had.
fetched() {
    api GET /images/json | grep -o '"RepoTags":\[[^]]*\]' |
        grep -o 'berth\.local/image:[0-9a-f]*' | sed 's/.*://' | sort -u
}
# All of that goes, and the records. What the epilog begins in the background
# would take an image that comes for one that nobody has, if records were
# removed under it.
forget() {
    local tag
    poll "$SOON" no_collection
    for tag in $(fetched); do
        api DELETE "/images/berth.local/image:$tag" >/dev/null
    done
    poll "$SOON" no_collection
    rm -rf "$STATE"/*/images
}
# The epilog's child has its name until it is berth-images.
no_collection() { ! pgrep -x 'berth-(images|epilog)' >/dev/null; }

# Prints the cgroups of Slurm's jobs, and of the engine's containers. It is called
# a lot: no process for each hierarchy.
cgroups() {
    local roots root jobs=() containers=() not=''
    mapfile -t roots < <(awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/self/mounts)
    for root in "${roots[@]}"; do
        jobs+=("$root"/slurm{,_n[0-9]*} "$root"/system.slice/{,n[0-9]*_}slurmstepd.scope)
        case $BERTH_ENGINE in
        docker) containers+=("$root"/berth-quickstart "$root"/berthquickstart.slice) ;;
        podman)
            containers+=("$root"/{libpod_parent,machine.slice})
            not='*conmon*'
            ;;
        esac
    done
    # Those that are not there make find fail.
    find "${jobs[@]}" -type d -name 'job_*' 2>/dev/null || true
    find "${containers[@]}" -mindepth 1 -maxdepth 1 -type d ! -name "$not" 2>/dev/null || true
}

no_traces() { [[ -z $(traces) ]]; }
# But for those that there were before this file's tests.
no_cgroups() { [[ -z $(left_cgroups) ]]; }
left_cgroups() { cgroups | grep -vxFf "$BATS_FILE_TMPDIR/cgroups" || true; }
# These, and who is in them.
with_members() {
    local dir
    left_cgroups | while read -r dir; do
        echo "$dir"
        find "$dir" -name cgroup.procs -exec grep -H . {} +
    done
    ps -e -o pid,ppid,stat,wchan:20,args || true
}

# Slurm 24.11 leaves a job's empty cgroup in the freezer's hierarchy, once in
# some thirty jobs with an extern step, bare ones as well. That is said, and
# done away with.
forgive_slurm() {
    local dir
    prepends || return 0
    while read -r dir; do
        if [[ $dir == */freezer/slurm_n*/job_* &&
            -z $(find "$dir" -name cgroup.procs -exec cat {} +) ]] &&
            find "$dir" -depth -type d -exec rmdir {} +; then
            echo "# Slurm has left the empty cgroup $dir" >&3
        fi
    done < <(left_cgroups) 2>/dev/null
}
no_jobs() { [[ -z $(squeue -hn "$JOB_NAMES" -o %i) ]]; }
no_records() { ! compgen -G "$STATE/*/*.job" >/dev/null; }
all_idle() {
    local states
    states=$(sinfo -hN -o %T) && [[ $states && ${states//idle/} =~ ^$'\n'*$ ]]
}

# A slurmstepd that is killed leaves its cgroups, with a bare step as well.
# They must be empty.
forgive_cgroups() {
    local dir
    while read -r dir; do
        [[ ! -d $dir ]] || find "$dir" -depth -type d -exec rmdir {} +
    done < <(left_cgroups | grep "/job_$JOB\$")
}

# Nothing is left, now or soon, and the nodes are there for others.
nothing_left() {
    poll "${1:-$SOON}" no_jobs || fail "jobs: $(squeue -hn "$JOB_NAMES")"
    # Before that an epilog is at work.
    poll "${1:-$SOON}" all_idle || fail "nodes: $(sinfo -hN -o '%N %T %E')"
    poll "${1:-$SOON}" no_traces || fail "left: $(traces)"
    poll 3 no_cgroups || poll "$SOON" eval 'forgive_slurm; no_cgroups' ||
        fail "cgroups left:" "$(with_members)"
    poll "$SOON" no_records || fail "records left: $(find "$STATE" -name '*.job')"
}

# prologs_are COUNT: berth's prolog runs on so many of the nodes, which tells what
# they have heard of slurm.conf.
prologs_are() {
    local before
    before=$(node_times)
    as_user srun -Q -N2 true &&
        (($(comm -13 <(echo "$before") <(node_times) | grep -c .) == $1))
}
node_times() { stat -c '%n %y' "$STATE"/n[12] 2>/dev/null || true; }

# --- steps that last ---------------------------------------------------------

# start_step SRUN'S WORDS: starts a step whose program prints "ready JOB" when
# it is at work. Sets SRUN (its pid), JOB, OUT and ERR (files).
start_step() {
    OUT=$(mktemp -p "$BATS_TEST_TMPDIR")
    ERR=$OUT.err
    "$QUICKSTART" run --user=berth1 -- srun "$@" \
        </dev/null >"$OUT" 2>"$ERR" 3>&- 4>&- &
    SRUN=$!
    poll "$SOON" grep -q '^ready ' "$OUT" ||
        fail "no step came up: $(cat "$OUT" "$ERR")"
    JOB=$(sed -n 's/^ready //p' "$OUT" | head -n 1)
}

# What such a step runs. $1: what else, before the waiting.
waiter() { echo "${1:-:}; echo ready \$SLURM_JOB_ID; exec sleep 1000"; }

# ready COUNT: so many tasks have said that they are.
ready() { (($(grep -c '^ready ' "$OUT") == $1)); }

# A program of bash's, with a child and a daemon, of which each counts in a
# file of its own.
counting_program() {
    echo 'count() { while :; do echo x >>"$1.out"; sleep 0.05; done; }
        export -f count; setsid bash -c "count daemon" & count child &
        echo ready $SLURM_JOB_ID; count program'
}
counted() { wc -l "$HOME1"/{daemon,child,program}.out | head -n 3; }
none_counts() { paste <(counted) <(sleep 0.5; counted) | awk '$1 != $3 { exit 1 }'; }
all_count() { paste <(counted) <(sleep 0.5; counted) | awk '$1 >= $3 { exit 1 } END { exit NR != 3 }'; }

# await_step: waits for srun's end, at most SOON. Sets STATUS.
await_step() {
    local limit=${1:-$SOON}
    poll "$limit" gone "$SRUN" || fail "srun lasts: $(cat "$OUT" "$ERR")"
    STATUS=0
    wait "$SRUN" 2>/dev/null || STATUS=$?
}
gone() { ! [[ -e /proc/$1 ]] || grep -q '^State:.*Z' "/proc/$1/status"; }

# wrap_runtime SH: from now on the engine's runtime does this before each start,
# until unwrap_runtime, or the test's end.
wrap_runtime() {
    local dir=$BATS_TEST_TMPDIR name=runc
    [[ $BERTH_ENGINE != podman ]] || name=crun
    WRAPPED=$(type -P "$name")
    # By its name, which its processes have: crun may also run as a memfd:crun....
    cp "$WRAPPED" "$dir/$name"
    printf '#!/bin/sh\ncase " $* " in *" start "*) %s ;; esac\nexec %s "$@"\n' \
        "$1" "$dir/$name" >"$dir/wrapper"
    chmod 0755 "$dir/wrapper"
    mount --bind "$dir/wrapper" "$WRAPPED"
}
unwrap_runtime() {
    [[ -z ${WRAPPED-} ]] || umount -l "$WRAPPED"
    WRAPPED=
}
# hold_starts FILE: each start waits until something is in the file.
hold_starts() { wrap_runtime "timeout 60 sh -c 'until test -s $1; do sleep 0.05; done'"; }

# stop_runtime [COMMAND]: stops the process that the engine's runtime has for the
# next container, before it becomes the container's first: the engine's start
# waits for it. By COMMAND, such as as_user, or as root.
stop_runtime() {
    STOPS=$BATS_TEST_TMPDIR/stopped
    : >"$STOPS"
    hold_starts "$STOPS"
    "$@" timeout 60 bash -c '
        while :; do
            for p in /proc/[0-9]*; do
                read -r name <"$p/comm" && case $name in
                "runc:[2:INIT]") kill -STOP "${p#/proc/}" && echo "${p#/proc/}" && exit ;;
                crun | memfd:crun*) grep -q "^NSpid:.*[[:space:]]1$" "$p/status" &&
                    kill -STOP "${p#/proc/}" && echo "${p#/proc/}" && exit ;;
                esac
            done 2>/dev/null
        done' </dev/null >"$STOPS" 2>/dev/null 3>&- 4>&- &
}
# Waits until that is done. Sets STOPPED, its pid.
runtime_stopped() {
    poll 60 test -s "$STOPS" || fail "no process of the runtime's was stopped"
    STOPPED=$(<"$STOPS")
}

# sleepers SECONDS: the host's pids of `sleep SECONDS`. A task that execs it says
# "ready" before that, and a shell before its child does: poll for `sleeps` first.
sleepers() {
    grep -slzx "$1" /proc/[0-9]*/cmdline | cut -d/ -f3 | while read -r pid; do
        [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") != "sleep $1 " ]] || echo "$pid"
    done
}
sleeps() { [[ -n $(sleepers "$1") ]]; }
no_sleeper() { [[ -z $(sleepers "$1") ]]; }

# ends_as STATE: the job does, in Slurm's words.
ends_as() {
    poll "$SOON" job_is "$JOB" "$1" || fail "Slurm calls it $(job_says "$JOB" JobState)"
}
job_is() { [[ $(scontrol -o show job "$1") == *" JobState=$2 "* ]]; }
# job_says JOB FIELD: as scontrol shows it.
job_says() {
    scontrol -o show job "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"
}

# --- the policy --------------------------------------------------------------

# policy WORD ...: the plugin's line from now on, until the test's end.
policy() {
    echo "required $PLUGIN $*" >"$PLUGSTACK_CONF.new"
    mv "$PLUGSTACK_CONF.new" "$PLUGSTACK_CONF"
}
ENGINE="engine=$DOCKER_HOST"

# conf: berth.conf is what comes on standard input, until the test's end, and
# the usual images are allowed by plugstack.conf.
BERTH_CONF=$PREFIX/etc/slurm/berth.conf
conf() {
    install -d "${BERTH_CONF%/*}"
    cat >"$BERTH_CONF.new"
    mv "$BERTH_CONF.new" "$BERTH_CONF"
}

usual_policy() { policy allow=debian 'allow=berth/**' "$ENGINE"; }
restore_policy() { mv "$RESTORE" "$PLUGSTACK_CONF"; }

# What is wrong with srun's standard error, as far as berth goes: it must be
# one sentence of berth's, and nothing else but Slurm's line on the exit code.
one_sentence() {
    local rest
    rest=$(grep -v -e '^srun: error: .*Exited with exit code' -e 'queued and waiting' \
        -e 'has been allocated' -e 'Force Terminated' \
        -e '^berth: fetching ' <<<"$1" || true)
    [[ $(grep -c . <<<"$rest") == 1 && $rest == *'berth: '* ]] ||
        fail "not one sentence of berth's: $1"
}

# refused WORD ...: the last `run --separate-stderr` was, with one sentence
# that has these words in it.
refused() {
    local word
    ((status != 0)) || fail "this was not refused"
    [[ -z $output ]] || fail "this ran"
    one_sentence "$stderr"
    # Where a node says it, with its name before what others would say.
    for word in "$@"; do
        contains "$stderr${stderr//berth: node n[12]: /berth: }" "$word"
    done
}

# Without the plugin on the client's side: the node is on its own.
bypass_conf() {
    local dir=$HOME1/bypass
    [[ -e $dir/slurm.conf ]] || {
        install -d -o berth1 "$dir"
        : >"$dir/plugstack.conf"
        sed "s,^PlugStackConfig=.*,PlugStackConfig=$dir/plugstack.conf," \
            "$SLURM_CONF" >"$dir/slurm.conf"
        cp "${SLURM_CONF%/*}"/cgroup.conf "$dir"
    }
    echo "$dir/slurm.conf"
}
bypassing() { as_user env SLURM_CONF="$(bypass_conf)" "$@"; }

# --- around each test --------------------------------------------------------

tidy() {
    unwrap_runtime
    [[ -z ${STOPPED-} ]] || kill -KILL "$STOPPED" 2>/dev/null || true
    scancel -Q -n bats 2>/dev/null || true
    scancel -Q -n interactive 2>/dev/null || true
    usual_policy
    rm -f "$BERTH_CONF"
    # Of berth-stepds that were killed while an engine made something.
    rm -rf "$STATE"/*/unanswered
    rm -rf "$HOME1"/{bypass,turns,bad,multi,probe,rootly,*-inside,*.sh,*.out,{out,err}-*.txt}
    poll 30 no_jobs || true
    no_traces || {
        poll 5 no_traces || "$PREFIX/sbin/berth-epilog" --sweep >&2 || true
    }
}

setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
}
teardown_file() { restore_policy; }
teardown() { tidy; }
