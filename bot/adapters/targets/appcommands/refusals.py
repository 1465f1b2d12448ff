"""Discord's refusals of commands, as sentences with a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.domain import phrasebook
from bot.domain.appcommands.applications import Application
from bot.ports.errors import TargetRefused

UNKNOWN_COMMAND = 10063
TOO_MANY_CREATED = 30034
_OTHERS_TOKEN = frozenset({10002, 20012})
_NO_ACCESS = frozenset({10004, 50001})
PERMISSIONS_UNKNOWN = frozenset({10066, *_NO_ACCESS})


class RefusedByDiscord(TargetRefused):
    """Discord refused a call. `code` is Discord's."""

    def __init__(self, sentence: str, code: int = 0) -> None:
        super().__init__(sentence)
        self.code = code


class Passing(Exception):
    """A transient failure. `after_s`: the wait that Discord asked for, else 0."""

    def __init__(self, sentence: str, after_s: float = 0.0) -> None:
        super().__init__(sentence)
        self.after_s = after_s


def refused(application: Application, status: int, said: Mapping[str, Any]) -> RefusedByDiscord:
    """Translate an error answer; `said` is Discord's error body."""
    code = said.get("code") if isinstance(said.get("code"), int) else 0
    assert isinstance(code, int)
    message = str(said.get("message") or f"HTTP {status}")[:200]
    if status == 401:
        sentence = phrasebook.token_not_accepted(application.name)
    elif code in _OTHERS_TOKEN:
        sentence = phrasebook.token_of_another(application.name, application.id, message, code)
    elif code in _NO_ACCESS:
        sentence = phrasebook.no_access(application.name, code)
    elif code == TOO_MANY_CREATED:
        sentence = phrasebook.too_many_created(application.name, message, code)
    else:
        fields = list(_fields("$", said.get("errors")))
        sentence = phrasebook.commands_refused(application.name, message, code or status, fields)
    return RefusedByDiscord(sentence, code)


def _fields(path: str, tree: Any) -> Iterator[str]:
    """Flatten Discord's tree of field errors, with the same JSON paths as validation."""
    if not isinstance(tree, dict):
        return
    for error in tree.get("_errors", ()):
        yield f"{path}: {error.get('message') if isinstance(error, dict) else error}"
    for key, inner in tree.items():
        if key != "_errors":
            yield from _fields(f"{path}[{key}]" if key.isdigit() else f"{path}.{key}", inner)
