"""Counts of a lane's releases, kept for a while after a release is gone, since the judge may still read them."""

from __future__ import annotations

from collections.abc import Container, Iterator

from bot.adapters.routers.counts import InstanceCounts
from bot.adapters.targets.process.host.store import StateStore
from bot.domain.rollout.model import Lane, Release

_KEPT = 8


class CounterStore:
    """Counts by digest and instance, the most recently used last."""

    def __init__(self, lane: Lane, store: StateStore) -> None:
        self._lane = lane
        self._store = store
        self._counts: dict[tuple[str, int], InstanceCounts] = {}
        self._versions: dict[str, str] = {}

    def of(self, release: Release, index: int) -> InstanceCounts:
        key = (release.digest, index)
        self._versions[release.digest] = release.version
        counts = self._counts.pop(key, None) or InstanceCounts(self._store.counts(self._lane, *key))
        self._counts[key] = counts
        return counts

    def rows(self) -> Iterator[tuple[str, str, int, InstanceCounts]]:
        """Rows of `(digest, version, instance, counts)`."""
        for (digest, index), counts in self._counts.items():
            yield digest, self._versions[digest], index, counts

    def forget(self, running: Container[str]) -> None:
        """Drop all but the most recent counts, never those of a digest in `running`."""
        for key in list(self._counts)[: max(0, len(self._counts) - _KEPT)]:
            if key[0] not in running:
                self._counts.pop(key).close()
                self._store.counts(self._lane, *key).unlink(missing_ok=True)
