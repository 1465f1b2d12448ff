"""Adapters that only the registry names: catalog, bot, command line and doctor use them all the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import jsonschema_rs
import pytest
import yaml
from aiohttp import web
from click.testing import CliRunner

from bot.__main__ import cli
from bot.adapters.metrics.context import metric_kind
from bot.adapters.sources.releases import release_kind
from bot.adapters.targets.context import target_kind
from bot.catalog import check, load
from bot.composition import adapters, registry
from bot.composition.health import MetricSourceHealth
from bot.doctor.local import examine_catalog, examine_targets
from bot.domain.config import Catalog
from bot.domain.rollout.model import Desired, Lane
from tests.fakes import new_kinds
from tests.support.catalog_files import LISTED, changed, write

STAGING = Lane("checkout", "staging")
AS_TEXT = """\
      kind: text
      file: versions.txt
      spec: {image: "shop:{version}", grace: 90s, secrets_folder: secrets}
"""


@dataclass
class Counts:
    """A JSON document about releases, for who has the token."""

    address: str = ""
    digests: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer of-json":
            return web.Response(status=401)
        return web.json_response({digest: {"total": 70, "bad": 7} for digest in self.digests})


@pytest.fixture
async def counts() -> AsyncIterator[Counts]:
    made, app = Counts(), web.Application()
    app.router.add_get("/counts", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.address = f"http://127.0.0.1:{runner.addresses[0][1]}/counts"
    yield made
    await runner.cleanup()


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry with one line more in three of its tables."""
    known = registry.KINDS
    containers = target_kind(
        new_kinds.ContainerSettings,
        new_kinds.Containers,
        spec=new_kinds.ContainerSpec,
        router=new_kinds.NameRouterPart,
    )
    more = replace(
        known,
        targets={**known.targets, "containers": containers},
        metrics={**known.metrics, "json": metric_kind(new_kinds.JsonSettings, new_kinds.JsonCounts)},
        releases={**known.releases, "text": release_kind(new_kinds.TextSettings, new_kinds.TextReleases)},
    )
    monkeypatch.setattr(registry, "KINDS", more)
    monkeypatch.setenv("SLIPWAY_VAR_JSON_TOKEN", "of-json")


def text(counts: Counts, *more: tuple[str, str]) -> str:
    source = f'{{kind: json, url: "{counts.address}", token: "${{SLIPWAY_VAR_JSON_TOKEN}}", buckets: [1, 5]}}'
    return changed(
        ("router: {kind: router}", f"router: {source}"),
        ("local: {kind: process, users: host}", "local: {kind: containers, network: shops}"),
        (LISTED, AS_TEXT),
        ("router: 8401", "router: shop-staging"),
        ('"0.0.0.0:8402"', "{name: shop}"),
        *more,
    )


@pytest.fixture
def catalog(counts: Counts, tmp_path: Path) -> Catalog:
    folder = write(tmp_path / "config", all=text(counts))
    (folder / "versions.txt").write_text("2.0\n1.0\n")
    return load(folder, registry.KINDS)


async def test_the_bot_makes_them_and_reads_them(catalog: Catalog, counts: Counts, tmp_path: Path) -> None:
    targets = adapters.make_targets(catalog, tmp_path)
    assert await targets["local"].router_address(STAGING) == "http://shop-staging"

    newest, _ = await adapters.make_releases(lambda: catalog).releases("checkout", "staging")
    folder = str(tmp_path / "config" / "secrets")
    assert newest.spec == {"image": "shop:{version}", "grace_s": 90.0, "secrets_folder": folder}
    await targets["local"].apply(STAGING, Desired(1, newest))
    counts.digests.append(newest.digest)

    async with aiohttp.ClientSession() as session:
        metrics = adapters.make_metrics(lambda: catalog, targets, session)
        (sample,) = await metrics["router"].sample(STAGING, [newest.digest])
        health = await MetricSourceHealth(lambda: catalog, targets, metrics)()
    assert [(r.total, r.bad) for r in sample.readings] == [(70, 7)]
    assert health == "ok: router"


async def test_a_reload_reaches_them(catalog: Catalog, counts: Counts, tmp_path: Path) -> None:
    targets = adapters.make_targets(catalog, tmp_path)
    before = targets["local"]
    write(tmp_path / "config", all=text(counts, ("router: shop-staging", "router: shop-preview")))
    await targets.reload(load(tmp_path / "config", registry.KINDS))
    assert targets["local"] is before
    assert await before.router_address(STAGING) == "http://shop-preview"


async def test_a_target_of_another_kind_takes_the_place_of_the_former_one(
    catalog: Catalog, tmp_path: Path
) -> None:
    former = load(write(tmp_path / "former", all=changed()), registry.KINDS)
    targets = adapters.make_targets(former, tmp_path, start=False)
    await targets.reload(catalog)
    assert isinstance(targets["local"], new_kinds.Containers)


async def test_the_doctor_looks_at_them(catalog: Catalog, tmp_path: Path) -> None:
    found, lines = examine_catalog(tmp_path / "config")
    assert found is not None
    lines += [line async for line in examine_targets(found, tmp_path)]
    assert [(line.mark, line.what) for line in lines] == [
        ("ok", "catalog"),
        ("warn", "target local"),  # nothing runs yet
        ("warn", "metrics router"),
    ]


def test_the_command_line_checks_shows_and_describes_them(catalog: Catalog, tmp_path: Path) -> None:
    folder = str(tmp_path / "config")
    assert CliRunner().invoke(cli, ["config", "check", folder]).output.startswith("✓ 1 guild, 1 service")
    shown = CliRunner().invoke(cli, ["config", "show", "--full", folder]).output
    assert "network: shops" in shown and "grace: 90 s" in shown and "grace_s" not in shown
    assert "of-json" not in shown
    schema = jsonschema_rs.Draft202012Validator(
        json.loads(CliRunner().invoke(cli, ["config", "schema"]).output)
    )
    written = yaml.safe_load((tmp_path / "config" / "all.yaml").read_text())
    assert [error.message for error in schema.iter_errors(written)] == []
    written["services"]["checkout"]["releases"]["spec"]["imag"] = "x"
    assert not schema.is_valid(written)


MISTAKES = {
    "a key of its spec": (
        ("grace: 90s", "grave: 90s"),
        'services.checkout.releases.spec.grave: there is no such key here. Did you mean "grace"?',
    ),
    "a key of another kind's spec": (
        ("image: ", "command: [run], image: "),
        "services.checkout.releases.spec.command: there is no such key here.",
    ),
    "what its spec needs": (
        ('image: "shop:{version}", ', ""),
        "services.checkout.releases: nothing says how to run version any. Add spec: {image: …}.",
    ),
    "a key of its router": (
        ("{name: shop}", "{name: shop, nane: shop}"),
        'services.checkout.environments.production.router.nane: there is no such key here. Did you mean "name"?',
    ),
    "a secret in the file": (
        ('"${SLIPWAY_VAR_JSON_TOKEN}"', "plain"),
        "metrics.router.token: must not be written in a file. Write ${NAME} and set that variable.",
    ),
    "what its values are together": (
        ("buckets: [1, 5]", "buckets: [1, 5, 3]"),
        "metrics.router.buckets[2]: 3 comes after 5 (all.yaml:18): bounds rise.",
    ),
    "a limit above its bounds": (
        ("buckets: [1, 5]", "buckets: [1, 3]"),
        'the limit of 5 s is above the last finite bucket of "router", 3 s.',
    ),
    "a kind that is near one": (
        ("kind: containers", "kind: container"),
        'targets.local.kind: there is no kind "container". Did you mean "containers"?',
    ),
    "a kind that is near none": (
        ("kind: containers", "kind: x"),
        'targets.local.kind: there is no kind "x". Known: command, containers, docker, process, swarm, webhook.',
    ),
    "no kind": (
        ("{kind: containers, ", "{"),
        'targets.local: "kind" is missing. Known: command, containers, docker, process, swarm, webhook.',
    ),
    "no kind of router": (
        ("targets:\n  local:", "targets:\n  edge: {kind: process, router: {connections: 5}}\n  local:"),
        'targets.edge.router: "kind" is missing. Known: envoy, haproxy.',
    ),
    "targets of two kinds for one service": (
        (
            "targets:\n  local:",
            "targets:\n  other: {kind: process, users: host}\n  local:",
        ),
        "services.checkout: it runs on different kinds of targets: containers in staging and process in production.",
    ),
}


@pytest.mark.parametrize(("change", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_them_has_its_place_and_a_hint(
    counts: Counts, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    mixed = ("{router: {name: shop}}", "{target: other, router: {name: shop}}")
    more = (change, mixed) if "other:" in change[1] else (change,)
    folder = write(tmp_path / "config", all=text(counts, *more))
    (folder / "versions.txt").write_text("2.0\n")
    _, mistakes = check(folder, registry.KINDS)
    told = [str(m).replace(f"{folder}/", "") for m in mistakes]
    assert len(told) == 1 and said in told[0], told
    assert told[0].startswith("all.yaml:") and "plain" not in told[0]
