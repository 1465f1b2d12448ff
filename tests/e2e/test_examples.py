"""Each folder of config/examples as a newcomer uses it: copied, changed as its README says, and brought up.

A good release takes over, and a bad one is rolled back while users count what fails. What the tests change besides:
soaks last seconds (SLIPWAY_VAR_SOAK, as the READMEs offer), ports are free ones, and a failing version is added.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator

import pytest

from demo.children import free_port
from tests.support.docker import DockerEngine, registry
from tests.support.e2e.newcomer import good_then_bad, newcomer
from tests.support.e2e.users import Users
from tests.support.paths import TESTS
from tests.support.python_image import CHANGES, python_image

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(480)]

RATE = 100  # requests a second: 5% of them are enough to judge by in a soak of this time
SHOP = (TESTS / "fakes" / "shop.py").read_text()
QUICK = {"SLIPWAY_VAR_SOAK": "15s"}
VERSIONS = ('versions: ["1.1.0", "1.0.0"]', 'versions: ["1.2.0", "1.1.0", "1.0.0"]')


def programs() -> dict[str, str]:
    """`releases/shop/VERSION` for each version."""
    # The interpreter of the tests may be in a folder that no other user can read, and lanes have users of their own.
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    found = {}
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        folder = f"releases/shop/{version}"
        found[f"{folder}/shop.py"] = SHOP
        found[f"{folder}/bin/shop"] = f'#!/bin/sh\nexec {python} "${{0%/*}}/../shop.py" "$1" {version}\n'
    return found


@pytest.fixture(scope="module")
def shop(docker: DockerEngine) -> Iterator[str]:
    """The shop's image in a registry of this machine, with a tag for each version; the engine itself has none."""
    with registry() as served:
        docker.load("shop-base:1", python_image(), *CHANGES)
        program = ["python", "-c", SHOP, "8080"]
        for version in ("1.0.0", "1.1.0", "1.2.0"):
            name = f"{served.name}/shop:{version}"
            docker.derive("shop-base:1", name, f"CMD {json.dumps([*program, version])}")
            docker.push(name)
        yield f"{served.name}/shop"


async def test_containers_behind_envoy(docker: DockerEngine, shop: str, dsn: str) -> None:
    port = free_port()
    edits = [
        ("unix:///var/run/docker.sock", f"{docker.address}\n    publish: {docker.loopback}"),
        ("registry.example.com/shop", shop),
        ("router: 8402", f"router: {port}"),
        VERSIONS,
    ]
    async with newcomer("docker-envoy", dsn, edits=edits, variables=QUICK) as here:
        await good_then_bad(here, Users(f"http://127.0.0.1:{port}/", RATE), share=0.05)


async def test_containers_behind_haproxy(docker: DockerEngine, shop: str, dsn: str) -> None:
    if shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("needs haproxy")
    port = free_port()
    edits = [
        ("unix:///var/run/docker.sock", f"{docker.address}\n    publish: {docker.loopback}"),
        ("registry.example.com/shop", shop),
        ("listen: 8402", f"listen: {port}"),
    ]
    async with newcomer("docker-haproxy", dsn, edits=edits, variables=QUICK) as here:
        await good_then_bad(here, Users(f"http://127.0.0.1:{port}/", RATE), share=0.05)


async def test_programs_on_one_server(dsn: str) -> None:
    port = free_port()
    edits = [("router: 8402", f"router: {port}")]
    async with newcomer("processes", dsn, edits=edits, variables=QUICK, files=programs()) as here:
        await good_then_bad(here, Users(f"http://127.0.0.1:{port}/", RATE), share=0.05)
