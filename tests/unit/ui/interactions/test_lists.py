"""Lists always fit into a message, and say what they leave out."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.rollout.model import Lane, Observed, Readiness, Running, RunState
from bot.engine.api import DryRun, LaneStatus, Lock, PreflightFinding, RolloutSummary
from bot.ui import escaping
from bot.ui.errors import Reply
from bot.ui.interactions import lists
from bot.ui.interactions.lists import BacktestButton, PageButton, lane_of, page_of
from tests.support import rollouts
from tests.support.components import payload, said


def shown(reply: Reply) -> str:
    assert reply.view is not None
    assert reply.view.total_children_count <= 40
    found = said(reply.view)
    assert escaping.units(found) <= 4000
    payload(reply.view)
    return found


def status_of(n: int) -> LaneStatus:
    return LaneStatus(
        replace(rollouts.PRODUCTION, service=f"service-{n:02}"),
        "1.4.0",
        True,
        None,
        "connection refused",
        None,
        None,
    )


def test_forty_lanes_fit_and_the_rest_is_counted() -> None:
    found = shown(lists.status([status_of(n) for n in range(60)], rollouts.NOW))
    assert "service-00" in found
    assert "more" in found
    assert "connection refused" in found


def test_nothing_to_show_is_said() -> None:
    assert "no service of the catalog belongs to this server" in lists.status([], rollouts.NOW).content
    assert "yet" in lists.history([], None, None, first=True).content
    assert "older" in lists.history([], None, None, first=False).content


async def test_a_lane_shows_what_runs_what_is_under_way_and_what_is_wrong() -> None:
    rollout = await rollouts.soaking(rollouts.engine())
    observed = Observed(
        3, (Running("d", "1.4.0", RunState.READY, 95), Running("e", "1.5.0", RunState.READY, 5, restarts=2))
    )
    lock = Lock(rollouts.PRODUCTION, 1, "Lead", "fair", rollouts.NOW, rollouts.later(60))
    lane = LaneStatus(rollouts.PRODUCTION, "1.4.0", True, observed, "", rollout, lock, "weight is 7, not 5")
    found = shown(lists.status([lane], rollouts.NOW))
    for word in (
        "known good",
        "Soaking at 5%",
        "1.5.0 ready 5%, 2 restarts",
        "locked by Lead",
        "drift",
        "fair",
    ):
        assert word in found


def test_a_page_has_a_way_to_the_next_only_if_there_is_one() -> None:
    one = RolloutSummary(
        9,
        rollouts.PRODUCTION,
        None,
        "1.5.0",
        "rolled_back",
        "Dev",
        "sale",
        "It failed.",
        rollouts.NOW,
        rollouts.later(75),
    )
    full = lists.history([replace(one, id=n) for n in range(20, 11, -1)], "checkout", None, first=True)
    assert "rolled back" in shown(full) and "took 75 s" in shown(full) and "#12" not in shown(full)
    assert full.view is not None
    buttons = [i for i in full.view.walk_children() if isinstance(i, PageButton)]
    assert [page_of(b.custom_id or "") for b in buttons] == [(13, "checkout", None)]
    last = lists.history([one], None, None, first=True)
    assert last.view is not None and not [i for i in last.view.walk_children() if isinstance(i, PageButton)]
    assert PageButton.older(1, "s" * 90, None) is None
    assert page_of("slipway:1:2:approve:") is None


def test_a_button_for_a_backtest_names_its_lane_or_is_left_out() -> None:
    button = BacktestButton.of(Lane("checkout", "production"))
    assert button is not None and lane_of(button.custom_id or "") == Lane("checkout", "production")
    assert BacktestButton.of(Lane("s" * 90, "production")) is None
    assert BacktestButton.of(Lane("a:b", "production")) is None
    assert lane_of("slipway-older:1::") is None and lane_of("slipway:1:2:approve:") is None


def test_a_dry_run_puts_what_is_in_the_way_first() -> None:
    plan = DryRun(
        rollouts.PRODUCTION,
        rollouts.RELEASES[2],
        rollouts.RELEASES[1],
        ("verify", "5% of traffic"),
        Readiness("1.4.0", False, rollouts.NOW),
        (
            PreflightFinding("lock", True, "There is none."),
            PreflightFinding("prerequisite", False, "1.5.0 never ran in staging."),
        ),
    )
    found = shown(lists.dry_run(plan))
    assert found.index("prerequisite") < found.index("**lock**")
    assert "1 check failed" in found
    assert "which must be started first" in found
