"""Every mistake of a catalog has its place, says what was expected, and is told together with all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.errors import BadCatalog
from tests.support.catalog_files import SOUND, changed, check, line_of, load, write

SCRAPED_TO_ONE_SECOND = (
    'router: {kind: scrape, url: "http://x", total: all, bad: failed, latency: seconds, buckets: [0.5, 1]}'
)


def found(folder: Path, environ: dict[str, str] | None = None) -> list[str]:
    """Mistakes as text, with the folder's own name left out."""
    _, mistakes = check(folder, environ or {})
    return [str(m).replace(f"{folder}/", "") for m in mistakes]


# What is written instead of what, words of the line it is on, and what is said about it.
ONE_MISTAKE = {
    "unknown key": (
        ("  plan: canary\n", "  plan: canary\n  polcy: web\n"),
        "polcy",
        'defaults.polcy: there is no such key here. Did you mean "policy"?',
    ),
    "unknown section": (("targets:", "tragets:"), "tragets", "tragets: there is no such section."),
    "unknown plan": (
        ("  plan: canary", "  plan: canari"),
        "canari",
        'defaults.plan: there is no plan "canari". Did you mean "canary"?',
    ),
    "unknown policy": (
        ("  policy: web", "  policy: webb"),
        "webb",
        'there is no policy "webb". Did you mean "web"?',
    ),
    "unknown target": (
        ("target: local", "target: locl"),
        "locl",
        'there is no target "locl". Did you mean "local"?',
    ),
    "unknown metric source": (
        ("[router]", "[ruter]"),
        "ruter",
        'no metric source "ruter". Did you mean "router"?',
    ),
    "unknown approval": (
        ("gate: leads", "gate: leeds"),
        "leeds",
        'there is no approval "leeds". Did you mean "leads"?',
    ),
    "unknown role": (
        ("deploy: [deployer]", "deploy: [deployr]"),
        "deployr",
        'defaults.roles.deploy: there is no role "deployr" in any guild. Did you mean "deployer"?',
    ),
    "unknown role of an approval": (
        ("role: lead,", "role: led,"),
        "gate: leads",
        'there is no role "led" in any guild.',
    ),
    "unknown environment": (
        ("staging: {router: 8401}", "stagin: {router: 8401}\n      staging: {}"),
        "stagin:",
        'services.checkout.environments.stagin: there is no environment "stagin". Did you mean "staging"?',
    ),
    "unknown guild": (
        ("staging: {router", "staging: {guilds: [harbour], router"),
        "harbour",
        'there is no guild "harbour". Did you mean "harbor"?',
    ),
    "a kind that is not there": (
        ("kind: router", "kind: rooter"),
        "rooter",
        'there is no kind "rooter". Did you mean "router"?',
    ),
    "the only kind that there is": (
        ("kind: process", "kind: proces"),
        "kind: proces",
        'targets.local.kind: there is no kind "proces". Did you mean "process"?',
    ),
    "a kind like none": (
        ("kind: process", "kind: cloud"),
        "kind: cloud",
        'targets.local.kind: there is no kind "cloud". Known: command, docker, process, swarm, webhook.',
    ),
    "a key of the target's spec": (
        ("drain: 500ms", "drian: 500ms"),
        "drian",
        'services.checkout.releases.spec.drian: there is no such key here. Did you mean "drain"?',
    ),
    "a path that is none": (
        ("path: /healthz, timeout", "path: healthz, timeout"),
        "path: healthz",
        'services.checkout.releases.spec.ready.path: must be a path that starts with /, not "healthz".',
    ),
    "an address that is none": (
        ("router: {kind: router}", "router: {kind: scrape, url: localhost, total: t, bad: b}"),
        "url: localhost",
        'metrics.router.url: must be {address}/… or http://…, not "localhost".',
    ),
    "a channel that is missing": (
        (", alerts: alerts", ""),
        "channels:",
        'guilds.harbor.channels: "alerts" is missing.',
    ),
    "an id that is none": (
        ('"1459747831315891395"', "12345"),
        "id:",
        "must be a Discord id of 15 to 20 digits",
    ),
    "digits that are no id": (
        ("alerts: alerts", 'alerts: "2024"'),
        "2024",
        "guilds.harbor.channels.alerts: must be a Discord id of 15 to 20 digits",
    ),
    "a role that on-call needs": (
        (
            "    roles: {deployer: Deployers, lead: Leads, on-call: On-call}",
            "    roles: {deployer: D, lead: L, ops: O}",
        ),
        "harbor",
        'guilds.harbor.on_call: there is no role "on-call" in its roles.',
    ),
    "a duration without unit": (
        ("soak: 30m", "soak: 30"),
        "soak: 30",
        'must be a duration with its unit, such as "30s", "5m" or "1h" (write "30s" for seconds), not 30.',
    ),
    "a weight over a hundred": (
        ("- shift: 5\n", "- shift: 500\n"),
        "shift: 500",
        "must be a whole number of per cent from 0 to 100",
    ),
    "weights that fall": (
        ("    - shift: 100\n    - observe: 1h30m", "    - shift: 3\n    - soak: 1s\n    - shift: 100"),
        "shift: 3",
        "plans.canary[4]: the weight falls from 5% to 3%. Weights only rise.",
    ),
    "a last weight below a hundred": (
        ("    - shift: 100\n    - observe: 1h30m", "    - shift: 50"),
        "shift: 50",
        "the last shift is to 50%. End with a shift to 100%.",
    ),
    "a soak without traffic": (("    - shift: 5\n", ""), "soak: 30m", "a soak comes before any traffic"),
    "two kinds in one step": (
        ("    - shift: 5\n", "    - {shift: 5, observe: 1s}\n"),
        "{shift: 5",
        "a step must be exactly one of verify, gate, shift, soak, observe, sync_commands, run, not 2 of them.",
    ),
    "a step that is not there": (
        ("- verify: /healthz", "- verfy: /healthz"),
        "verfy",
        'Did you mean "verify"?',
    ),
    "an exclusive service with shares": (
        ("  checkout:\n", "  checkout:\n    exclusive: true\n"),
        "- shift: 5",
        "checkout is exclusive: an exclusive service cannot have 5%.",
    ),
    "a former release of an exclusive service": (
        ("{router: 8401}", "{router: 8401, exclusive: true, plan: replace, keep_warm: 30m}"),
        "keep_warm: 30m",
        "keep_warm: checkout/staging is exclusive, so no former release is kept warm. Remove keep_warm.",
    ),
    "alpha out of range": (
        ("  web:\n", "  web:\n    alpha: 150%\n"),
        "alpha",
        "must be a proportion above 0% and below 100%",
    ),
    "an objective without percent": (
        ("errors: 1%", "errors: 1"),
        "errors: 1",
        "policies.web.objectives.errors: must be a proportion",
    ),
    "a latency without a time": (
        ("limit: 2s", "limit: 2"),
        "limit: 2",
        "policies.web.objectives.latency.limit: must be a duration",
    ),
    "a latency above the last bucket": (
        ("router: {kind: router}", SCRAPED_TO_ONE_SECOND),
        "limit: 2s",
        'the limit of 2 s is above the last finite bucket of "router", 1 s.',
    ),
    "a rule that cannot be read": (
        ("error_rate > 5%", "eror_rate > 5%"),
        "eror_rate",
        "did you mean error_rate.",
    ),
    "a prerequisite in a circle": (
        ("  staging: {}", "  staging: {prerequisite: production}"),
        "{prerequisite: production}",
        "prerequisites of checkout form a circle: staging needs production needs staging.",
    ),
    "a prerequisite elsewhere": (
        ("prerequisite: staging", "prerequisite: qa"),
        "prerequisite: qa",
        'checkout has no environment "qa", which checkout/production needs first.',
    ),
    "two lanes on one port": (
        ('"0.0.0.0:8402"', "8401"),
        "production: {router: 8401}",
        "services.checkout.environments.production.router: port 8401 is taken by checkout/staging",
    ),
    "a port that is none": (
        ("router: 8401", "router: 99999"),
        "99999",
        "must be a port or an address with one",
    ),
    "a version that YAML took for a number": (('["2.0", ', "[2.0, "), "[2.0", "must be text in quotes"),
    "a version twice": (('["2.0", ', '["1.0", '), '["1.0"', 'version "1.0" is listed twice'),
    "no way to run": (
        ('command: [run, "{version}"], ', ""),
        "releases:",
        "nothing says how to run version 2.0.",
    ),
    "no role may deploy": (
        ("deploy: [deployer], ", ""),
        "staging: {router",
        "no role may deploy checkout/staging.",
    ),
    "requests that no one counts": (
        ("  metrics: [router]\n", ""),
        "staging: {router",
        "its policy counts requests, but metrics: is missing.",
    ),
    "a gateway that no one reports": (
        ("error_rate > 5% over 5m", "gateway  disconnected for 2m"),
        "gateway  disc",
        'policies.web.rules[0]: no metric source of checkout/staging reports what "gateway disconnected for 2m" '
        "listens to. Name a probe in metrics: that reads it: {kind: probe, path: /healthz, gateway: status}.",
    ),
    "alerts that no one reports": (
        ("{rule: p99 > 5s for 2m,", "{rule: any P1 alert firing,"),
        "any P1",
        'no metric source of checkout/staging reports what "any P1 alert firing" listens to. '
        "Name a source of alerts",
    ),
    "a first source that counts nothing": (
        ("  router: {kind: router}", "  router: {kind: alerts, url: http://alertmanager}"),
        "router: {kind: alerts",
        "metrics.router: router counts no requests, so it cannot be the first source of checkout/staging. "
        "Name a source that does before it.",
    ),
    "a proportion that no one reads": (
        ("error_rate > 5% over 5m", "db_errors > 1% over 5m"),
        "db_errors",
        'no metric source of checkout/staging reads "db_errors". Add it to extra: of a scrape',
    ),
    "an objective that no one reads": (
        ("errors: 1%", "orders: {limit: 1%, series: order_errors}"),
        "orders:",
        'policies.web.objectives.orders: no metric source of checkout/staging reads "order_errors".',
    ),
    "a choice that is none": (
        ("  plan: canary\n", "  plan: canary\n  drift: repare\n"),
        "repare",
        "must be 'repair' or 'report', not \"repare\". Did you mean \"repair\"?",
    ),
    "a name that is none": (
        ("  checkout:\n", '  "check out":\n'),
        "check out",
        '"check out" cannot be a name.',
    ),
}


# A section that is not read takes what refers to it along; a thing of no name or shape is two mistakes.
SEVERAL_MISTAKES = {
    "unknown section",
    "a role that on-call needs",
    "a latency above the last bucket",
    "no role may deploy",
    "requests that no one counts",
}


@pytest.mark.parametrize("name", ONE_MISTAKE)
def test_a_mistake_is_told_once_with_its_line_and_what_was_expected(tmp_path: Path, name: str) -> None:
    change, words, said = ONE_MISTAKE[name]
    text = changed(change)
    mistakes = found(write(tmp_path, all=text))
    assert any(m.startswith(f"all.yaml:{line_of(text, words)}: ") and said in m for m in mistakes), mistakes
    assert len(mistakes) == 1 or name in SEVERAL_MISTAKES


def test_a_soak_that_nothing_visits_is_a_mistake_although_its_rules_count_nothing(tmp_path: Path) -> None:
    begin, end = SOUND.index("    objectives:"), SOUND.index("services:")
    text = SOUND.replace(SOUND[begin:end], "    rules: [health check failing for 30s]\n")
    assert found(write(tmp_path / "counted", all=text)) == []
    text = text.replace("  metrics: [router]\n", "")
    here, there = line_of(text, "staging: {router"), line_of(text, "production: {router")
    assert found(write(tmp_path / "uncounted", all=text)) == [
        f"all.yaml:{line}: services.checkout.environments.{name}: its plan soaks, which needs requests, but "
        "metrics: is missing. Known: router."
        for line, name in ((here, "staging"), (there, "production"))
    ]


def test_what_a_source_of_the_lane_reports_can_be_listened_to(tmp_path: Path) -> None:
    sources = """\
  router: {kind: router}
  alive: {kind: probe, path: /healthz, gateway: discord.state}
  own:
    {kind: scrape, url: "{address}/metrics", total: a, bad: b, extra: {db_errors: {total: c, bad: d}}}
"""
    rules = "[gateway disconnected for 2m, db_errors > 1% over 5m, alive > 10%, own > 5%]"
    text = changed(
        ("  metrics: [router]", "  metrics: [router, alive, own]"),
        ("  router: {kind: router}\n", sources),
        ("    rules:\n      - error_rate > 5% over 5m\n", f"    rules: {rules}\n"),
        ("      - {rule: p99 > 5s for 2m, enforce: false}\n", ""),
    )
    assert found(write(tmp_path / "all", all=text)) == []
    # The first source is what counts requests; it is no proportion of them.
    text = text.replace("[router, alive, own]", "[own, alive, router]")
    assert found(write(tmp_path / "turned", all=text)) == [
        f"all.yaml:{line_of(text, 'rules: [gateway')}: policies.web.rules[3]: no metric source of checkout/staging "
        'reads "own". Known: alive, db_errors, router.'
    ]


def test_ten_mistakes_are_ten_errors_at_once(tmp_path: Path) -> None:
    text = changed(
        ("  plan: canary\n", "  plan: canary\n  polcy: web\n"),
        ("target: local", "target: locl"),
        ("[router]", "[ruter]"),
        ("gate: leads", "gate: leeds"),
        ("soak: 30m", "soak: 30"),
        ("errors: 1%", "errors: 1"),
        ("error_rate > 5%", "eror_rate > 5%"),
        ("  staging: {}", "  staging: {prerequisite: production}"),
        ('"0.0.0.0:8402"', "8401"),
        ("    - shift: 100\n    - observe: 1h30m", "    - shift: 3\n    - soak: 1s\n    - shift: 100"),
    )
    folder = write(tmp_path, all=text)
    assert len(found(folder)) == 10
    with pytest.raises(BadCatalog) as caught:
        load(folder, {})
    assert caught.value.sentence.startswith("The catalog has 10 mistakes:\n")
    assert caught.value.sentence.count("\n") == 10


def test_two_services_with_one_name_are_told_with_both_places(tmp_path: Path) -> None:
    folder = write(tmp_path, all=SOUND, b="services:\n\n  checkout: {}\n")
    there = f"all.yaml:{line_of(SOUND, '  checkout:')}"
    assert found(folder) == [f"b.yaml:3: services.checkout: is given twice; the other one is at {there}."]


def test_a_key_given_twice_is_told_with_both_lines(tmp_path: Path) -> None:
    text = changed(("  target: local\n", "  target: local\n  target: other\n"))
    here = line_of(text, "target: other")
    assert found(write(tmp_path, all=text)) == [
        f"all.yaml:{here}: defaults.target: is given twice; the first one is at all.yaml:{here - 1}."
    ]


def test_a_role_that_one_of_two_guilds_lacks_is_told_where_it_is_missing(tmp_path: Path) -> None:
    second = """\
    guilds:
      other:
        id: "1459747831315891396"
        channels: {deploys: d, alerts: a}
        roles: {deployer: D, on-call: O}
    """
    mistakes = found(write(tmp_path, all=SOUND, second=second))
    user = f"all.yaml:{line_of(SOUND, 'gate: leads')}"
    sentence = f'no Discord role is given for "lead", which {user} needs.'
    assert mistakes == [f"second.yaml:5: guilds.other.roles: {sentence}"]


def test_a_variable_that_is_not_set_is_a_mistake_and_its_value_is_never_shown(tmp_path: Path) -> None:
    text = changed(("router: 8401", 'router: "${PORT}"'), ("soak: 30m", "soak: ${SECRET}"))
    mistakes = found(write(tmp_path, all=text), {"SECRET": "hunter2"})
    assert len(mistakes) == 2
    assert "the environment variable PORT is not set. Set it, or give a default: ${PORT:-…}." in mistakes[1]
    assert "hunter2" not in "".join(mistakes)
    assert "must be a duration" in mistakes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1, }", "all.yaml:1: is not YAML"),
        ("- a\n- b\n", "all.yaml:1: must hold sections"),
        ("services: [1]\n", "all.yaml:1: services: must be a mapping of names."),
        ("services: &a\n  x: *a\n", "an alias refers to itself."),
        ("services:\n  x: {<<: 3}\n", "`<<` takes a mapping, or a list of mappings."),
        ("services:\n  ? [a]\n  : b\n", "a key must be text."),
        ("services:\n  x: !!timestamp nonsense\n", "all.yaml:2"),
        ("services:\n  x: !python/object:os.system {}\n", "all.yaml:2"),
        ("\x00", "all.yaml"),
    ],
)
def test_files_that_are_no_catalog_are_told_without_a_traceback(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in m for m in found(write(tmp_path, all=text))), found(tmp_path)


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    levels = "\n".join(f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    text = f"services:\n  l0: &l0 [x, x, x]\n{levels}\n"
    assert any("expands to more than" in m for m in found(write(tmp_path, all=text)))


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path, all=SOUND)
    (folder / "other.yml").write_bytes(b"\xff\xfe\xfa")
    assert any(m.startswith("other.yml: cannot be read") for m in found(folder))
