"""The demo services as containers on an engine of the tests: their image, a catalog for them, and what is there."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from bot.adapters.targets.hosted import wire
from bot.adapters.targets.hosted.host.client import HostClient
from bot.domain.rollout.model import Observed
from demo.engine import LABEL
from tests.support.docker import DockerEngine
from tests.support.e2e.acts import part
from tests.support.e2e.stack import CONFIG, Stack
from tests.support.python_image import CHANGES, python_image

BASE = "demo-base:1"


def environ(docker: DockerEngine) -> dict[str, str]:
    """For the launcher, with a base image of Python and what the services need: nothing is pulled or installed."""
    if docker.call("GET", f"/images/{BASE}/json")[0] != 200:
        docker.load(BASE, python_image("aiohttp", "discord.py", "prometheus-client"), *CHANGES)
    return {
        "DOCKER_HOST": docker.address,
        "DEMO_BASE_IMAGE": BASE,
        "SLIPWAY_DEMO_PUBLISH": docker.loopback,
    }


def catalog(folder: Path) -> Path:
    """The tests' catalog with the names of the demo's services, which are those that it can run in containers."""
    shutil.copytree(CONFIG, folder)
    services = folder / "services.yaml"
    named = services.read_text().replace("mail", "herald").replace("MAIL", "HERALD")
    # As JSON, in which no two services share a part that is then changed for one of them.
    services.write_text(json.dumps(yaml.safe_load(named)))
    return folder


def there(docker: DockerEngine, stack: Stack, service: str, environment: str) -> dict[str, list[str]]:
    """The states of a lane's containers, by version."""
    found: dict[str, list[str]] = {}
    for entry in docker.containers():
        labels: Any = entry["Labels"]
        lane = labels.get("slipway.service"), labels.get("slipway.environment")
        if labels.get(LABEL) == str(stack.demo.folder) and lane == (service, environment):
            found.setdefault(labels["slipway.version"], []).append(str(entry["State"]))
    return found


def created(docker: DockerEngine, stack: Stack, service: str, environment: str) -> Counter[str]:
    """How many containers were ever made for a lane, by version."""
    labels = [
        f"{LABEL}={stack.demo.folder}",
        f"slipway.service={service}",
        f"slipway.environment={environment}",
    ]
    filters = json.dumps({"type": ["container"], "event": ["create"], "label": labels})
    until = f"{time.time():.9f}"
    told = docker.ask("GET", f"/events?{urlencode({'since': '0', 'until': until, 'filters': filters})}")
    events = [json.loads(line) for line in told.splitlines() if line]
    return Counter(event["Actor"]["Attributes"]["slipway.version"] for event in events)


async def one_truth(stack: Stack, docker: DockerEngine, service: str, environment: str, serves: str) -> None:
    """Database, host, router and engine agree on a lane, and it has no container that no one wants."""
    await stack.served_by(service, environment, serves)
    row = await stack.one(
        "SELECT generation, desired FROM lanes WHERE service = $1 AND environment = $2", service, environment
    )
    assert row is not None
    desired = part(row, "desired")
    assert (desired["stable"]["version"], desired["candidate"]) == (serves, None)
    wanted = {release["version"]: ["running"] for release in (desired["stable"], *desired["warm"])}

    async def settled() -> bool | None:
        return True if there(docker, stack, service, environment) == wanted else None

    await stack.until(f"the containers to be {wanted}", settled)
    seen = await _observed(stack, service, environment)
    assert seen.generation == desired["generation"]
    assert {r.version: r.weight for r in seen.running} == {v: 100 * (v == serves) for v in wanted}


async def _observed(stack: Stack, *lane: str) -> Observed:
    """What the host reports: containers as the engine lists them, weights as the router runs them."""
    client = HostClient(stack.data / "host")
    return wire.observed_from_json(await client.call({"do": "observe", "lane": list(lane)}))
