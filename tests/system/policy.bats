#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# berth.conf and berth-policy: what the tool says is what the node does.

load lib

TOOL=$PREFIX/bin/berth-policy
CONF=${PLUGSTACK_CONF%/*}/berth-test.conf

setup() {
    usual_conf
    policy "conf=$CONF" "$ENGINE"
    # A policy in error would refuse with the same sentence everywhere.
    "$TOOL" lint
}
teardown() {
    rm -f "$CONF"
    rm -rf "$HOME1"/{data,other,link}
    tidy
}

# conf MODE <TEXT: the policy file from now on. Of mode 0600 only the node can
# read it, and submit hosts stay silent.
conf() {
    cat >"$CONF.new"
    chmod "$1" "$CONF.new"
    mv "$CONF.new" "$CONF"
}

usual_conf() {
    conf 0644 <<END
allow = {"debian", "berth/**"}
deny = {"debian:sid"}
mounts_allowed = {"$HOME1/data/**:rw", "/opt/*"}
networks = {"host", "none"}
options = {"image", "mounts", "workdir", "network", "writable", "mount-home"}
home = never
user "berth2" {
    allow = {}
}
partition "main" {
    deny += {"berth/passwd"}
}
END
}

# check WORD ...: what berth-policy says of a job of berth1's.
check() {
    "$TOOL" check --user=berth1 --partition=main --chdir="$HOME1" "$@"
}

# Requests that are refused, one a line.
REFUSALS="fedora
debian:sid
UPPER
/tmp/image
berth/passwd
debain
debian --container-mounts=/srv/other
debian --container-mounts=/opt/a:/opt/a:rw
debian --container-mounts=$HOME1/data:/etc
debian --container-mounts=$HOME1/data:/proc/x
debian --container-mounts=$HOME1/../berth2
debian --container-network=bridge
debian --container-env=PATH
debian --container-mount-home
debian --container-writable
debian --container-workdir=/proc/self"

@test "berth-policy says what the node says, sentence for sentence" {
    local request sentence n=0
    usual_conf
    chmod 0600 "$CONF"
    while read -r request <&5; do
        # shellcheck disable=SC2086  # several words
        sentence=$(check $request | sed -n '1s/^refused: //p')
        [[ $sentence ]] || fail "berth-policy allows $request"
        echo "request: $request"
        # shellcheck disable=SC2086
        run --separate-stderr as_user srun --container=$request sh -c 'echo ran'
        refused "berth: $sentence"
        lacks "$stderr" 'srun: error: berth'
        n=$((n + 1))
    done 5<<<"$REFUSALS"
    equal "$n" 16
    nothing_left
}

@test "srun and sbatch say it before there is a job" {
    local request sentence last
    last=$(scontrol show config | sed -n 's/^NEXT_JOB_ID *= //p')
    printf '#!/bin/sh\necho ran\n' >"$HOME1/job.sh"
    while read -r request <&5; do
        # shellcheck disable=SC2086
        sentence=$(check $request | sed -n '1s/^refused: //p')
        echo "request: $request"
        # shellcheck disable=SC2086
        run --separate-stderr as_user srun --container=$request sh -c 'echo ran'
        refused "srun: error: berth: $sentence"
        # shellcheck disable=SC2086
        run --separate-stderr as_user sbatch --container=$request job.sh
        refused "sbatch: error: berth: $sentence"
    done 5< <(grep -v berth/passwd <<<"$REFUSALS") # the partition is the node's to know
    equal "$(scontrol show config | sed -n 's/^NEXT_JOB_ID *= //p')" "$last"
    rm "$HOME1/job.sh"
}

@test "sections hold on the node as berth-policy says" {
    local sentence
    chmod 0600 "$CONF"
    sentence=$("$TOOL" check --user=berth2 debian | sed -n 's/^refused: //p')
    run --separate-stderr as_other srun --container=debian sh -c 'echo ran'
    refused "berth: $sentence"
    contains "$sentence" "$CONF"
    # Without the partition, berth/passwd is allowed.
    "$TOOL" check --user=berth1 berth/passwd >/dev/null
    run check berth/passwd
    equal "$status" 1
    nothing_left
}

@test "what berth-policy allows runs, with the mounts and the place that it says" {
    local said
    install -d -o berth1 "$HOME1/data/a"
    touch "$HOME1/data/a/file"
    said=$(check debian "--container-mounts=data/a:/mnt/a,$HOME1/data:/data:ro,tmpfs:/fast" \
        --container-workdir=/mnt/a)
    equal "${said%%$'\n'*}" allowed
    run --separate-stderr as_user srun --container=debian \
        "--container-mounts=data/a:/mnt/a,$HOME1/data:/data:ro,tmpfs:/fast" --container-workdir=/mnt/a \
        sh -c 'pwd; echo $HOME; ls; awk "{ print \$5, substr(\$6, 1, 2) }" /proc/self/mountinfo'
    equal "$status/$stderr" 0/
    equal "${lines[0]}" "$(sed -n 's/^starts in *//p' <<<"$said")"
    equal "${lines[1]}" "$(sed -n 's/^HOME *//p' <<<"$said")"
    equal "${lines[2]}" file
    while read -r _ _ target mode _; do
        contains "$output" "$target $mode"
    done < <(grep '^mount ' <<<"$said")
    (($(grep -c '^mount ' <<<"$said") == 4))
    nothing_left
}

@test "the request that berth-policy shows is the one that the engine got" {
    local id said
    said=$(check debian --container-network=none --json)
    start_step --container=debian --container-network=none sh -c "$(waiter)"
    id=$(containers | grep '^berth-')
    # What the node alone knows stands in angle brackets.
    perl -MJSON::PP -e '
        my ($said, $is) = map { decode_json($_) } @ARGV;
        my ($want, $have) = ($said->{request}, { %{$is->{Config}}, HostConfig => $is->{HostConfig} });
        my $n = 0;
        for my $key (qw(User Entrypoint StopSignal WorkingDir), map { "HostConfig.$_" }
            qw(NetworkMode IpcMode ReadonlyRootfs CapDrop)) {
            my ($w, $h) = ($want, $have);
            for (split /\./, $key) { $w = $w->{$_}; $h = $h->{$_} }
            # Podman says what ALL stands for, and its own word for private.
            next if $ENV{BERTH_ENGINE} eq "podman" && $key =~ /CapDrop|IpcMode|StopSignal/;
            my ($a, $b) = map { JSON::PP->new->canonical->allow_nonref->encode($_) } $w, $h;
            s/"// for $a, $b;
            $a eq $b or die "$key: said $a, is $b\n";
            $n++;
        }
        my @targets = map { [sort map { $_->{Target} // $_->{Destination} } @$_] }
            $want->{HostConfig}{Mounts}, [grep { $_->{Type} eq "bind" } @{$is->{Mounts}}];
        "@{$targets[0]}" eq "@{$targets[1]}" or die "mounts: @{$targets[0]} / @{$targets[1]}\n";
        print "$n compared\n"' "$said" "$(api GET "/containers/$id/json")"
    scancel "$JOB"
    await_step
    nothing_left
}

@test "berth-policy needs neither root nor an engine, and its exit status tells" {
    run as_user "$TOOL" check debian
    equal "$status/${lines[0]}" 0/allowed
    run as_user "$TOOL" check fedora
    ((status == 1))
    contains "$output" "refused: image docker.io/library/fedora:latest"
    run as_user "$TOOL" check --user=nobody-of-that-name debian
    ((status == 2))
    run as_user "$TOOL" check
    ((status == 2))
    run as_user "$TOOL" list
    ((status == 0))
    contains "$output" "allow           berth/**  ($CONF line 1)"
    run as_user "$TOOL" check --json debian
    perl -MJSON::PP -e 'decode_json($ARGV[0])->{verdict} eq "allow" or die' "$output"
    # Not from the words of plugstack.conf, but from a file of one's own.
    echo 'allow = {"fedora"}' >"$HOME1/mine.conf"
    run as_user "$TOOL" check --conf=mine.conf --plugstack=/dev/null fedora
    rm "$HOME1/mine.conf"
    equal "$status/${lines[0]}" 0/allowed
}

@test "lint names file and line, and the node refuses containers with the same sentence" {
    local sentence
    run as_user "$TOOL" lint
    equal "$status/${lines[0]}" 0/valid
    conf 0600 <<<$'allow = {"debian"}\n\nmounts_alowed = {"/data"}'
    run "$TOOL" lint
    equal "$status" 1
    sentence=${lines[0]}
    contains "$sentence" "$CONF line 3: \"mounts_alowed\""
    run --separate-stderr as_user srun --container=debian sh -c 'echo ran'
    refused "berth: $sentence"
    run --separate-stderr as_user srun echo bare
    equal "$output/$stderr" bare/
    # A line of plugstack.conf counts as well.
    usual_conf
    policy "conf=$CONF" alow=debian "$ENGINE"
    run "$TOOL" lint
    contains "$output" "$PLUGSTACK_CONF line 1: \"alow=debian\""
    nothing_left
}

@test "lint says which files it read, and what keeps the policy from holding here" {
    local line text user=alcie
    run "$TOOL" lint
    equal "$status/${lines[0]}" 0/valid
    for line in "read            $SLURM_CONF" "read            $PLUGSTACK_CONF" "read            $CONF" \
        "$PLUGSTACK_CONF line 1 loads spank_berth.so" "the engine at ${DOCKER_HOST#unix://} answers"; do
        contains "$output" "$line"
    done
    run as_user "$TOOL" lint
    contains "$output" "takes root"
    # Where the plugin is not loaded at all.
    text=$(cat "$PLUGSTACK_CONF")
    while IFS='|' read -r line words; do
        echo "${line//PLUGIN/$PLUGIN}" >"$PLUGSTACK_CONF"
        run "$TOOL" lint
        echo "$text" >"$PLUGSTACK_CONF"
        equal "$status" 1
        contains "${lines[0]}" "loads spank_berth.so"
        contains "${lines[0]}" "on the host"
        contains "${lines[0]}" "$words"
    done <<'END'
|no line of
# nothing here|no line of
#required PLUGIN allow=debian|line 1 is a comment
require PLUGIN allow=debian|line 1 does not start with "required"
required spank_bert.so allow=debian|line 1 loads another file
optional /usr/lib/spank_berth.o|line 1 loads another file
END
    # Whom it names.
    usual_conf
    printf '%s\n' 'user "alcie" { home = never }' 'group "nosuch" { home = never }' 'partition "gpuu" { home = never }' \
        'user "berth1" { home = never }' 'group "berthgrp1" { home = never }' 'group "0" { home = never }' >>"$CONF"
    run "$TOOL" lint
    equal "$status" 1
    equal "$(grep -c '^there is a section' <<<"$output")" 3
    contains "$output" "the user alcie, and no such user on this host"
    contains "$output" "the group nosuch"
    contains "$output" "the partition gpuu, and no such partition on this cluster"
    usual_conf
    # However Slurm's configuration writes it.
    local slurm=$BATS_TEST_TMPDIR/slurm.conf
    { cat "$SLURM_CONF"; echo "PlugStackConfig=$PLUGSTACK_CONF"; } >"$slurm"
    printf '%s\n' 'PartitionName = one Nodes=n1' 'partitionname="two"' >>"$slurm"
    printf 'partition "%s" { home = never }\n' one two tw >>"$CONF"
    SLURM_CONF=$slurm run "$TOOL" lint
    equal "$(grep '^there is a section' <<<"$output")" \
        "there is a section for the partition tw, and no such partition on this cluster: correct or remove it"
    usual_conf
    # A berth.conf where nobody reads it.
    policy allow=debian "$ENGINE"
    touch "${SLURM_CONF%/*}/berth.conf"
    run "$TOOL" lint
    rm "${SLURM_CONF%/*}/berth.conf"
    equal "$status" 1
    contains "${lines[0]}" "${SLURM_CONF%/*}/berth.conf is not read, but "
    # The engine.
    policy "conf=$CONF" engine=unix:///run/berth-nobody.sock
    run "$TOOL" lint
    equal "$status" 1
    contains "$output" "/run/berth-nobody.sock: No such file or directory"
    perl -MIO::Socket::UNIX -e 'umask 0; my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1);
        while (my $c = $s->accept) { my $ask = <$c>; print $c "nonsense" }' /run/berth-nobody.sock &
    poll "$SOON" test -S /run/berth-nobody.sock
    run "$TOOL" lint
    kill $!
    rm -f /run/berth-nobody.sock
    equal "$status" 1
    contains "$output" "is not root's alone"
    contains "$output" "does not answer as one does"
    run "$TOOL" lint --json
    contains "$output" '"problems"'
    nothing_left
}

@test "a policy file that others could write is refused, and lint says why (threat 66)" {
    local sentence
    chmod 0666 "$CONF"
    run "$TOOL" lint
    equal "$status" 1
    sentence=${lines[0]}
    contains "$sentence" "$CONF"
    run --separate-stderr bypassing srun --container=debian sh -c 'echo ran'
    refused "berth: $sentence"
    # A file on its own may be anybody's.
    run "$TOOL" lint "$CONF"
    equal "$status/$output" 0/valid
    chmod 0644 "$CONF"
    rm "$CONF"
    run "$TOOL" lint
    equal "$status" 1
    sentence=${lines[0]}
    run --separate-stderr bypassing srun --container=debian sh -c 'echo ran'
    refused "berth: $sentence"
    nothing_left
}
