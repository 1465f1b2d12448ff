"""`slipway smoke` and `slipway checks lint` as programs, against real servers."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from aiohttp import web

from tests.support.catalog_files import changed, write
from tests.support.checked import serving
from tests.support.cli import Cli

PLACE = "    environments:\n      staging: {router: 8401}\n"
SMOKE = ("smoke", "--service", "checkout", "--environment", "production")


def catalog(folder: Path, checks: str) -> Cli:
    write(folder / "config", all=changed((PLACE, checks + PLACE)))
    return Cli(folder)


def a_bots(url: str) -> str:
    """The smoke tests of a bot: its process, its parts by their JSON, its metrics, and a call with a token."""
    return f"""\
    checks:
      health: {{kind: http, url: "{url}/health", timeout: 2s, critical: true}}
      parts: {{kind: discord, url: "{url}/health", keys: [gateway, db, redis, lavalink]}}
      metrics: {{kind: http, url: "{url}/metrics", contains: "# HELP"}}
      db-ping: {{kind: http, url: "{url}/admin/db-ping", bearer: "${{SLIPWAY_VAR_TOKEN}}"}}
"""


class BotEndpoints:
    """A bot with the endpoints that smoke tests ask."""

    def __init__(self) -> None:
        self.health = {"gateway": "connected", "db": "ok", "redis": "ok", "lavalink": "ok"}

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/health":
            return web.json_response(self.health)
        if request.path == "/metrics":
            return web.Response(text="# HELP up Whether it runs.\nup 1\n")
        allowed = request.headers.get("Authorization") == "Bearer hush-hush-hush"
        return web.Response(status=200 if allowed else 401)


async def test_a_healthy_bot_passes_and_is_reported_three_ways(tmp_path: Path) -> None:
    async with serving(BotEndpoints()) as url:
        cli = catalog(tmp_path, a_bots(url))
        said = await cli(*SMOKE, "--junit", "report.xml", SLIPWAY_VAR_TOKEN="hush-hush-hush")
        assert (said.code, said.err) == (0, "")
        lines = said.out.splitlines()
        assert lines[0] == "checkout/production"
        assert [line.split("passed")[0].split() for line in lines[1:5]] == [
            ["✓", name] for name in ("health", "parts", "metrics", "db-ping")
        ]
        assert lines[5].startswith("4 of 4 checks passed in ")
        suite = ElementTree.parse(tmp_path / "report.xml").getroot()[0]
        assert (suite.get("tests"), suite.get("failures")) == ("4", "0")
        shape = json.loads((await cli(*SMOKE, "--json", SLIPWAY_VAR_TOKEN="hush-hush-hush")).out)
        assert (shape["service"], shape["environment"], shape["passed"]) == ("checkout", "production", True)
        assert [each["passed"] for each in shape["checks"]] == [True] * 4


async def test_an_unwell_bot_is_exit_code_1_and_says_what_is_wrong(tmp_path: Path) -> None:
    bot = BotEndpoints()
    bot.health |= {"db": "down", "lavalink": "reconnecting"}
    async with serving(bot) as url:
        cli = catalog(tmp_path, a_bots(url))
        said = await cli(*SMOKE, "--junit", "report.xml", SLIPWAY_VAR_TOKEN="other")
        assert said.code == 1
        assert "  ✗ parts    The bot is not well: db is down, lavalink is reconnecting.\n" in said.out
        assert f"  ✗ db-ping  GET {url}/admin/db-ping should answer 200, but answered 401.\n" in said.out
        assert said.out.splitlines()[-1].startswith("2 of 4 checks passed in ")
        suite = ElementTree.parse(tmp_path / "report.xml").getroot()[0]
        assert (suite.get("name"), suite.get("failures")) == ("smoke checkout/production", "2")
        failed = {case.get("name"): case[0].get("message") for case in suite if len(case)}
        assert failed["parts"] == "The bot is not well: db is down, lavalink is reconnecting."
        assert set(failed) == {"parts", "db-ping"}
    said = await cli(*SMOKE, "--json", SLIPWAY_VAR_TOKEN="other")
    shape = json.loads(said.out)
    assert (said.code, shape["passed"]) == (1, False)
    (health,) = (each for each in shape["checks"] if each["name"] == "health")
    assert health["said"] == f"GET {url}/health failed: the connection was refused."
    assert (health["kind"], health["critical"], health["asked"]) == ("http", True, f"{url}/health")


async def test_a_target_that_does_not_answer_fails_what_it_should_tell(tmp_path: Path) -> None:
    """No host runs here, so no one knows where the lane answers."""
    cli = catalog(
        tmp_path, "    checks: {health: {kind: http, path: /healthz}, name: {kind: dns, name: localhost}}\n"
    )
    said = await cli(*SMOKE)
    assert said.code == 1
    assert "  ✗ health  It could not be asked: " in said.out
    assert "  ✓ name    passed in " in said.out


async def test_a_lane_without_checks_and_one_that_is_not_there_are_said(tmp_path: Path) -> None:
    cli = catalog(tmp_path, "")
    said = await cli(*SMOKE)
    assert said.code == 1
    assert said.err == (
        "`checkout/production` has no checks. Add checks: to the service or its environment in the catalog.\n"
    ) or said.err.startswith("checkout/production has no checks.")
    said = await cli("smoke", "--service", "checkot", "--environment", "production")
    assert said.code == 1
    assert "checkout" in said.err
    assert (await cli("smoke", "--service", "checkout")).code == 2


async def test_lint_counts_what_is_there_and_names_lanes_without_checks(tmp_path: Path) -> None:
    cli = catalog(tmp_path, "")
    assert await cli("checks", "lint") == (
        0,
        "! checkout/staging has no checks\n! checkout/production has no checks\n✓ 0 checks in 2 lanes\n",
        "",
    )
    cli = catalog(tmp_path, a_bots("http://127.0.0.1:1"))
    said = await cli("checks", "lint", "config", SLIPWAY_VAR_TOKEN="x")
    assert said.out.splitlines() == [
        "checkout/staging: 4 checks (3 http, 1 discord), 4 monitors",
        "checkout/production: 4 checks (3 http, 1 discord), 4 monitors",
        "✓ 8 checks in 2 lanes",
    ]


@pytest.mark.parametrize("as_json", [False, True])
async def test_lint_tells_all_mistakes_with_exit_code_3(tmp_path: Path, as_json: bool) -> None:
    checks = "    checks:\n      one: {kind: http, path: no}\n      two: {kind: tsp}\n"
    cli = catalog(tmp_path, checks)
    said = await cli("checks", "lint", *(["--json"] if as_json else []))
    assert said.code == 3
    if as_json:
        mistakes = json.loads(said.out)["mistakes"]
        assert [m["key"].rpartition("checks.")[2] for m in mistakes] == ["one.path", "two.kind"]
        assert mistakes[1]["line"] == mistakes[0]["line"] + 1
    else:
        assert said.err.endswith("✗ 2 mistakes\n")
