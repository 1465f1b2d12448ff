"""Parsing of requests into models; every mistake of path, query, headers and body is reported at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.web.api.models import KeyHeader, Mistake
from bot.web.api.operations import Operation
from bot.web.api.problems import Problem


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, validated by the models of its operation. The handler knows which they are."""

    path: Any
    query: Any
    body: Any
    key: str | None


async def read(operation: Operation, request: web.Request) -> Request:
    """Raises `Problem` with all mistakes."""
    given = await _json(request) if operation.body is not None else None
    mistakes: list[Mistake] = []
    path = _valid(operation.in_path, dict(request.match_info), mistakes)
    query = _valid(operation.query, _query(request, mistakes), mistakes)
    headers = {"Idempotency-Key": request.headers["Idempotency-Key"]} if _keyed(operation, request) else {}
    key = _valid(KeyHeader, headers, mistakes)
    body = _valid(operation.body, given, mistakes, in_body=True) if operation.body is not None else None
    if mistakes:
        said = "; ".join(f"{m.pointer or m.parameter or 'body'}: {m.detail}" for m in mistakes[:5])
        raise Problem(422, "invalid", f"{said}.", mistakes=mistakes)
    return Request(path, query, body, key.key if isinstance(key, KeyHeader) else None)


def _keyed(operation: Operation, request: web.Request) -> bool:
    return operation.keyed and "Idempotency-Key" in request.headers


async def _json(request: web.Request) -> Any:
    if request.content_type != "application/json":
        raise Problem(415, "content_type", "Send the body as application/json.")
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        raise Problem(400, "bad_json", "The body is not JSON.") from None


def _query(request: web.Request, mistakes: list[Mistake]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.query.items():
        if name in found:
            mistakes.append(Mistake(detail="given twice", parameter=_text(name)))
        found[name] = value
    return found


def _valid(
    model: type[BaseModel], given: object, mistakes: list[Mistake], *, in_body: bool = False
) -> BaseModel | None:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        mistakes += _mistakes(error.errors(include_url=False, include_input=False), in_body)
        return None


def _mistakes(errors: list[ErrorDetails], in_body: bool) -> Iterator[Mistake]:
    for error in errors:
        detail = _text(error["msg"].removeprefix("Value error, "))
        path = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error["loc"])
        if in_body:
            yield Mistake(detail=detail, pointer=f"#{_text(path)}")
        else:
            yield Mistake(detail=detail, parameter=_text(str(error["loc"][0])))


def _text(value: str) -> str:
    """Short enough to repeat to the caller, and valid UTF-8."""
    return value[:200].encode(errors="replace").decode()


def interaction_of(token_id: int, key: str | None, operation: Operation) -> str:
    """What the engine knows a repeated request by: the key of this token, for one operation."""
    return f"http:{token_id}:{operation.name}:{key}" if key else ""
