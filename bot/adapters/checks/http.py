"""A request, and what its answer must have."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from bot.adapters.checks import json_path
from bot.adapters.checks.kind import CheckContext, CheckFailed, CheckSubject, check_kind
from bot.adapters.checks.web import LARGEST, HeaderName, RedirectSettings, WebAnswer, fetch, shown
from bot.kinds import SettingsProblem
from bot.values import Text

_STATUS = {"type": "integer", "minimum": 100, "maximum": 599}
# Parsing more than this keeps other work waiting: it is done in a thread.
_MUCH = 16 * 1024


def _several(value: object) -> object:
    return [value] if isinstance(value, int | str) else value


_Statuses = Annotated[
    tuple[Annotated[int, Field(ge=100, le=599)], ...],
    Field(min_length=1),
    BeforeValidator(_several),
    WithJsonSchema({"anyOf": [_STATUS, {"type": "array", "items": _STATUS, "minItems": 1}]}),
]


class HttpSettings(RedirectSettings):
    """A request over HTTP, and what its answer must have."""

    of_candidate = True

    kind: Literal["http"]
    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] = Field(
        default="GET", description="Its method; GET by default."
    )
    body: Text | None = Field(default=None, description="Text to send.")
    status: _Statuses = Field(default=(200,), description="The status that the answer must have, or several.")
    contains: Text = Field(default="", description="Text that the answer must contain.")
    json_path: dict[str, Any] = Field(
        default={}, description='Values that the JSON answer must have: {"$.status": ok}.'
    )
    has_headers: dict[HeaderName, Text] = Field(
        default={}, description="Headers that the answer must have, each with text that it must contain."
    )

    def problems(self) -> Iterator[SettingsProblem]:
        yield from super().problems()
        for path in self.json_path:
            try:
                json_path.compiled(path)
            except ValueError as wrong:
                yield SettingsProblem(("json_path", path), f"must be {wrong}.")
        if self.method == "HEAD" and (self.contains or self.json_path):
            yield SettingsProblem(("method",), "HEAD has no answer to look into.")


class RequestCheck:
    """Implements `Check`."""

    def __init__(self, settings: HttpSettings, context: CheckContext) -> None:
        self._settings = settings
        self._session = context.session

    async def ask(self, subject: CheckSubject) -> None:
        settings = self._settings
        url = settings.whole_url(subject)
        body = settings.body.encode() if settings.body is not None else None
        answer = await fetch(
            self._session,
            settings,
            url,
            method=settings.method,
            body=body,
            largest=LARGEST if settings.contains else json_path.LARGEST + 1 if settings.json_path else 0,
        )
        asked = f"{settings.method} {shown(url)}"
        if answer.status not in settings.status:
            wanted = " or ".join(map(str, settings.status))
            raise CheckFailed(f"{asked} should answer {wanted}, but answered {answer.status}.")
        self._headers(asked, answer)
        self._contains(asked, answer)
        if settings.json_path:
            much = len(answer.body) > _MUCH
            await asyncio.to_thread(self._values, answer) if much else self._values(answer)

    def _headers(self, asked: str, answer: WebAnswer) -> None:
        for name, wanted in self._settings.has_headers.items():
            if name not in answer.headers:
                raise CheckFailed(f"{asked} should have the header {name}, but does not.")
            if wanted not in answer.headers[name]:
                there = answer.headers[name][:60]
                raise CheckFailed(f"{asked} should have “{wanted}” in {name}, but has “{there}”.")

    def _contains(self, asked: str, answer: WebAnswer) -> None:
        wanted = self._settings.contains
        if wanted and wanted.encode() not in answer.body:
            where = "" if answer.whole else f" in its first {LARGEST // 1024} KiB"
            raise CheckFailed(f"{asked} should contain “{wanted}”, but does not{where}.")

    def _values(self, answer: WebAnswer) -> None:
        document = json_path.parsed(answer.body)
        for path, wanted in self._settings.json_path.items():
            json_path.expect(path, wanted, document)


KIND = check_kind(HttpSettings, RequestCheck)
