"""Every named thing of a catalog against its model: what is wrong is reported and left out, the rest goes on.

Leaving out only what is wrong lets the checks that follow look at everything else, so that one run finds all
mistakes.
"""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.models import CatalogFile, LaneLayer
from bot.catalog.yaml_source import Document
from bot.values import is_name

_NOTHING = object()
_ROUNDS = 50  # each leaves something out, so this is never reached by what a person writes

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


@dataclass(slots=True)
class Sections:
    """The validated things by section and name; `spoilt` are the paths at which something was left out."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    defaults: LaneLayer = field(default_factory=LaneLayer)
    names: dict[str, set[str]] = field(default_factory=dict)
    spoilt: set[KeyPath] = field(default_factory=set)

    def of(self, section: str) -> dict[str, Any]:
        return self.things.get(section, {})

    def known(self, section: str) -> set[str]:
        """Names that are written down, right or wrong: a reference to a thing with mistakes is no mistake."""
        return self.names.get(section, set())

    def original(self, path: KeyPath) -> KeyPath:
        """Where `path` was in the file, before wrong items of lists were left out."""
        found: KeyPath = ()
        for part in path:
            place = part
            if isinstance(place, int):
                gone = (p[-1] for p in self.spoilt if len(p) == len(found) + 1 and p[:-1] == found)
                for index in sorted(i for i in gone if isinstance(i, int)):
                    place += index <= place
            found = (*found, place)
        return found

    def is_spoilt(self, path: KeyPath) -> bool:
        """Whether something was left out at or below `path`."""
        return any(p[: len(path)] == path for p in self.spoilt)


def validate(document: Document) -> Sections:
    """Check every thing in `document` alone; mistakes are added to it."""
    sections = Sections()
    fields = CatalogFile.model_fields
    for section, content in document.root.items():
        if section not in fields:
            document.wrong((section,), "there is no such section.", nearest(section, fields))
        elif section == "defaults":
            checked = _checked(document, sections, (section,), content, LaneLayer)
            sections.defaults = checked if isinstance(checked, LaneLayer) else LaneLayer()
        elif not isinstance(content, dict):
            if content is not None:
                document.wrong((section,), "must be a mapping of names.")
        else:
            _section(document, sections, section, content)
    return sections


def _section(document: Document, sections: Sections, section: str, content: dict[str, Any]) -> None:
    things = sections.things.setdefault(section, {})
    sections.names[section] = set(content)
    model = typing.get_args(CatalogFile.model_fields[section].annotation)[1]
    for name, raw in content.items():
        path = (section, name)
        if not is_name(name):
            hint = "Letters, digits, dot, dash and underscore, at most 64."
            document.wrong(path, f'"{name}" cannot be a name.', hint)
        thing = _checked(document, sections, path, raw, model)
        if thing is not _NOTHING:
            things[name] = thing


def _checked(document: Document, sections: Sections, path: KeyPath, raw: Any, model: Any) -> Any:
    """The model of `raw` without what is wrong in it; `_NOTHING` when nothing is left."""
    adapter: TypeAdapter[Any] = TypeAdapter(model)
    raw = copy.deepcopy(raw)
    for _ in range(_ROUNDS):
        try:
            return adapter.validate_python(raw)
        except ValidationError as failed:
            doomed: dict[KeyPath, KeyPath] = {}
            for error in failed.errors(include_url=False):
                at = _written(raw, error["loc"])
                doomed[at] = sections.original((*path, *at))
                if (*doomed[at], *error["loc"][-1:]) not in sections.spoilt:
                    _report(document, model, doomed[at], error)
            sections.spoilt.update(doomed.values())
            if () in doomed:
                return _NOTHING
            for at in sorted(doomed, key=lambda p: [str(x).zfill(6) for x in p], reverse=True):
                _leave_out(raw, at)
    return _NOTHING


def _written(raw: Any, loc: Iterable[str | int]) -> KeyPath:
    """The part of pydantic's location that stands in the file: it also names unions and spelled-out shorthands."""
    path: list[str | int] = []
    at = raw
    for part in loc:
        if _holds(at, part):
            at = at[part]
            path.append(part)
    return tuple(path)


def _leave_out(raw: Any, path: KeyPath) -> None:
    for part in path[:-1]:
        if not _holds(raw, part):
            return
        raw = raw[part]
    if _holds(raw, path[-1]):
        del raw[path[-1]]


def _holds(at: Any, part: str | int) -> bool:
    if isinstance(at, dict):
        return part in at
    return isinstance(at, list) and isinstance(part, int) and 0 <= part < len(at)


def _report(document: Document, model: Any, path: KeyPath, error: Any) -> None:
    if any(m.place == document.place(path) and m.sentence.startswith("the env") for m in document.mistakes):
        return
    kind, context, last = error["type"], error.get("ctx", {}), error["loc"][-1] if error["loc"] else ""
    if kind == "missing":
        document.wrong(path, f'"{last}" is missing.')
    elif kind == "extra_forbidden":
        document.wrong(path, "there is no such key here.", nearest(last, _keys(model, error["loc"])))
    elif kind == "union_tag_not_found":
        document.wrong(path, '"kind" is missing.', f"Known: {_tags(model)}.")
    elif kind == "union_tag_invalid":
        expected = context["expected_tags"]
        names = [n.strip().strip("'") for n in expected.split(",")]
        document.wrong(
            (*path, "kind"), f'there is no kind "{context["tag"]}".', nearest(context["tag"], names)
        )
    elif kind == "literal_error":
        names = [n.strip("', ") for n in context["expected"].replace(" or ", ", ").split(", ")]
        document.wrong(
            path, f"must be {context['expected']}{_is(document, path, error)}.", _close(error, names)
        )
    elif kind == "string_pattern_mismatch":
        expected = "a path that starts with /" if context["pattern"] == "^/" else "{address}/… or http://…"
        document.wrong(path, f"must be {expected}{_is(document, path, error)}.")
    elif kind == "value_error":
        document.wrong(path, f"must be {context['error']}{_is(document, path, error)}.")
    else:
        expected = _EXPECTED.get(kind, str(error["msg"]).removeprefix("Input should be "))
        document.wrong(path, f"must be {expected}{_is(document, path, error)}.")


def _is(document: Document, path: KeyPath, error: Any) -> str:
    """What is there instead, unless it came from the environment and may be a secret."""
    given = error.get("input")
    if path in document.expanded:
        return " (what the environment variable holds is not)"
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


def _tags(model: Any) -> str:
    return ", ".join(sorted(kind for m in _models(model, nested=True) if (kind := _kind(m))))


def _models(annotation: Any, nested: bool = False) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = [f.annotation for f in annotation.model_fields.values()] if nested else []
        return [annotation, *(m for i in inner for m in _models(i))]
    return [m for argument in typing.get_args(annotation) for m in _models(argument, nested)]


def _keys(model: Any, loc: tuple[str | int, ...]) -> set[str]:
    """The keys that are known where an unknown one was found."""
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
