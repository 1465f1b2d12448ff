"""Users of releases: a user id and a folder for each lane, where the host is root.

The ids are numbers without an account, as those of systemd's `DynamicUser`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.lane_files import folder_name, write_atomically
from bot.domain.rollout.model import Lane

# Between the accounts of a system and the ids that useradd gives to containers.
DEFAULT_IDS = range(70_000, 80_000)


@dataclass(frozen=True, slots=True)
class LaneUser:
    """Who a lane's releases are: user and group of the same id. home: the one folder that is theirs."""

    id: int
    home: Path

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """`base` without what belongs to the host's user."""
        kept = {key: base[key] for key in ("PATH", "TZ", "LANG", "LANGUAGE") if key in base}
        locale = {key: value for key, value in base.items() if key.startswith("LC_")}
        return {**kept, **locale, "HOME": str(self.home)}


class LaneUsers:
    """Ids by lane, saved in `file` before they are used: no two lanes share one, and none is used again.

    homes: folder of their folders. owner: mark of this host; those of two hosts begin at different places of `ids`.
    """

    def __init__(self, file: Path, homes: Path, owner: str, ids: range = DEFAULT_IDS) -> None:
        self._file = file
        self._homes = homes
        self._owner = owner
        self._ids = ids
        self._taken: dict[str, int] | None = None
        self._giving = asyncio.Lock()

    async def of(self, lane: Lane) -> LaneUser:
        """The lane's user, with its folder. Raises OSError when it cannot be saved, or no id is left."""
        async with self._giving:
            return await asyncio.to_thread(self._of, lane)

    def known(self, lane: Lane) -> int | None:
        """The id that the lane has."""
        return self._read().get(folder_name(lane))

    def _of(self, lane: Lane) -> LaneUser:
        name = folder_name(lane)
        taken = self._read()
        if name not in taken:
            given = {**taken, name: self._free(name, set(taken.values()))}
            write_atomically(self._file, json.dumps(given, indent=1).encode())
            self._taken = taken = given
        home = self._homes / name
        reachable(self._homes)
        home.mkdir(mode=0o700, exist_ok=True)
        os.chown(home, taken[name], taken[name], follow_symlinks=False)
        return LaneUser(taken[name], home)

    def _read(self) -> dict[str, int]:
        if self._taken is None:
            self._taken = {}
            with contextlib.suppress(FileNotFoundError):
                self._taken = json.loads(self._file.read_bytes())
        return self._taken

    def _free(self, name: str, taken: set[int]) -> int:
        begin = int.from_bytes(hashlib.blake2b(f"{self._owner} {name}".encode(), digest_size=8).digest())
        for step in range(len(self._ids)):
            found = self._ids[(begin + step) % len(self._ids)]
            if found not in taken and not _has_account(found):
                return found
        raise OSError(f"no user id between {self._ids[0]} and {self._ids[-1]} is left")


def reachable(folder: Path) -> None:
    """Make a folder that other users can pass through but not list, as the one above it; and reach both."""
    for place in (folder.parent, folder):
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
    for place in (folder, folder.parent, folder.parent.parent):
        mode = stat.S_IMODE(place.stat().st_mode)
        if not mode & stat.S_IXOTH:
            place.chmod(mode | stat.S_IXOTH)


def closed_to(user: int, path: Path) -> Path | None:
    """The first folder above `path`, links followed, through which another user may not pass."""
    for place in reversed((path / "x").resolve().parents):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found = place.stat()
            bit = stat.S_IXUSR if found.st_uid == user else stat.S_IXOTH
            if stat.S_ISDIR(found.st_mode) and not found.st_mode & bit:
                return place
    return None


def _has_account(user: int) -> bool:
    with contextlib.suppress(KeyError):
        pwd.getpwuid(user)
        return True
    return False
