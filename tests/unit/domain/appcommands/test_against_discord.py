"""Our validation beside two other readings of the same documentation: Discord's description, and the sandbox."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from discord_sandbox import Sandbox, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.appcommands import limits
from bot.domain.appcommands.diff import compare
from bot.domain.appcommands.normalization import digest, sent_command, whole_command
from bot.domain.appcommands.records import Manifest
from bot.domain.appcommands.validation import validate
from tests.support import discord_specs
from tests.support.rules.manifests import REFUSED, TAKEN

PATH = "/applications/1/commands"

# ---- manifests around the limits: many are right, many are nearly right ------------------------------------

names = st.one_of(
    st.text("abcxyz019-_'", min_size=1, max_size=limits.NAME),
    st.sampled_from(["погода", "मौसम", "a" * 32, "a" * 33, "Up", "two words", ""]),
)
texts = st.one_of(st.text(min_size=1, max_size=20), st.sampled_from(["d" * 100, "d" * 101, "🌦" * 100]))
localized = st.none() | st.dictionaries(st.sampled_from(["de", "en-US", "xx"]), texts, max_size=2)
numbers = st.integers(-(2**54), 2**54) | st.floats(allow_nan=False, allow_infinity=False, width=32)


def choices(kind: int) -> st.SearchStrategy[Any]:
    value = texts if kind == limits.STRING else numbers
    one = st.fixed_dictionaries({"name": texts, "value": value}, optional={"name_localizations": localized})
    return st.lists(one, max_size=3)


@st.composite
def plain_options(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.integers(3, 11))
    found: dict[str, Any] = {"type": kind, "name": draw(names), "description": draw(texts)}
    extra: dict[str, st.SearchStrategy[Any]] = {
        "required": st.booleans(),
        "description_localizations": localized,
    }
    if kind in limits.WITH_CHOICES:
        extra |= {"choices": choices(kind), "autocomplete": st.booleans()}
    if kind == limits.STRING:
        extra |= {"min_length": st.integers(-1, 6001), "max_length": st.integers(0, 6001)}
    if kind in limits.NUMERIC:
        extra |= {"min_value": numbers, "max_value": numbers}
    if kind == limits.CHANNEL:
        # Not 16, media channels: Discord documents them, but its description does not have them yet.
        extra["channel_types"] = st.lists(st.integers(0, 15), max_size=3)
    return found | draw(st.fixed_dictionaries({}, optional=extra))


def nested(kind: int, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"type": st.just(kind), "name": names, "description": texts, "options": st.lists(inner, max_size=3)}
    )


subs = nested(limits.SUB_COMMAND, plain_options())
options = st.one_of(
    st.lists(plain_options(), max_size=4),
    st.lists(subs | nested(limits.SUB_COMMAND_GROUP, subs), max_size=3),
)
slash = st.fixed_dictionaries(
    {"name": names, "description": texts},
    optional={
        "type": st.just(1),
        "options": options,
        "name_localizations": st.none() | st.dictionaries(st.sampled_from(["de", "fr"]), names, max_size=2),
        "description_localizations": localized,
        "default_member_permissions": st.none() | st.integers(0, 2**55).map(str),
        "nsfw": st.booleans(),
        "contexts": st.none() | st.lists(st.integers(0, 3), max_size=3),
        "integration_types": st.none() | st.lists(st.integers(0, 2), max_size=2),
    },
)
menu = st.fixed_dictionaries({"type": st.sampled_from([2, 3]), "name": texts})
manifests = st.lists(slash | menu, max_size=4)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "type", "options", "choices", "description", "value", "contexts", "x"]),
            inner,
        )
    ),
    max_leaves=25,
)


def sent(manifest: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [sent_command(command) for command in manifest]


@given(anything)
def test_no_json_whatsoever_makes_validation_stumble(content: Any) -> None:
    for mistake in validate(content):
        assert mistake.path.startswith("$") and mistake.sentence
    if not validate(content):
        assert Manifest.of(content).digest == digest(content)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(manifests)
def test_what_validation_accepts_discords_description_accepts(manifest: list[dict[str, Any]]) -> None:
    if not validate(manifest):
        assert discord_specs.request_errors("PUT", PATH, sent(manifest)) == []
        for command in manifest:
            if command.get("type", 1) == 1:
                assert discord_specs.request_errors("PATCH", f"{PATH}/1", whole_command(command)) == []


@pytest.mark.parametrize("name", TAKEN)
def test_each_limit_from_below_is_taken_by_the_description_too(name: str) -> None:
    assert discord_specs.request_errors("PUT", PATH, sent(TAKEN[name])) == []


async def test_what_validation_accepts_the_sandbox_accepts_and_answers_with_the_same_meaning() -> None:
    """Over the wire, each right example once; what comes back is no difference."""
    found: list[list[dict[str, Any]]] = []

    @settings(database=None, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(manifests)
    def collect(manifest: list[dict[str, Any]]) -> None:
        if manifest and not validate(manifest):
            found.append(json.loads(json.dumps(manifest)))

    collect()
    right = [*TAKEN.values(), *found]
    world = World(rate_limits=False, strict=True, command_creates_per_day=10**6)
    async with Sandbox(world) as sandbox, aiohttp.ClientSession() as http:
        for manifest in right:
            status, answer = await commands(http, sandbox, "PUT", sent(manifest))
            assert status == 200, (manifest, answer)
            _, served = await commands(http, sandbox, "GET")
            assert not compare(served, manifest), manifest
            assert digest(served) == digest(manifest)


async def test_each_limit_from_above_is_refused_by_the_sandbox_too() -> None:
    async with Sandbox(World(rate_limits=False, strict=True)) as sandbox, aiohttp.ClientSession() as http:
        for name, (manifest, _, _) in REFUSED.items():
            status, answer = await commands(http, sandbox, "PUT", manifest)
            assert (status, answer["code"] in {30032, 50035}) == (400, True), (name, answer)


async def commands(
    http: aiohttp.ClientSession, sandbox: Sandbox, method: str, body: Any = None
) -> tuple[int, Any]:
    """Status and body of a call to the global commands of the sandbox's first bot."""
    url = f"{sandbox.api_base}/applications/{sandbox.application_id()}/commands?with_localizations=true"
    headers = {"Authorization": f"Bot {sandbox.token()}"}
    async with http.request(method, url, json=body, headers=headers) as answer:
        return answer.status, await answer.json()
