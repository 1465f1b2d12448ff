"""How large the container image is, where a Docker Engine has one."""

from __future__ import annotations

import shutil
import subprocess

from benchmarks.report import Row, show

IMAGE = "slipway:local"
_MOST_MB = 200
_HOW = f"docker build -t {IMAGE} ."


def run(quick: bool = False) -> list[Row]:
    """One row; without an image it says how to get one, and measures nothing."""
    size = _bytes()
    if size is None:
        return [Row("container image", float("nan"), "MB", f"not there: {_HOW}", goal=f"<= {_MOST_MB} MB")]
    mb = size / 1e6
    ratio = mb / _MOST_MB
    return [
        Row("container image", mb, "MB", "the budget", _MOST_MB, ratio, f"<= {_MOST_MB} MB", mb <= _MOST_MB)
    ]


def _bytes() -> int | None:
    docker = shutil.which("docker")
    if docker is None:
        return None
    command = [docker, "image", "inspect", "--format", "{{.Size}}", IMAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else None


if __name__ == "__main__":
    show(run(), "Container")
