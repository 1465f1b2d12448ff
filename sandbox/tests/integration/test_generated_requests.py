"""Requests generated from Discord's description, good and bad, to every modelled route.

Answers have the described shapes, wrong bodies are refused in Discord's form, and nothing is an HTTP 500.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode

from discord_sandbox import ApplicationSpec, Sandbox, World
from support import discord_specs
from support.client import Client
from support.scene import Scene

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.usefixtures("same_examples")]

ROUTES = discord_specs.modelled()
EXAMPLES = 15
MODES = {"good": GenerationMode.POSITIVE, "bad": GenerationMode.NEGATIVE}
# Routes that no good request gets past, and why.
NEVER = {
    "GET /guilds/{guild_id}/stickers/{sticker_id}": "no server has stickers",
    "PUT /applications/{application_id}/guilds/{guild_id}/commands/{command_id}/permissions": (
        "refused to bots, as on Discord"
    ),
}
SCHEMA = schemathesis.openapi.from_dict(discord_specs.only(ROUTES))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="module")
def scene(runner: asyncio.Runner) -> Iterator[Scene]:
    robot = ApplicationSpec("robot", permissions=("ADMINISTRATOR",))
    sandbox = Sandbox(World(applications=(robot,), rate_limits=False))
    runner.run(sandbox.start())
    client = Client(sandbox)
    runner.run(client.__aenter__())
    yield Scene(client)
    runner.run(client.__aexit__(None, None, None))
    runner.run(sandbox.stop())


def _deferral(case: Any) -> bool:
    """Whether it defers an interaction: of its data, the flags alone are read."""
    return case.path.endswith("/callback") and case.body.get("type") in (5, 6)


def check_error(body: Any) -> None:
    """Assert Discord's form: a code, a message, and where fields are at fault a tree of them."""
    assert set(body) <= {"code", "message", "errors"}, body
    assert isinstance(body["code"], int)
    assert isinstance(body["message"], str)
    assert body["message"]
    if "errors" in body:
        check_tree(body["errors"])


def check_tree(node: Any) -> None:
    assert isinstance(node, dict)
    assert node
    for key, value in node.items():
        if key == "_errors":
            assert [set(one) for one in value] == [{"code", "message"}] * len(value)
        else:
            check_tree(value)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("route", ROUTES)
def test_a_route_answers_as_described(route: str, mode: str, scene: Scene, runner: asyncio.Runner) -> None:
    method, path = route.split(" ")
    operation = SCHEMA[path][method]
    if mode == "bad" and not operation.body and not operation.query:
        return

    met: set[int] = set()

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )
    @hypothesis.given(operation.as_strategy(generation_mode=MODES[mode]))
    def request(case: Any) -> None:
        answer = runner.run(scene.send(route, case, good=mode == "good"))
        met.add(answer.status)
        assert answer.status < 500
        if answer.status >= 400:
            check_error(answer.body)
        elif mode == "bad" and operation.body and method != "DELETE" and not _deferral(case):
            assert discord_specs.is_valid(route, case.body), f"{answer.status} for {case.body}"

    scene.begin()
    request()
    if mode == "good":
        assert any(status < 400 for status in met) is (route not in NEVER), met
