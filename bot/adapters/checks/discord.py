"""The health of a Discord bot, as its own JSON tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from bot.adapters.checks import json_path
from bot.adapters.checks.kind import CheckContext, CheckFailed, CheckSubject, check_kind
from bot.adapters.checks.web import RedirectSettings, fetch, shown
from bot.adapters.metrics.probe import CONNECTED, GATEWAY
from bot.domain.formatting import duration
from bot.kinds import SettingsProblem
from bot.values import Duration, Names, Part, Short, Text

_MISSING: Final = object()


class AnswerTimeSettings(Part):
    """How long the bot takes to answer its commands, as its own JSON tells it."""

    key: Text = Field(description="Key of the time; dots lead into mappings. null there means: not measured.")
    unit: Literal["s", "ms"] = Field(default="s", description="What the number is in.")
    limit: Duration = Field(
        default=3.0, description="The most it may be; 3s by default, which is Discord's limit."
    )


class DiscordBotSettings(RedirectSettings):
    """The health of a Discord bot: a JSON answer such as {"gateway": "connected", "db": "ok"}."""

    of_candidate = True

    kind: Literal["discord"]
    keys: Names = Field(
        default=("gateway",),
        description="Keys that must be connected, ok, ready, up or true; dots lead into mappings.",
    )

    answer_time: Annotated[AnswerTimeSettings, Short("key", {"type": "string"})] | None = Field(
        default=None, description="How long its commands take to be answered, and how long they may."
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
        if (time := self._settings.answer_time) is not None and (said := _slow(document, time)):
            unwell[time.key] = said
        wrong = list(unwell.values())
        if answer.status != 200 and (document is None or not wrong):
            raise CheckFailed(f"GET {shown(url)} should answer 200, but answered {answer.status}.")
        if wrong:
            parts = () if document is None else tuple(map(_part, unwell))
            raise CheckFailed(f"The bot is not well: {', '.join(wrong)}.", parts)


def _part(keys: str) -> str:
    """What of the bot the keys are about: `gateway` of `discord.gateway`."""
    return keys.rpartition(".")[2]


def _slow(document: Any, time: AnswerTimeSettings) -> str:
    """What is wrong with how long commands take; empty when it is well, or when nothing was measured."""
    found = _at(document, time.key)
    if found is None:
        return ""
    if found is _MISSING:
        return f"{time.key} is missing"
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < float("inf"):
        return f"{time.key} is {json_path.shown(found)}, not a time"
    seconds = found / 1000 if time.unit == "ms" else float(found)
    if seconds <= time.limit:
        return ""
    return f"commands took {duration(seconds)} to be answered (limit {duration(time.limit)})"


def _at(document: Any, keys: str) -> Any:
    found = document
    for key in keys.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return _MISSING
        found = found[key]
    return found


def _unwell(document: Any, keys: str) -> str:
    """What is wrong at `keys`; empty when it is well."""
    found = _at(document, keys)
    if found is _MISSING:
        return f"{keys} is missing"
    if found is True or (isinstance(found, str) and found.lower() in CONNECTED):
        return ""
    return f"{keys} is {found[:40] if isinstance(found, str) else json_path.shown(found)}"


KIND = check_kind(DiscordBotSettings, DiscordBotCheck)
