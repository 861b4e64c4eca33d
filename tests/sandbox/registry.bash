# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# The registries, docker-registry both: one in plain HTTP that is everybody's,
# and one with TLS that wants a name and a password. Their address is none of
# 127/8, where clients overlook much.
# shellcheck shell=bash

start_registries() {
    local user certs=$CONTAINERS_ETC/certs.d/$PRIVATE_REGISTRY
    make_registry_address
    registry_conf plain "$REGISTRY" >"$ETC/registry.yml"
    # The users' passwords are their names.
    for user in "${USERS[@]}"; do
        perl -e 'print "$ARGV[0]:", crypt($ARGV[0], q($2y$04$berthquickstartberthqu)), "\n"' "$user"
    done >"$ETC/htpasswd"
    [[ -e $ETC/registry.crt ]] || logged openssl openssl req -x509 -nodes \
        -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 3650 \
        -subj "/CN=berth quickstart" -addext "subjectAltName=IP:$REGISTRY_ADDRESS" \
        -keyout "$ETC/registry.key" -out "$ETC/registry.crt"
    {
        registry_conf private "$PRIVATE_REGISTRY"
        cat <<END
  tls: {certificate: $ETC/registry.crt, key: $ETC/registry.key}
auth:
  htpasswd: {realm: berth, path: $ETC/htpasswd}
END
    } >"$ETC/private-registry.yml"
    # How skopeo finds that the one is plain, and the other to be trusted.
    install -d "$CONTAINERS_ETC/registries.conf.d" "$certs"
    printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$REGISTRY" \
        >"$CONTAINERS_ETC/registries.conf.d/berth-quickstart.conf"
    cp "$ETC/registry.crt" "$certs/ca.crt"
    spawn registry docker-registry serve "$ETC/registry.yml"
    spawn private-registry docker-registry serve "$ETC/private-registry.yml"
    must_start registry 60 curl -sf --max-time 2 "http://$REGISTRY/v2/"
    must_start private-registry 60 curl -s --max-time 2 \
        --cacert "$ETC/registry.crt" "https://$PRIVATE_REGISTRY/v2/"
}

# registry_conf DIR HOST:PORT
registry_conf() {
    cat <<END
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $STATE/registry/$1}
  delete: {enabled: true}
http:
  addr: $2
  secret: berth
END
}

# push [--private] NAME DIR|TAR: prints the image's reference.
push() {
    local host=$REGISTRY how=(--dest-tls-verify=false) name source
    if [[ ${1-} == --private ]]; then
        host=$PRIVATE_REGISTRY
        how=(--dest-creds "${USERS[0]}:${USERS[0]}")
        shift
    fi
    name=${1-} source=${2-}
    [[ $name && -e $source && $# == 2 ]] ||
        die "push takes a name, and a root directory or a tar of one"
    need_up
    [[ ${name##*/} == *:* ]] || name+=:latest
    if [[ -d $source ]]; then
        tar -C "$source" --numeric-owner -cf - .
    else
        cat "$source"
    fi | skopeo copy -q --insecure-policy "${how[@]}" \
        tarball:- "docker://$host/$name" >&2 ||
        die "$host does not take $name"
    echo "$host/$name"
}
