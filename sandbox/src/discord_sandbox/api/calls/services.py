"""Services that run beside a bot: a registry of their control addresses, and a proxy to them."""

from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, invalid, unknown
from discord_sandbox.discord.rest.replies import reply
from discord_sandbox.discord.state.model import JSON

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Services:
    """Registered services by name and environment."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], str] = {}
        self.session: aiohttp.ClientSession | None = None

    def listed(self) -> list[JSON]:
        return [
            {"name": name, "environment": environment, "control_url": url}
            for (name, environment), url in sorted(self._all.items())
        ]

    def put(self, name: str, environment: str, url: str) -> None:
        self._all[name, environment] = url

    def drop(self, name: str, environment: str) -> bool:
        return self._all.pop((name, environment), None) is not None

    def find(self, name: str, environment: str | None) -> str:
        """The control address. `environment` may be None if there is only one. Raises ApiError."""
        found = {env: url for (one, env), url in self._all.items() if one == name}
        if not found:
            raise unknown("service", name, (one for one, _ in self._all))
        if environment is None:
            if len(found) > 1:
                raise invalid('"environment" is missing.', f"Known: {', '.join(sorted(found))}.")
            return next(iter(found.values()))
        if environment not in found:
            raise unknown("environment", environment, found)
        return found[environment]

    async def client(self) -> aiohttp.ClientSession:
        if self.session is None:
            self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        return self.session

    async def close(self, app: web.Application) -> None:
        if self.session is not None:
            await self.session.close()


SERVICES: web.AppKey[Services] = web.AppKey("services", Services)


async def listed(call: ApiCall) -> JSON:
    return {"services": call.request.app[SERVICES].listed()}


async def register(call: ApiCall) -> JSON:
    name, environment, url = call.text("name"), call.text("environment"), call.text("control_url")
    if urlsplit(url).scheme != "http" or urlsplit(url).hostname not in LOOPBACK:
        raise invalid('"control_url" must be an http address on this machine.')
    call.request.app[SERVICES].put(name, environment, url)
    call.core.feed.publish("services_update", None)
    return {"name": name, "environment": environment, "control_url": url}


async def unregister(call: ApiCall) -> JSON:
    if call.request.app[SERVICES].drop(call.text("name"), call.text("environment")):
        call.core.feed.publish("services_update", None)
    return {"services": call.request.app[SERVICES].listed()}


async def proxy(call: ApiCall) -> web.StreamResponse:
    """GET or POST services/{name}: pass query and JSON body to the control address, return its answer."""
    services = call.request.app[SERVICES]
    url = services.find(call.params["name"], call.request.query.get("environment"))
    client = await services.client()
    options: dict[str, Any] = {"params": dict(call.request.query)}
    if call.request.method == "POST":
        options["json"] = call.body
    try:
        async with client.request(call.request.method, url, **options) as answer:
            body = await answer.json(content_type=None)
            return reply(body, answer.status)
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        raise ApiError(
            502,
            "service_unreachable",
            f"{call.params['name']} does not answer: {error}",
            f"Its control address is {url}.",
        ) from None
