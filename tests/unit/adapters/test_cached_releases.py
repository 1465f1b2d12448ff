"""Releases of slow sources: asked seldom, by one task, and the older list is shown while the source is slow or away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from bot.adapters.sources.cached import CachedReleases
from bot.adapters.sources.releases import FoundRelease
from bot.ports.errors import Unreachable

LONG_S = 60.0
pytestmark = pytest.mark.virtual_time


@dataclass
class Source:
    """Lists `versions` once `gate` is open; away with `away`."""

    versions: list[str] = field(default_factory=lambda: ["1.0"])
    away: bool = False
    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.gate.set()

    async def look(self) -> Sequence[FoundRelease]:
        self.asked += 1
        await self.gate.wait()
        if self.away:
            raise Unreachable("The registry is away.")
        return [FoundRelease(version) for version in self.versions]

    def kept(self, *, patience_s: float = LONG_S, look_s: float = LONG_S) -> CachedReleases:
        return CachedReleases(
            "shop",
            self.look,
            fresh_s=10.0,
            patience_s=patience_s,
            look_s=look_s,
            monotonic=lambda: self.now,
        )


def versions(found: Sequence[FoundRelease]) -> list[str]:
    return [each.version for each in found]


async def test_a_source_is_asked_again_only_when_its_list_is_old() -> None:
    source = Source()
    kept = source.kept()
    await kept.find()
    source.versions.insert(0, "1.1")
    source.now += 9.9
    assert (versions(await kept.find()), source.asked) == (["1.0"], 1)
    source.now += 0.1
    assert (versions(await kept.find()), source.asked) == (["1.1", "1.0"], 2)


async def test_all_who_wait_share_one_question() -> None:
    source = Source()
    source.gate.clear()
    kept = source.kept()
    waiting = [asyncio.create_task(kept.find()) for _ in range(20)]
    await asyncio.sleep(0)
    source.gate.set()
    assert [versions(await each) for each in waiting] == [["1.0"]] * 20
    assert source.asked == 1


async def test_a_question_goes_on_when_the_one_who_asked_has_left() -> None:
    source = Source()
    source.gate.clear()
    kept = source.kept()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await kept.find()
    source.gate.set()
    assert versions(await kept.find()) == ["1.0"]
    assert source.asked == 1


async def test_the_older_list_is_shown_while_the_source_is_slow() -> None:
    source = Source()
    kept = source.kept(patience_s=0.01)
    await kept.find()
    source.now += 10.0
    source.versions.insert(0, "1.1")
    source.gate.clear()
    assert versions(await kept.find()) == ["1.0"]
    source.gate.set()
    assert versions(await kept.find_now()) == ["1.1", "1.0"]


async def test_the_older_list_is_shown_while_the_source_is_away_and_the_log_says_how_old_it_is() -> None:
    source = Source()
    kept = source.kept()
    await kept.find()
    source.now += 25.0
    source.away = True
    with capture_logs() as lines:
        assert versions(await kept.find()) == ["1.0"]
        assert versions(await kept.find()) == ["1.0"]
    assert lines == [
        {
            "event": "releases_unreachable",
            "log_level": "warning",
            "releases_of": "shop",
            "error": "The registry is away.",
            "list_age_s": 25,
        }
    ]
    assert source.asked == 2  # a source that is away is not asked at every key press


async def test_a_source_that_never_answered_is_unreachable_until_it_does() -> None:
    source = Source(away=True)
    kept = source.kept()
    for _ in range(2):
        with pytest.raises(Unreachable, match="The registry is away"):
            await kept.find()
    assert source.asked == 1
    source.away = False
    source.now += 10.0
    assert versions(await kept.find()) == ["1.0"]


async def test_a_source_that_hangs_is_given_up() -> None:
    source = Source()
    source.gate.clear()
    with pytest.raises(Unreachable, match=r"The releases of shop were not listed in 0\.01 s"):
        await source.kept(look_s=0.01).find()


async def test_what_was_published_a_moment_ago_is_found_when_asked_for() -> None:
    source = Source()
    kept = source.kept()
    await kept.find()
    source.versions.insert(0, "1.1")
    assert versions(await kept.find()) == ["1.0"]
    assert versions(await kept.find_now()) == ["1.1", "1.0"]
    source.away = True
    with pytest.raises(Unreachable):
        await kept.find_now()
    assert versions(await kept.find()) == ["1.1", "1.0"]
