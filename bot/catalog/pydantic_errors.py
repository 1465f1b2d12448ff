"""Translation of pydantic's errors into sentences: what was expected, what is there, what is known."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.yaml_source import Document

_EXPECTED: Mapping[str, str] = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}


def report(document: Document, model: Any, path: KeyPath, error: Any) -> None:
    """Add one of `ValidationError.errors()` of `model` at `path` to the mistakes of `document`."""
    if any(m.place == document.place(path) and m.sentence.startswith("the env") for m in document.mistakes):
        return
    kind, context, last = error["type"], error.get("ctx", {}), error["loc"][-1] if error["loc"] else ""
    if kind == "missing":
        document.wrong(path, f'"{last}" is missing.')
    elif kind == "extra_forbidden":
        document.wrong(path, "there is no such key here.", nearest(last, _keys(model, error["loc"])))
    elif kind == "union_tag_not_found":
        document.wrong(path, '"kind" is missing.', f"Known: {_tags(model, error['loc'])}.")
    elif kind == "union_tag_invalid":
        names = [n.strip().strip("'") for n in context["expected_tags"].split(",")]
        _no_kind(document, (*path, "kind"), context["tag"], names)
    elif kind == "literal_error":
        names = [n.strip("', ") for n in context["expected"].replace(" or ", ", ").split(", ")]
        if last == "kind":  # only one is known
            _no_kind(document, path, error["input"], names)
            return
        document.wrong(
            path, f"must be {context['expected']}{_is(document, path, error)}.", _close(error, names)
        )
    elif kind == "value_error":
        document.wrong(path, f"must be {context['error']}{_is(document, path, error)}.")
    else:
        expected = _EXPECTED.get(kind, str(error["msg"]).removeprefix("Input should be "))
        document.wrong(path, f"must be {expected}{_is(document, path, error)}.")


def _no_kind(document: Document, path: KeyPath, given: object, names: list[str]) -> None:
    document.wrong(path, f'there is no kind "{str(given)[:60]}".', nearest(given, names))


def _is(document: Document, path: KeyPath, error: Any) -> str:
    """The value that is there, unless it came from the environment and may be a secret."""
    given = error.get("input")
    if error["type"] == "secret":
        return ""
    if path in document.expanded:
        return " (the environment variable's value is not)"
    if isinstance(given, Mapping | list | tuple | BaseModel):
        return f", not a {'mapping' if isinstance(given, Mapping) else 'list'}"
    if given is None:
        return ", not empty"
    if isinstance(given, bool):
        return f", not {str(given).lower()}"
    return f", not {given}" if isinstance(given, int | float) else f', not "{str(given)[:60]}"'


def _close(error: Any, names: list[str]) -> str:
    hint = nearest(error.get("input"), names)
    return hint if hint.startswith("Did") else ""


def _tags(model: Any, loc: tuple[str | int, ...]) -> str:
    """The kinds that are known where `kind` is missing: at a field, or of the model itself."""
    fields = [f.annotation for m in _models(model) for name, f in m.model_fields.items() if name in loc[-1:]]
    there = {kind for annotation in fields for m in _models(annotation) if (kind := _kind(m))}
    own, nested = ([kind for m in _models(model, deep) if (kind := _kind(m))] for deep in (False, True))
    return ", ".join(sorted(there or own or nested))


def _models(annotation: Any, nested: bool = False) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = [f.annotation for f in annotation.model_fields.values()] if nested else []
        return [annotation, *(m for i in inner for m in _models(i))]
    return [m for argument in typing.get_args(annotation) for m in _models(argument, nested)]


def _keys(model: Any, loc: tuple[str | int, ...]) -> set[str]:
    """The known keys at the place of an unknown one."""
    candidates = _models(model)
    for part in loc[:-1]:
        inner = [
            m
            for c in candidates
            if isinstance(part, str) and part in c.model_fields
            for m in _models(c.model_fields[part].annotation)
        ]
        tagged = [m for m in candidates if _kind(m) == part]
        candidates = inner or tagged or candidates
    return {name for c in candidates for name in c.model_fields}


def _kind(model: type[BaseModel]) -> str | None:
    found = model.model_fields.get("kind")
    values = typing.get_args(found.annotation) if found else ()
    return values[0] if values else None
