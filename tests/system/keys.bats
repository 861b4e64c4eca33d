#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# berth.conf: each key in a real step, and the file itself.

# shellcheck disable=SC2154  # output and stderr are bats's
# shellcheck disable=SC2016  # the task's shell expands it
load lib

teardown() {
    chmod 755 "${BERTH_CONF%/*}"
    rm -rf /dev/berth-test "$PREFIX/etc/slurm/profile.json" "$PREFIX/etc/slurm/real"
    tidy
    network_remove
}

# Those of an earlier run as well.
network_remove() {
    api GET /networks | grep -o '"Name":"berthnet","Id":"[0-9a-f]*"' | cut -d'"' -f8 |
        while read -r id; do api DELETE "/networks/$id" >/dev/null; done
}

@test "a policy file that others may change is refused, with its step only (threat 66)" {
    conf <<<'tmp_size = "32M"'
    in_container true
    chmod 666 "$BERTH_CONF"
    run --separate-stderr in_container true
    refused "$BERTH_CONF cannot be trusted" "chmod go-w"
    chmod 644 "$BERTH_CONF"
    chmod 1777 "${BERTH_CONF%/*}"
    run --separate-stderr in_container true
    refused "$BERTH_CONF cannot be trusted" "${BERTH_CONF%/*}"
    chmod 755 "${BERTH_CONF%/*}"
    chown berth1 "$BERTH_CONF"
    run --separate-stderr in_container true
    refused "$BERTH_CONF cannot be trusted" "belongs to user $(id -u berth1)"
    chown root "$BERTH_CONF"
    mv "$BERTH_CONF" "${BERTH_CONF%/*}/real"
    ln -s real "$BERTH_CONF"
    run --separate-stderr in_container true
    refused "$BERTH_CONF cannot be trusted" "symbolic link"
    # Nobody else is concerned.
    equal "$(as_user srun echo bare)" bare
    nothing_left
}

@test "a policy file in error refuses containers, with file and line, and nothing else" {
    local line
    for line in 'no_such_key = 1' 'tmp_size = "x"' 'allow = "a' 'mode = maybe' \
        'help_text = "${HOME}"' 'include("/etc/passwd")'; do
        conf <<<"# a comment
$line"
        run --separate-stderr bypassing srun --container=debian true
        refused "$BERTH_CONF line"
    done
    equal "$(as_user srun echo bare)" bare
    policy allow=debian conf=/nonexistent/berth.conf "$ENGINE"
    run --separate-stderr bypassing srun --container=debian true
    refused /nonexistent/berth.conf
    nothing_left
}

@test "the file is read afresh for each step, and conf= names another" {
    conf <<<'env_set = {"SITE=one"}'
    equal "$(in_container sh -c 'echo $SITE')" one
    conf <<<'env_set = {"SITE=two"}'
    equal "$(in_container sh -c 'echo $SITE')" two
    mv "$BERTH_CONF" "${BERTH_CONF%/*}/real"
    policy allow=debian "conf=${BERTH_CONF%/*}/real" "$ENGINE"
    equal "$(in_container sh -c 'echo $SITE')" two
    nothing_left
}

@test "deny wins over allow" {
    conf <<<'deny = {"berth/env"}'
    run --separate-stderr bypassing srun --container=berth/env /probe exit 0
    refused "is denied by $BERTH_CONF line 1"
    bypassing srun --container=berth/probe /probe exit 0
    nothing_left
}

@test "sections for partitions, groups and users are laid over each other, by what the node knows" {
    local partition
    partition=$(sinfo -ho %R | head -n 1)
    conf <<END
env_set = {"FROM=system"}
partition "$partition" { env_set += {"PARTITION=yes"} }
partition "other" { env_set += {"OTHER=yes"} }
group "berthgrp1" { env_set += {"GROUP=yes"} }
gid "$(id -g berth1)" { env_set += {"GID=yes"} }
user "berth1" { env_set += {"USERS=yes"} }
uid "$(id -u berth2)" { env_set = {"FROM=uid"} }
END
    equal "$(as_user env SLURM_JOB_PARTITION=other srun --container=debian \
        sh -c 'echo $FROM $PARTITION $OTHER $GROUP $GID $USERS')" "system yes yes yes yes"
    equal "$(as_other srun --container=debian sh -c 'echo $FROM $USERS')" uid
    nothing_left
}

@test "images for some users only" {
    policy "$ENGINE"
    conf <<<'user "berth1" { allow = {"debian"} }'
    in_container true
    run --separate-stderr as_other srun --container=debian true
    refused "is not allowed"
    nothing_left
}

@test "users by number and name are refused, and so is root (threat 15)" {
    run --separate-stderr srun --chdir=/srv --container=debian true
    refused "a job of uid 0" min_uid
    conf <<<"min_uid = $(($(id -u berth1) + 1))"
    run --separate-stderr bypassing srun --container=debian true
    refused "$BERTH_CONF line 1"
    conf <<<"min_gid = $(($(id -g berth1) + 1))"
    run --separate-stderr bypassing srun --container=debian true
    refused "$BERTH_CONF line 1"
    conf <<<'deny_users = {"berth1"}'
    run --separate-stderr bypassing srun --container=debian true
    refused "$BERTH_CONF line 1"
    nothing_left
}

@test "groups of deny_groups stay behind (threat 29)" {
    contains "$(in_container id -G)" "$(getent group berthgrp2 | cut -d: -f3)"
    conf <<<'deny_groups = {"berthgrp2"}'
    lacks " $(in_container id -G) " " $(getent group berthgrp2 | cut -d: -f3) "
    nothing_left
}

@test "sizes of the file systems in memory" {
    conf <<<'tmp_size = "48M"
shm_size = "16M"'
    equal "$(in_container sh -c 'for d in /tmp /var/tmp /run /dev/shm; do
        df -k $d | tail -n 1 | tr -s " " | cut -d" " -f2; done' | tr '\n' ' ')" \
        "49152 49152 49152 16384 "
    nothing_left
}

@test "shm: the node's /dev/shm, where steps and tasks without a container meet (threat 54)" {
    local file=berth-bats-shm
    echo of-bare >"/dev/shm/$file"
    chmod 666 "/dev/shm/$file"
    run in_container cat "/dev/shm/$file"
    ((status != 0))
    conf <<<'shm = node'
    equal "$(in_container sh -c "cat /dev/shm/$file; echo of-one >/dev/shm/$file")" of-bare
    equal "$(in_container cat "/dev/shm/$file")" of-one
    equal "$(</dev/shm/$file)" of-one
    contains "$(in_container grep ' /dev/shm ' /proc/self/mountinfo | tail -n 1)" "rw,nosuid,nodev"
    rm "/dev/shm/$file"
    # Not for others, and the other one's size counts where it is one's own.
    conf <<<$'shm = node\nuser "berth2" { shm = container }'
    run as_other srun -Q --container=debian sh -c 'ls /dev/shm | wc -l; mkdir /dev/shm/x'
    equal "$output" 0
    [[ ! -e /dev/shm/x ]]
    nothing_left
}

@test "pids_limit bounds all tasks of a step, and a fork bomb with them (threat 53)" {
    conf <<<'pids_limit = 40'
    run --separate-stderr in_container sh -c 'i=0; while [ $i -lt 100 ]; do sleep 3 & i=$((i+1)); done; wait'
    contains "$stderr" "ork"
    # What Slurm counts is with Slurm, all the same.
    contains "$(in_container cat /proc/self/cgroup)" "/job_"
    nothing_left
}

@test "a root file system is writable only where the policy says so" {
    run --separate-stderr as_user srun --container=debian --container-writable true
    refused "berth's default (writable)"
    conf <<<'writable = allowed'
    run in_container sh -c 'grep " / / " /proc/self/mountinfo'
    contains "$output" " ro,"
    run as_user srun --container=debian --container-writable sh -c 'grep " / / " /proc/self/mountinfo'
    contains "$output" " rw,"
    conf <<<'writable = default'
    run as_user srun --container=debian --container-readonly sh -c 'grep " / / " /proc/self/mountinfo'
    contains "$output" " ro,"
    nothing_left
}

@test "networks: the first is the default, and no other can be had" {
    conf <<<'networks = {"none", "host"}'
    equal "$(in_container sh -c 'tail -n +3 /proc/net/dev | grep -vc lo:')" 0
    equal "$(as_user srun --container=debian --container-network=host readlink /proc/self/ns/net)" \
        "$(readlink /proc/self/ns/net)"
    run --separate-stderr bypassing srun --container=debian true
    run --separate-stderr as_user srun --container=debian --container-network=bridge true
    refused bridge "$BERTH_CONF line 1"
    conf <<<'networks = {"host", "container:x"}'
    run --separate-stderr bypassing srun --container=debian true
    refused 'networks = "container:x"'
    nothing_left
}

@test "a network of the engine's, by its name, and a published port" {
    run api POST /networks/create -d '{"Name":"berthnet","Driver":"bridge"}'
    [[ $output == *'"Id"'* ]] || skip_without "what a network of the engine's needs: $output"
    conf <<<'networks = {"berthnet", "host"}
publish = {"127.0.0.1:18080"}'
    start_step --container=debian perl -MIO::Socket::INET -e '$| = 1;
        my $s = IO::Socket::INET->new(LocalPort => 18080, Listen => 5) or die;
        print "ready $ENV{SLURM_JOB_ID}\n";
        while (my $c = $s->accept) {
            sysread $c, my $request, 4096;
            print $c "HTTP/1.0 200 OK\r\n\r\nfrom inside\n";
            close $c;
        }'
    contains "$(api GET /containers/json)" '"PublicPort":18080'
    # Docker needs iptables for the way from its bridge, which the sandbox
    # does not give it.
    [[ $BERTH_ENGINE == docker ]] ||
        contains "$(curl -sS --max-time 5 http://127.0.0.1:18080/)" "from inside"
    scancel "$JOB"
    await_step
    equal "$(as_user srun --container=debian --container-network=host readlink /proc/self/ns/net)" \
        "$(readlink /proc/self/ns/net)"
    nothing_left
}

@test "seccomp: the administrator's profile holds, and must be his" {
    local profile=$PREFIX/etc/slurm/profile.json
    conf <<<"seccomp = \"$profile\""
    run --separate-stderr bypassing srun --container=debian true
    refused "$profile"
    echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >"$profile"
    run in_container sh -c 'mkdir /tmp/x; touch /tmp/y && echo touched'
    contains "$output" "Operation not permitted"
    contains "$output" touched
    chmod 666 "$profile"
    run --separate-stderr in_container true
    refused "$profile cannot be trusted"
    chmod 644 "$profile"
    echo unconfined >"$profile"
    run --separate-stderr in_container true
    refused "$profile is not a JSON object"
    nothing_left
}

@test "a security module that does not confine as the policy says: no container (threat 33)" {
    conf <<<'apparmor = "berth-test-absent"'
    run --separate-stderr in_container true
    refused berth-test-absent
    conf <<<'apparmor = "unconfined"'
    run --separate-stderr in_container true
    refused "takes no protection away"
    conf <<<'selinux = "type:berth_test_t"'
    run --separate-stderr in_container true
    refused "SELinux label type:berth_test_t"
    conf <<<'selinux = "disable"'
    run --separate-stderr in_container true
    refused "one part of a label"
    nothing_left
}

@test "the policy's AppArmor profile confines the tasks (threat 33)" {
    # The kernel's profiles are those of all sandboxes.
    local profile=$BATS_TEST_TMPDIR/profile name=berth-test-$BERTH_ENGINE
    [[ $(cat /sys/module/apparmor/parameters/enabled 2>&1) == Y ]] ||
        skip_without AppArmor
    cat >"$profile" <<END
profile $name flags=(attach_disconnected, mediate_deleted) {
    capability,
    file,
    network,
    signal,
    deny /etc/debian_version r,
}
END
    apparmor_parser -rK "$profile"
    conf <<<"apparmor = \"$name\""
    run --separate-stderr in_container sh -c 'cat /proc/self/attr/current /etc/debian_version'
    apparmor_parser -R "$profile"
    equal "$output" "$name (enforce)"
    contains "$stderr" "Permission denied"
}

@test "runtime: what the engine has, or a refusal by name (threat 49)" {
    conf <<<'runtime = "runc"'
    case $BERTH_ENGINE in
    docker) in_container true ;;
    podman)
        run --separate-stderr in_container true
        refused Podman runtime
        ;;
    esac
    conf <<<'runtime = "berth-test-absent"'
    run --separate-stderr in_container true
    refused berth-test-absent
    nothing_left
}

@test "devices: those of named sets, and no others (threat 52)" {
    mkdir /dev/berth-test
    mknod -m 666 /dev/berth-test/one c 1 5
    mknod -m 666 /dev/berth-test/two c 1 5
    touch /dev/berth-test/file
    ln -s /dev/mem /dev/berth-test/link
    conf <<'END'
device_set "test" { files = {"/dev/berth-test/*"} }
END
    run --separate-stderr in_container sh -c 'ls /dev/berth-test'
    ((status != 0))
    conf <<'END'
device_set "test" { files = {"/dev/berth-test/*", "/dev/berth-absent"} }
devices = {"test"}
END
    equal "$(in_container sh -c 'ls /dev/berth-test; head -c 2 /dev/berth-test/one | od -An -tx1' | tr '\n' ' ')" \
        "one two  00 00 "
    nothing_left
}

@test "ulimits hold for the tasks" {
    conf <<<'ulimits = {"nofile=123:456", "core=0"}'
    equal "$(in_container sh -c 'ulimit -n; ulimit -Hn; ulimit -c' | tr '\n' ' ')" "123 456 0 "
    nothing_left
}

@test "the environment: what is denied, what passes, what is set (threat 68)" {
    run as_user env SSH_AUTH_SOCK=/x DBUS_X=1 MINE=1 BERTH_CONTAINER_NETWORK=host srun --container=debian env
    lacks "$output" SSH_AUTH_SOCK
    lacks "$output" DBUS_X
    lacks "$output" SLURM_CONF=
    lacks "$output" BERTH_
    contains "$output" MINE=1
    conf <<'END'
env_deny = {"MI*"}
env_set = {"SITE=%u-%j", "PATH=/site"}
END
    run as_user env SSH_AUTH_SOCK=/x MINE=1 YOURS=2 srun --container=debian /usr/bin/env
    lacks "$output" MINE=1
    contains "$output" YOURS=2
    contains "$output" SSH_AUTH_SOCK=/x
    contains "$output" SITE=berth1-
    contains "$output" PATH=/site
    conf <<<'env_pass = {"YO*"}'
    run as_user env MINE=1 YOURS=2 OMPI_X=3 srun --container=debian env
    lacks "$output" MINE=1
    contains "$output" YOURS=2
    contains "$output" OMPI_X=3
    contains "$output" SLURM_JOB_ID=
    nothing_left
}

@test "mode warn: the user hears once what a rule would refuse, and it runs" {
    policy allow=berth/probe "$ENGINE"
    conf <<<'mode = warn'
    run --separate-stderr bypassing srun -N1 -n3 --container=debian echo ran
    equal "$output" $'ran\nran\nran'
    equal "$(grep -c 'berth: warning: .*not allowed' <<<"$stderr")" 1
    conf <<<'mode = audit'
    run --separate-stderr bypassing srun --container=debian echo ran
    equal "$output" ran
    lacks "$stderr" berth
    # Never what is no rule's.
    conf <<<'mode = warn'
    run --separate-stderr bypassing srun --container=UPPER true
    refused uppercase
    run --separate-stderr bypassing srun --container=debian --chdir=/var/log true
    refused "which no container gets"
    nothing_left
}
