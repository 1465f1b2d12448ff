"""This machine's Python as an image, with what the demo services need: a base for machines that cannot pull one."""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

# LD_LIBRARY_PATH leads there: Python stands elsewhere than on this machine.
_LIBRARIES = "usr/lib/python-needs"
_VARIABLES = ("PATH=/usr/local/bin:/bin", f"LD_LIBRARY_PATH=/{_LIBRARIES}")
CHANGES = tuple(f"ENV {variable}" for variable in _VARIABLES)
_LEFT_OUT = re.compile(
    r"(test|tests|idlelib|lib2to3|ensurepip|tkinter|turtledemo|site-packages|config-.*|__pycache__)"
)
_NEEDED = re.compile(r"(?:=> )?(/\S+) \(0x")


def python_image(*distributions: str) -> bytes:
    """A root file system as a tar archive: Python, pip, these distributions and all that they require (90 MB)."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    standard = Path(sysconfig.get_path("stdlib"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        _folder(archive, "tmp", 0o1777)
        _add(archive, Path(os.path.realpath(sys.executable)), f"usr/local/bin/{version}")
        _link(archive, "usr/local/bin/python", version)
        for file in _files(standard):
            _add(archive, file, f"usr/local/lib/{version}/{file.relative_to(standard)}")
        for root, file in _installed("pip", *distributions):
            _add(archive, file, f"usr/local/lib/{version}/site-packages/{file.relative_to(root)}")
        programs = [Path(sys.executable), *(standard / "lib-dynload").glob("*.so")]
        for needed, here in _needs(programs).items():
            linker = "ld-linux" in needed  # its path is part of every program
            _add(archive, here, needed.lstrip("/") if linker else f"{_LIBRARIES}/{Path(needed).name}")
    return packed.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    for at, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _LEFT_OUT.fullmatch(name)]
        yield from (Path(at, name) for name in names)


def _installed(*names: str) -> Iterator[tuple[Path, Path]]:
    """The installed files of distributions and of all that these require, each with its site-packages."""
    todo, done = list(names), set[str]()
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in done:
            continue
        done.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform or Python
        needed = [line for line in found.requires or () if "extra ==" not in line]
        todo += [match[0] for line in needed if (match := re.match(r"[\w.-]+", line))]
        root = Path(str(found.locate_file("")))
        for file in found.files or ():
            path = root / file
            if path.is_file() and ".." not in file.parts and "__pycache__" not in file.parts:
                yield root, path


def _needs(programs: list[Path]) -> dict[str, Path]:
    """The shared libraries that these load, by their path here, and the dynamic linker."""
    said = subprocess.run(["ldd", *map(str, programs)], check=True, capture_output=True, text=True).stdout
    return {path: Path(os.path.realpath(path)) for path in _NEEDED.findall(said)}


def _add(archive: tarfile.TarFile, file: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = file.stat().st_size, 0o755 if os.access(file, os.X_OK) else 0o644
    with file.open("rb") as content:
        archive.addfile(entry, content)


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)


def _folder(archive: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    archive.addfile(entry)
