"""Which containers have become ready, kept as empty files: a later host does not ask them a second time."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path


class ContainerReadiness:
    """A file for each container, named by its id. A full disk costs a later host one more question."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, container_id: str) -> None:
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._folder / container_id).touch()

    def __contains__(self, container_id: str) -> bool:
        return (self._folder / container_id).exists()

    def remove(self, container_id: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / container_id).unlink()

    def keep_only(self, ids: Collection[str]) -> None:
        """Forget all others."""
        with contextlib.suppress(OSError):
            for file in self._folder.iterdir():
                if file.name not in ids:
                    self.remove(file.name)
