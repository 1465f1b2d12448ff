"""A split as HAProxy runs it: a map from each hundredth of the users to a slot, and the slots' releases. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from bot.adapters.routers.haproxy.config import SLOTS, release_key
from bot.ports.data_plane.routers import Split
from bot.ports.errors import TargetRefused

_SPLIT = TypeAdapter(Split)
_MADE_OF = "split"
_SLOT = "slot"


@dataclass(frozen=True, slots=True)
class Slot:
    """Who has a slot. `lost_before`: requests that the slot had lost before (`counting.lost`)."""

    release: str
    lost_before: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """What a map says. `split`: None before the first. `shares`: hundredths by release."""

    split: Split | None = None
    slots: Mapping[int, Slot] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)

    def slot(self, release: str) -> int:
        return next(number for number, slot in self.slots.items() if slot.release == release)

    @property
    def weights(self) -> dict[str, int]:
        """By digest, as the map has them."""
        shares = self.split.shares if self.split is not None else ()
        return {share.digest: self.shares.get(release_key(share.digest), 0) for share in shares}


def lines(placed: Placed) -> list[str]:
    """The map's entries. Raises `KeyError` for a release without a slot."""
    split = placed.split
    assert split is not None
    found = [f"{_SLOT}{number} {slot.release} {slot.lost_before}" for number, slot in placed.slots.items()]
    number = 0
    # In a constant order, so that a growing share keeps everyone that it had.
    for share in sorted(split.shares, key=lambda share: share.digest):
        release = release_key(share.digest)
        slot_of = placed.slot(release)
        found += [f"{place} {slot_of} {release}" for place in range(number, number + share.weight)]
        number += share.weight
    return [*found, f"{_MADE_OF} {_SPLIT.dump_json(split).decode()}"]


def parse(entries: Iterable[str]) -> Placed:
    """What entries of a map say, as `lines` wrote them. Raises ValueError."""
    split: Split | None = None
    slots: dict[int, Slot] = {}
    shares: Counter[str] = Counter()
    for entry in entries:
        key, _, value = entry.partition(" ")
        if key == _MADE_OF:
            split = _SPLIT.validate_json(value)
        elif key.startswith(_SLOT):
            release, before = value.split(" ")
            slots[int(key.removeprefix(_SLOT))] = Slot(release, int(before))
        else:
            shares[value.split(" ")[1]] += 1
    return Placed(split, slots, shares)


def taken(before: Placed, split: Split, busy: Container[int]) -> dict[int, str]:
    """Slots for the releases of `split` that have none, by number: free ones, else of releases that have left.

    busy: slots with requests in flight. Raises `TargetRefused` when no slot is to be had.
    """
    releases = [release_key(share.digest) for share in split.shares]
    had = {slot.release for slot in before.slots.values()}
    free = [number for number in range(SLOTS) if number not in before.slots]
    free += [n for n, slot in before.slots.items() if slot.release not in releases and n not in busy]
    new = [release for release in releases if release not in had]
    if len(new) > len(free):
        raise TargetRefused(
            f"All {SLOTS} slots of this lane's HAProxy have releases with requests in flight."
        )
    return dict(zip(free, new, strict=False))


def restarted(placed: Placed) -> Placed:
    """The same for an HAProxy that starts, which has lost nothing yet."""
    return Placed(placed.split, {n: Slot(slot.release) for n, slot in placed.slots.items()}, placed.shares)
