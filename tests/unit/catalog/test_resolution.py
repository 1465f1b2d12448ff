"""What a sound catalog resolves to, and that the ones we ship are sound."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from bot import catalog as catalogs
from bot import references
from bot.adapters.targets.hosted.settings import LaneRouterSettings
from bot.composition.adapters import make_releases
from bot.composition.registry import KINDS
from bot.domain.config import Account, Catalog, Preconditions, Prerequisite, Promotion, Repository
from bot.domain.errors import BadCatalog
from bot.domain.rollout.model import Lane
from bot.domain.rollout.steps import Gate, HttpCheck, Observe, Shift, Soak, Verify
from bot.domain.secret import Secret
from tests.support.catalog_files import SOUND, changed, check, load, write
from tests.support.paths import ROOT

STAGING, PRODUCTION = Lane("checkout", "staging"), Lane("checkout", "production")
SHIPPED = sorted((ROOT / "config").glob("*/*.yaml"))


def test_a_lane_gets_its_plan_its_policy_and_its_people(tmp_path: Path) -> None:
    catalog = load(write(tmp_path, all=SOUND))
    lane = catalog.lanes[PRODUCTION]
    assert lane.plan.steps == (
        Verify((HttpCheck("/healthz"),)),
        Gate("leads", "lead", quorum=2, expires_s=3600.0),
        Shift(5),
        Soak(1800.0),
        Shift(100),
        Observe(5400.0),
    )
    assert lane.prerequisite == Prerequisite("staging", 3600.0)
    assert catalog.lanes[STAGING].prerequisite is None
    assert (lane.deploy_roles, lane.policy.rollback_roles) == (("deployer",), ("on-call",))
    assert lane.policy.operate_roles == lane.lock_roles == ("deployer", "on-call")
    assert (lane.policy.promote_role, lane.policy.promote_quorum) == ("lead", 2)
    assert lane.guilds == (1459747831315891395,)


def test_lanes_share_what_is_equal_in_them(tmp_path: Path) -> None:
    catalog = load(write(tmp_path, all=SOUND))
    one, other = catalog.lanes[STAGING], catalog.lanes[PRODUCTION]
    assert (one.plan is other.plan, one.policy is other.policy, one.watch is other.watch) == (True,) * 3


def test_preconditions_are_inherited_and_replaced_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_VAR_GITHUB", "a-secret-token")
    given = "{repository: acme/checkout, approvals: 2, changelog: NEWS.md, token: '${SLIPWAY_VAR_GITHUB}'}"
    text = changed(("production: {prerequisite: staging}", f"production: {{preconditions: {given}}}"))
    catalog = load(write(tmp_path, all=text))
    found = catalog.lanes[PRODUCTION].preconditions
    assert found == (Preconditions("acme/checkout", True, 2, "NEWS.md", Secret("a-secret-token")),)
    assert catalog.lanes[STAGING].preconditions == ()
    assert "a-secret-token" in {secret.reveal() for secret in catalog.secrets}


def _required(*, plan: str, more: str = "") -> str:
    steps = "  canary:\n    - verify: /healthz\n"
    return changed(
        (steps, steps.replace("    - verify", f"    - preconditions: {plan}\n    - verify")),
        ("    releases:\n", f"{more}    releases:\n"),
    )


def test_a_plan_asks_in_the_repository_of_each_service_beside_what_its_lane_asks(tmp_path: Path) -> None:
    more = "    repository: {name: acme/shop, token: '${TOKEN}'}\n"
    text = _required(plan="{approvals: 1, changelog: NEWS.md}", more=more).replace(
        "production: {prerequisite: staging}",
        "production: {preconditions: {repository: acme/ops, checks: true}}",
    )
    found = load(write(tmp_path, all=text), {"TOKEN": "a-secret-value"})
    own = Preconditions("acme/shop", True, 1, "NEWS.md", Secret("a-secret-value"))
    assert found.lanes[STAGING].preconditions == (own,)
    assert found.lanes[PRODUCTION].preconditions == (own, Preconditions("acme/ops"))
    assert (
        found.lanes[PRODUCTION].plan
        == load(write(_made(tmp_path / "without"), all=SOUND)).lanes[PRODUCTION].plan
    )


@pytest.mark.parametrize(
    ("given", "promotion", "github"),
    [
        ("{no_alerts: true}", Promotion(no_alerts=True), ()),
        ("{refuse_when_budget_spent: true}", Promotion(within_budget=True), ()),
        (
            "{no_alerts: true, refuse_when_budget_spent: true, repository: acme/shop}",
            Promotion(True, True),
            (Preconditions("acme/shop"),),
        ),
        ("{checks: false, repository: acme/shop}", Promotion(), ()),
    ],
)
def test_alerts_and_budget_ask_nothing_of_github(
    tmp_path: Path, given: str, promotion: Promotion, github: tuple[Preconditions, ...]
) -> None:
    text = changed(
        (
            "production: {prerequisite: staging}",
            f"production: {{prerequisite: staging, preconditions: {given}}}",
        )
    )
    found = load(write(tmp_path, all=text))
    assert (found.lanes[PRODUCTION].promotion, found.lanes[PRODUCTION].preconditions) == (promotion, github)
    assert found.lanes[STAGING].promotion == Promotion()


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            _required(plan="{no_alerts: true}"),
            "plans.canary[0].preconditions.no_alerts: checkout/staging has no prerequisite",
        ),
        (
            _required(plan="{refuse_when_budget_spent: true}").replace("      errors: 1%\n", ""),
            "preconditions.refuse_when_budget_spent: the policy of checkout/staging has no limit on errors",
        ),
        (
            _required(plan="{checks: true}"),
            "plans.canary[0].preconditions: nothing says which repository the commits of checkout are in. "
            "Add repository: owner/name to the service.",
        ),
        (
            _required(plan="{repository: acme/shop, aprovals: 2}"),
            'plans.canary[0].preconditions.aprovals: there is no such key here. Did you mean "approvals"?',
        ),
        (
            changed(("    - soak: 30m\n", "    - preconditions: {repository: acme/shop}\n    - soak: 30m\n")),
            "plans.canary[3]: preconditions are looked at before a rollout starts. Move them to the top.",
        ),
        (
            changed(
                ("    - verify: /healthz\n", "    - {verify: /healthz, preconditions: {repository: a/b}}\n")
            ),
            "plans.canary[0]: preconditions stand alone, not beside verify.",
        ),
    ],
)
def test_mistakes_in_a_plans_preconditions_are_found(tmp_path: Path, text: str, mistake: str) -> None:
    _, mistakes = check(write(tmp_path, all=text), {})
    assert mistake in "\n".join(str(each) for each in mistakes)


def test_objectives_and_rules_become_the_judges_policy(tmp_path: Path) -> None:
    policy = load(write(tmp_path, all=SOUND)).lanes[PRODUCTION].policy.judge
    errors, latency = policy.objectives
    assert (errors.kind, errors.limit, errors.threshold_s) == ("errors", 0.01, None)
    assert (latency.kind, latency.limit, latency.threshold_s) == ("latency", 0.01, 2.0)
    assert [rule.enforce for rule in policy.rules] == [True, False]
    assert policy.planned_ticks == (1800 + 5400) / 5
    assert policy.alpha == 0.01


def test_a_former_release_is_kept_for_the_time_that_its_lane_says(tmp_path: Path) -> None:
    kept = ("production: {prerequisite: staging}", "production: {prerequisite: staging, keep_warm: 1h30m}")
    lanes = load(write(tmp_path / "kept", all=changed(kept))).lanes
    assert (lanes[PRODUCTION].keep_warm_s, lanes[STAGING].keep_warm_s) == (5400.0, None)
    exclusive = ("  checkout:\n", "  checkout:\n    exclusive: true\n    plan: replace\n")
    text = changed(("  target: local\n", "  target: local\n  keep_warm: 30m\n"), exclusive)
    assert load(write(tmp_path / "alone", all=text)).lanes[PRODUCTION].keep_warm_s is None, (
        "inherited, so no mistake"
    )


def routers(catalog: Catalog) -> dict[str, LaneRouterSettings]:
    found = {str(lane): served.router for lane, served in catalog.targets["local"].lanes.items()}
    return {lane: router for lane, router in found.items() if isinstance(router, LaneRouterSettings)}


def test_adapters_get_their_settings_in_seconds_with_addresses_and_specs(tmp_path: Path) -> None:
    catalog = load(write(tmp_path, all=SOUND))
    assert {lane: router.listen for lane, router in routers(catalog).items()} == {
        "checkout/staging": "127.0.0.1:8401",
        "checkout/production": "0.0.0.0:8402",
    }
    assert {s.exclusive for s in catalog.targets["local"].lanes.values()} == {False}
    source: Any = catalog.releases["checkout"].settings
    assert source.spec.said() == {
        "command": ["run", "{version}"],
        "ready": {"path": "/healthz", "timeout_s": 15.0},
        "drain_s": 0.5,
    }
    assert [v.version for v in source.versions] == ["2.0", "1.0"]


def test_the_nearer_layer_wins_key_by_key(tmp_path: Path) -> None:
    text = changed(
        ("  production: {prerequisite: staging}", "  production: {tick: 1s, roles: {deploy: lead}}"),
        ("production: {router", "production: {tick: 2s, roles: {notify: [lead]}, router"),
    )
    lane = load(write(tmp_path, all=text)).lanes[PRODUCTION]
    assert lane.policy.tick_s == 2.0
    assert lane.deploy_roles == ("lead",)
    assert lane.policy.rollback_roles == ("on-call",)
    assert lane.policy.notify_roles == ("lead",)


def test_a_prerequisite_can_be_lifted(tmp_path: Path) -> None:
    text = changed(("production: {router", "production: {prerequisite: none, router"))
    assert load(write(tmp_path, all=text)).lanes[PRODUCTION].prerequisite is None


def test_an_exclusive_service_shifts_at_once(tmp_path: Path) -> None:
    text = changed(("  checkout:\n", "  checkout:\n    exclusive: true\n    plan: replace\n"))
    catalog = load(write(tmp_path, all=text))
    assert catalog.lanes[STAGING].policy.exclusive
    assert catalog.targets["local"].lanes[STAGING].exclusive


def test_guilds_see_only_what_they_are_given(tmp_path: Path) -> None:
    second = """\
    guilds:
      other:
        id: "1459747831315891396"
        channels: {deploys: d, alerts: a}
        roles: {deployer: D, lead: L, on-call: O}
    """
    text = changed(("staging: {router", "staging: {guilds: [other], router"))
    catalog = load(write(tmp_path, all=text, second=second))
    assert [c.lane for c in catalog.visible(1459747831315891396)] == [STAGING, PRODUCTION]
    assert [c.lane for c in catalog.visible(1459747831315891395)] == [PRODUCTION]


@pytest.mark.parametrize(("home", "guild"), [("false", 1459747831315891395), ("true", 1459747831315891396)])
def test_the_first_server_is_home_unless_another_says_so(tmp_path: Path, home: str, guild: int) -> None:
    second = f"""\
    guilds:
      other:
        id: "1459747831315891396"
        channels: {{deploys: d, alerts: a}}
        roles: {{deployer: D, lead: L, on-call: O}}
        home: {home}
    """
    assert load(write(tmp_path, all=SOUND, second=second)).home == (guild,)


def test_sections_of_several_files_are_one_catalog(tmp_path: Path) -> None:
    head, services = SOUND.split("services:\n")
    whole = load(write(tmp_path / "one", all=SOUND))
    parts = load(write(tmp_path / "two", a=head, b="services:\n" + services))
    assert parts.lanes == whole.lanes


def test_the_digest_changes_with_content_and_not_with_its_place(tmp_path: Path) -> None:
    first = load(write(tmp_path / "one", all=SOUND)).digest
    assert load(write(tmp_path / "two", renamed="# a comment\n" + SOUND)).digest == first
    assert load(write(tmp_path / "three", all=changed(("soak: 30m", "soak: 31m")))).digest != first


def test_references_to_the_environment_are_replaced(tmp_path: Path) -> None:
    text = changed(
        ("staging: {router: 8401}", "staging:\n        router: ${PORT:-8409}"),
        ('"0.0.0.0:8402"', '"${HOST}:8402"'),
        ("[run, ", '[run, "$${PORT}", "${EMPTY:-}", "${BLANK}", '),
    )
    folder = write(tmp_path, all=text)
    catalog = load(folder, {"HOST": "127.0.0.9", "BLANK": ""})
    assert routers(catalog)["checkout/staging"].port == 8409
    assert routers(catalog)["checkout/production"].listen == "127.0.0.9:8402"
    source: Any = catalog.releases["checkout"].settings
    assert source.spec.command[:4] == ("run", "${PORT}", "", "")


def test_aliases_and_merge_keys_work(tmp_path: Path) -> None:
    text = changed(
        ("      staging: {router: 8401}", "      staging: &base {router: 8401, tick: 1s}"),
        ('production: {router: "0.0.0.0:8402"}', "production: {<<: *base, router: 8402}"),
    )
    catalog = load(write(tmp_path, all=text))
    assert {lane.policy.tick_s for lane in catalog.lanes.values()} == {1.0}
    assert routers(catalog)["checkout/production"].port == 8402


@pytest.mark.parametrize("folder", sorted(p for p in (ROOT / "config").iterdir() if any(p.glob("*.yaml"))))
def test_the_catalogs_that_we_ship_are_sound(folder: Path) -> None:
    names = ("SEARCH_API_KEY", "HERALD_TOKEN", "GREETER_TOKEN", "GITHUB_TOKEN")
    environ = {f"SLIPWAY_VAR_{name}": "x" for name in names}
    _, mistakes = check(folder, environ)
    assert [str(m) for m in mistakes] == []


def test_the_demo_has_what_the_story_needs() -> None:
    catalog = load(ROOT / "config" / "demo", {})
    assert {str(lane) for lane in catalog.lanes} == {
        "checkout/staging",
        "checkout/production",
        "search/staging",
        "search/production",
        "herald/production",
        "greeter-commands/staging",
        "greeter-commands/production",
    }
    assert catalog.lanes[Lane("herald", "production")].policy.exclusive
    source: Any = catalog.releases["checkout"].settings
    versions = [v.version for v in source.versions]
    assert versions == ["1.6.0", "1.5.5", "1.5.4", "1.5.3", "1.5.2", "1.5.1", "1.5.0", "1.4.0"]
    assert [s.weight for s in catalog.lanes[PRODUCTION].plan.steps if isinstance(s, Shift)] == [5, 25, 100]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_the_schema_accepts_what_we_ship(file: Path) -> None:
    validator = jsonschema_rs.Draft202012Validator(catalogs.schema(KINDS))
    found = [
        f"{e.instance_path}: {e.message}" for e in validator.iter_errors(yaml.safe_load(file.read_text()))
    ]
    assert found == []


def test_the_schema_refuses_what_the_catalog_refuses() -> None:
    validator = jsonschema_rs.Draft202012Validator(catalogs.schema(KINDS))
    assert validator.is_valid(yaml.safe_load(SOUND))
    for change in (
        ("soak: 30m", "soak: soon"),
        ("kind: router", "kind: rooter"),
        ("target: local", "tarket: local"),
    ):
        assert not validator.is_valid(yaml.safe_load(changed(change)))
    json.dumps(catalogs.schema(KINDS))


def test_an_empty_folder_and_a_missing_one_say_so(tmp_path: Path) -> None:
    for folder, words in ((tmp_path, "holds no YAML file"), (tmp_path / "nowhere", "is not a folder")):
        with pytest.raises(BadCatalog, match=words):
            load(folder)


def test_a_pipeline_beside_the_catalog_is_no_part_of_it(tmp_path: Path) -> None:
    write(tmp_path, catalog=SOUND, pipeline="on: push\njobs: {}\n")
    assert check(tmp_path, {})[1] == ()
    write(tmp_path, more="jobs: {}\n")
    assert "no such section" in str(check(tmp_path, {})[1][0])


ACCOUNTS = """\
command_line:
  runner: [deployer]
  alice: {roles: lead, person: "1459747831315891300"}
"""


def test_an_account_names_a_person_by_id(tmp_path: Path) -> None:
    write(tmp_path, catalog=SOUND + "command_line:\n  alice: {roles: lead, person: alice}\n")
    (mistake,) = check(tmp_path, {})[1]
    assert "Discord id" in str(mistake)
    assert mistake.place.line


def test_accounts_of_machines_have_roles_that_some_guild_knows(tmp_path: Path) -> None:
    write(tmp_path, catalog=SOUND + ACCOUNTS)
    catalog, mistakes = check(tmp_path, {})
    assert mistakes == ()
    assert catalog.accounts == {
        "runner": Account(("deployer",)),
        "alice": Account(("lead",), 1459747831315891300),
    }
    write(tmp_path, catalog=SOUND + "command_line:\n  runner: [deployr]\n")
    assert 'there is no role "deployr" in any guild. Did you mean "deployer"?' in str(
        check(tmp_path, {})[1][0]
    )


async def test_what_a_spec_takes_from_the_environment_goes_with_it_to_be_hidden(tmp_path: Path) -> None:
    text = changed(
        (
            'command: [run, "{version}"]',
            'command: [run, "--key=${KEY_OF_SHOP}"], '
            'env: {DB: "postgres://u:${DB_PASS}@h/db", ZONE: "${ZONE:-here}", LEVEL: "${LEVEL}"}',
        ),
        ("staging: {router: 8401}", 'staging: {router: 8401, spec: {env: {DB: "${OTHER_DB}"}}}'),
    )
    environ = {"KEY_OF_SHOP": "of-shop", "DB_PASS": "of-db", "LEVEL": "info", "OTHER_DB": "of-staging"}
    catalog = load(write(tmp_path, all=text), environ)
    found = {}
    for environment in ("staging", "production"):
        release, *_ = await make_releases(lambda: catalog).releases("checkout", environment)
        assert not any(value in str(release) for value in environ.values())
        found[environment] = references.resolved(release.spec, catalog.given)["secrets"]
    assert found["production"] == {"command": ["of-shop"], "env.DB": ["of-db"], "env.LEVEL": ["info"]}
    assert found["staging"] == {"command": ["of-shop"], "env.DB": ["of-staging"], "env.LEVEL": ["info"]}
    # No log shows values with a name, or at a place with a name, that says that they are secret.
    assert {secret.reveal() for secret in catalog.secrets} == {"of-shop", "of-db"}
    assert "of-shop" not in repr(catalog.secrets)


async def test_the_digest_of_a_release_is_that_of_its_values_however_they_came_in(tmp_path: Path) -> None:
    digests = set()
    for folder, key in (("referred", "${KEY_OF_SHOP}"), ("written", "of-shop")):
        (tmp_path / folder).mkdir()
        text = changed(('command: [run, "{version}"]', f'command: [run, "--key={key}"]'))
        catalog = load(write(tmp_path / folder, all=text), {"KEY_OF_SHOP": "of-shop"})
        release, *_ = await make_releases(lambda c=catalog: c).releases("checkout", "staging")  # type: ignore[misc]
        digests.add(release.digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("more", "repository"),
    [
        ("repository: acme/shop", Repository("acme/shop")),
        (
            "repository: {name: acme/shop, token: '${TOKEN}', api: 'https://github.example.com/api/v3'}",
            Repository("acme/shop", Secret("a-secret-value"), "https://github.example.com/api/v3"),
        ),
        (
            "preconditions: {repository: acme/other, token: '${TOKEN}'}",
            Repository("acme/other", Secret("a-secret-value")),
        ),
        ("repository: acme/shop\n    preconditions: {repository: acme/other}", Repository("acme/shop")),
        ("description: no repository", None),
    ],
)
def test_commits_are_looked_up_where_the_service_or_its_preconditions_say(
    tmp_path: Path, more: str, repository: Repository | None
) -> None:
    text = changed(("    releases:\n", f"    {more}\n    releases:\n"))
    found = load(write(tmp_path, all=text), {"TOKEN": "a-secret-value"})
    assert {lane.repository for lane in found.lanes.values()} == {repository}


def test_releases_of_a_repository_say_where_their_commits_are(tmp_path: Path) -> None:
    releases = (
        "    releases: {kind: github, repository: acme/shop, spec: {command: [run], ready: {path: /h}}}\n"
    )
    text = re.sub(r"    releases:\n(      .*\n)+", releases, changed())
    found = load(write(tmp_path, all=text), {})
    assert {lane.repository for lane in found.lanes.values()} == {Repository("acme/shop")}


@pytest.mark.parametrize(
    ("api", "address"),
    [
        ("https://api.github.com", "https://github.com/acme/shop"),
        ("https://api.example.ghe.com/", "https://example.ghe.com/acme/shop"),
        ("https://github.example.com/api/v3", "https://github.example.com/acme/shop"),
    ],
)
def test_people_find_a_repository_beside_its_api(api: str, address: str) -> None:
    assert Repository("acme/shop", api=api).address == address


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
