"""Verdicts are opened one after another, and once for each state of a rollout."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from bot.domain.judge.judge import Outcome
from bot.domain.rollout.events import Acted
from bot.domain.rollout.model import Action
from bot.engine.requests import why as why_requests
from bot.engine.requests.why import VerdictOpener, opened
from tests.support import rollouts
from tests.support.actors import ONCALL


async def test_presses_at_once_take_one_replay_and_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rollouts.engine()
    rollout = await rollouts.soaking(made)
    ticks, replays, at_once = made.judged[rollout.id], [], []
    running = threading.Semaphore(1)

    def counted(*given: object) -> object:
        at_once.append(running.acquire(blocking=False))
        try:
            replays.append(given)
            return opened(*given)  # type: ignore[arg-type]
        finally:
            running.release()

    monkeypatch.setattr(why_requests, "opened", counted)
    opens = VerdictOpener()
    others = [replace(rollout, version=rollout.version + n) for n in range(3)]
    found = await asyncio.gather(*(opens(each, ticks) for each in others * 4))
    assert len(replays) == 3
    assert all(at_once)
    assert {each.rollout.version for each in found} == {each.version for each in others}
    assert found[0].why == opened(rollout, ticks).why


async def test_a_return_to_a_known_good_release_is_not_judged() -> None:
    made = rollouts.engine()
    rollout = await rollouts.deployed(made)
    assert opened(rollout, []).why.sentence == "The judge has not measured this rollout: it had no traffic."
    straight = opened(replace(rollout, known_good=True), [])
    assert straight.why.sentence == "A return to a known-good release is not judged."


async def test_a_rollout_that_people_ended_says_what_ended_it() -> None:
    made = rollouts.engine()
    rollout = await rollouts.soaking(made)
    ended = made.happen(rollout.id, Acted(Action.ROLL_BACK, ONCALL, made.clock.now(), reason="odd logs"))
    why = opened(ended, made.judged[rollout.id]).why
    assert why.outcome is Outcome.INSUFFICIENT
    assert why.note == f"The rollout did not end by this verdict: {ended.outcome}"
    assert "odd logs" in why.note
    assert opened(rollout, made.judged[rollout.id]).why.note == ""


async def test_a_verdict_that_ended_the_rollout_needs_no_such_note() -> None:
    made = rollouts.engine()
    rollout = await rollouts.soaking(made)
    failed = rollouts.measured(made, rollout.id, bad=40)
    assert opened(failed, made.judged[rollout.id]).why.note == ""


async def test_a_rollout_with_too_many_measurements_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rollouts.engine()
    rollout = await rollouts.soaking(made)
    now = rollouts.measured(made, rollout.id)
    monkeypatch.setattr(why_requests, "_MOST_TICKS", 1)
    why = opened(now, made.judged[rollout.id][-1:]).why
    assert (why.note, why.changes) == ("It has more than 1 measurements, too many to replay.", ())
    assert opened(now, made.judged[rollout.id]).why.note == ""


async def test_an_answer_that_is_known_needs_no_ticks_until_the_rollout_changes() -> None:
    made = rollouts.engine()
    rollout = await rollouts.soaking(made)
    opens = VerdictOpener()
    assert opens.known(rollout) is None
    answer = await opens(rollout, made.judged[rollout.id])
    assert opens.known(rollout) is answer
    assert opens.known(replace(rollout, version=rollout.version + 1)) is None
