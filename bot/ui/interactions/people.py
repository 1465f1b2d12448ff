"""Guild and person of an interaction, with the catalog roles the person holds now."""

from __future__ import annotations

from typing import Any

import discord

from bot.domain import phrasebook
from bot.domain.config import Catalog, GuildConfig, roles_held
from bot.domain.rollout.model import Actor

AnyInteraction = discord.Interaction[Any]


def id_used(interaction: AnyInteraction, *, forms: bool = False) -> str:
    """The id of the component that was used, or with `forms` of the form that was submitted; empty for neither."""
    kinds = {discord.InteractionType.component}
    if forms:
        kinds.add(discord.InteractionType.modal_submit)
    data: Any = interaction.data or {}
    return str(data.get("custom_id", "")) if interaction.type in kinds else ""


def guild_of(guild_id: int | None, catalog: Catalog) -> GuildConfig:
    """The catalog entry of the interaction's server. Raises `Refused` when there is none."""
    config = catalog.guilds.get(guild_id) if guild_id is not None else None
    if config is None:
        raise phrasebook.unknown_server()
    return config


def actor_of(interaction: AnyInteraction, config: GuildConfig) -> Actor:
    """The person with the catalog roles they hold at this moment; none while the server's roles are not known."""
    user, guild = interaction.user, interaction.guild
    theirs = {role.id for role in user.roles} if isinstance(user, discord.Member) else set()
    known = [(role.id, role.name) for role in guild.roles] if guild is not None else []
    return Actor(user.id, user.display_name, roles_held(config, theirs, known), "discord", config.id)
