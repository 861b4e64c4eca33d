#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 The berth developers
"""A registry that misbehaves, in front of one that does not.

usage: front.py LOG HOST PORT UPSTREAM CERTIFICATE KEY

What is wrong is said by the port and by the first part of the repository:
HOST:PORT/layer-cut/lab/app:1 is UPSTREAM's lab/app:1, of which each layer ends
in its middle. So many faults can be tried at once, and nothing is to be set.

    port      what it does
    PORT      serves
     + 1      serves, with a certificate that nobody knows
     + 2      wants a name and a password: of berth1, or of berth2
     + 3      wants a token, which HOST:PORT+7 gives
     + 4      wants a token, which a link-local address gives
     + 5      never answers
     + 6      answers each request with a page for people
     + 7      is elsewhere: gives tokens, and blobs to who was sent here
     + 8      is out of order (503)
     + 9      wants a token, which it gives itself

    part      what is done
    plain     nothing
    WHERE-HOW to a manifest, the config or a layer (`manifest`, `config`,
              `layer`): see Handler.hurt
    made-WHAT the image is made here: see Made

A layer that waits (`layer-gate`) comes to its half, and from there by a few bytes
a second, until the file LOG.open is there.

LOG gets a line for each request: the port's number from PORT on, method, path,
who asks ("-", "name:password", or "token"), and "WHERE" for what it was taken
for; and "end ... STATUS BYTES" when it is answered or the client has left.
"""
import base64
import gzip
import hashlib
import http.client
import http.server
import io
import json
import os
import platform
import re
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import time

LOG, HOST, PORT, UPSTREAM, CERTIFICATE, KEY = sys.argv[1:7]
PORT = int(PORT)
SMALL = 8192  # a config is smaller, a layer is not
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(
    platform.machine(), platform.machine())
LINK_LOCAL = "http://169.254.169.254/latest"
PAGE = b"<!DOCTYPE html><html><body>Please log in first.</body></html>\n"
USERS = {"berth1:berth1", "berth2:berth2"}
OCI = "application/vnd.oci.image."
ERRORS = {
    401: "UNAUTHORIZED", 403: "DENIED", 404: "MANIFEST_UNKNOWN",
    429: "TOOMANYREQUESTS",
}

log_lock = threading.Lock()
seen = set()  # what has failed once


def log(*words):
    line = " ".join(str(w) for w in words) + "\n"
    with log_lock, open(LOG, "a", encoding="utf-8") as file:
        file.write(line)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(size, name="file"):
    """A layer with a file of so many random bytes: the tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = size
        tar.addfile(info, io.BytesIO(os.urandom(size)))
    return out.getvalue()


def gz_zeros(megabytes):
    """gz of a tar that is a file of so many MB of zeros; and its digest."""
    info = tarfile.TarInfo("zeros")
    info.size = megabytes << 20
    zeros, plain = bytes(1 << 20), hashlib.sha256()
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as file:
        for part in [info.tobuf(tarfile.USTAR_FORMAT)] + \
                [zeros] * megabytes + [bytes(1024)]:
            plain.update(part)
            file.write(part)
    return out.getvalue(), "sha256:" + plain.hexdigest()


class Made:
    """An image that is made here."""

    def __init__(self, what, repository, tag):
        self.blobs = {}
        self.type = OCI + "manifest.v1+json"
        name, _, argument = what.partition("-")
        self.top = getattr(self, name)(argument, repository, tag)

    def keep(self, data, kind, **more):
        self.blobs[digest(data)] = data
        return {"mediaType": kind, "digest": digest(data),
                "size": len(data), **more}

    def manifest(self, layers, diffs, arch=ARCH, **more):
        config = json.dumps({
            "architecture": arch, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()
        return json.dumps({
            "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
            "config": self.keep(config, OCI + "config.v1+json"),
            "layers": layers, **more}).encode()

    def one(self, arch=ARCH, **more):
        """The manifest of an image of one layer."""
        tar = layer(20000)
        packed = self.keep(gzip.compress(tar), OCI + "layer.v1.tar+gzip")
        return self.manifest([packed], [digest(tar)], arch, **more)

    def index(self, *manifests):
        self.type = OCI + "index.v1+json"
        return json.dumps({
            "schemaVersion": 2, "mediaType": self.type,
            "manifests": list(manifests)}).encode()

    def in_index(self, data, arch, system="linux"):
        return self.keep(data, OCI + "manifest.v1+json", platform={
            "architecture": arch, "os": system})

    def list(self, _, repository, tag):
        """An index of upstream's image and of another architecture's."""
        answer = upstream("GET", f"/v2/{repository}/manifests/{tag}", {})
        data = answer.read()
        mine = {"mediaType": answer.getheader("Content-Type"),
                "digest": digest(data), "size": len(data),
                "platform": {"architecture": ARCH, "os": "linux"}}
        return self.index(self.in_index(self.one("s390x"), "s390x"), mine)

    def noarch(self, *_):
        return self.index(self.in_index(self.one("s390x"), "s390x"),
                          self.in_index(self.one("riscv64"), "riscv64"))

    def attestation(self, *_):
        return self.index(self.in_index(self.one("unknown"), "unknown",
                                        "unknown"))

    def foreign(self, *_):
        return self.one("s390x")

    def helm(self, *_):
        config = self.keep(b'{"name":"chart"}',
                           "application/vnd.cncf.helm.config.v1+json")
        chart = self.keep(
            gzip.compress(layer(20000)),
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
        return json.dumps({"schemaVersion": 2, "config": config,
                           "layers": [chart]}).encode()

    def oversize(self, *_):
        return self.manifest(
            [{"mediaType": OCI + "layer.v1.tar+gzip", "size": 10 ** 13,
              "digest": digest(b"oversize")}], [digest(b"unpacked")])

    def labelled(self, kilobytes, *_):
        """With a label of so much."""
        data = json.loads(self.one())
        config = json.loads(self.blobs[data["config"]["digest"]])
        config["config"]["Labels"] = {"a": "a" * (int(kilobytes) << 10)}
        data["config"] = self.keep(json.dumps(config).encode(),
                                   data["config"]["mediaType"])
        return json.dumps(data).encode()

    def negative(self, *_):
        return self.manifest(
            [{"mediaType": OCI + "layer.v1.tar+gzip", "size": -5,
              "digest": digest(b"oversize")}], [digest(b"unpacked")])

    def many(self, *_):
        tar = layer(20000)
        packed = self.keep(gzip.compress(tar), OCI + "layer.v1.tar+gzip")
        return self.manifest([packed] * 600, [digest(tar)] * 600)

    def bomb(self, megabytes, *_):
        data, diff = gz_zeros(int(megabytes))
        return self.manifest([self.keep(data, OCI + "layer.v1.tar+gzip")],
                             [diff])

    def repacked(self, megabytes, *_):
        """The bomb once more packed, and the configuration knows that."""
        data, _ = gz_zeros(int(megabytes))
        return self.holes(data)

    def passedover(self, megabytes, *_):
        """One of zstd, behind a frame that is passed over."""
        data = b"\x50\x2a\x4d\x18" + bytes(4) + subprocess.run(
            ["zstd", "-q"], input=bytes(int(megabytes) << 20),
            stdout=subprocess.PIPE, check=True).stdout
        return self.manifest([self.keep(data, OCI + "layer.v1.tar")],
                             [digest(data)])

    def holes(self, tar):
        return self.manifest(
            [self.keep(gzip.compress(tar), OCI + "layer.v1.tar+gzip")],
            [digest(tar)])

    def sparse(self, megabytes, *_):
        """A file of nothing but a hole, as GNU tar writes it."""
        info = tarfile.TarInfo("hole")
        info.type = tarfile.GNUTYPE_SPARSE
        head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        size = b"%011o\0" % (int(megabytes) << 20)
        head[386:410] = size + b"%011o\0" % 0  # the part behind it is empty
        head[483:495] = size
        head[148:156] = b"        "
        head[148:156] = b"%06o\0 " % sum(head)
        return self.holes(bytes(head) + bytes(1024))

    def paxsparse(self, megabytes, *_):
        """The same in records of pax."""
        size = str(int(megabytes) << 20)
        info = tarfile.TarInfo("hole")
        info.pax_headers = {
            "GNU.sparse.major": "0", "GNU.sparse.minor": "1",
            "GNU.sparse.name": "hole", "GNU.sparse.numblocks": "1",
            "GNU.sparse.size": size, "GNU.sparse.map": size + ",0"}
        return self.holes(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))

    def huge(self, *_):
        return self.one(annotations={"a": "x" * (5 << 20)})

    def notjson(self, *_):
        return self.one()[:-20]

    def twice(self, *_):
        """Each reader takes another layer."""
        data = self.one()
        other = self.one()
        return data[:-1] + b"," + other[other.index(b'"layers"'):]

    def noconfig(self, *_):
        data = self.one()
        del self.blobs[json.loads(data)["config"]["digest"]]
        return data

    def bigconfig(self, *_):
        data = json.loads(self.one())
        old = self.blobs[data["config"]["digest"]]
        data["config"] = self.keep(old + b" " * (9 << 20),
                                   data["config"]["mediaType"])
        return json.dumps(data).encode()

    def difflie(self, *_):
        """The config tells of another content."""
        packed = self.keep(gzip.compress(layer(20000)),
                           OCI + "layer.v1.tar+gzip")
        return self.manifest([packed], [digest(b"another")])

    def notgz(self, *_):
        packed = self.keep(os.urandom(20000), OCI + "layer.v1.tar+gzip")
        return self.manifest([packed], [digest(b"unpacked")])

    def nottar(self, *_):
        data = os.urandom(20000)
        packed = self.keep(gzip.compress(data), OCI + "layer.v1.tar+gzip")
        return self.manifest([packed], [digest(data)])

    def elsewhere(self, *_):
        """A layer that names the place to fetch it from."""
        tar = layer(20000)
        return self.manifest(
            [{"mediaType": OCI + "layer.nondistributable.v1.tar+gzip",
              "size": 20000, "digest": digest(b"foreign"),
              "urls": [LINK_LOCAL, f"http://{HOST}:{PORT + 7}/layer"]}],
            [digest(tar)])


made = {}
made_lock = threading.Lock()


def make(what, repository, tag):
    key = what, repository
    with made_lock:
        if key not in made:
            made[key] = Made(what, repository, tag)
        return made[key]


def upstream(method, path, headers):
    host, port = UPSTREAM.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    accept = {"Accept": ", ".join([
        OCI + "index.v1+json", OCI + "manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json"])}
    connection.request(method, path, headers={**accept, **headers})
    return connection.getresponse()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    number = 0  # of the port
    status = "-"
    sent = 0

    def setup(self):
        super().setup()
        self.connection.settimeout(None)

    def handle(self):
        try:
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.do_handshake()
            elif self.number != 5:
                # One that tries TLS first.
                if self.connection.recv(1, socket.MSG_PEEK)[:1] == b"\x16":
                    return
            else:
                log(self.number, "-", "-", "-", "connection")
                self.wait()
                return
            super().handle()
        except OSError:
            pass

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.status, self.sent = "-", 0
        self.close_connection = False
        kind, serve = self.sort()
        log(self.number, self.command, self.path, self.who(), kind)
        try:
            serve()
        except OSError:
            self.close_connection = True
        log("end", self.number, self.command, self.path, self.status,
            self.sent)

    def who(self):
        word, _, value = self.headers.get("Authorization", "").partition(" ")
        if word == "Basic":
            return base64.b64decode(value).decode()
        return "token" if word else "-"

    # --- what is asked for ---------------------------------------------------

    def sort(self):
        """What kind of a request it is, and what serves it."""
        if self.number == 6:
            return "page", lambda: self.answer(200, PAGE, "text/html")
        if self.number == 8:
            return "sick", lambda: self.fail(503)
        if self.path.startswith("/token"):
            return "token", lambda: self.answer(
                200, b'{"token":"dG9rZW4=","access_token":"dG9rZW4="}')
        if not self.knows():
            return "challenge", self.challenge
        if self.path == "/v2/":
            return "ping", lambda: self.answer(200, b"{}")
        match = re.fullmatch(
            r"/v2/([a-z]+)(?:-([a-z0-9-]+))?/(.+)/(manifests|blobs)/([^/?]+)",
            self.path)
        if not match:
            return "unknown", lambda: self.fail(404)
        where, how, repository, kind, reference = match.groups()
        if where == "made":
            return kind, lambda: self.of_made(how, repository, kind, reference)
        path = f"/v2/{repository}/{kind}/{reference}"
        if kind == "manifests":
            return kind, lambda: self.forward(
                path, how if where == "manifest" else None)
        return kind, lambda: self.blob(path, where, how)

    def knows(self):
        """Whether who asks has what this port wants."""
        if self.number == 2:
            return self.who() in USERS
        return self.number not in (3, 4, 9) or self.who() == "token"

    def challenge(self):
        realm = {3: f"http://{HOST}:{PORT + 7}/token",
                 4: LINK_LOCAL + "/token",
                 9: f"http://{HOST}:{PORT + 9}/token"}.get(self.number)
        what = f'Bearer realm="{realm}",service="front"' if realm else \
            'Basic realm="front"'
        self.fail(401, {"WWW-Authenticate": what})

    # --- how it is answered --------------------------------------------------

    def head(self, status, length, kind, headers=None):
        self.status = status
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def write(self, data):
        self.wfile.write(data)
        self.sent += len(data)

    def answer(self, status, data, kind="application/json", headers=None):
        self.head(status, len(data), kind, headers)
        if self.command != "HEAD":
            self.write(data)

    def fail(self, status, headers=None):
        if status >= 500:
            self.answer(status, b"out of order\n", "text/plain", headers)
            return
        error = {"code": ERRORS.get(status, "UNKNOWN"), "message":
                 f"the front says {status}\x1b[31m", "detail": None}
        self.answer(status, json.dumps({"errors": [error]}).encode(),
                    headers=headers)

    def wait(self):
        """Until the client leaves."""
        self.close_connection = True
        while self.connection.recv(4096):
            pass

    def of_made(self, what, repository, kind, reference):
        image = make(what, repository, reference)
        if kind == "manifests" and not reference.startswith("sha256:"):
            self.answer(200, image.top, image.type, {
                "Docker-Content-Digest": digest(image.top)})
            return
        data = image.blobs.get(reference)
        if reference == digest(image.top):
            self.answer(200, image.top, image.type,
                        {"Docker-Content-Digest": reference})
        elif data is not None:
            self.answer(200, data, OCI + "manifest.v1+json"
                        if kind == "manifests" else "application/octet-stream")
        else:
            self.forward(f"/v2/{repository}/{kind}/{reference}", None)

    def blob(self, path, where, how):
        answer = upstream("HEAD", path, {})
        small = int(answer.getheader("Content-Length", "0")) < SMALL
        self.forward(path, how if where == ("config" if small else "layer")
                     else None)

    def forward(self, path, how):
        how, _, argument = (how or "").partition("-")
        if how in ("once", "cutonce", "resume"):
            with log_lock:
                first = self.path not in seen
                seen.add(self.path)
            if first:
                how = "status" if how == "once" else "cut"
            else:
                how = "begin" if how == "resume" else ""
        if how == "silent":
            self.wait()
        elif how == "status":
            self.fail(int(argument), {"Retry-After": "1"}
                      if argument in ("429", "503") else None)
        elif how == "page":
            self.answer(200, PAGE, "text/html")
        elif how == "to":
            self.answer(307, b"", headers={"Location": {
                "link": LINK_LOCAL,
                "loopback": f"http://127.0.0.1:{PORT + 7}{path}",
                "elsewhere": f"http://{HOST}:{PORT + 7}{path}",
                "itself": self.path}[argument]})
        else:
            self.hurt(upstream(self.command, path, {}), how, argument)

    def trickle(self, answer, length):
        """While the gate is shut. Returns the bytes that were sent."""
        done = 0
        while not os.path.exists(LOG + ".open") and done + 2000 < length:
            part = answer.read(2000)
            self.write(part)
            self.wfile.flush()
            done += len(part)
            time.sleep(0.1 if os.path.exists(LOG + ".open") else 0.5)
        return done

    def hurt(self, answer, how, argument):
        length = int(answer.getheader("Content-Length", "0"))
        kind = answer.getheader("Content-Type", "application/octet-stream")
        headers = {}
        if answer.getheader("Docker-Content-Digest"):
            headers["Docker-Content-Digest"] = \
                answer.getheader("Docker-Content-Digest")
        told = {"short": length // 2, "long": length + 100}.get(how, length)
        self.head(answer.status, told, kind, headers)
        if self.command == "HEAD":
            return
        rate = int(argument) if how in ("rate", "begin") else 0
        done = 0
        while done < length:
            part = answer.read(min(rate // 10 or 1, 65536) if rate else 65536)
            if not part:
                break
            # Of two halves, the first; the rest is not sent, or was not told.
            if how in ("cut", "short") and done + len(part) > length // 2:
                self.write(part[:length // 2 - done])
                if how == "cut":
                    self.connection.shutdown(socket.SHUT_RDWR)
                break
            if how == "begin" and done > length // 2:
                rate = 0
            if how == "gate" and done + len(part) > length // 2:
                self.write(part)
                done += len(part)
                done += self.trickle(answer, length - done)
                how = None
                continue
            if how == "wrong" and not done:
                part = bytes([part[0], part[1] ^ 1]) + part[2:]
            self.write(part)
            done += len(part)
            if rate:
                self.wfile.flush()
                time.sleep(len(part) / rate)
        if how == "long":
            self.write(bytes(100))
        if how in ("cut", "short"):
            self.close_connection = True


class Elsewhere(Handler):
    """Whoever is sent here gets what he was sent for."""

    def sort(self):
        if self.path.startswith("/token"):
            return super().sort()
        return "elsewhere", lambda: self.forward(self.path, None)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 200

    def handle_error(self, *_):
        pass


def main():
    servers = []
    for number in range(10):
        cls = Elsewhere if number == 7 else Handler
        handler = type(f"On{number}", (cls,), {"number": number})
        server = Server(("" if number == 7 else HOST, PORT + number), handler)
        if number == 1:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE, KEY)
            server.socket = context.wrap_socket(
                server.socket, server_side=True,
                do_handshake_on_connect=False)
        servers.append(server)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    log("ready")
    threading.Event().wait()


main()
