"""How each tested library is pointed to a sandbox: the lines on docs/libraries.md, and in the command's hint."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

_READY = re.compile(r'ready\["(\w+)"\]|`\$\{ready\.(\w+)\}([^`]*)`')
_LOGIN = 'token = ready["applications"][0]["token"]'


@dataclass(frozen=True, slots=True)
class LibraryLines:
    """`lines` as a bot has them; `ready` in them is the line of JSON that the command prints."""

    library: str
    lines: tuple[str, ...]

    def addressed(self, ready: Mapping[str, object]) -> tuple[str, ...]:
        """The lines that hold an address, with the values of `ready` in place of its name."""
        shown = (line for line in self.lines if line != _LOGIN)
        return tuple(_READY.sub(lambda found: _value(found, ready), line) for line in shown)


def _value(found: re.Match[str], ready: Mapping[str, object]) -> str:
    key, javascript_key, rest = found.groups()
    return json.dumps(ready[key] if key is not None else f"{ready[javascript_key]}{rest}")


CONNECTIONS = (
    LibraryLines(
        "discord.js",
        (
            "const rest = { api: `${ready.url}/api` };",
            "const client = new Client({ intents, partials, rest });",
        ),
    ),
    LibraryLines(
        "discord.py",
        (
            'discord.http.Route.BASE = ready["api_base"]',
            'discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(ready["gateway_url"])',
        ),
    ),
    LibraryLines("disnake", ('disnake.http.Route.BASE = ready["api_base"]', _LOGIN)),
    LibraryLines("py-cord", ('discord.http.Route.API_BASE_URL = ready["api_base"]', _LOGIN)),
    LibraryLines("interactions.py", ('interactions.api.http.route.Route.BASE = ready["api_base"]', _LOGIN)),
    LibraryLines("nextcord", ('nextcord.http.Route.BASE = ready["api_base"]', _LOGIN)),
    LibraryLines(
        "hikari",
        (_LOGIN, 'bot = hikari.GatewayBot(token, rest_url=ready["api_base"], intents=intents)'),
    ),
)
