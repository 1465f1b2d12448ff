"""Programs of another user than this one: where tests run as root, they play one without rights."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.support.paths import ROOT

T = TypeVar("T")

# The user without rights: another one where tests run as root, else this one.
PLAIN = 65534 if os.getuid() == 0 else os.getuid()
AS_PLAIN: dict[str, Any] = {"user": PLAIN, "group": PLAIN, "extra_groups": []} if os.getuid() == 0 else {}


def as_root(test: T) -> T:
    """A test that only root can make: `make test-real` runs it as root."""
    needs = pytest.mark.skipif(
        os.getuid() != 0, reason="only root can become other users and mount file systems"
    )
    marked: T = pytest.mark.real(needs(test))
    return marked


def plain_python() -> str:
    """A Python that any user can execute and that finds Slipway; this one's may be in root's home."""
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            tried = subprocess.run(
                [python, "-c", "import bot, psutil"], env=plain_environment(), check=False, **AS_PLAIN
            )
            if tried.returncode == 0:
                return python
    pytest.skip("another user finds no Python 3.11 or cannot read this repository")


def plain_environment() -> dict[str, str]:
    """Variables with which that Python finds Slipway and what it needs."""
    return {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])}


@contextlib.contextmanager
def plain_folder() -> Iterator[Path]:
    """A folder of the user without rights, which others can reach; pytest's belong to root alone."""
    folder = Path(tempfile.mkdtemp(prefix="slipway-"))
    os.chown(folder, PLAIN, -1)
    folder.chmod(0o711)
    for parent in folder.parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o001)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
