"""What a card says in each state, and that Discord takes it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.judge.evidence.ticks import Tick
from bot.domain.judge.judge import Outcome, Reason, Verdict
from bot.domain.judge.verdict import SICK
from bot.domain.rollout.changes import Changes
from bot.domain.rollout.events import Acted, Applied, ApplyFailed, Delayed, Measured
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import FINAL, PHASE_MEANS, Action, Phase, Plan, Readiness, Rollout
from bot.domain.rollout.steps import Shift, Soak
from bot.engine.api import RolloutView
from bot.ui import escaping
from bot.ui.buttons import LABEL, Press, PressButton
from bot.ui.cards.card import CHART_FILE, CardPosition, draw, marker, pointer
from bot.ui.cards.phases import COLOUR, SHAPE, step_row
from tests.fakes.engine import FakeEngine
from tests.support import rollouts
from tests.support.components import payload, said
from tests.support.discord_specs import request_errors


def labels(view: discord.ui.LayoutView) -> list[str]:
    return [LABEL[i.press.action] for i in view.walk_children() if isinstance(i, PressButton)]


async def drawn(engine: FakeEngine, rollout: Rollout, **more: Any) -> discord.ui.LayoutView:
    seen = replace(await engine.view(rollout.id), rollout=rollout)
    return draw(seen, engine.clock.now(), **more).view


async def in_every_phase() -> dict[Phase, tuple[FakeEngine, Rollout]]:
    """A rollout in each phase, got there by events."""
    found: dict[Phase, tuple[FakeEngine, Rollout]] = {}

    async def at(environment: str = "production") -> tuple[FakeEngine, Rollout]:
        engine = rollouts.engine()
        return engine, await rollouts.soaking(engine, environment)

    def keep(engine: FakeEngine, rollout: Rollout) -> None:
        found[rollout.phase] = (engine, rollout)

    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine)
    keep(engine, rollout)
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine)
    keep(engine, rollouts.started(engine, rollout.id))
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine)
    rollouts.started(engine, rollout.id)
    keep(engine, rollouts.approved(engine, rollout.id))
    engine, rollout = await at()
    keep(engine, rollout)
    engine, rollout = await at()
    keep(engine, rollouts.measured(engine, rollout.id, 200, 60))
    keep(engine, rollouts.serving(engine, rollout.id))
    engine, rollout = await at()
    rollout = rollouts.measured(engine, rollout.id, 200, 60)
    keep(
        engine,
        engine.happen(rollout.id, ApplyFailed(rollout.generation, engine.clock.now(), "gone", unsafe=True)),
    )
    engine, rollout = await at()
    keep(engine, rollouts.measured(engine, rollout.id, 1))
    for _ in range(3):
        rollout = rollouts.measured(engine, rollout.id, 200)
        if rollout.phase is Phase.SHIFTING:
            rollout = rollouts.serving(engine, rollout.id)
            break
    keep(engine, rollout)
    for _ in range(4):
        if rollout.phase is Phase.OBSERVING:
            rollout = rollouts.measured(engine, rollout.id, 500)
    while not rollout.phase.final:
        rollout = rollouts.serving(engine, rollout.id)
    keep(engine, rollout)
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine)
    rollouts.started(engine, rollout.id)
    no = Acted(Action.REJECT, rollouts.LEAD, engine.clock.now(), reason="not today")
    keep(engine, engine.happen(rollout.id, no))
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine)
    keep(
        engine,
        engine.happen(rollout.id, ApplyFailed(rollout.generation, engine.clock.now(), "died at start")),
    )
    engine, rollout = await at()
    for _ in range(8):
        if rollout.phase is Phase.SOAKING:
            engine.clock.forward(30)  # type: ignore[attr-defined]
            now = engine.clock.now()
            tick = Tick(now.timestamp(), 30.0, {}, errors=("connection refused",))
            rollout = engine.happen(rollout.id, Measured(now, tick))
    keep(engine, rollout)
    return found


@pytest.fixture
async def phases() -> dict[Phase, tuple[FakeEngine, Rollout]]:
    return await in_every_phase()


def test_every_phase_has_a_shape_a_word_and_a_colour() -> None:
    assert set(SHAPE) == set(COLOUR) == set(PHASE_MEANS) == set(Phase)
    assert len(set(SHAPE.values())) == len(Phase)


async def test_every_phase_draws_within_discords_limits(
    phases: dict[Phase, tuple[FakeEngine, Rollout]],
) -> None:
    assert set(phases) == set(Phase)
    for phase, (engine, rollout) in phases.items():
        view = await drawn(engine, rollout, place=CardPosition(2, 99, True), chart=True)
        assert view.total_children_count <= 40, phase
        assert escaping.units(said(view)) <= 4000, phase
        assert rollout.lane.service in said(view)
        assert rollout.candidate.version in said(view)
        expected = {LABEL[a] for a in machine.allowed_actions(rollout, engine.clock.now())}
        assert set(labels(view)) == expected, phase
        assert len(labels(view)) == len(set(labels(view)))


async def test_finished_cards_say_how_it_ended_and_have_no_buttons(
    phases: dict[Phase, tuple[FakeEngine, Rollout]],
) -> None:
    for phase in FINAL:
        engine, rollout = phases[phase]
        view = await drawn(engine, rollout)
        assert labels(view) == []
        assert "Ended <t:" in said(view)
    assert "not today" in said(await drawn(*phases[Phase.CANCELLED]))


async def test_a_gate_says_who_may_how_many_and_until_when(
    phases: dict[Phase, tuple[FakeEngine, Rollout]],
) -> None:
    shown = said(await drawn(*phases[Phase.GATED]))
    assert "Approvals: 0 of 1" in shown
    assert "release-manager" in shown
    assert "Expires <t:" in shown
    assert "Rollback:** to `1.4.0` in seconds: it is still running" in shown
    assert shown.index("Approvals") < shown.index("verify")


async def test_a_gate_says_why_it_needs_one_approval_more(
    phases: dict[Phase, tuple[FakeEngine, Rollout]],
) -> None:
    engine, gated = phases[Phase.GATED]
    engine.edit(gated.id, lambda rollout: replace(rollout, extra_approvals=1))
    try:
        shown = said(await drawn(engine, engine.rollouts[gated.id]))
    finally:
        engine.edit(gated.id, lambda _: gated)
    assert "Approvals: 0 of 2" in shown
    assert "Needs 1 approval, and one more because the catalog does not say which person" in shown


async def test_a_hold_says_why_and_what_happens_if_no_one_acts(
    phases: dict[Phase, tuple[FakeEngine, Rollout]],
) -> None:
    engine, rollout = phases[Phase.HELD]
    shown = said(await drawn(engine, rollout))
    assert "**Reason:** " in shown
    assert "If no one acts, it is rolled back <t:" in shown
    assert {"Roll back", "Promote", "Extend"} <= set(labels(await drawn(engine, rollout)))


async def test_a_failing_judge_shows_value_limit_and_samples(
    phases: dict[Phase, tuple[FakeEngine, Rollout]],
) -> None:
    shown = said(await drawn(*phases[Phase.ROLLING_BACK]))
    assert "Judge: FAIL" in shown
    assert "15% of requests failed (60 of 400), limit 1%" in shown
    assert "❌ **errors**" in shown


async def test_a_sick_instance_is_named_and_the_judge_is_not_said_to_lack_evidence(
    phases: dict[Phase, tuple[FakeEngine, Rollout]],
) -> None:
    engine, rollout = phases[Phase.HELD]
    said_of_it = "10.0.0.3:8001, 1 of 4 instances, is sick: 2% of its requests failed"
    reasons = (Reason(SICK, Outcome.INSUFFICIENT, said_of_it), Reason("errors", Outcome.PASS, "0.5%"))
    shown = said(await drawn(engine, replace(rollout, verdict=Verdict(Outcome.INSUFFICIENT, reasons))))
    assert "**Judge: sick instance**" in shown
    assert f"⏳ **instances** {said_of_it}" in shown
    ignored = (replace(reasons[0], enforced=False), reasons[1])
    shown = said(await drawn(engine, replace(rollout, verdict=Verdict(Outcome.INSUFFICIENT, ignored))))
    assert "**Judge: not enough evidence yet**" in shown
    assert f"{said_of_it} *(not enforced)*" in shown


async def test_a_pause_says_by_whom_and_what_still_acts() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.soaking(engine)
    rollout = engine.happen(
        rollout.id, Acted(Action.PAUSE, rollouts.LEAD, engine.clock.now(), reason="lunch")
    )
    shown = said(await drawn(engine, rollout))
    assert "Paused** by lead" in shown
    assert "lunch" in shown
    assert "Roll back** still work" in shown
    assert "Resume" in labels(await drawn(engine, rollout))


def test_the_row_marks_what_is_done_what_is_now_and_where_it_ended() -> None:
    engine = rollouts.engine()
    plan = rollouts.lane_config(rollouts.PRODUCTION, gated=True).plan
    rollout = Rollout(
        id=1,
        guild_id=1,
        lane=rollouts.PRODUCTION,
        stable=None,
        candidate=rollouts.RELEASES[1],
        plan=plan,
        policy=rollouts.POLICY,
        requester=rollouts.DEV,
        reason="",
        seal="",
        phase=Phase.SOAKING,
        created_at=engine.clock.now(),
        step=3,
    )
    assert step_row(rollout) == "✓ verify › ✓ approval › ✓ 5% › **▸ soak 10 s** › 100% › observe 10 s"
    assert "**✗ soak 10 s**" in step_row(replace(rollout, phase=Phase.ROLLED_BACK))
    long = Plan("long", tuple(s for w in range(1, 40) for s in (Shift(w), Soak(5))))
    row = step_row(replace(rollout, plan=long, step=30))
    assert row.startswith("…") and row.endswith("…") and "**▸ 16%**" in row


async def test_no_way_back_is_said_before_anybody_approves() -> None:
    engine = rollouts.engine()
    engine.stable = {}
    rollout = await rollouts.deployed(engine)
    rollout = engine.edit(rollout.id, lambda r: replace(r, readiness=Readiness(None, False, None)))
    assert "No rollback possible" in said(await drawn(engine, rollout))


async def test_equal_states_draw_equal_cards_and_numbers_do_not_change_the_shape() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.soaking(engine)
    seen = await engine.view(rollout.id)
    one, two = draw(seen, engine.clock.now()), draw(seen, engine.clock.now())
    assert (one.digest, one.shape) == (two.digest, two.shape)
    trials = rollout.judge_state.trials if rollout.judge_state else ()
    counted = replace(rollout.judge_state, trials=tuple(replace(t, total=t.total + 7) for t in trials))
    three = draw(replace(seen, rollout=replace(rollout, judge_state=counted)), engine.clock.now())
    assert three.digest != one.digest
    assert three.shape == one.shape


HOSTILE = st.text(max_size=4000) | st.sampled_from(
    ["@everyone <@1> **x** [a](https://b.c) `" * 100, "\n# x" * 900]
)


@settings(max_examples=40, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_words_of_anybody_break_a_card(reason: str, version: str, name: str) -> None:
    rollout = Rollout(
        id=10**9,
        guild_id=1,
        lane=rollouts.PRODUCTION,
        stable=None,
        candidate=replace(rollouts.RELEASES[1], version=version or "v"),
        plan=rollouts.lane_config(rollouts.PRODUCTION, gated=True).plan,
        policy=rollouts.POLICY,
        requester=replace(rollouts.DEV, name=name, id=0),
        reason=reason,
        seal="ab" * 32,
        phase=Phase.GATED,
        created_at=rollouts.NOW,
        step=1,
        outcome=reason,
        deadline=rollouts.later(60),
    )
    view = draw(RolloutView(rollout, [], [], None), rollouts.NOW).view
    shown = said(view)
    assert escaping.units(shown) <= 4000
    assert "@everyone" not in shown
    # In a code span nothing is a link.
    assert "](http" not in re.sub(r"`[^`\n]*`", "", shown)
    json.dumps(payload(view)).encode()
    assert "Approvals: 0 of 1" in shown


def test_ids_survive_a_round_trip_and_fit() -> None:
    press = Press(10**14, 99, Action.ROLL_BACK, "ab" * 32)
    assert len(press.custom_id) <= 100
    assert Press.parse(press.custom_id) == press
    sure = replace(press, confirmed=True)
    assert len(sure.custom_id) <= 100
    assert sure.custom_id != press.custom_id
    assert Press.parse(sure.custom_id) == sure
    for wrong in (
        "",
        "slipway:1:2:teleport:",
        "slipway:1:2:approve:zz",
        "x" + press.custom_id,
        press.custom_id + "x",
    ):
        assert Press.parse(wrong) is None


def test_a_pointer_names_the_new_place_and_keeps_its_mark() -> None:
    engine = rollouts.engine()
    rollout = Rollout(
        1, 1, rollouts.STAGING, None, rollouts.RELEASES[0], Plan("p", ()), rollouts.POLICY, rollouts.DEV, "", "",
        Phase.SOAKING, engine.clock.now(),
    )  # fmt: skip
    shown = said(pointer(rollout, "https://discord.com/channels/1/2/3", 1))
    assert "https://discord.com/channels/1/2/3" in shown
    assert shown.endswith(marker(1, 1))


async def test_payloads_fit_discords_own_description(phases: dict[Phase, tuple[FakeEngine, Rollout]]) -> None:
    for engine, rollout in phases.values():
        view = await drawn(engine, rollout, chart=True)
        body = {
            "components": payload(view),
            "flags": 1 << 15,
            "nonce": "card-1-1",
            "enforce_nonce": True,
            "attachments": [{"id": "0", "filename": CHART_FILE}],
        }
        assert request_errors("POST", "/channels/1/messages", body) == [], rollout.phase


async def test_who_approves_commands_sees_what_changes_dangers_in_words() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine)
    changes = ["DANGER: old: deleted for everyone", "created: /wave, /greet"]
    candidate = replace(rollout.candidate, spec={"changes": changes})
    found = said(await drawn(engine, replace(rollout, candidate=candidate)))
    assert "⚠️ DANGER: old: deleted" in found
    assert "• created: /wave, /greet" in found


async def test_hostile_authors_and_problems_mention_and_format_nothing() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.deployed(engine)
    evil = "@everyone <@1> **[x](https://evil.example)** ||`"
    link = "https://github.com/acme/shop/compare/a...b"
    for changes in (
        Changes("a" * 40, "b" * 40, added=9, removed=0, authors=(evil,) * 5, others=10**6, link=link),
        Changes("a" * 40, "b" * 40, problem=evil * 9, link=link),
        Changes("", evil, link=""),
    ):
        text = said(await drawn(engine, replace(rollout, changes=changes)))
        line = next(line for line in text.splitlines() if line[:1] in "📝⚠")
        assert "@everyone" not in line and "<@1>" not in line
        assert "[x](" not in line and "**[" not in line
        assert line.endswith(f"[compare]({link})") is bool(changes.link)
        assert len(line) < 700


async def test_what_cannot_be_undone_is_said_wherever_people_decide() -> None:
    engine = rollouts.engine()
    rollout = rollouts.started(engine, (await rollouts.deployed(engine)).id)
    assert rollout.stable is not None
    evil = "@everyone drops [all](https://evil.example)"
    marked = replace(rollout.candidate, irreversible=evil)
    shown = said(await drawn(engine, replace(rollout, candidate=marked)))
    assert "⚠️ 1.5.0 is irreversible: " in shown
    assert "that needs a person." in shown
    assert "@everyone" not in shown
    assert "](https" not in shown
    before = replace(rollout.stable, irreversible="drops the table coupons")
    back = Changes("b" * 40, "a" * 40, added=0, removed=3)
    for changes, known_good, told in ((None, True, True), (back, False, True), (None, False, False)):
        now = replace(rollout, stable=before, changes=changes, known_good=known_good)
        assert ("⚠️ 1.4.0 is irreversible: drops the table coupons." in said(await drawn(engine, now))) is told
    past = "1.3.9 is irreversible: [sends](https://evil.example) letters."
    shown = said(await drawn(engine, replace(rollout, stable=before, known_good=True, undone=past)))
    assert "⚠️ 1.3.9 is irreversible: " in shown and "1.4.0 is irreversible" not in shown
    assert "](https" not in shown


async def test_card_says_what_the_target_is_doing_while_it_is_waited_for() -> None:
    engine = rollouts.engine()
    begun = await rollouts.deployed(engine)
    now, why = engine.clock.now(), "1.5.0 is starting: pulling 45 of 120 MB of checkout@sha256:12ab34cd5678"
    told = engine.happen(begun.id, Delayed(begun.generation, now, why))
    assert f"\n⏳ Waiting: {why}.\n" in said(await drawn(engine, told))
    before, after = [draw(replace(await engine.view(1), rollout=one), now) for one in (begun, told)]
    assert (before.shape, before.digest != after.digest) == (after.shape, True), (
        "as numbers, it may wait for its turn"
    )
    ready = engine.happen(begun.id, Applied(begun.generation, now, 0))
    assert "Waiting:" not in said(await drawn(engine, ready))
