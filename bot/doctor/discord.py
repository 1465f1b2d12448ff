"""Checks of `slipway doctor` over the Discord REST API: token, server, channels, roles, permissions, clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp

from bot.doctor import permissions
from bot.doctor.lines import CheckLine, bad, ok, warn
from bot.doctor.rest import PORTAL, AwayError, Rest
from bot.domain.config import Catalog, GuildConfig, matching
from bot.settings import DiscordSettings

_SKEW_WARN_S, _SKEW_BAD_S = 2.0, 60.0
_TEXT_CHANNELS = (0, 5)
# Presence, members and message content, each as full or limited flag.
_PRIVILEGED: Mapping[str, int] = {"Presence": 3 << 12, "Server Members": 3 << 14, "Message Content": 3 << 18}


async def examine_discord(settings: DiscordSettings, catalog: Catalog | None) -> AsyncIterator[CheckLine]:
    """Checks in the order in which to fix them; stops at one that the others depend on."""
    if settings.token is None:
        yield bad("token", "SLIPWAY_DISCORD_TOKEN is not set", f"copy it from {PORTAL} (Bot → Reset Token)")
        return
    async with aiohttp.ClientSession() as session:
        rest = Rest(session, settings.api_base, settings.token.get_secret_value())
        try:
            async for line in _with_token(rest, settings, catalog):
                yield line
        except AwayError as error:
            yield bad("Discord", str(error), "check the network, and SLIPWAY_DISCORD_API_BASE if set")


async def _with_token(
    rest: Rest, settings: DiscordSettings, catalog: Catalog | None
) -> AsyncIterator[CheckLine]:
    status, me = await rest.get("/users/@me")
    if status != 200:
        wrong = "Discord rejects it" if status == 401 else f"Discord answers {status}"
        yield bad("token", wrong, f"copy a new one from {PORTAL} (Bot → Reset Token)")
        return
    yield ok("token", f"belongs to {me['username']}")
    if rest.date is not None:
        yield _clock(rest.date)
    status, application = await rest.get("/applications/@me")
    if status != 200:
        yield bad("application", f"Discord answers {status}", f"check {PORTAL}")
        return
    for line in _application(settings, application):
        yield line
    for guild in catalog.guilds.values() if catalog else ():
        async for line in _guild(rest, guild, me["id"], application["id"]):
            yield line
        async for line in _on_call(rest, guild, catalog):
            yield line


def _clock(theirs: datetime) -> CheckLine:
    # The header has whole seconds: allow one for rounding.
    skew_s = max(0.0, abs((datetime.now(UTC) - theirs).total_seconds()) - 1.0)
    fix = "synchronise this machine's clock (NTP): deadlines and timestamps depend on it"
    found = f"differs from Discord's by {skew_s:.0f} s"
    if skew_s > _SKEW_WARN_S:
        return bad("clock", found, fix) if skew_s > _SKEW_BAD_S else warn("clock", found, fix)
    return ok("clock", "agrees with Discord's")


def _application(settings: DiscordSettings, application: Mapping[str, Any]) -> list[CheckLine]:
    found = application["id"]
    lines = [ok("application", f"{application['name']} ({found})")]
    if settings.application_id is not None and str(settings.application_id) != found:
        told = f"SLIPWAY_DISCORD_APPLICATION_ID is {settings.application_id}, the token belongs to {found}"
        lines = [bad("application", told, "remove the setting, or use the other token")]
    on = [name for name, bits in _PRIVILEGED.items() if int(application.get("flags") or 0) & bits]
    if settings.presences and "Presence" not in on:
        told = "SLIPWAY_DISCORD_PRESENCES is set, and the Presence intent is off: Discord would refuse the connection"
        return [*lines, bad("intents", told, f"switch it on in {PORTAL} (Bot → Privileged Gateway Intents)")]
    needed = ["Presence"] if settings.presences else []
    others = [name for name in on if name not in needed]
    extra = f"; not needed but on: {', '.join(others)}" if others else ""
    said = "the Presence intent is needed and on" if needed else "no privileged intent needed"
    return [*lines, ok("intents", f"{said}{extra}")]


async def _guild(
    rest: Rest, guild: GuildConfig, bot_id: str, application_id: str
) -> AsyncIterator[CheckLine]:
    what = f"server {guild.name}"
    status, server = await rest.get(f"/guilds/{guild.id}")
    if status != 200:
        invite = (
            f"https://discord.com/oauth2/authorize?client_id={application_id}"
            f"&scope=bot+applications.commands&permissions={permissions.INVITE}"
        )
        yield bad(what, f"the bot is not a member of {guild.id}", f"invite it: {invite}")
        return
    yield ok(what, f"the bot is a member of {server['name']}")
    status, _ = await rest.get(f"/applications/{application_id}/guilds/{guild.id}/commands")
    if status != 200:
        yield bad(
            what, "the bot cannot have commands there", "invite it again with the scope applications.commands"
        )
    _, roles = await rest.get(f"/guilds/{guild.id}/roles")
    _, channels = await rest.get(f"/guilds/{guild.id}/channels")
    status, member = await rest.get(f"/guilds/{guild.id}/members/{bot_id}")
    if status != 200 or not isinstance(roles, list) or not isinstance(channels, list):
        yield bad(what, "roles and channels cannot be read", "check the bot's role in the server settings")
        return
    held = member["roles"]
    granted = permissions.base(str(guild.id), roles, held)
    for line in (*_channels(guild, channels, granted, held, bot_id), *_roles(guild, roles, granted)):
        yield line


async def _on_call(rest: Rest, guild: GuildConfig, catalog: Catalog | None) -> AsyncIterator[CheckLine]:
    """Whether the people of each schedule can be reached in the server."""
    for name, schedule in (catalog.schedules(guild.id) if catalog else {}).items():
        people = {person.id: person.name for person in schedule.people}
        asked = {person: await rest.get(f"/guilds/{guild.id}/members/{person}") for person in people}
        left = [people[person] for person, (status, _) in asked.items() if status == 404]
        what = f"on call for {name} in {guild.name}"
        if left:
            fix = f"change on_call.{name} or the ids in people:, or invite them"
            yield warn(what, f"not in the server: {', '.join(left)}", fix)
        elif people:
            yield ok(what, f"all of its people are in the server: {', '.join(people.values())}")


def _channels(
    guild: GuildConfig, channels: Sequence[Any], granted: int, held: Sequence[str], bot_id: str
) -> list[CheckLine]:
    lines = []
    for purpose, name in guild.channels.items():
        what = f"channel {purpose} of {guild.name}"
        meant = matching(name, [(int(c["id"]), c.get("name") or "") for c in channels])
        texts = [c for c in channels if int(c["id"]) in meant and c["type"] in _TEXT_CHANNELS]
        if not texts:
            wrong = "is not a text channel" if meant else "does not exist, or the bot cannot see it"
            lines.append(
                bad(
                    what,
                    f"#{name.removeprefix('#')} {wrong}",
                    f"create it, or change guilds.{guild.name}.channels.{purpose}",
                )
            )
            continue
        if len(texts) > 1:
            fix = f"give its id in guilds.{guild.name}.channels.{purpose}"
            lines.append(bad(what, f"there are {len(texts)} channels called {name}", fix))
            continue
        may = permissions.in_channel(
            granted, str(guild.id), held, bot_id, texts[0].get("permission_overwrites", ())
        )
        lacking = permissions.missing(may, permissions.NEEDED.get(purpose, ()))
        if lacking:
            fix = f"allow it to the bot's role in the settings of #{texts[0]['name']}"
            lines.append(bad(what, f"the bot lacks {', '.join(lacking)} in #{texts[0]['name']}", fix))
        else:
            lines.append(ok(what, f"#{texts[0]['name']}, with all needed permissions"))
    return lines


def _roles(guild: GuildConfig, roles: Sequence[Any], granted: int) -> list[CheckLine]:
    lines = []
    may_mention = bool(granted & permissions.BITS["Mention Everyone"])
    for word, name in guild.roles.items():
        what = f"role {word} of {guild.name}"
        meant = matching(name, [(int(r["id"]), r["name"]) for r in roles])
        found = [r for r in roles if int(r["id"]) in meant]
        if len(found) != 1:
            wrong = f"there are {len(found)} roles called {name}" if found else f"there is no role {name}"
            fix = (
                f"{'give its id' if found else 'create it, or change it'} in guilds.{guild.name}.roles.{word}"
            )
            lines.append(bad(what, wrong, fix))
        elif not found[0]["mentionable"] and not may_mention:
            fix = 'switch on "Allow anyone to @mention this role": its people are not called otherwise'
            lines.append(warn(what, f"@{found[0]['name']} cannot be mentioned by the bot", fix))
        else:
            lines.append(ok(what, f"@{found[0]['name']}"))
    return lines
