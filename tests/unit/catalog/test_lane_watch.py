"""`watch:` of a lane: rules to begin with, rules of one's own, and mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.judge.rules import parse_rule
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.escalation import STEPS, EscalationStep
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.default_rules import PROFILES
from bot.domain.watch.incidents.targets import ResponseTarget
from bot.domain.watch.lane import LaneWatch
from bot.domain.watch.rules import WatchRule
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


def test_alerts_of_a_lane_link_to_its_runbook_and_those_of_a_rule_to_its_own(tmp_path: Path) -> None:
    own = '{rule: "error_rate > 2% over 1h", runbook: "https://runbooks.example.com/errors"}'
    found = watched(tmp_path, f'{{runbook: "https://runbooks.example.com/checkout", rules: {{own: {own}}}}}')
    runbooks = {rule.name: rule.runbook for rule in found.rules}
    assert (found.runbook, runbooks["own"], runbooks["outage"]) == (
        "https://runbooks.example.com/checkout",
        "https://runbooks.example.com/errors",
        "",
    )
    (mistake,) = mistakes(tmp_path, '{runbook: "javascript:alert(1)"}')
    assert "https://" in mistake


def test_the_profile_of_a_switch_has_the_wider_and_quicker_rules_too(tmp_path: Path) -> None:
    more = set(names(watched(tmp_path, "{profile: blue_green}"))) - set(names(watched(tmp_path, "{}")))
    assert more == {"errors after a switch", "slow after a switch", "health after a switch"}
    assert names(watched(tmp_path, "{profile: none}")) == []


def test_targets_of_incidents_are_the_teams_own_or_as_written(tmp_path: Path) -> None:
    usual = watched(tmp_path, "{}").incidents
    minutes = {
        severity.value: (each.acknowledge_s / 60, each.restore_s / 60)
        for severity, each in usual.targets.items()
    }
    assert minutes == {"critical": (15, 30), "high": (30, 60), "medium": (60, 240), "low": (240, 1440)}
    assert usual.postmortem_s == 48 * 3600
    found = watched(
        tmp_path, "{incidents: {targets: {critical: {acknowledge: 5m, restore: 20m}}, postmortem: 24h}}"
    ).incidents
    assert found.of(Severity.CRITICAL) == ResponseTarget(300.0, 1200.0)
    assert found.of(Severity.LOW) == usual.of(Severity.LOW)
    assert found.postmortem_s == 24 * 3600


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
        ("{incidents: {targets: {critical: {acknowledge: 30m, restore: 5m}}}}", "shorter than"),
        ("{incidents: {targets: {dire: {acknowledge: 5m, restore: 5m}}}}", "dire"),
    ],
)
def test_mistakes_have_a_sentence(tmp_path: Path, watch: str, said: str) -> None:
    found = mistakes(tmp_path, watch)
    assert any(said in each for each in found), found


def test_steps_of_a_severity_replace_its_default_ones(tmp_path: Path) -> None:
    alerts = watched(
        tmp_path,
        "{alerts: {ask_after: 10m, answer_within: 5m, escalation: {P1: [{who: [team, on_call]}, "
        "{after: 5m, who: on_call, direct: true}, {after: 20m, who: [second, lead], war_room: true}], warning: []}}}",
    ).alerts
    assert alerts.of(Severity.CRITICAL) == (
        EscalationStep(0.0, ("team", "on_call")),
        EscalationStep(300.0, ("on_call",), direct=True),
        EscalationStep(1200.0, ("second", "lead"), war_room=True),
    )
    assert alerts.of(Severity.MEDIUM) == ()
    assert alerts.of(Severity.HIGH) == STEPS[Severity.HIGH]
    assert (alerts.quiet_s, alerts.answer_s) == (600.0, 300.0)


def test_mistakes_in_steps_are_told_with_their_lines_and_hints(tmp_path: Path) -> None:
    written = text(
        """
    alerts:
      escalation:
        critical:
          - {who: team}
          - {after: 30m, who: [on_cal, second]}
          - {after: 15m, who: lead}
          - {after: 15m, who: []}
          - {who: team}
        P1: []
        hgh: []
        low: [{after: -5m, who: team}]
"""
    )
    _, found = check(write(tmp_path, all=written))
    lines = written.splitlines()
    said = {(lines[each.place.line - 1].strip(), f"{each.sentence} {each.hint}".strip()) for each in found}
    later = "Later steps need a longer after:."
    assert said >= {
        ("- {after: 30m, who: [on_cal, second]}", 'no one is called "on_cal" here. Did you mean "on_call"?'),
        (
            "- {after: 15m, who: lead}",
            f"comes 15 min after the beginning, and the step before it 30 min. {later}",
        ),
        (
            "- {after: 15m, who: []}",
            f"comes 15 min after the beginning, and the step before it 15 min. {later}",
        ),
        ("- {after: 15m, who: []}", "a step needs someone to call. Known: team, on_call, second, lead."),
        ("- {who: team}", f"comes 0 s after the beginning, and the step before it 15 min. {later}"),
        ("P1: []", '"P1" and "critical" are one severity. Write its steps once.'),
        ("hgh: []", 'there is no severity "hgh". Did you mean "high"?'),
    }


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = mistakes(tmp_path, '{rules: {a: "error_rate > 2", b: "p99 > fast", c: null}}')
    assert len(found) >= 3
