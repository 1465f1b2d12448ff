"""Lists of what the sandbox does not have, for bots that read them when they start."""

import pytest

from discord_sandbox.discord.rest.empty_lists import LISTS
from support.client import Client


@pytest.mark.parametrize("path", LISTS)
async def test_a_servers_lists_are_empty_for_those_who_may_read_them(client: Client, path: str) -> None:
    there = f"/guilds/{client.sandbox.guild_id()}/{path}"
    if LISTS[path]:
        assert (await client.rest("GET", there)).code == 50013
        await client.grant("MANAGE_GUILD")
    assert (await client.rest("GET", there)).body == []
    assert (await client.rest("GET", f"/guilds/1/{path}")).code == 10004


async def test_one_of_none_is_unknown(client: Client) -> None:
    assert (await client.rest("GET", f"/guilds/{client.sandbox.guild_id()}/stickers/1")).code == 10060


async def test_other_lists_are_empty_too(client: Client) -> None:
    own, guild = f"/applications/{client.sandbox.application_id()}", f"/guilds/{client.sandbox.guild_id()}"
    assert (await client.rest("GET", f"{own}/entitlements?limit=100")).body == []
    assert (await client.rest("GET", f"{own}/entitlements?limit=101")).code == 50035
    assert (await client.rest("GET", f"{own}/role-connections/metadata")).body == []
    assert (await client.rest("GET", "/applications/1/entitlements")).code == 20012
    assert (await client.rest("GET", f"{guild}/soundboard-sounds")).body == {"items": []}
    assert (await client.rest("GET", "/soundboard-default-sounds")).body == []
    assert (await client.rest("GET", "/sticker-packs")).body == {"sticker_packs": []}
