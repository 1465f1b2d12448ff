"""Worlds read from JSON: defaults for what is omitted, a sentence for what is wrong."""

from typing import Any

import pytest

from discord_sandbox import GuildSpec, ManualClock, PersonSpec, Sandbox, World, read_world
from discord_sandbox.world import CHANNELS, PEOPLE, ROLES
from support.client import Client


def test_an_empty_object_is_the_default_world() -> None:
    assert read_world({}) == World()


def test_a_guild_keeps_the_defaults_for_what_it_omits() -> None:
    world = read_world({"guilds": [{"name": "club", "people": [{"name": "zoe", "roles": ["member"]}]}]})
    (club,) = world.guilds
    assert club.people == (PersonSpec("zoe", roles=("member",)),)
    assert (club.roles, club.channels) == (ROLES, CHANNELS)
    assert world.guilds[0].people != PEOPLE
    assert world.applications == World().applications


async def test_the_owner_is_a_member_who_may_do_everything(clock: ManualClock) -> None:
    people = (PersonSpec("zoe"), PersonSpec("ann"))
    guilds = (GuildSpec("club", people=people, owner="zoe"), GuildSpec("hall", people=people))
    async with Sandbox(World(guilds=guilds), clock=clock) as sandbox, Client(sandbox) as client:
        for guild, owner, number in (("club", "zoe", 2), ("hall", "owner", 3)):
            path = f"/guilds/{sandbox.guild_id(guild)}"
            owner_id = (await client.rest("GET", path)).body["owner_id"]
            member = (await client.rest("GET", f"{path}/members/{owner_id}")).body
            assert (member["user"]["username"], member["roles"]) == (owner, [])
            assert (await client.rest("GET", f"/users/{owner_id}")).status == 200
            state = (await client.api("GET", "state")).body
            assert len([one for one in state["people"] if one["guild"] == guild]) == number
            denied = {"role": "everyone", "permissions": {"SEND_MESSAGES": False}, "guild": guild}
            assert (await client.api("PATCH", "channels/general", denied)).status == 200
            said = {"channel": "general", "content": "x", "guild": guild}
            assert (await client.api("POST", "messages", said | {"user": "ann"})).status == 403
            assert (await client.api("POST", "messages", said | {"user": owner})).status == 201
        assert (await client.rest("GET", "/applications/@me")).body["owner"]["username"] == "zoe"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], r"the world is an object, not \[\]"),
        ({"guild": []}, "the world has no guild; known: applications, .*guilds"),
        ({"guilds": [{"channels": []}]}, "a guild has no name"),
        ({"guilds": ["club"]}, "a guild is an object, not 'club'"),
        (
            {"guilds": [{"name": "club", "roles": [{"name": "vip", "colour": 1}]}]},
            "one of the roles has no colour",
        ),
        (
            {"guilds": [{"name": "club", "people": [{"name": "zoe", "roles": ["king"]}]}]},
            "club has no role king, which zoe holds",
        ),
        ({"applications": [{"display_name": "Robot"}]}, "one of the applications has no name"),
    ],
)
def test_a_mistake_is_named_in_a_sentence(given: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_world(given)


def test_unknown_permissions_and_intents_are_named_when_the_sandbox_is_built() -> None:
    role = {"name": "vip", "permissions": ["FLY"]}
    with pytest.raises(ValueError, match="there is no permission FLY"):
        Sandbox(read_world({"guilds": [{"name": "club", "roles": [role], "people": []}]}))
    with pytest.raises(ValueError, match="SECRETS is not a privileged intent; known: GUILD_MEMBERS"):
        Sandbox(read_world({"applications": [{"name": "robot", "privileged": ["SECRETS"]}]}))
