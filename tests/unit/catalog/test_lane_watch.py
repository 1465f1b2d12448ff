"""`watch:` of a lane: rules to begin with, rules of one's own, and mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.judge.rules import parse_rule
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.lane import LaneWatch
from bot.domain.watch.rules import PROFILES, WatchRule
from tests.support.catalog_files import SOUND, check, load, write


def text(watch: str) -> str:
    return SOUND.replace("\ndefaults:\n", f"\ndefaults:\n  watch: {watch}\n")


def watched(folder: Path, watch: str) -> LaneWatch:
    return load(write(folder, all=text(watch))).lanes[Lane("checkout", "production")].watch


def mistakes(folder: Path, watch: str) -> list[str]:
    _, found = check(write(folder, all=text(watch)))
    return [f"{each.key}: {each.sentence} {each.hint}".rstrip() for each in found]


def names(watch: LaneWatch) -> list[str]:
    return [rule.name for rule in watch.rules]


def test_a_lane_is_watched_without_a_word_and_rolls_nothing_back(tmp_path: Path) -> None:
    catalog = load(write(tmp_path, all=SOUND))
    for lane in catalog.lanes.values():
        assert lane.watch.rules == PROFILES["standard"](lane.policy.judge, ())
        assert not lane.watch.rolls_back


def test_rules_are_added_replaced_and_removed_by_name(tmp_path: Path) -> None:
    found = watched(
        tmp_path,
        '{rules: {slow: "p99 > 1s over 5m", outage: null, '
        'checkout: {rule: ["error_rate > 2% over 1h", "error_rate > 2% over 5m"], severity: P1, '
        "after_deploy: 10m, rollback: true}}, rollback: enabled, settle: 5m, blame: 2h}",
    )
    by_name = {rule.name: rule for rule in found.rules}
    assert "outage" not in by_name
    assert by_name["slow"] == WatchRule("slow", ((parse_rule("p99 > 1s over 5m"),),))
    conditions = (parse_rule("error_rate > 2% over 1h"), parse_rule("error_rate > 2% over 5m"))
    assert by_name["checkout"] == WatchRule("checkout", (conditions,), Severity.CRITICAL, 600.0, True)
    assert (found.rolls_back, found.alerts.settle_s, found.alerts.blame_s) == (True, 300.0, 7200.0)


def test_the_profile_of_a_switch_has_the_wider_and_quicker_rules_too(tmp_path: Path) -> None:
    more = set(names(watched(tmp_path, "{profile: blue_green}"))) - set(names(watched(tmp_path, "{}")))
    assert more == {"errors after a switch", "slow after a switch", "health after a switch"}
    assert names(watched(tmp_path, "{profile: none}")) == []


@pytest.mark.parametrize(
    ("watch", "said"),
    [
        ('{rules: {a: "error_rate > 2 over 5m"}}', "is not a percentage"),
        ('{rules: {a: "gateway disconnected for 2m"}}', 'nothing in checkout/production says "gateway'),
        ('{rules: {a: "health check failing for 30s"}}', "Add a critical check that is asked often"),
        ('{rules: {a: "orders > 1% over 5m"}}', 'reads "orders". Add it to extra:'),
        ('{rules: {a: "any P1 alert firing"}}', "is an alert already. Add after_deploy: and rollback: true."),
        (
            '{rules: {a: {rule: "any bad alert firing", after_deploy: 5m, rollback: true}}}',
            '"bad" is no severity.',
        ),
        (
            '{rules: {a: {rule: "any alert firing for 2m", after_deploy: 5m, rollback: true}}}',
            "stands alone and has no time",
        ),
        ("{rules: {a: []}}", "a rule needs a condition."),
        ("{rules: {outages: null}}", 'there is no rule "outages" to remove.'),
        ('{rules: {a: {rule: "p99 > 1s", severity: purple}}}', "severity"),
        ("{rollback: yes please}", "rollback"),
        ("{settle: -5m}", "settle"),
    ],
)
def test_mistakes_have_a_sentence(tmp_path: Path, watch: str, said: str) -> None:
    found = mistakes(tmp_path, watch)
    assert any(said in each for each in found), found


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = mistakes(tmp_path, '{rules: {a: "error_rate > 2", b: "p99 > fast", c: null}}')
    assert len(found) >= 3
