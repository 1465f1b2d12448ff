"""Checks of `slipway doctor` for each application of the catalog: manifest, token, servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp

from bot.composition.adapters import Manifests, make_manifests, make_releases
from bot.doctor.lines import CheckLine, bad, ok
from bot.doctor.rest import PORTAL, AwayError, Rest
from bot.domain.appcommands.applications import Application
from bot.domain.appcommands.validation import validate
from bot.domain.config import Catalog
from bot.ports.errors import ManifestUnavailable, Unreachable


async def examine_manifests(catalog: Catalog) -> AsyncIterator[CheckLine]:
    """One line per application: whether its manifest can be read and is valid. Nothing is stored."""
    manifests = make_manifests(lambda: catalog, make_releases(lambda: catalog))
    for application in catalog.applications.values():
        yield await _manifest(manifests, application)


async def _manifest(manifests: Manifests, application: Application) -> CheckLine:
    what = f"manifest of {application.name}"
    try:
        found = await manifests.read(application)
    except (ManifestUnavailable, Unreachable) as error:
        return bad(what, str(error), f"check applications.{application.name}.manifest in the catalog")
    mistakes = await asyncio.to_thread(lambda: list(validate(found.content)))
    if mistakes:
        more = f", and {len(mistakes) - 1} more" if len(mistakes) > 1 else ""
        fix = f"`slipway commands validate {application.name}` lists them all"
        return bad(what, f"{found.where}: {mistakes[0]}{more}", fix)
    return ok(what, f"{found.where}, {len(found.content)} commands")


async def examine_applications(catalog: Catalog, api_base: str) -> AsyncIterator[CheckLine]:
    """Whether each token belongs to its application, and whether it can have commands in its servers."""
    async with aiohttp.ClientSession() as session:
        for application in catalog.applications.values():
            rest = Rest(session, api_base, application.token.reveal())
            try:
                token = await _token(rest, application)
                yield token
                if token.mark == "ok":
                    async for line in _servers(rest, application, catalog):
                        yield line
            except AwayError as error:
                fix = "check the network, and SLIPWAY_DISCORD_API_BASE if set"
                yield bad(f"token of {application.name}", str(error), fix)


async def _token(rest: Rest, application: Application) -> CheckLine:
    what, key = f"token of {application.name}", f"applications.{application.name}"
    fresh = f"set the variable that {key}.token names, from {PORTAL}/{application.id} (Bot → Reset Token)"
    if not application.token:
        return bad(what, "is empty", fresh)
    status, me = await rest.get("/users/@me")
    if status != 200:
        return bad(what, "Discord rejects it" if status == 401 else f"Discord answers {status}", fresh)
    # Not the bot's id: for old bots it differs from the application's.
    status, owner = await rest.get("/applications/@me")
    if status != 200:
        return bad(what, f"Discord answered {status} to the request for its owner", fresh)
    if owner["id"] != str(application.id):
        told = f"belongs to {me['username']} of application {owner['id']}; the catalog has {application.id}"
        return bad(what, told, f"correct {key}.id, or {fresh}")
    return ok(what, f"belongs to {me['username']} ({application.id})")


async def _servers(rest: Rest, application: Application, catalog: Catalog) -> AsyncIterator[CheckLine]:
    """Reads the commands there: that is what it needs, and all that the scope `applications.commands` allows."""
    for scope in dict.fromkeys((*application.staging, *application.production)):
        if scope.is_global:
            continue
        guild = catalog.guilds.get(scope.guild_id)
        what = f"server {guild.name if guild else scope} of {application.name}"
        status, _ = await rest.get(f"/applications/{application.id}/guilds/{scope.guild_id}/commands")
        if status == 200:
            yield ok(what, "can have commands there")
        elif status in (403, 404):
            invite = (
                f"https://discord.com/oauth2/authorize?client_id={application.id}&scope=applications.commands"
                f"&guild_id={scope.guild_id}"
            )
            yield bad(what, "not a member, or cannot have commands there", f"invite it: {invite}")
        else:
            yield bad(what, f"Discord answers {status}", "try again later")
