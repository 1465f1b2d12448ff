"""Checks in the catalog: what they become, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.checks.http import HttpSettings
from bot.catalog import Diagnostic
from bot.cli.operations.config import _plain
from bot.domain.config import Catalog, CheckConfig
from bot.domain.rollout.binding import AdapterBinding
from bot.domain.rollout.model import Lane
from bot.domain.rollout.plans import describe_plan
from bot.domain.rollout.steps import HttpCheck, NamedCheck, Verify
from bot.domain.watch.checks import MonitorRules
from tests.support.catalog_files import SOUND, changed, check, line_of, write

PRODUCTION, STAGING = Lane("checkout", "production"), Lane("checkout", "staging")
SERVICE = """\
    checks:
      health: {kind: http, path: /healthz, critical: true, contains: ok}
      feed: {kind: websocket, path: /feed, monitor: false}
"""
PLACE = "    environments:\n      staging: {router: 8401}\n"


def with_checks(service: str = SERVICE, production: str = "", staging: str = "", defaults: str = "") -> str:
    """The sound catalog with checks of the service, and of its environments in flow style."""
    own = ", checks: {{{}}}}}".format
    text = changed((PLACE, service + PLACE))
    if staging:
        text = text.replace("staging: {router: 8401}", "staging: {router: 8401" + own(staging))
    if production:
        text = text.replace('{router: "0.0.0.0:8402"}', '{router: "0.0.0.0:8402"' + own(production))
    return text.replace("defaults:\n", f"defaults:\n{defaults}")


def read(folder: Path, text: str) -> tuple[Catalog, tuple[Diagnostic, ...]]:
    return check(write(folder / "config", all=text), {"TOKEN": "hush-hush-hush"})


def checks(folder: Path, text: str, lane: Lane = PRODUCTION) -> dict[str, CheckConfig]:
    found, mistakes = read(folder, text)
    assert mistakes == ()
    return {each.name: each for each in found.lanes[lane].checks}


def said(folder: Path, text: str) -> list[tuple[int, str]]:
    """Every mistake: its line, key and sentence."""
    _, mistakes = read(folder, text)
    return [(m.place.line, f"{m.key}: {m.sentence}") for m in mistakes]


def test_a_service_without_checks_has_none(tmp_path: Path) -> None:
    assert checks(tmp_path, SOUND) == {}


def test_checks_of_a_service_are_asked_in_every_environment(tmp_path: Path) -> None:
    for lane in (PRODUCTION, STAGING):
        found = checks(tmp_path, with_checks(), lane)
        assert list(found) == ["health", "feed"]
        health = found["health"]
        assert isinstance(health.settings, HttpSettings)
        assert (health.critical, health.timeout_s, health.settings.contains) == (True, 5.0, "ok")
        assert health.monitor is not None
        assert (health.monitor.lane, health.monitor.name, health.monitor.every_s) == (lane, "health", 60.0)
        assert (health.monitor.critical, health.monitor.timed) == (True, True)
        assert found["feed"].monitor is None


def test_an_environment_adds_replaces_and_leaves_out_by_name(tmp_path: Path) -> None:
    text = with_checks(
        production="health: {kind: http, path: /deep, every: 30s}, feed: null, cert: {kind: tls, at: 'a.example:443'}"
    )
    production, staging = checks(tmp_path, text), checks(tmp_path, text, STAGING)
    assert list(production) == ["health", "cert"]
    assert list(staging) == ["health", "feed"]
    health = production["health"]
    assert isinstance(health.settings, HttpSettings)
    assert (health.settings.path, health.settings.contains, health.critical) == ("/deep", "", False)
    assert production["cert"].monitor is not None
    assert production["cert"].monitor.timed is False


def test_every_kind_can_be_written(tmp_path: Path) -> None:
    text = with_checks(
        """\
    checks:
      api:
        kind: http
        url: https://shop.example.com/api
        method: POST
        headers: {X-Team: shop}
        bearer: ${TOKEN}
        body: "{}"
        status: [200, 401]
        timeout: 800ms
        json_path: {"$.allow": true}
        has_headers: {Content-Type: application/json}
        redirects: 2
        hosts: [login.example.com]
        runbook: https://wiki.example.com/api
      port: {kind: tcp}
      db: {kind: tcp, at: "db.internal:5432"}
      cert: {kind: tls, at: "shop.example.com:443", days: 30}
      name: {kind: dns, name: shop.example.com, addresses: 192.0.2.7}
      feed: {kind: websocket, url: wss://shop.example.com/feed}
      bot: {kind: discord, path: /health, keys: [gateway, db]}
      own: {kind: command, command: [./smoke.sh, "{address}"], env: {TOKEN: "${TOKEN}"}}
"""
    )
    found = checks(tmp_path, text)
    assert [each.settings.kind for each in found.values()] == [
        *("http", "tcp", "tcp", "tls", "dns", "websocket", "discord", "command")
    ]
    assert found["api"].monitor is not None
    assert found["api"].monitor.runbook == "https://wiki.example.com/api"
    assert found["api"].timeout_s == 0.8
    assert {
        name: each.monitor.signals for name, each in found.items() if each.monitor and each.monitor.signals
    } == {"bot": {"gateway"}}
    assert "hush-hush-hush" not in str(_plain(read(tmp_path, text)[0]))
    assert [secret.reveal() for secret in read(tmp_path, text)[0].secrets] == ["hush-hush-hush"]


def test_several_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    text = with_checks(
        """\
    checks:
      one: {kind: http, status: 99, path: nowhere}
      two:
        kind: http
        url: http://shop.example.com/healthz
        bearer: ${TOKEN}
        json_path:
          $..a: 1
        methd: GET
      three: {kind: htp, path: /}
      four: {kind: http, path: /, every: 1s, timeout: 2s}
      five: {kind: discord, path: /, keys: [], bearer: written}
      six: {path: /}
      seven: {kind: tcp, at: nowhere}
      eight: {kind: http, path: /, method: HEAD, contains: ok}
      nine: {kind: http, url: "https://me:pw@shop.example.com/"}
      ten: {kind: http, path: /, headers: {"X Y": "1"}}
      "no name!": {kind: tcp}
      both: {kind: http, path: /, url: "https://shop.example.com/"}
      neither: {kind: websocket}
"""
    )
    found = said(tmp_path, text)

    def at(words: str) -> int:
        return line_of(text, words)

    key = "services.checkout.checks"
    for expected in [
        (at("one:"), f"{key}.one.status: must be greater than or equal to 100, not 99."),
        (at("one:"), f'{key}.one.path: must be a path that starts with /, not "nowhere".'),
        (at("both:"), f"{key}.both: needs either url or path."),
        (at("neither:"), f"{key}.neither: needs either url or path."),
        (at("bearer: ${"), f"{key}.two.bearer: would be sent without encryption."),
        (at("$..a"), f"{key}.two.json_path.$..a: must be a JSON path without .., [a,b] and functions."),
        (at("methd"), f"{key}.two.methd: there is no such key here."),
        (at("three:"), f'{key}.three.kind: there is no kind "htp".'),
        (at("four:"), f"{key}.four.every: must be at least 5s."),
        (at("four:"), f"{key}.four.timeout: 2 s is not less than the 1 s between two checks."),
        (at("five:"), f"{key}.five.keys: names nothing to look at."),
        (at("five:"), f"{key}.five.bearer: must not be written in a file."),
        (at("six:"), f'{key}.six: "kind" is missing.'),
        (at("seven:"), f'{key}.seven.at: must be host:port, not "nowhere".'),
        (at("eight:"), f"{key}.eight.method: HEAD has no answer to look into."),
        (at("nine:"), f"{key}.nine.url: must not have a name and a password in it."),
        (at("no name!"), f'{key}.no name!: "no name!" cannot be a name.'),
    ]:
        assert expected in found, (expected, found)
    assert any(line == at("ten:") and "the name of a header" in text for line, text in found)


def test_leaving_out_what_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    text = with_checks(staging="fed: null")
    assert said(tmp_path, text) == [
        (
            line_of(text, "fed: null"),
            'services.checkout.environments.staging.checks.fed: checkout has no check "fed" to leave out.',
        )
    ]


def test_rules_come_from_the_layers(tmp_path: Path) -> None:
    keys = "failures: 2, within: 90s, availability: 99.9%, over: 1d, after: 1h, p95: 300ms, slow_for: 5m"
    rules = f"  monitors: {{{keys}}}\n"
    health = checks(tmp_path, with_checks(defaults=rules))["health"]
    assert health.monitor is not None
    expected = MonitorRules(2, 90.0, pytest.approx(0.999), 86_400.0, 3_600.0, 0.3, 300.0)
    assert health.monitor.rules == expected
    health = checks(tmp_path, with_checks())["health"]
    assert health.monitor is not None
    assert health.monitor.rules == MonitorRules()


def test_seldom_checks_get_more_time_to_fail(tmp_path: Path) -> None:
    text = with_checks(SERVICE.replace("critical: true", "every: 5m"))
    health = checks(tmp_path, text)["health"]
    assert health.monitor is not None
    assert health.monitor.rules.within_s == 900.0


@pytest.mark.parametrize(("every", "mistaken"), [("90s", False), ("91s", True)])
def test_failures_that_cannot_come_in_time_are_a_mistake(tmp_path: Path, every: str, mistaken: bool) -> None:
    text = with_checks(
        SERVICE.replace("critical: true", f"every: {every}"), defaults="  monitors: {within: 3m}\n"
    )
    sentence = "services.checkout.checks.health.every: is 91 s, so 3 failures within 3 min cannot happen."
    assert said(tmp_path, text) == ([(line_of(text, "health: {"), sentence)] if mistaken else [])


# ---- asked of candidates ----


def with_plan(verify: str, service: str = SERVICE) -> str:
    return with_checks(service).replace("- verify: /healthz", f"- verify: {verify}")


def test_a_verify_step_names_paths_and_checks_in_one_list(tmp_path: Path) -> None:
    text = with_plan("[/ready, health, {check: feed}, {path: /deep, contains: ok}]")
    found, mistakes = read(tmp_path, text)
    assert mistakes == ()
    lane = found.lanes[PRODUCTION]
    verify = lane.plan.steps[0]
    assert isinstance(verify, Verify)
    assert verify.checks == (
        HttpCheck("/ready"),
        NamedCheck("health"),
        NamedCheck("feed"),
        HttpCheck("/deep", contains="ok"),
    )
    assert [check.name for check in lane.bound.checks] == ["health", "feed"]
    assert describe_plan(lane.plan, lane.policy.words)[0].endswith("(4 checks)")


def test_one_check_may_stand_alone(tmp_path: Path) -> None:
    found, mistakes = read(tmp_path, with_plan("health"))
    assert mistakes == ()
    verify = found.lanes[STAGING].plan.steps[0]
    assert isinstance(verify, Verify)
    assert verify.checks == (NamedCheck("health"),)


def test_a_rollout_is_bound_to_checks_as_they_are_written_without_their_secrets(tmp_path: Path) -> None:
    service = """\
    checks:
      health: {kind: http, path: /healthz, bearer: "${TOKEN}"}
      other: {kind: tcp}
"""
    found, mistakes = read(tmp_path, with_plan("health", service))
    assert mistakes == ()
    bound = found.lanes[PRODUCTION].bound
    assert bound.checks == (
        AdapterBinding("health", {"kind": "http", "path": "/healthz", "bearer": "${TOKEN}"}),
    )
    assert found.lanes[STAGING].bound.checks == bound.checks


def test_the_check_of_an_environment_is_bound_there(tmp_path: Path) -> None:
    text = with_checks(production="health: {kind: http, path: /deep}").replace(
        "- verify: /healthz", "- verify: health"
    )
    found, mistakes = read(tmp_path, text)
    assert mistakes == ()
    paths = [found.lanes[lane].bound.checks[0].settings["path"] for lane in (STAGING, PRODUCTION)]
    assert paths == ["/healthz", "/deep"]


@pytest.mark.parametrize(
    ("verify", "sentences"),
    [
        (
            "helth",
            ['checkout/staging has no check "helth".', 'checkout/production has no check "helth".'],
        ),
        (
            "cert",
            [
                '"cert" of checkout/staging is a check of kind tls.',
                '"cert" of checkout/production is a check of kind tls.',
            ],
        ),
        ("[{check: health, path: /x}]", ["a check is either a path or the name of a check."]),
        ("[{status: 204}]", ["a check is either a path or the name of a check."]),
        ("[{check: health, status: 204}]", ['"health" is as checks: says; nothing can be added here.']),
    ],
)
def test_mistakes_in_what_a_verify_step_names(tmp_path: Path, verify: str, sentences: list[str]) -> None:
    service = SERVICE + "      cert: {kind: tls, at: 'shop.example.com:443'}\n"
    text = with_plan(verify, service)
    found = said(tmp_path, text)
    assert {line for line, _ in found} == {line_of(text, "- verify: ")}
    for sentence in sentences:
        assert f"plans.canary[0].verify: {sentence}" in [text for _, text in found]


def test_a_lane_that_leaves_a_named_check_out_is_a_mistake(tmp_path: Path) -> None:
    text = with_checks(staging="health: null").replace("- verify: /healthz", "- verify: health")
    assert [sentence for _, sentence in said(tmp_path, text)] == [
        'plans.canary[0].verify: checkout/staging has no check "health".'
    ]


# ---- locations ---------------------------------------------------------------------------------------------

PUBLIC = """\
    checks:
      site: {kind: http, url: https://shop.example/healthz, HERE}
"""


@pytest.mark.parametrize(
    ("written", "locations", "fails_in"),
    [
        ("critical: true", (), 1),
        ("locations: frankfurt", ("frankfurt",), 1),
        ("locations: [a, b]", ("a", "b"), 2),
        ("locations: [a, b, c]", ("a", "b", "c"), 2),
        ("locations: [a, b, c, d]", ("a", "b", "c", "d"), 3),
        ("locations: [a, b, c], fails_in: 1", ("a", "b", "c"), 1),
        ("locations: [a, b, c], fails_in: 3", ("a", "b", "c"), 3),
    ],
)
def test_a_check_names_its_locations_and_fails_in_more_than_half(
    tmp_path: Path, written: str, locations: tuple[str, ...], fails_in: int
) -> None:
    monitor = checks(tmp_path, with_checks(PUBLIC.replace("HERE", written)))["site"].monitor
    assert monitor is not None
    assert (monitor.locations, monitor.fails_in) == (locations, fails_in)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("locations: []", "locations: names no location."),
        ("locations: [a, a]", "locations: must be different ones, at most 10."),
        (f"locations: [{', '.join('abcdefghijk')}]", "locations: must be different ones, at most 10."),
        ("locations: ['a b']", 'locations: "a b" cannot be a name.'),
        (
            "locations: [a], monitor: false",
            "locations: is for monitors, and this check has `monitor: false`.",
        ),
        ("fails_in: 1", "fails_in: is more than the 0 locations of this check."),
        ("locations: [a], fails_in: 2", "fails_in: is more than the 1 location of this check."),
    ],
)
def test_locations_that_cannot_be(tmp_path: Path, written: str, sentence: str) -> None:
    mistakes = said(tmp_path, with_checks(PUBLIC.replace("HERE", written)))
    assert [each.partition("checks.site.")[2] or each for _, each in mistakes] == [sentence], mistakes


@pytest.mark.parametrize(
    ("written", "elsewhere"),
    [
        ("kind: http, path: /healthz", "kind: http, url: https://shop.example/healthz"),
        (
            "kind: discord, path: /health, keys: [db]",
            "kind: discord, url: https://shop.example/h, keys: [db]",
        ),
        ("kind: websocket, path: /feed", "kind: websocket, url: wss://shop.example/feed"),
        ("kind: tcp", "kind: tcp, at: shop.example:443"),
        ("kind: command, command: [probe, '{address}']", "kind: command, command: [probe, '{service}']"),
    ],
)
def test_where_a_lane_answers_is_not_asked_from_other_locations(
    tmp_path: Path, written: str, elsewhere: str
) -> None:
    ((_, mistake),) = said(
        tmp_path, with_checks(f"    checks:\n      it: {{{written}, locations: [a, b]}}\n")
    )
    assert mistake.endswith(
        "locations: cannot ask where the lane answers: that is an address of Slipway's own network."
    )
    assert not said(tmp_path, with_checks(f"    checks:\n      it: {{{elsewhere}, locations: [a, b]}}\n"))


def test_a_presence_is_of_a_bot_says_whether_its_gateway_is_away_and_has_no_locations(tmp_path: Path) -> None:
    service = '    checks:\n      online: {kind: presence, bot: "200000000000000002", HERE}\n'
    found = checks(tmp_path, with_checks(service.replace(", HERE", "")))["online"]
    assert found.monitor is not None
    assert (found.monitor.signals, found.monitor.timed) == ({"gateway"}, False)
    assert found.settings.presence_of == 200000000000000002  # type: ignore[attr-defined]
    ((_, mistake),) = said(tmp_path, with_checks(service.replace("HERE", "locations: [a, b]")))
    assert (
        "locations: are not for presence: Discord tells it to the process that holds the gateway" in mistake
    )
    ((_, mistake),) = said(tmp_path, with_checks(service.replace('"200000000000000002", HERE', '"greeter"')))
    assert "must be a Discord id" in mistake, mistake
