# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The names and places of the sandbox, and what its other parts use.
# shellcheck disable=SC2034  # the other parts use them
# shellcheck shell=bash

RUN=/run/berth-quickstart
STATE=/var/lib/berth-quickstart
ETC=$STATE/etc
LOG=$STATE/log
PREFIX=$STATE/install
MARK=BERTH_QUICKSTART_DAEMON=$STATE     # in the environment of each daemon,
WORK=BERTH_QUICKSTART_WORK=$STATE       # and of what is to end with this script
USERS=(berth1 berth2)
FETCH_USER=_berth    # the account that fetches images
GPUS=/dev/berth-quickstart
SLICE=berthquickstart.slice     # of Docker's containers, with systemd
OWN_GROUPS=("${USERS[@]}" berthgrp1 berthgrp2)
CTLD_PORT=26817
NODE_PORT=26900      # node nI listens on NODE_PORT + I
REGISTRY_ADDRESS=198.18.0.1     # a room's, see enter
REGISTRY=$REGISTRY_ADDRESS:26820
PRIVATE_REGISTRY=$REGISTRY_ADDRESS:26821
CONTAINERS_ETC=/etc/containers
LIVE_RESTORE=false   # Docker's containers outlive it
INSTALLED_PATH=$PREFIX/bin:$PREFIX/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Whether the cgroups are systemd's to make.
with_systemd() { [[ -e $RUN/systemd ]]; }

say() { printf '==> %s\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

# logged WHAT [NAME=VALUE ...] COMMAND: run it with its output in a log, of
# which the end is shown if it fails.
logged() {
    local log=$LOG/$1.log
    shift
    env "$@" >"$log" 2>&1 </dev/null && return
    tail -n 25 "$log" >&2
    die "this failed: $* (all of its output is in $log)"
}

# poll SECONDS COMMAND: try it until it succeeds.
poll() {
    local tries=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        ((tries-- > 0)) || return 1
        sleep 0.05
    done
}
