"""config/examples/checklist as a newcomer uses it: a bot on two hosts, judged by the errors of its commands.

OpenSSH, the Alertmanager and the local Discord are real, GitHub is the strict fake. `docker compose` is a stand-in that
runs the bot as a process, `node` and `npm` only note that they ran. What the tests change besides addresses: soaks last
seconds (SLIPWAY_VAR_SOAK, as the README offers), and so do the two minutes for which two of the triggers must hold.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from demo.children import free_port
from demo.stories.stage import StoryError
from tests.fakes.github import GithubApi, published, serving
from tests.support.e2e.compose_host import ComposeHost, stand_ins
from tests.support.e2e.newcomer import Newcomer, newcomer
from tests.support.e2e.users import NO_RELEASE, Invocations
from tests.support.prometheus import Program, alertmanager, running
from tests.support.repository import EXAMPLES
from tests.support.ssh import SshServer, ssh_server

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1500)]

EXAMPLE = EXAMPLES / "checklist"
COMMITS = {f"1.{minor}.0": f"{minor + 1}" * 40 for minor in range(7)}
NEW = {version: ["greet"] for version in COMMITS} | {
    "1.1.0": ["greet", "wave"],
    "1.2.0": ["dance", "greet", "wave"],
}
MANIFESTS = {
    f"config/examples/checklist/releases/{version}/commands.json": json.dumps(
        [{"name": name, "description": f"Does {name}"} for name in names]
    )
    for version, names in NEW.items()
}
RATE = 5  # invocations a second


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SshServer]:
    """Its logins find the stand-ins first."""
    found = ssh_server(tmp_path / "ssh")
    tools = stand_ins(tmp_path / "tools")
    with (found.folder / "sshd_config").open("a") as config:
        config.write(f"SetEnv PATH={tools}:/usr/local/bin:/usr/bin:/bin\n")
    await found.start()
    yield found
    found.stop()


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Program]:
    try:
        program = alertmanager(tmp_path / "alertmanager")
    except LookupError as missing:
        pytest.skip(str(missing))
    with running(program):
        yield program


@pytest.fixture
async def github() -> AsyncIterator[GithubApi]:
    """Seven published releases; CI is green for all, and the changelog has each."""
    api = GithubApi(
        runs=[("npm test", "completed", "success")],
        files={"CHANGELOG.md": "".join(f"## {version}\n" for version in COMMITS)},
        releases=[published(f"v{v}", f"2026-11-2{v[2]}T10:00:00Z") for v in COMMITS],
        tags={f"v{version}": commit for version, commit in COMMITS.items()},
        commits={sha: (before, "ada", "Ada") for before, sha in pairwise([None, *COMMITS.values()])},
        checked=tuple(COMMITS.values()),
    )
    async with serving(api):
        yield api


@asynccontextmanager
async def bot_on_two_hosts(
    dsn: str, folder: Path, server: SshServer, pages: Program, github: GithubApi, *shorter: tuple[str, str]
) -> AsyncIterator[tuple[Newcomer, dict[str, ComposeHost]]]:
    """1.0.0 runs on both, as before Slipway came. shorter: further edits of the catalog."""
    images = {commit: version for version, commit in COMMITS.items()}
    hosts = {
        name: ComposeHost(folder / name, free_port(), EXAMPLE, images) for name in ("staging", "production")
    }

    async def prepare(here: Newcomer) -> None:
        for (name, host), application in zip(hosts.items(), ("chopsticks-test", "chopsticks"), strict=True):
            api, gateway = here.sandbox["api_base"], here.sandbox["gateway_url"]
            token = here.tokens[application]
            host.settle(DISCORD_API=api, DISCORD_GATEWAY=gateway, DISCORD_TOKEN=token, STAGE=name)
            file = {"staging": "docker-compose.stack.yml"}.get(name, "docker-compose.production.yml")
            host.deploy(file, COMMITS["1.0.0"], "1.0.0", folder / "tools")
        here.environment |= {
            "SLIPWAY_VAR_CHOPSTICKS_ID": here.ids["chopsticks"],
            "SLIPWAY_VAR_CHOPSTICKS_TOKEN": here.tokens["chopsticks"],
        }

    login = ", ".join(f"{key}: {value}" for key, value in server.settings.items())
    addresses = {name: f"http://127.0.0.1:{host.port}" for name, host in hosts.items()}
    edits = [
        ("http://staging-host:3000", addresses["staging"]),
        ("https://bot.internal", addresses["production"]),
        ("host: staging-host, folder: /srv/chopsticks", f"{login}, folder: {hosts['staging'].folder}"),
        ("host: prod-host, folder: /srv/chopsticks", f"{login}, folder: {hosts['production'].folder}"),
        ("http://alertmanager:9093", pages.url),
        ("repository: acme/chopsticks", f"repository: acme/checkout\n      api: {github.url}"),
        *shorter,
    ]
    variables = {
        "SLIPWAY_VAR_SOAK": "20s",
        "SLIPWAY_VAR_GITHUB_TOKEN": github.token,
        "ADMIN_API_SECRET": "of-the-bot-and-long",
    }
    try:
        async with newcomer(
            "checklist", dsn, edits=edits, variables=variables, files=MANIFESTS, prepare=prepare
        ) as here:
            yield here, hosts
    finally:
        for host in hosts.values():
            host.stop()


async def test_the_checklist_from_staging_to_a_rollback_by_command_errors(
    dsn: str, tmp_path: Path, server: SshServer, pages: Program, github: GithubApi
) -> None:
    async with bot_on_two_hosts(dsn, tmp_path, server, pages, github) as (here, hosts):
        staging = Invocations(here.stage, "chopsticks-test", RATE)
        production = Invocations(here.stage, "chopsticks", RATE)
        async with staging, production:
            with pytest.raises(StoryError, match="staging"):
                await here.deploy("chopsticks", "1.1.0", "production")

            await deployed(here, "1.1.0", "staging")
            assert hosts["staging"].ran()[-8:] == [
                "docker compose -f docker-compose.stack.yml pull bot",
                "docker compose -f docker-compose.stack.yml up -d --no-deps bot",
                "smoke-health",
                "smoke-metrics",
                "smoke-db",
                "node scripts/e2e/smoke-redis.mjs",
                "node scripts/e2e/smoke-rate-limit.mjs",
                "npm run test:e2e",
            ]
            await deployed(here, "1.1.0", "production")
            await production.only("1.1.0", 15)
            assert await here.app_commands("chopsticks") == NEW["1.1.0"]
            # While the bot is replaced no command is answered; every answer was a good one.
            assert set(production.failures()) <= {NO_RELEASE}

            before = production.count
            await deployed(here, "1.2.0", "staging")
            assert production.failures(before) == {}, "staging is no trouble for production"
            id_ = await here.deploy("chopsticks", "1.2.0", "production")
            await here.approve(id_)
            why = await here.ends(id_, "rolled_back")
            assert "error_rate > 5% over 5m" in why
            await production.only("1.1.0", 15)
            assert set(production.failures(before)) <= {"1.2.0", NO_RELEASE}
            assert production.failures(production.settled) == {}, "after the rollback all are answered"
        assert (
            hosts["production"].ran()[-1]
            == "docker compose -f docker-compose.production.yml up -d --no-deps --force-recreate bot"
        )
        assert await here.app_commands("chopsticks") == NEW["1.1.0"]
        with pytest.raises(StoryError, match="quarantined"):
            await here.deploy("chopsticks", "1.2.0", "production")


async def test_each_of_the_other_triggers_rolls_back_at_once(
    dsn: str, tmp_path: Path, server: SshServer, pages: Program, github: GithubApi
) -> None:
    shorter = [(f"{rule} for 2m", f"{rule} for 3s") for rule in ("p99 > 5s over 5m", "gateway disconnected")]
    async with bot_on_two_hosts(dsn, tmp_path, server, pages, github, *shorter) as (here, _):
        staging = Invocations(here.stage, "chopsticks-test", RATE)
        production = Invocations(here.stage, "chopsticks", RATE)
        async with staging, production:
            for environment in ("staging", "production"):
                await deployed(here, "1.1.0", environment)
            for version, trigger in (
                ("1.3.0", "p99 > 5s over 5m for 3s"),
                ("1.4.0", "gateway disconnected for 3s"),
                ("1.5.0", "database > 1% over 5m"),
                ("1.6.0", "any P1 alert firing"),
            ):
                await deployed(here, version, "staging")
                id_ = await here.deploy("chopsticks", version, "production")
                await here.approve(id_)
                if version == "1.6.0":  # has no trouble of its own
                    await fire(pages)
                assert trigger in await here.ends(id_, "rolled_back")
                await production.only("1.1.0", 20)
                where = {"service": "chopsticks", "environment": "production"}
                await here.stage.slash("lead", "unlock", **where, reason="The cause is known.")


async def fire(pages: Program) -> None:
    """Someone's P1 alert for the lane. Without an end it would be over by itself after five minutes."""
    over_at = datetime.now(UTC) + timedelta(hours=1)
    labels = {
        "alertname": "Down",
        "service": "chopsticks",
        "environment": "production",
        "severity": "critical",
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{pages.url}/api/v2/alerts", json=[{"labels": labels, "endsAt": over_at.isoformat()}]
        ) as answer,
    ):
        assert answer.status == 200


async def deployed(here: Newcomer, version: str, environment: str) -> None:
    id_ = await here.deploy("chopsticks", version, environment)
    if environment == "production":
        await here.approve(id_)
    await here.ends(id_, "succeeded")
