"""Size of the container image, where a Docker Engine has one."""

from __future__ import annotations

import shutil
import subprocess

from benchmarks.report import Row, show

IMAGE = "slipway:local"
_MOST_MB = 150
_HOW = f"docker build -t {IMAGE} ."


def run(quick: bool = False) -> list[Row]:
    """One row; without an image it says how to build one, and measures nothing."""
    size = _bytes()
    if size is None:
        return [Row("container image", float("nan"), "MB", f"not there: {_HOW}", goal=f"<= {_MOST_MB} MB")]
    mb = size / 1e6
    ratio = mb / _MOST_MB
    rows = [
        Row("container image", mb, "MB", "the budget", _MOST_MB, ratio, f"<= {_MOST_MB} MB", mb <= _MOST_MB)
    ]
    own = _own_layers()
    if own is not None:
        rows.append(Row("  Slipway's own layers", own / 1e6, "MB"))
    return rows


def _bytes() -> int | None:
    said = _docker("image", "inspect", "--format", "{{.Size}}", IMAGE)
    return int(said) if said.strip().isdigit() else None


def _own_layers() -> int | None:
    """Bytes that the Dockerfile's last stage adds; None when the image's history does not show it."""
    lines = _docker("history", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", IMAGE).splitlines()
    sizes = [int(line.split("\t", 1)[0]) for line in lines]
    started = [number for number, line in enumerate(lines) if "LABEL" in line]
    return sum(sizes[: started[-1]]) if started else None


def _docker(*arguments: str) -> str:
    """Output of a docker command; empty without an engine or an image."""
    docker = shutil.which("docker")
    if docker is None:
        return ""
    try:
        done = subprocess.run([docker, *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


if __name__ == "__main__":
    show(run(), "Container")
