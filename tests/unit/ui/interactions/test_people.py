"""Servers and their roles and channels: by id or by name, and never by a name that someone could have made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bot.domain.config import GuildConfig, matching
from bot.domain.errors import Refused
from bot.ui.interactions.people import guild_of
from bot.ui.rest import GuildChannels
from tests.support import rollouts

KNOWN = [(77, "@everyone"), (10, "deployer"), (11, "oncall"), (12, "release-manager")]
MANAGER = "424242424242424242"


def test_an_entry_may_be_written_with_the_sign_that_discord_shows() -> None:
    assert matching("@oncall", KNOWN) == matching("oncall", KNOWN) == [11]
    assert matching("#deploys", [(1, "deploys"), (2, "alerts")]) == [1]
    assert matching("@everyone", KNOWN) == [77]


class OneServerClient:
    """A client that knows one server with these roles and channels."""

    def __init__(self, roles: list[tuple[int, str]], channels: list[tuple[int, str]]) -> None:
        self.roles = [SimpleNamespace(id=i, name=n) for i, n in roles]
        self.text_channels = [SimpleNamespace(id=i, name=n) for i, n in channels]

    def get_guild(self, guild_id: int) -> OneServerClient:
        return self

    def get_partial_messageable(self, channel_id: int, *, guild_id: int) -> int:
        return channel_id


async def test_calls_go_to_the_role_of_an_id_and_not_to_one_called_like_it() -> None:
    config = GuildConfig(1, "g", {}, {"on-call": MANAGER, "lead": "release-manager"})
    server: Any = OneServerClient([(5, MANAGER), (int(MANAGER), "oncall"), (12, "release-manager")], [])
    assert await GuildChannels(server, config).roles(["on-call", "lead"]) == [int(MANAGER), 12]


async def test_a_second_role_of_the_same_name_leaves_no_call_unheard() -> None:
    config = GuildConfig(1, "g", {}, {"on-call": "oncall"})
    server: Any = OneServerClient([(5, "oncall"), (11, "oncall")], [])
    assert await GuildChannels(server, config).roles(["on-call"]) == [5, 11]


async def test_a_channel_by_id_is_not_one_called_like_it() -> None:
    config = GuildConfig(1, "g", {"deploys": MANAGER, "alerts": "#alerts"}, {})
    server: Any = OneServerClient([], [(5, MANAGER), (6, "alerts")])
    assert await GuildChannels(server, config).channel("deploys") == int(MANAGER)  # type: ignore[comparison-overlap]
    assert await GuildChannels(server, config).channel("alerts") == 6  # type: ignore[comparison-overlap]


def test_other_servers_and_direct_messages_are_refused() -> None:
    catalog = rollouts.catalog()
    assert guild_of(rollouts.GUILD, catalog).id == rollouts.GUILD
    for elsewhere in (None, 1):
        with pytest.raises(Refused, match="does not serve this server"):
            guild_of(elsewhere, catalog)
