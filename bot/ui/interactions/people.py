"""Who pressed: the guild's catalog entry and the person's catalog roles, read from the interaction itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import discord

from bot.domain.config import Catalog, GuildConfig
from bot.domain.errors import Refused
from bot.domain.rollout.model import Actor

AnyInteraction = discord.Interaction[Any]


def guild_of(guild_id: int | None, catalog: Catalog) -> GuildConfig:
    """The catalog's entry for the server of an interaction. Raises `Refused` for any other place."""
    config = catalog.guilds.get(guild_id) if guild_id is not None else None
    if config is None:
        raise Refused(
            "Slipway does not serve this server.",
            rule="unknown_guild",
            remedy="Whoever runs Slipway can add it under `guilds` in the catalog.",
        )
    return config


def held(config: GuildConfig, theirs: Iterable[tuple[int, str]], all_names: Iterable[str]) -> frozenset[str]:
    """The catalog roles of somebody with the Discord roles `theirs` (id, name), among the names of all roles.

    The catalog may name a Discord role by id or by name. A name that two roles of the server share gives
    nobody anything: whoever may create roles could otherwise appoint themselves.
    """
    names = list(all_names)
    ids, unique = set(), set()
    for role_id, role_name in theirs:
        ids.add(str(role_id))
        if names.count(role_name) <= 1:
            unique.add(role_name)
    return frozenset(ours for ours, discords in config.roles.items() if discords in ids or discords in unique)


def actor_of(interaction: AnyInteraction, config: GuildConfig) -> Actor:
    """The person with the catalog roles they hold at this moment."""
    user = interaction.user
    theirs: list[tuple[int, str]] = []
    if isinstance(user, discord.Member):
        theirs = [(role.id, role.name) for role in user.roles]
    guild = interaction.guild
    every = [role.name for role in guild.roles] if guild is not None else [name for _, name in theirs]
    return Actor(user.id, user.display_name, held(config, theirs, every), "discord")
