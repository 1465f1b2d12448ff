"""A release that tries to get at everything around it: `hostile.py PORT WORLD`; standard library only.

WORLD is a JSON file with `pids`, `files`, `folders`, `pipes` and `sockets`, each by a name of the test's choice.
`GET /` answers as JSON what it managed: `{attempt: what it got}`; an attempt that was refused is not in it. With port
0 it prints that and exits. A third argument makes it leave a process behind that belongs to nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

PTRACE_ATTACH, PTRACE_DETACH = 16, 17
PIDFD_OPEN, PIDFD_GETFD = 434, 438

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read(path: str) -> str:
    with Path(path).open("rb") as file:
        return file.read(4096).decode(errors="replace")


def environ(pid: int) -> str:
    return read(f"/proc/{pid}/environ")


def memory(pid: int) -> str:
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb") as mem:
        mem.seek(int(maps.readline().split("-")[0], 16))
        return f"{len(mem.read(64))} bytes"


def descriptors(pid: int) -> list[str]:
    return listed(f"/proc/{pid}/fd")


def folder_of(pid: int) -> str:
    return str(Path(f"/proc/{pid}/cwd").readlink())


def trace(pid: int) -> str:
    checked(libc.ptrace(PTRACE_ATTACH, pid, None, None))
    os.waitpid(pid, 0)
    libc.ptrace(PTRACE_DETACH, pid, None, None)
    return "attached"


def take_descriptor(pid: int) -> str:
    """Any of its first descriptors; the watchdog holds the listening sockets."""
    handle = checked(libc.syscall(PIDFD_OPEN, pid, 0))
    for number in range(32):
        with contextlib.suppress(OSError):
            return f"took {checked(libc.syscall(PIDFD_GETFD, handle, number, 0))}"
    raise PermissionError("none")


def send(pid: int) -> str:
    os.kill(pid, signal.SIGCONT)
    return "sent"


def connect(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as talking:
        talking.settimeout(2)
        talking.connect(path)
        talking.sendall(b'{"do": "ping"}\n')
        answer = talking.recv(200)
        if not answer:
            raise ConnectionError("turned away")
        return answer.decode(errors="replace")


def write(path: str) -> str:
    with Path(path).open("r+b"):
        return "opened for writing"


def opened(pipe: str) -> str:
    os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))
    return "opened"


def listed(folder: str) -> list[str]:
    return [each.name for each in Path(folder).iterdir()]


def plant(folder: str) -> str:
    planted = Path(folder) / "planted"
    planted.write_text("x")
    planted.unlink()
    return "wrote a file"


def become_root() -> str:
    os.setuid(0)
    return f"is user {os.getuid()}"


def inherited() -> list[str]:
    """Open descriptors besides the standard ones and the one that lists them."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if int(each.name) > 2:
                found.append(str(each.readlink()))
    return [each for each in found if each != f"/proc/{os.getpid()}/fd"]


PIDS: dict[str, Callable[[int], object]] = {
    "environ of": environ,
    "memory of": memory,
    "descriptors of": descriptors,
    "folder of": folder_of,
    "ptrace of": trace,
    "descriptor out of": take_descriptor,
    "signal to": send,
}
PLACES: dict[str, dict[str, Callable[[str], object]]] = {
    "pipes": {"open": opened},
    "sockets": {"connect to": connect},
    "files": {"read": read, "write": write},
    "folders": {"list": listed, "plant in": plant},
}


def attempts(world: dict[str, dict[str, Any]]) -> Iterator[tuple[str, Callable[[], object]]]:
    for look, examine in PIDS.items():
        for name, pid in world.get("pids", {}).items():
            yield f"{look} {name}", partial(examine, pid)
    for kind, tries in PLACES.items():
        for name, path in world.get(kind, {}).items():
            for verb, act in tries.items():
                yield f"{verb} {name}", partial(act, path)
    yield "become root", become_root


def leave_behind() -> None:
    """A process with another parent, group and session, and without the variables that it could be known by."""
    if os.fork() == 0:
        os.setsid()
        os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"], {})


def managed(world: dict[str, dict[str, Any]]) -> dict[str, object]:
    done: dict[str, object] = {}
    for name, attempt in attempts(world):
        with contextlib.suppress(OSError, ValueError):
            done[name] = attempt()
    return done


class Answers(BaseHTTPRequestHandler):
    found: bytes = b"{}"

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.found)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    port, place = int(sys.argv[1]), Path(sys.argv[2])
    before = inherited()
    if len(sys.argv) > 3:
        leave_behind()
    found: dict[str, object] = {
        "managed": managed(json.loads(place.read_text())),
        "inherited": before,
        "uid": os.getuid(),
        "groups": os.getgroups(),
        "environ": dict(os.environ),
    }
    Answers.found = json.dumps(found).encode()
    if port:
        print("up", flush=True)
        HTTPServer(("127.0.0.1", port), Answers).serve_forever()
    print(Answers.found.decode())


if __name__ == "__main__":
    main()
