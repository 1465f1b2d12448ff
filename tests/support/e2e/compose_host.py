"""A host on which a bot runs by `docker compose`, with stand-ins for the programs that are not here."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from tests.support.paths import ROOT, TESTS

# `docker compose` as far as bin/deploy of the example uses it: images are files, and the container is a process.
_DOCKER = """\
#!/bin/sh -e
echo "docker $*" >> ran
case "$*" in
*" pull "*) test -e "images/$SHA" || { echo "no such image: $SHA"; exit 1; } ;;
*" up "*)
  if test -e pid; then
    kill "$(cat pid)" || true
    while kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.05; done
  fi
  . ./bot.env
  setsid %(program)s $PORT "$(cat "images/$SHA")" >> bot.log 2>&1 < /dev/null &
  echo $! > pid ;;
esac
"""
_NOTED = '#!/bin/sh\necho "${0##*/} $*" >> ran\n'
_SMOKE = """\
curl -sf http://localhost:{port}/health | grep -q connected
curl -sf http://localhost:{port}/metrics | grep -q '# HELP'
test "$ADMIN_API_SECRET" = of-the-bot-and-long
"""


class ComposeHost:
    """`folder` is the checkout of the bot there, with the programs of `host/bin` of the example.

    images: versions by commit.
    """

    def __init__(self, folder: Path, port: int, example: Path, images: Mapping[str, str]) -> None:
        self.folder, self.port = folder, port
        for name in ("bin", "images", "scripts/e2e"):
            (folder / name).mkdir(parents=True)
        for program in (example / "host" / "bin").iterdir():
            text = program.read_text().replace("localhost:3000", f"localhost:{port}")
            self._write(f"bin/{program.name}", text)
        for commit, version in images.items():
            self._write(f"images/{commit}", version)
        checks = _SMOKE.format(port=port).splitlines()
        for name, check in zip(("health", "metrics", "db"), checks, strict=True):
            self._write(f"scripts/e2e/smoke-{name}.sh", f"echo smoke-{name} >> ran\n{check}\n")
        self._write("missing_inputs.json", '{"sandbox_server_id": "123"}\n')

    def settle(self, **variables: str) -> None:
        """What its bot gets."""
        lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        self._write("bot.env", "\n".join([f"PORT={self.port}", *lines]) + "\n")

    def deploy(self, file: str, commit: str, version: str, tools: Path) -> None:
        """By hand, as before Slipway came."""
        subprocess.run(
            ["bin/deploy", file],
            cwd=self.folder,
            env={
                "PATH": f"{tools}:{os.environ['PATH']}",
                "SLIPWAY_COMMIT": commit,
                "SLIPWAY_VERSION": version,
            },
            check=True,
            capture_output=True,
        )

    def ran(self) -> list[str]:
        """The programs that ran there, in order."""
        return (self.folder / "ran").read_text().splitlines()

    def stop(self) -> None:
        with suppress(OSError, ValueError, psutil.NoSuchProcess):
            process = psutil.Process(int((self.folder / "pid").read_text()))
            process.send_signal(signal.SIGKILL)

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)


def stand_ins(folder: Path) -> Path:
    """`docker`, `node` and `npm`, for the PATH."""
    folder.mkdir()
    program = f"env PYTHONPATH={ROOT} {sys.executable} {TESTS / 'fakes' / 'command_bot.py'}"
    texts = {"docker": _DOCKER % {"program": program}, "node": _NOTED, "npm": _NOTED}
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder
