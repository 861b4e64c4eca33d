#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
#
# Images that are files or directories of the user's.

# shellcheck disable=SC2154  # status and output are bats's
load lib

setup_file() {
    cp -p "$PLUGSTACK_CONF" "$RESTORE"
    { cgroups; echo none; } >"$BATS_FILE_TMPDIR/cgroups"
    usual_policy
    # An image of debian's with a mark, in each form that there is.
    local dir=$HOME1/images
    install -d -o berth1 "$dir"
    image berth/archived "$(mark_root)"
    api GET /images/docker.io/berth/archived:latest/get >"$dir/docker.tar"
    api DELETE /images/docker.io/berth/archived:latest >/dev/null
    skopeo copy -q --insecure-policy "docker-archive:$dir/docker.tar" "oci-archive:$dir/oci.tar"
    skopeo copy -q --insecure-policy "oci-archive:$dir/oci.tar" "oci:$dir/layout"
    gzip -1 -c "$dir/docker.tar" >"$dir/docker.tar.gz"
    xz -0 -c "$dir/docker.tar" >"$dir/docker.tar.xz"
    zstd -q -1 -c "$dir/oci.tar" >"$dir/oci.tar.zst"
    chown -R berth1: "$dir"
}
teardown_file() {
    rm -rf "$HOME1/images"
    restore_policy
}
setup() {
    DIR=$HOME1/images
    conf <<<'archives = yes'
}

# debian's image, in what takes a while to read.
debian_archive() {
    [[ -e $DIR/debian.tar.xz ]] ||
        api GET /images/docker.io/library/debian:latest/get | xz -0 >"$DIR/debian.tar.xz"
}

# A small root, whose only program shows a file.
mark_root() {
    local root=$BATS_FILE_TMPDIR/root
    mkdir -p "$root/bin" "$root/etc"
    gcc -static -o "$root/bin/cat" -x c - <<<'#include <stdio.h>
        int main(int c, char **v) { FILE *f = fopen(v[1], "r"); int b;
            if (!f) return 1;
            while ((b = getc(f)) != EOF) putchar(b);
            return 0; }'
    echo archived >"$root/etc/mark"
    echo "$root"
}

@test "steps of one job have each its own file's image, also where a file was replaced" {
    local root=$BATS_FILE_TMPDIR/root
    echo other >"$root/etc/mark"
    image berth/other "$root"
    echo archived >"$root/etc/mark"
    api GET /images/docker.io/berth/other:latest/get >"$DIR/other.tar"
    api DELETE /images/docker.io/berth/other:latest >/dev/null
    cp "$DIR/docker.tar" "$DIR/changed.tar"
    chown berth1: "$DIR"/{other,changed}.tar
    run --separate-stderr as_user salloc -Q -w n1 -n1 bash -c "
        mark() { srun -Q --container=$DIR/\$1.tar cat /etc/mark; }
        mark docker; mark other; mark docker; mark changed
        cp $DIR/other.tar $DIR/changed.tar; mark changed"
    equal "$output" $'archived\nother\narchived\narchived\nother'
    rm -f "$DIR"/{other,changed}.tar
    nothing_left
}

@test "steps that follow each other are in one container of a file, or of a layout, until that changes" {
    local where='
        where() { srun -Q -n1 --container="$1" cat /proc/1/stat | cut -d\  -f22; }'
    cp "$DIR/docker.tar" "$DIR/mine.tar"
    cp -r "$DIR/layout" "$DIR/mine"
    chown -R berth1: "$DIR"/{mine.tar,mine}
    run --separate-stderr as_user salloc -Q -w n1 -n1 bash -c "$where
        where $DIR/mine.tar; where $DIR/mine.tar
        touch $DIR/mine.tar; where $DIR/mine.tar
        cp $DIR/mine.tar $DIR/new; mv $DIR/new $DIR/mine.tar; where $DIR/mine.tar
        where $DIR/mine; where $DIR/mine
        cp $DIR/mine/index.json $DIR/new; mv $DIR/new $DIR/mine/index.json
        where $DIR/mine; where $DIR/mine"
    equal "$(uniq -c <<<"$output" | awk '{ print $1 }' | xargs)" "2 1 1 2 2"
    equal "$(sort -u <<<"$output" | wc -l)" 5
    rm -rf "$DIR"/{mine.tar,mine}
    nothing_left
}

mark() { as_user srun -Q -w n1 --container="$1" cat /etc/mark; }

@test "each form runs, and all of them are one image" {
    local form
    forget
    for form in docker.tar docker.tar.gz docker.tar.xz; do
        equal "$(mark "$DIR/$form" 2>/dev/null)" archived
        equal "$(fetched | wc -l)" 1
    done
    for form in oci.tar oci.tar.zst layout; do
        equal "$(mark "$DIR/$form" 2>/dev/null)" archived
    done
    # skopeo writes another configuration for OCI, where it was not of OCI's.
    (($(fetched | wc -l) <= 2)) || fail "$(fetched)"
}

@test "a path from the working directory; the second step loads nothing, and the log says what ran" {
    forget
    run --separate-stderr as_user sh -c "cd $DIR && srun -w n1 --container=./docker.tar cat /etc/mark"
    equal "$output" archived
    contains "$stderr" "berth: loaded $DIR/docker.tar: "
    run --separate-stderr as_user sh -c "cd $DIR/layout && srun -w n1 --container=../docker.tar cat /etc/mark"
    equal "$output" archived
    lacks "$stderr" loaded
}

@test "a later step of the job gets what the file has become, not what it was" {
    forget
    as_user cp "$DIR/docker.tar" "$DIR/changing.tar"
    run as_user salloc -Q -N1 -w n1 sh -c "srun -Q --container=$DIR/changing.tar cat /etc/mark
        : >$DIR/changing.tar; srun -Q --container=$DIR/changing.tar cat /etc/mark"
    contains "$output" archived
    contains "$output" "it is no archive of an image"
}

@test "by default nobody may" {
    conf <<<''
    run --separate-stderr mark "$DIR/docker.tar"
    refused "cannot be run" archives
}

@test "a step of two nodes" {
    forget
    equal "$(as_user srun -Q -N2 --container="$DIR/oci.tar" cat /etc/mark 2>/dev/null)" $'archived\narchived'
}

@test "no name in an archive moves a name of the engine's (threat 88)" {
    local before unnamed tar=$BATS_TEST_TMPDIR/tar name
    forget
    unnamed=$(api GET /images/json | grep -o '<none>:<none>' | wc -l)
    before=$(api GET /images/docker.io/library/debian:latest/json | grep -o '"Id":"[^"]*"')
    for name in debian:latest docker.io/library/debian:latest; do
        rm -rf "$tar"
        mkdir "$tar"
        tar -C "$tar" -xf "$DIR/docker.tar"
        sed -i "s#\"RepoTags\":[^]]*]#\"RepoTags\":[\"$name\"]#" "$tar/manifest.json"
        echo "{\"debian\":{\"latest\":\"$(printf '%064d' 0)\"}}" >"$tar/repositories"
        tar -C "$tar" -cf "$DIR/steal.tar" .
        chown berth1: "$DIR/steal.tar"
        equal "$(mark "$DIR/steal.tar" 2>/dev/null)" archived
        equal "$(api GET /images/docker.io/library/debian:latest/json | grep -o '"Id":"[^"]*"')" "$before"
    done
    equal "$(api GET /images/json | grep -o '<none>:<none>' | wc -l)" "$unnamed"
}

@test "who has but the configuration of another's image does not get that (threat 89)" {
    local tar=$BATS_TEST_TMPDIR/tar
    forget
    equal "$(mark "$DIR/docker.tar" 2>/dev/null)" archived
    mkdir "$tar"
    tar -C "$tar" -xf "$DIR/docker.tar"
    find "$tar" -name layer.tar -exec sh -c 'head -c 10240 /dev/zero >"$1"' _ {} ';'
    find "$tar" -path '*/sha256/*' -size +5k -exec sh -c 'head -c 10240 /dev/zero >"$1"' _ {} ';'
    find "$tar" -maxdepth 1 -name '*.tar' -exec sh -c 'head -c 10240 /dev/zero >"$1"' _ {} ';'
    tar -C "$tar" -cf "$HOME2/fake.tar" .
    chown berth2: "$HOME2/fake.tar"
    run --separate-stderr as_other srun --container="$HOME2/fake.tar" cat /etc/mark
    rm -f "$HOME2/fake.tar"
    refused "cannot be run on node"
}

@test "who has but the digests of another's layers gets none by other bytes (threat 89)" {
    local tar=$BATS_TEST_TMPDIR/tar dir=$HOME2/layout config junk manifest
    forget
    equal "$(mark "$DIR/docker.tar" 2>/dev/null)" archived
    # blob FILE: puts it into the layout, and prints its descriptor.
    blob() {
        local hex
        hex=$(sha256sum "$1" | cut -d' ' -f1)
        install -D "$1" "$dir/blobs/sha256/$hex"
        echo "\"digest\":\"sha256:$hex\",\"size\":$(stat -c %s "$1")"
    }
    mkdir "$tar"
    tar -C "$tar" -xf "$DIR/docker.tar"
    # The same layers, in an image of his own.
    { cat "$tar/$(grep -o '"Config":"[^"]*"' "$tar/manifest.json" | cut -d'"' -f4)"; echo; } >"$tar/config"
    head -c 10240 /dev/zero | gzip >"$tar/junk"
    config=$(blob "$tar/config") junk=$(blob "$tar/junk")
    echo "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",$config},
        \"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",$junk}]}" >"$tar/m"
    manifest=$(blob "$tar/m")
    echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",$manifest}]}" >"$dir/index.json"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci-layout"
    chown -R berth2: "$dir"
    run --separate-stderr as_other srun -w n1 --container="$dir" cat /etc/mark
    rm -rf "$dir"
    refused "cannot be run on node" layer
}

@test "a file that the user cannot read is not read" {
    install -m 0600 "$DIR/docker.tar" "$DIR/roots.tar"
    run --separate-stderr mark "$DIR/roots.tar"
    refused "cannot be opened: Permission denied"
}

@test "what is no image is one sentence: which, and what to do" {
    local tar=$BATS_TEST_TMPDIR/tar
    truncate -s 20M "$DIR/zeroes.tar"
    head -c 400000 "$DIR/docker.tar" >"$DIR/cut.tar"
    tar -C "$HOME1" -cf "$DIR/root.tar" images/layout/oci-layout
    mkdir "$tar"
    tar -C "$tar" -xf "$DIR/docker.tar"
    sed -i 's/^\[\(.*\)\]$/[\1,\1]/' "$tar/manifest.json"
    tar -C "$tar" -cf "$DIR/several.tar" .
    mkfifo "$DIR/fifo.tar"
    chown berth1: "$DIR"/*.tar
    run --separate-stderr mark "$DIR/nosuch.tar"
    refused "cannot be opened: No such file"
    run --separate-stderr mark "$DIR/zeroes.tar"
    refused "it is no image"
    run --separate-stderr mark "$DIR/cut.tar"
    refused "cut short"
    run --separate-stderr mark "$DIR/root.tar"
    refused "it is no image"
    run --separate-stderr mark "$DIR/several.tar"
    refused "several images"
    run --separate-stderr mark "$DIR/fifo.tar"
    refused "neither a file nor a directory"
    run --separate-stderr mark ./ubuntu.sqsh
    refused "no container engine reads" "docker save"
    run --separate-stderr mark /x/ubuntu.sif
    refused "Apptainer"
}

@test "an image for another kind of machine, and one that is too large" {
    local tar=$BATS_TEST_TMPDIR/tar config old new
    mkdir "$tar"
    tar -C "$tar" -xf "$DIR/docker.tar"
    config=$(grep -o '"Config":"[^"]*"' "$tar/manifest.json" | cut -d'"' -f4)
    sed -i 's/"architecture":"[^"]*"/"architecture":"s390x"/' "$tar/$config"
    tar -C "$tar" -cf "$DIR/other.tar" .
    chown berth1: "$DIR/other.tar"
    run --separate-stderr mark "$DIR/other.tar"
    refused s390x
    conf <<<$'archives = yes\npull_max = 100K'
    run --separate-stderr mark "$DIR/docker.tar"
    refused "pull_max"
}

# archive FILE LAYER UNPACKED: one of docker save's, of that layer, of which the
# configuration says that it is UNPACKED.
archive() {
    /usr/bin/python3 - "$@" "$(uname -m)" <<'END'
import hashlib, io, json, sys, tarfile
layer, plain = (open(name, "rb").read() for name in sys.argv[2:4])
arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(sys.argv[4], sys.argv[4])
config = json.dumps({"os": "linux", "architecture": arch, "rootfs": {
    "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]}})
with tarfile.open(sys.argv[1], "w") as tar:
    for name, data in (("config.json", config.encode()), ("layer.tar", layer),
                       ("manifest.json", json.dumps([{"Config": "config.json",
                        "RepoTags": [], "Layers": ["layer.tar"]}]).encode())):
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
END
    chown berth1: "$1"
}

@test "an archive with a file that is larger than its tar (threat 97)" {
    local layer=$BATS_TEST_TMPDIR/layer
    /usr/bin/python3 - >"$layer" <<'END'
import sys, tarfile
info = tarfile.TarInfo("hole")
info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1",
                    "GNU.sparse.name": "hole", "GNU.sparse.numblocks": "1",
                    "GNU.sparse.size": "200000000", "GNU.sparse.map": "200000000,0"}
sys.stdout.buffer.write(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))
END
    archive "$DIR/hole.tar" "$layer" "$layer"
    conf <<<$'archives = yes\npull_max_unpacked = 100M'
    run --separate-stderr mark "$DIR/hole.tar"
    refused "104 MB" "unpacked"
    rm "$DIR/hole.tar"
    nothing_left
}

@test "an archive with a layer that is packed twice (threat 128)" {
    local layer=$BATS_TEST_TMPDIR/layer
    head -c 200M /dev/zero | gzip -9 >"$layer"
    gzip -k "$layer"
    conf <<<$'archives = yes\npull_max_unpacked = 100M'
    archive "$DIR/twice.tar" "$layer.gz" "$layer"
    run --separate-stderr mark "$DIR/twice.tar"
    refused "packed as no image's should be"
    rm "$DIR/twice.tar"
    nothing_left
}

@test "an archive of names alone, which are long (threat 130)" {
    /usr/bin/python3 - "$DIR/names.tar" <<'END'
import sys, tarfile
with tarfile.open(sys.argv[1], "w") as tar:
    for n in range(20):
        tar.addfile(tarfile.TarInfo("%d" % n + 900000 * "x"))
END
    chown berth1: "$DIR/names.tar"
    run --separate-stderr mark "$DIR/names.tar"
    refused "longer names, than an image has"
    rm "$DIR/names.tar"
    nothing_left
}

@test "nobody traces the process that reads an archive, nor sees its memory; and that is bounded (threats 92, 130)" {
    local reader
    forget
    debian_archive
    as_user srun --container="$DIR/debian.tar.xz" true >/dev/null 2>&1 3>&- 4>&- &
    SRUN=$!
    poll "$SOON" pgrep -x berth-archive || fail "nothing reads it"
    reader=$(pgrep -x berth-archive)
    equal "$(stat -c %U "/proc/$reader/mem")" root
    run as_user cat "/proc/$reader/environ"
    contains "$output" "Permission denied"
    grep -q '^Max address space  *1073741824 ' "/proc/$reader/limits" || fail "$(<"/proc/$reader/limits")"
    scancel -n bats
    poll "$SOON" gone "$SRUN"
    nothing_left
}

@test "who stops the process that reads his archive holds up nobody else's of the same image (threat 132)" {
    local reader
    forget
    debian_archive
    cp "$DIR/debian.tar.xz" "$HOME2/debian.tar.xz"
    conf <<<$'archives = yes\npull_seconds = 60'
    as_user srun --mem=50 --container="$DIR/debian.tar.xz" -w n1 true >/dev/null 2>&1 3>&- 4>&- &
    SRUN=$!
    poll "$SOON" eval 'compgen -G "$STATE/n1/images/*.id.lock" >/dev/null' || fail "nothing brings it"
    reader=$(pgrep -x berth-archive)
    as_user kill -STOP "$reader"
    run --separate-stderr as_other srun -Q --mem=50 -w n1 --container="$HOME2/debian.tar.xz" echo ran
    rm "$HOME2/debian.tar.xz"
    equal "$status$output" 0ran
    equal "$(ps -o state= -p "$reader")" T
    scancel -n bats
    poll "$SOON" gone "$SRUN"
    nothing_left
}

@test "scancel while it is read leaves nothing" {
    forget
    debian_archive
    as_user srun --container="$DIR/debian.tar.xz" true >/dev/null 2>&1 3>&- 4>&- &
    SRUN=$!
    poll "$SOON" pgrep -x berth-archive || fail "nothing reads it"
    scancel -n bats
    poll "$SOON" gone "$SRUN"
    poll "$SOON" no_reader || fail "it is read on"
    nothing_left
    equal "$(fetched)" ""
}
no_reader() { ! pgrep -x berth-archive >/dev/null; }
