"""The health of a Discord bot, as its own JSON tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from bot.adapters.checks import json_path
from bot.adapters.checks.kind import CheckContext, CheckFailed, CheckSubject
from bot.adapters.checks.web import RedirectSettings, fetch, shown
from bot.adapters.metrics.probe import CONNECTED, GATEWAY
from bot.kinds import SettingsProblem
from bot.values import Names


class DiscordBotSettings(RedirectSettings):
    """The health of a Discord bot: a JSON answer such as {"gateway": "connected", "db": "ok"}."""

    of_candidate = True

    kind: Literal["discord"]
    keys: Names = Field(
        default=("gateway",),
        description="Keys that must be connected, ok, ready, up or true; dots lead into mappings.",
    )

    @property
    def says(self) -> frozenset[str]:
        return frozenset(map(_part, self.keys)) & {GATEWAY}

    def problems(self) -> Iterator[SettingsProblem]:
        yield from super().problems()
        if not self.keys:
            yield SettingsProblem(("keys",), "names nothing to look at.")


class DiscordBotCheck:
    """Implements `Check`. All keys that are not well are named at once."""

    def __init__(self, settings: DiscordBotSettings, context: CheckContext) -> None:
        self._settings = settings
        self._session = context.session

    async def ask(self, subject: CheckSubject) -> None:
        url = self._settings.whole_url(subject)
        answer = await fetch(self._session, self._settings, url, largest=json_path.LARGEST + 1)
        # A bot that is not well may say so with a status too: what it says of its parts is more telling.
        try:
            document = json_path.parsed(answer.body)
        except CheckFailed:
            if answer.status == 200:
                raise
            document = None
        unwell = {keys: said for keys in self._settings.keys if (said := _unwell(document, keys))}
        wrong = list(unwell.values())
        if answer.status != 200 and (document is None or not wrong):
            raise CheckFailed(f"GET {shown(url)} should answer 200, but answered {answer.status}.")
        if wrong:
            parts = () if document is None else tuple(map(_part, unwell))
            raise CheckFailed(f"The bot is not well: {', '.join(wrong)}.", parts)


def _part(keys: str) -> str:
    """What of the bot the keys are about: `gateway` of `discord.gateway`."""
    return keys.rpartition(".")[2]


def _unwell(document: Any, keys: str) -> str:
    """What is wrong at `keys`; empty when it is well."""
    found = document
    for key in keys.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return f"{keys} is missing"
        found = found[key]
    if found is True or (isinstance(found, str) and found.lower() in CONNECTED):
        return ""
    return f"{keys} is {found[:40] if isinstance(found, str) else json_path.shown(found)}"
