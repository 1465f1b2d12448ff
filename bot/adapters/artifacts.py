"""Files of a release as one digest, and a store of such releases that is verified before each use.

A digest covers names, contents, executable bits and link targets, without times and owners. Where a link leads outside
the folder, what it leads to is not covered.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Collection
from pathlib import Path

# Files by name, with what changes when one is written.
Listing = tuple[tuple[str, int, int, int], ...]

KEPT = 20
_MANIFEST = "manifest"


class Changed(Exception):
    """The files are not those of the digest; the text says where."""


def listing(folder: Path) -> Listing:
    """All files and links below a folder. Raises OSError."""
    found = []
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in (*names, *links):
            path = Path(place) / name
            about = path.lstat()
            found.append((str(path.relative_to(folder)), about.st_mode, about.st_size, about.st_mtime_ns))
    return tuple(sorted(found))


def manifest(folder: Path, files: Listing) -> bytes:
    """What the digest is taken of: a JSON list for each file. Raises OSError."""
    lines = []
    for name, mode, _, _ in files:
        path = folder / name
        if stat.S_ISLNK(mode):
            kind, content = "link", hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
        elif stat.S_ISREG(mode):
            kind = "program" if mode & stat.S_IXUSR else "file"
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        else:
            raise OSError(f"{path} is neither a file nor a link")
        lines.append(json.dumps([name, kind, content]))
    return "".join(lines).encode()


def digest(of: bytes) -> str:
    return hashlib.sha256(of).hexdigest()


class ArtifactStore:
    """Copies of releases' folders by digest, which only the host writes.

    folder: others can pass through it. A copy that is not used is kept while it is among the newest `KEPT`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, wanted: str) -> Path:
        """Where the copy is."""
        return self._folder / wanted / "files"

    def ensure(self, wanted: str, source: Path) -> Path:
        """The verified copy, made from `source` where there is none. Raises `Changed`, OSError."""
        entry = self._folder / wanted
        if not self._is_sound(entry, wanted):
            self._copy(source, wanted)
        with contextlib.suppress(OSError):
            os.utime(entry)
        return entry / "files"

    def collect(self, used: Collection[str]) -> None:
        """Remove the oldest copies that are not in `used`, and what a killed host left half made."""
        with contextlib.suppress(OSError):
            entries = sorted(self._folder.iterdir(), key=lambda entry: entry.stat().st_mtime, reverse=True)
            half = [entry for entry in entries if entry.name.startswith(".")]
            idle = [entry for entry in entries if entry.name not in used and entry not in half]
            for entry in (*half, *idle[KEPT:]):
                _remove(entry)

    def _is_sound(self, entry: Path, wanted: str) -> bool:
        """Whether the copy is what it was; files that were added to it since are removed."""
        try:
            known = (entry / _MANIFEST).read_bytes()
            if digest(known) != wanted:
                return False
            files = entry / "files"
            present = listing(files)
            if manifest(files, present) == known:
                return True
            names = {name for name, *_ in _entries(known)}
            for name, *_ in present:
                if name not in names:
                    (files / name).parent.chmod(0o755)
                    (files / name).unlink()
            _read_only(files)
            return manifest(files, listing(files)) == known
        except (OSError, ValueError):
            return False

    def _copy(self, source: Path, wanted: str) -> None:
        aside = self._folder / f".{wanted[:12]}.{secrets.token_hex(4)}"
        files = aside / "files"
        try:
            aside.mkdir()
            try:
                shutil.copytree(source, files, symlinks=True)
            except shutil.Error as several:
                raise OSError(f"{source} cannot be copied: {several.args[0][0][2]}") from None
            found = manifest(files, listing(files))
            if digest(found) != wanted:
                raise Changed(f"the files in {source} are not those that were approved")
            (aside / _MANIFEST).write_bytes(found)
            _read_only(files)
            aside.chmod(0o755)  # whatever the umask
            _remove(self._folder / wanted)
            aside.replace(self._folder / wanted)
        except BaseException:
            _remove(aside)
            raise


def _entries(known: bytes) -> list[list[str]]:
    """The lists of a manifest."""
    decoder, text, found, at = json.JSONDecoder(), known.decode(), [], 0
    while at < len(text):
        entry, at = decoder.raw_decode(text, at)
        found.append(entry)
    return found


def _read_only(folder: Path) -> None:
    """For everyone to read, for none to write."""
    for place, _, names in os.walk(folder):
        for path in (Path(place) / name for name in names):
            if not path.is_symlink():
                path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)
        Path(place).chmod(0o555)


def _remove(entry: Path) -> None:
    for place, _, _ in os.walk(entry):
        with contextlib.suppress(OSError):
            Path(place).chmod(0o755)
    shutil.rmtree(entry, ignore_errors=True)
