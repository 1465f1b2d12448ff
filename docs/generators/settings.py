"""Reference of the settings, from the tree in `bot/settings.py`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bot.settings import CLIENT_NAMES, FREE_PREFIXES, PLAIN_NAMES, PREFIX, Settings
from docs.generators.markdown import code, table

HEAD = ("variable", "takes", "default", "meaning")
INTRODUCTION = f"""
# Settings

This page is made from the code by `make reference`. Settings come from the environment and from `.env` in the folder
in which Slipway is started; the environment wins. Empty values count as unset. All mistakes are told at once, with
exit code 3; an unknown `{PREFIX}…` name is one of them. `slipway config show --settings` prints what is in force,
without secrets.

{", ".join(code(name) for name in CLIENT_NAMES)} are not settings: the commands that use the HTTP API read them
from the environment, not from `.env` ([deploy from CI](../how-to/deploy-from-ci.md)).

Names that begin with {" or ".join(code(prefix) for prefix in FREE_PREFIXES)} are yours: the catalog may refer to
them, and nothing else reads them.
"""


def page() -> str:
    """Every setting, grouped as in the tree."""
    own = [(name, field) for name, field in Settings.model_fields.items() if _group(field) is None]
    parts = [
        INTRODUCTION.strip(),
        "## Folders",
        table(HEAD, [_row(f"{PREFIX}{n.upper()}", f) for n, f in own]),
    ]
    for name, field in Settings.model_fields.items():
        if group := _group(field):
            prefix = f"{PREFIX}{name}_".upper()
            rows = [
                _row(f"{prefix}{leaf.upper()}", f, (name, leaf)) for leaf, f in group.model_fields.items()
            ]
            parts += [f"## {name.capitalize()}", inspect.getdoc(group) or "", table(HEAD, rows)]
    return "\n\n".join(parts) + "\n"


def _group(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _row(variable: str, field: FieldInfo, path: tuple[str, str] | None = None) -> tuple[str, ...]:
    plain = [name for name, where in PLAIN_NAMES.items() if where == path]
    meaning = (field.description or "") + "".join(f" Also read as {code(name)}." for name in plain)
    default = "" if field.default is None else code(field.default)
    return code(variable), _takes(field), default, meaning


def _takes(field: FieldInfo) -> str:
    said = ", ".join(_limits(field))
    choices = [choice for choice in _leaves(field.annotation) if isinstance(choice, str)]
    if choices:
        return ", ".join(code(choice) for choice in choices)
    kinds = set(_leaves(field.annotation))
    noun = (
        "secret"
        if SecretStr in kinds
        else "whole number"
        if int in kinds
        else "`true` or `false`"
        if bool in kinds
        else "text"
    )
    return f"{noun}, {said}" if said else noun


def _limits(field: FieldInfo) -> Iterator[str]:
    """The bounds of a value, whatever the order in which they are declared."""
    known: dict[type, Any] = {type(bound): bound for bound in field.metadata}
    if Ge in known and Le in known:
        yield f"{known[Ge].ge} to {known[Le].le}"
    if Gt in known:
        yield f"above {known[Gt].gt}"
    if MinLen in known:
        yield f"at least {known[MinLen].min_length} characters"


def _leaves(annotation: Any) -> Iterator[Any]:
    """The types and literals that an annotation is made of."""
    arguments = get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from _leaves(argument)
