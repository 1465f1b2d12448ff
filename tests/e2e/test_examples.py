"""Each folder of config/examples as a newcomer uses it: copied, changed as its README says, and brought up.

A good release takes over, and a bad one is rolled back while users count what fails. What the tests change besides:
soaks last seconds (SLIPWAY_VAR_SOAK, as the READMEs offer), ports are free ones, and a failing version is added.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.children import free_port
from tests.support.docker import DockerEngine, Registry, registry
from tests.support.e2e.newcomer import good_then_bad, newcomer
from tests.support.e2e.users import NO_RELEASE, ServiceUsers
from tests.support.paths import TESTS
from tests.support.python_image import CHANGES, python_image
from tests.support.repository import EXAMPLES
from tests.support.ssh import ssh_server
from tests.support.swarm import docker_swarm

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1500)]

RATE = 100  # requests a second: 5% of them are enough to judge by in a soak of this time
SHOP = (TESTS / "fakes" / "shop.py").read_text()
QUICK = {"SLIPWAY_VAR_SOAK": "15s"}
VERSIONS = ('versions: ["1.1.0", "1.0.0"]', 'versions: ["1.2.0", "1.1.0", "1.0.0"]')


def programs(folder: str = "releases/shop") -> dict[str, str]:
    """`FOLDER/VERSION` for each version."""
    # The interpreter of the tests may be in a folder that no other user can read, and lanes have users of their own.
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    found = {}
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        found[f"{folder}/{version}/shop.py"] = SHOP
        found[f"{folder}/{version}/bin/shop"] = (
            f'#!/bin/sh\nexec {python} "${{0%/*}}/../shop.py" "$1" {version}\n'
        )
    return found


def published(engine: DockerEngine, served: Registry) -> str:
    """The shop's image, made by this engine; its name in the registry."""
    engine.load("shop-base:1", python_image(), *CHANGES)
    program = ["python", "-c", SHOP, "8080"]
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        name = f"{served.name}/shop:{version}"
        engine.derive("shop-base:1", name, f"CMD {json.dumps([*program, version])}")
        engine.push(name)
    return f"{served.name}/shop"


@pytest.fixture(scope="module")
def shop(docker: DockerEngine) -> Iterator[str]:
    """The shop's image in a registry of this machine, with a tag for each version; the engine itself has none."""
    with registry() as served:
        yield published(docker, served)


async def test_containers_behind_envoy(docker: DockerEngine, shop: str, dsn: str) -> None:
    port = free_port()
    edits = [
        ("unix:///var/run/docker.sock", f"{docker.address}\n    publish: {docker.loopback}"),
        ("registry.example.com/shop", shop),
        ("router: 8402", f"router: {port}"),
        VERSIONS,
    ]
    async with newcomer("docker-envoy", dsn, edits=edits, variables=QUICK) as here:
        await good_then_bad(here, ServiceUsers(f"http://127.0.0.1:{port}/", RATE), share=0.05)


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
        await good_then_bad(here, ServiceUsers(f"http://127.0.0.1:{port}/", RATE), share=0.05)


async def test_services_of_a_swarm(dsn: str) -> None:
    port = free_port()
    with docker_swarm(nodes=2) as swarm, registry(swarm.gateway) as served:
        shop = published(swarm.manager, served)
        edits = [
            ("unix:///var/run/docker.sock", swarm.manager.address),
            ("registry.example.com/shop", shop),
            ("router: 8402", f"router: {port}"),
            VERSIONS,
        ]
        async with newcomer("swarm", dsn, edits=edits, variables=QUICK) as here:
            await good_then_bad(here, ServiceUsers(f"http://127.0.0.1:{port}/", RATE), share=0.05)


async def test_programs_on_one_server(dsn: str) -> None:
    port = free_port()
    edits = [("router: 8402", f"router: {port}")]
    async with newcomer("processes", dsn, edits=edits, variables=QUICK, files=programs()) as here:
        await good_then_bad(here, ServiceUsers(f"http://127.0.0.1:{port}/", RATE), share=0.05)


# systemd does not run where tests do: `systemctl` restarts the program itself, and `sudo` is not needed.
STAND_INS = {
    "sudo": '#!/bin/sh\nexec "$@"\n',
    "systemctl": """\
#!/bin/sh
case "$1" in
is-active) kill -0 "$(cat pid)" ;;
restart)
  if test -e pid; then
    kill "$(cat pid)"
    while kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.05; done
  fi
  setsid current/bin/shop PORT > shop.log 2>&1 < /dev/null &
  echo $! > pid ;;
esac
""",
}


async def test_a_unit_on_another_machine(dsn: str, tmp_path: Path) -> None:
    """1.3.0 is well at first, and then not: its probes fail while users still get answers."""
    port = free_port()
    site, server = tmp_path / "site", ssh_server(tmp_path / "ssh")
    script = EXAMPLES / "command-ssh" / "host" / "bin" / "deploy"
    files = {f"tools/{name}": text.replace("PORT", str(port)) for name, text in STAND_INS.items()}
    files |= programs("releases")
    files["bin/deploy"] = script.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
        (site / name).chmod(0o755)
    path = f"{site / 'tools'}:{os.environ['PATH']}"
    with (server.folder / "sshd_config").open("a") as config:
        config.write(f"SetEnv PATH={path}\n")
    subprocess.run(["bin/deploy", "1.0.0"], cwd=site, env={"PATH": path}, check=True, capture_output=True)
    await server.start()
    login = ", ".join(f"{key}: {value}" for key, value in server.settings.items())
    edits = [
        ("host: web1.example.com, user: deploy, folder: /srv/shop", f"{login}, folder: {site}"),
        ("https://shop.example.com", f"http://127.0.0.1:{port}"),
        ('versions: ["1.1.0", "1.0.0"]', 'versions: ["1.3.0", "1.1.0", "1.0.0"]'),
    ]
    try:
        async with (
            # Probes that fail within 5 s are one event, and a verdict on a limit of 10% takes three of them.
            newcomer("command-ssh", dsn, edits=edits, variables={"SLIPWAY_VAR_SOAK": "25s"}) as here,
            ServiceUsers(f"http://127.0.0.1:{port}/", 20) as users,
        ):
            id_ = await here.deploy("shop", "1.1.0", "production")
            await here.approve(id_)
            await here.ends(id_, "succeeded")
            await users.only("1.1.0")
            # No answer while the unit restarts; every answer was a good one.
            assert set(users.failures()) <= {NO_RELEASE}

            before = users.count
            id_ = await here.deploy("shop", "1.3.0", "production")
            await here.approve(id_)
            await here.ends(id_, "rolled_back")
            await users.only("1.1.0")
            assert "1.3.0" in users.answers(before)
            assert set(users.failures(before)) <= {NO_RELEASE}
            assert users.failures(users.settled) == {}, "after the rollback none fail"
            assert (site / "current").readlink() == Path("releases/1.1.0")
    finally:
        server.stop()
        os.kill(int((site / "pid").read_text()), signal.SIGTERM)
