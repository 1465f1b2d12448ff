"""Releases from Debian's docker-registry: no version is listed by hand, and a rollout gets what a tag was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.composition.adapters import make_releases
from bot.domain.config import Catalog
from bot.ports.errors import Unreachable
from tests.support.catalog_files import load, write
from tests.support.docker import DockerEngine, Registry, docker_engine, registry

pytestmark = pytest.mark.real

TEXT = """\
guilds:
  acme: {{id: "100000000000000001", channels: {{deploys: deploys, alerts: alerts}}, roles: {{dev: Dev, on-call: Dev}}}}
defaults: {{target: containers, policy: web, plan: all, metrics: [router], roles: {{deploy: [dev], rollback: [dev]}}}}
targets: {{containers: {{kind: docker, engine: "{engine}"}}}}
metrics: {{router: {{kind: router}}}}
plans: {{all: [{{shift: 100}}, {{observe: 10s}}]}}
policies: {{web: {{objectives: {{errors: 1%}}}}}}
environments: {{production: {{}}}}
services:
  shop:
    releases: {{kind: registry, look_into: 10, spec: {{image: "{registry}/shop:v{{version}}", port: 8080}}}}
    environments: {{production: {{router: 8402}}}}
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    with docker_engine() as started:
        yield started


@pytest.fixture
def hub() -> Iterator[Registry]:
    with registry() as served:
        yield served


def catalog(folder: Path, engine: DockerEngine, hub: Registry) -> Catalog:
    return load(write(folder, all=TEXT.format(engine=engine.address, registry=hub.name)), {})


async def test_a_pushed_image_is_offered_and_pinned_by_its_digest(
    engine: DockerEngine, hub: Registry, tmp_path: Path
) -> None:
    found = catalog(tmp_path, engine, hub)
    source = make_releases(lambda: found)
    digests = {}
    for tag in ("v1.10.0", "v1.9.0", "nightly"):
        engine.load(f"{hub.name}/shop:{tag}")
        digests[tag] = engine.push(f"{hub.name}/shop:{tag}")
    known = await source.releases("shop", "production")
    assert sorted(r.version for r in known) == ["1.10.0", "1.9.0"]
    newest = next(r for r in known if r.version == "1.10.0")
    sealed = await source.pinned(newest, "production")
    assert sealed.spec["image"] == f"{hub.name}/shop@{digests['v1.10.0']}"

    engine.load(f"{hub.name}/shop:v1.11.0")
    engine.push(f"{hub.name}/shop:v1.11.0")
    assert len(await source.releases("shop", "production", fresh=True)) == 3


async def test_images_come_newest_first_by_the_time_of_their_build(
    engine: DockerEngine, hub: Registry, tmp_path: Path
) -> None:
    found = catalog(tmp_path, engine, hub)
    for tag in ("v2.0", "v1.0"):  # v1.0 is built last
        engine.load(f"{hub.name}/shop:{tag}", more=100)
        engine.push(f"{hub.name}/shop:{tag}")
    known = await make_releases(lambda: found).releases("shop", "production")
    assert [r.version for r in known] == ["1.0", "2.0"]


async def test_a_registry_that_goes_away_leaves_the_list_that_was_known(
    engine: DockerEngine, hub: Registry, tmp_path: Path
) -> None:
    found = catalog(tmp_path, engine, hub)
    source = make_releases(lambda: found)
    engine.load(f"{hub.name}/shop:v1.0")
    engine.push(f"{hub.name}/shop:v1.0")
    known = await source.releases("shop", "production")
    hub.stop()
    assert await source.releases("shop", "production") == known
    with pytest.raises(Unreachable, match=f"The tags of {hub.name}/shop cannot be read"):
        await source.releases("shop", "production", fresh=True)
    assert await source.releases("shop", "production") == known


async def test_an_image_that_nothing_was_pushed_for_is_a_sentence(
    engine: DockerEngine, hub: Registry, tmp_path: Path
) -> None:
    found = catalog(tmp_path, engine, hub)
    with pytest.raises(Unreachable, match="it has no image shop"):
        await make_releases(lambda: found).releases("shop", "production")
