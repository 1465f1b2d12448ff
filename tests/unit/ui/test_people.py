"""Roles: by id or by name, and never by a name that somebody could have made up."""

from __future__ import annotations

import pytest

from bot.domain.errors import Refused
from bot.ui.interactions.people import guild_of, held
from tests.unit.ui import worlds

NAMES = ["@everyone", "deployer", "oncall", "release-manager"]


def test_roles_are_found_by_name_and_by_id() -> None:
    config = worlds.guild()
    assert held(config, [(1, "oncall")], NAMES) == {"on-call"}
    by_id = type(config)(1, "g", {}, {"on-call": "42"})
    assert held(by_id, [(42, "whatever")], NAMES) == {"on-call"}


def test_a_name_that_two_roles_share_gives_nothing() -> None:
    twice = [*NAMES, "release-manager"]
    assert held(worlds.guild(), [(5, "release-manager")], twice) == frozenset()


def test_other_servers_and_direct_messages_are_refused() -> None:
    catalog = worlds.catalog()
    assert guild_of(worlds.GUILD, catalog).id == worlds.GUILD
    for elsewhere in (None, 1):
        with pytest.raises(Refused, match="does not serve this server"):
            guild_of(elsewhere, catalog)
