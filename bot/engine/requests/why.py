"""Verdicts opened for `/why`: the rollout and the ticks that are kept of it, replayed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from bot.domain import phrasebook
from bot.domain.formatting import count
from bot.domain.judge.history.replay import JudgedTick
from bot.domain.judge.verdict import Outcome
from bot.domain.judge.why import Why, explained
from bot.domain.rollout.model import Identity, Phase, Rollout
from bot.engine.api import OpenedVerdict
from bot.ports.store import Store

# A day of looks every 5 s, or five hours of one every second.
_MOST_TICKS = 20_000
_Key = tuple[Identity, int, str]
_REMEMBERED = 16  # answers; the one asked for longest ago is forgotten first


class VerdictOpener:
    """Opens verdicts one after another, outside the event loop, and remembers the last ones."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._known: OrderedDict[_Key, OpenedVerdict] = OrderedDict()

    def known(self, rollout: Rollout) -> OpenedVerdict | None:
        """The answer for the rollout as it is, if it was given lately; then its ticks need not be read."""
        return self._known.get(_key(rollout))

    async def __call__(self, rollout: Rollout, ticks: Sequence[JudgedTick]) -> OpenedVerdict:
        key = _key(rollout)
        async with self._turn:
            found = self._known.get(key)
            if found is None:
                found = self._known[key] = await asyncio.to_thread(opened, rollout, ticks)
            self._known.move_to_end(key)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return found


def _key(rollout: Rollout) -> _Key:
    return rollout.identity, rollout.version, rollout.stamp


def opened(rollout: Rollout, ticks: Sequence[JudgedTick]) -> OpenedVerdict:
    """Why the judge said what it said. May take seconds of processor time for a long rollout."""
    state, said = rollout.judge_state, rollout.verdict
    if state is None or state.at is None:
        if rollout.known_good:
            return OpenedVerdict(rollout, Why(None, "A return to a known-good release is not judged."))
        return OpenedVerdict(
            rollout, Why(None, "The judge has not measured this rollout: it had no traffic.")
        )
    why = explained(rollout.policy.judge, ticks, state, said, over=rollout.phase.final)
    if len(ticks) >= _MOST_TICKS and not why.blocks:
        why = replace(why, note=f"It has more than {count(_MOST_TICKS)} measurements, too many to replay.")
    if not _agree(rollout.phase, why):
        ended = f"The rollout did not end by this verdict: {rollout.outcome}"
        why = replace(why, note=f"{why.note} {ended}".strip())
    return OpenedVerdict(rollout, why)


def _agree(phase: Phase, why: Why) -> bool:
    """Whether the verdict led to where the rollout is; it has led nowhere yet while it is under way."""
    if phase is Phase.SUCCEEDED:
        return why.outcome is Outcome.PASS
    ends = phase.final or phase in (Phase.ROLLING_BACK, Phase.HALTED)
    return not ends or why.outcome is Outcome.FAIL


async def read(store: Store, rollout_id: int) -> tuple[Rollout, Sequence[JudgedTick]]:
    """The rollout, and the ticks that are kept of it. Raises `UserError` when there is none."""
    loaded = await store.rollouts.load(rollout_id)
    if loaded is None:
        raise phrasebook.no_rollout(rollout_id)
    return loaded.rollout, await ticks_of(store, loaded.rollout)


async def ticks_of(store: Store, rollout: Rollout) -> Sequence[JudgedTick]:
    """The ticks that are kept of the rollout."""
    return await store.history.judged(rollout.id, _MOST_TICKS)
