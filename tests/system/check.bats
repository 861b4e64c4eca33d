#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# berth-check(8), on a node as it should be, and with one thing after the other
# broken.

# shellcheck disable=SC2154  # status and output are bats's
load lib

CHECK=$PREFIX/sbin/berth-check
INIT=$LIBEXEC/berth-init

teardown() {
    chmod 0711 "$INIT"
    usual_policy
    tidy
}

# finds STATE NAME WORDS: the check that was run has such a line.
finds() {
    grep -qE "^$1 +$2 .*$3" <<<"$output" || fail "no line \"$1 $2 ... $3\" in:" "$output"
}
check() { run "$CHECK" "$@"; }
is_bad() {
    check
    equal "$status" 1
    finds bad "$@"
}

@test "a node as it should be has nothing bad, and says what it is" {
    check
    equal "$status" 0
    lacks "$output" "bad  "
    finds ok slurm "Slurm .*built for"
    finds ok engine "."
    finds ok hooks "Prolog runs berth-prolog"
    finds ok hooks "Epilog runs berth-epilog"
    finds ok init "0711"
    finds ok state "root's"
    finds ok kernel "Linux"
    finds ok cgroups "version"
    finds ok version "berth "
}

@test "the engine for who is root in a container is looked at as well" {
    conf <<<$'root_ids = "2000000:65536"\nroot_engine = "unix:///run/berth-none.sock"'
    is_bad engine /run/berth-none.sock
    conf <<<'root_ids = "2000000:65536"'
    if [[ $BERTH_ENGINE == docker ]]; then
        is_bad engine "which has no map of IDs: it needs userns-remap"
    else
        check
        equal "$status" 0
    fi
}

@test "without libcurl no engine is asked, and a sentence says so" {
    # shellcheck disable=SC2016  # the inner shell expands it
    run unshare --mount --propagation private bash -c '
        for library in $(ldconfig -p | awk "/^[[:space:]]*libcurl/ { print \$NF }"); do
            mount --bind /dev/null "$library"
        done
        exec "$1"' sh "$CHECK"
    finds bad engine "no engine can be asked without libcurl.*: ask your administrator"
}

@test "a user is told what he can't see, and changes nothing" {
    run as_user "$CHECK"
    finds unseen engine "run this as root"
}

@test "a plugin that is not loaded, a policy in error, an engine that is not there" {
    policy allow=debian "$ENGINE"
    sed -i 's/^required/#required/' "$PLUGSTACK_CONF"
    is_bad setup "loads spank_berth.so"
    policy allow=deb:::ian "$ENGINE"
    is_bad policy "."
    policy allow=debian engine=unix:///nonexistent.sock
    is_bad setup "/nonexistent.sock"
}

@test "a berth-init that can be read, a socket for others" {
    chmod 0755 "$INIT"
    is_bad init "make it root's and 0711"
    chmod 0711 "$INIT"
    local socket=${ENGINE#engine=unix://} mode
    mode=$(stat -c %a "$socket")
    chmod 0666 "$socket"
    check
    chmod "$mode" "$socket"
    equal "$status" 1
    finds bad setup "is not root's alone"
}

@test "what an engine has not answered for is told, until it has been asked again" {
    install -d -m 711 "$STATE/n1" "$STATE/n1/unanswered"
    printf '{"engine":"%s","container":"berth-9.0-none","nonce":"%032d"}' \
        "${ENGINE#engine=unix://}" 9 >"$STATE/n1/unanswered/$(printf %032d 9)"
    touch -d '3 days ago' "$STATE/n1/unanswered"/*
    check
    equal "$status" 0
    finds warning state "1 container of steps that are over: berth-epilog --sweep asks it again"
    "$PREFIX/sbin/berth-epilog" --sweep
    check
    lacks "$output" "not said whether"
}

@test "hooks that are missing, others, or in a script" {
    local conf=$BATS_TEST_TMPDIR/slurm.conf hook=$BATS_TEST_TMPDIR/prolog
    cp "$SLURM_CONF" "$conf"
    echo "PlugStackConfig=$PLUGSTACK_CONF" >>"$conf"
    export SLURM_CONF=$conf
    sed -i '/^Prolog=/d' "$conf"
    is_bad hooks "slurm.conf has no Prolog"
    echo "Prolog=/bin/true" >>"$conf"
    is_bad hooks "Prolog=/bin/true does not name berth-prolog"
    printf '#!/bin/sh\nexec /usr/sbin/berth-prolog\n' >"$hook"
    echo "Prolog=$hook" >>"$conf"
    check
    finds ok hooks "Prolog runs berth-prolog"
    # As berth-setup makes it, in a file that is included.
    mkdir "$hook.d"
    ln -s "$PREFIX/sbin/berth-prolog" "$hook.d/50-berth"
    echo "Prolog=$hook.d/*" >"$BATS_TEST_TMPDIR/more.conf"
    sed -i '/^Prolog=/d' "$conf"
    echo "include more.conf" >>"$conf"
    check
    finds ok hooks "Prolog runs berth-prolog"
}

@test "another Slurm than the plugin was built for, and a runc that is known to be bad" {
    local bin=$BATS_TEST_TMPDIR/bin
    mkdir "$bin"
    printf '#!/bin/sh\necho slurm 19.05.1\n' >"$bin/slurmd"
    printf '#!/bin/sh\necho runc version 1.1.4\n' >"$bin/runc"
    chmod +x "$bin"/*
    PATH=$bin:$PATH is_bad slurm "build berth with this one's headers"
    finds warning version "CVE-2024-21626"
}

@test "an engine that hangs costs what --limit says" {
    local socket=$BATS_TEST_TMPDIR/socket silent
    perl -MSocket -e 'socket($s, AF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un($ARGV[0]));
        chmod 0600, $ARGV[0]; listen($s, 9); sleep 60' "$socket" 3>&- 4>&- &
    silent=$!
    poll "$SOON" test -S "$socket"
    policy allow=debian "engine=unix://$socket"
    run timeout 20 "$CHECK" --limit=1
    kill "$silent"
    equal "$status" 1
    contains "$output" "took longer than --limit"
}

@test "--json is one object, and --quiet only what is bad" {
    check --json
    perl -0777 -MJSON::PP -e '$d = decode_json(<STDIN>);
        exit !($d->{node} && @{$d->{lines}} > 5)' <<<"$output" || fail "no such object:" "$output"
    check --quiet
    equal "$output" ""
}

@test "--nodes: what is bad or not alike, and where" {
    check --nodes=n1,n2
    equal "$status" 0
    contains "$output" "2 nodes have answered"
    chmod 0755 "$INIT"
    check --nodes=n1,n2
    equal "$status" 1
    finds bad init "make it root's"
    contains "$output" "n1,n2"
}

@test "--nodes: a node that does not answer is no good one" {
    local dir=$BATS_TEST_TMPDIR
    # n2's task is killed as soon as n1's has ended.
    cat >"$dir/before" <<END
#!/bin/sh
[ "\$SLURMD_NODENAME" = n1 ] && exit
until [ -e "$dir/ended" ]; do sleep 0.05; done
kill -KILL \$PPID
END
    printf '#!/bin/sh\ntouch %s\n' "$dir/ended" >"$dir/after"
    chmod +x "$dir/before" "$dir/after"
    export SLURM_TASK_PROLOG=$dir/before SLURM_TASK_EPILOG=$dir/after
    check --nodes=n1,n2
    equal "$status" 2
    contains "$output" "1 nodes have answered"
    contains "$output" "not all nodes have answered: what srun says is above"
    # What is bad on n1 ends as n2's task does that says nothing.
    printf '#!/bin/sh\n[ "$SLURMD_NODENAME" = n1 ]\n' >"$dir/before"
    chmod 0755 "$INIT"
    check --nodes=n1,n2
    equal "$status" 2
    finds bad init "make it root's"
    contains "$output" "1 nodes have answered"
    contains "$output" "not all nodes have answered: what srun says is above"
    chmod 0711 "$INIT"
    check --nodes=n1
    equal "$status" 0
}

@test "--nodes: what an administrator has set for his own steps puts no check into a container" {
    export SLURM_CONTAINER=debian BERTH_CONTAINER_IMAGE=debian PYXIS_CONTAINER_IMAGE=debian
    export BERTH_CONTAINER_NAME=x PYXIS_CONTAINER_NAME=x BERTH_CONTAINER_JOIN=1.0 PYXIS_CONTAINER_JOIN=1.0
    check --nodes=n1,n2
    equal "$status" 0
    contains "$output" "2 nodes have answered"
    run "$PREFIX/sbin/berth-images" check --nodes=n1,n2
    equal "$status" 0
}
