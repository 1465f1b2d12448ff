"""A real Docker Engine and a real registry for tests, each with everything it has below one temporary folder."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest

from demo.children import free_port
from tests.support.waiting import PATIENCE_S

# A service in an image of 2 MB: /healthz, /version, and whatever its command does instead.
_SERVE = """#!/bin/sh
trap 'exit 0' TERM
mkdir -p /tmp/www && echo ok > /tmp/www/healthz && echo "$VERSION" > /tmp/www/version
httpd -p "$PORT" -h /tmp/www
while :; do sleep 0.05; done
"""
_APPLETS = (
    "sh",
    "httpd",
    "mkdir",
    "sleep",
    "cat",
    "echo",
    "id",
    "ls",
    "test",
    "touch",
    "rm",
    "dd",
    "tail",
    "env",
)
# ann:secret as `htpasswd -B` writes it.
_LOGIN = "ann:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
NEEDS = "needs root, dockerd (docker.io), busybox-static and iproute2"
_BRIDGE = "sliptest"
# dockerd gives its containerd 15 seconds to start, which a busy machine may need, and then ends.
_CONTAINERD_LATE = "timeout waiting for containerd to start"


class DockerEngine:
    """`dockerd` with its own data, bridge and socket. Use `docker_engine`.

    size: of a file system of its own in memory, such as "30m"; a folder on disk without one.
    """

    # What starts it elsewhere, such as in a network namespace.
    _within: tuple[str, ...] = ()
    # Whether its containers run on while it is stopped, from its next start on.
    live_restore = False

    def __init__(self, folder: Path, *, size: str = "") -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self._data = folder / "data"
        self._data.mkdir()
        self._size = size
        self._number = _bridge()
        self._bridge = f"{_BRIDGE}{self._number}"
        self._process: subprocess.Popen[bytes] | None = None
        if size:
            _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self._data))

    @property
    def address(self) -> str:
        return f"unix://{self.socket}"

    @property
    def loopback(self) -> str:
        """An address for published ports that no other engine of tests uses."""
        return f"127.1.{self._number}.1"

    def _options(self) -> dict[str, object]:
        return {
            "data-root": self._data,
            "exec-root": self.folder / "exec",
            "pidfile": self.folder / "pid",
            "bridge": self._bridge,
            "iptables": "false",
            "ip-masq": "false",
            "ip": "127.0.0.1",
            "default-address-pool": f"base=172.31.{self._number}.0/24,size=28",
            "shutdown-timeout": "2",
            "live-restore": str(self.live_restore).lower(),
        }

    def start(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        self._process = self._launch()
        while self.call("GET", "/_ping")[0] != 200:
            ended, late = self._process.poll() is not None, time.monotonic() > deadline
            if ended and not late and _CONTAINERD_LATE in self._tail():
                self._process = self._launch()
            elif ended or late:
                raise RuntimeError(f"dockerd did not start: {self._tail()}")
            time.sleep(0.05)

    def _launch(self) -> subprocess.Popen[bytes]:
        options = [f"--{name}={value}" for name, value in self._options().items()]
        command = [*self._within, "dockerd", "-H", self.address, *options]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _tail(self) -> str:
        return "\n".join((self.folder / "log").read_text(errors="replace").splitlines()[-5:])

    def stop(self) -> None:
        """In order; its containers end, unless `live_restore`."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE_S / 2)
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        for entry in self._listed() if self._process is not None else []:
            self.call("DELETE", f"/containers/{entry['Id']}?force=1&v=1")
        if self._process is not None:
            self.call("POST", "/networks/prune")  # else their bridges would stay
        self.stop()
        subprocess.run(["ip", "link", "delete", self._bridge], check=False, capture_output=True)
        # Of `size`, or left by an engine that ended with `live_restore`.
        subprocess.run(["umount", "-l", str(self._data)], check=False, capture_output=True)

    def call(
        self, method: str, path: str, body: bytes = b"", timeout_s: float = PATIENCE_S
    ) -> tuple[int, bytes]:
        """Status and body of a request; status 0 when nothing answers."""
        head = f"{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\n"
        with socket.socket(socket.AF_UNIX) as asking, suppress(OSError):
            asking.settimeout(timeout_s)
            asking.connect(str(self.socket))
            asking.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = b"".join(iter(lambda: asking.recv(65536), b""))
            told, _, content = answer.partition(b"\r\n\r\n")
            return int(told.split()[1]), content
        return 0, b""

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Raises RuntimeError with the engine's words."""
        status, content = self.call(method, path, body)
        if status not in range(200, 400):
            raise RuntimeError(f"{method} {path}: {status} {content.decode(errors='replace')}")
        return content

    def load(self, name: str, content: bytes = b"", *changes: str, more: int = 0) -> str:
        """Import the image of the test service as `name`; its id. more: random bytes that make it larger.

        content, changes: a root file system as a tar archive, and lines of a Dockerfile, for another image.
        """
        repo, _, tag = name.rpartition(":")
        lines = [("changes", line) for line in (changes if content else ('CMD ["/serve"]',))]
        query = urlencode([("fromSrc", "-"), ("repo", repo), ("tag", tag), *lines])
        said = self.ask("POST", f"/images/create?{query}", content or image(more))
        return str(json.loads(said.splitlines()[-1])["status"])

    def derive(self, base: str, name: str, *changes: str) -> None:
        """Make an image of another one, with more lines of a Dockerfile; nothing runs."""
        body = json.dumps({"Image": base, "Cmd": ["none"]}).encode()
        made = json.loads(self.ask("POST", "/containers/create", body))["Id"]
        repo, _, tag = name.rpartition(":")
        named = [("container", made), ("repo", repo), ("tag", tag)]
        self.ask("POST", f"/commit?{urlencode([*named, *(('changes', line) for line in changes)])}")
        self.ask("DELETE", f"/containers/{made}")

    def push(self, name: str) -> str:
        """Push an image to its registry, forget it here, and return its digest there."""
        repo, _, tag = name.rpartition(":")
        head = f"POST /images/{repo}/push?tag={tag} HTTP/1.0\r\nHost: engine\r\nX-Registry-Auth: e30=\r\n\r\n"
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(PATIENCE_S)
            asking.connect(str(self.socket))
            asking.sendall(head.encode())
            answer = b"".join(iter(lambda: asking.recv(65536), b"")).decode()
        if "Digest" not in answer:
            raise RuntimeError(f"{name} was not pushed: {answer}")
        self.ask("DELETE", f"/images/{name}?force=1")
        return f"sha256:{answer.split('sha256:')[1][:64]}"

    def run_in(self, container_id: str, *command: str) -> str:
        """What a command of busybox prints in a container."""
        body = {"Cmd": ["busybox", *command], "AttachStdout": True, "Tty": True}
        made = json.loads(self.ask("POST", f"/containers/{container_id}/exec", json.dumps(body).encode()))
        said = self.ask("POST", f"/exec/{made['Id']}/start", json.dumps({"Tty": True}).encode())
        return said.decode().strip()

    def containers(self) -> list[dict[str, object]]:
        """All that the engine has, of any owner."""
        return self._listed()

    def _listed(self) -> list[dict[str, object]]:
        status, content = self.call("GET", "/containers/json?all=1")
        found: list[dict[str, object]] = json.loads(content) if status == 200 else []
        return found


def image(more: int = 0) -> bytes:
    """The root file system of the test service as a tar archive."""
    busybox = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:

        def add(name: str, content: bytes, mode: int) -> None:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))

        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(temporary)
        add("bin/busybox", busybox, 0o755)
        add("serve", _SERVE.encode(), 0o755)
        add("etc/passwd", b"app:x:1000:1000::/:/bin/sh\n", 0o644)
        if more:
            add("data", os.urandom(more), 0o644)
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return packed.getvalue()


class Registry:
    """`docker-registry` on loopback. Use `registry`.

    locked: whether it asks for the login ann:secret. Two of them may share a folder, and then what is in it.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1", *, locked: bool = False) -> None:
        self.folder, self._host = folder, host
        # Beside the ranges of outgoing connections and of releases, which would take it while the registry is away.
        self.port = free_port()
        self._config = folder / f"registry-{self.port}.yml"
        storage = f"storage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\n"
        http = f"http: {{addr: '{self.name}'}}\n"
        auth = ""
        if locked:
            (folder / "htpasswd").write_text(_LOGIN)
            auth = f"auth: {{htpasswd: {{realm: test, path: {folder / 'htpasswd'}}}}}\n"
        self._config.write_text(f"version: 0.1\nlog: {{level: error}}\n{storage}{http}{auth}")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"{self._host}:{self.port}"

    def start(self) -> None:
        command = ["docker-registry", "serve", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection((self._host, self.port), 1):
                return
            time.sleep(0.02)
        raise RuntimeError("docker-registry did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def can_start() -> bool:
    """Whether a Docker Engine can be started here, by this user."""
    return os.geteuid() == 0 and all(map(shutil.which, ("dockerd", "busybox", "ip")))


@contextmanager
def docker_engine(*, size: str = "") -> Iterator[DockerEngine]:
    """Skips where there is no Docker Engine, or no right to start one."""
    if not can_start():
        pytest.skip(NEEDS)
    folder = Path(tempfile.mkdtemp(prefix="slipway-docker-"))
    engine = DockerEngine(folder, size=size)
    try:
        engine.start()
        yield engine
    finally:
        engine.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def registry(host: str = "127.0.0.1") -> Iterator[Registry]:
    """Skips where Debian's docker-registry is not installed."""
    if shutil.which("docker-registry") is None:
        pytest.skip("needs docker-registry")
    with tempfile.TemporaryDirectory(prefix="slipway-registry-") as folder:
        served = Registry(Path(folder), host)
        served.start()
        try:
            yield served
        finally:
            served.stop()


def _bridge() -> int:
    """Number of a bridge that no other engine of tests has, also not of other workers."""
    for number in range(250):
        made = subprocess.run(
            ["ip", "link", "add", "name", f"{_BRIDGE}{number}", "type", "bridge"],
            check=False,
            capture_output=True,
        )
        if made.returncode == 0:
            _run("ip", "address", "add", f"172.30.{number}.1/24", "dev", f"{_BRIDGE}{number}")
            _run("ip", "link", "set", f"{_BRIDGE}{number}", "up")
            return number
    raise RuntimeError("no bridge is free, or none can be made here")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
