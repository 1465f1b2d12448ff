"""Validation of every entry of a catalog against its model: invalid parts are reported and left out.

Leaving out only the invalid parts lets the following checks see everything else, so that one run finds all mistakes.
"""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.models import LaneLayer, catalog_file, service_of
from bot.catalog.pydantic_errors import report
from bot.catalog.yaml_source import Document
from bot.domain.secret import Secret
from bot.kinds import Kinds, KindSettings, SettingsProblem, SpecSettings
from bot.values import is_name

_NOTHING = object()
_ROUNDS = 50  # each leaves something out, so no file written by a person reaches this


@dataclass(slots=True)
class Sections:
    """Validated entries by section and name; `spoilt`: paths at which something was left out."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    defaults: LaneLayer = field(default_factory=LaneLayer)
    names: dict[str, set[str]] = field(default_factory=dict)
    spoilt: set[KeyPath] = field(default_factory=set)

    def of(self, section: str) -> dict[str, Any]:
        return self.things.get(section, {})

    def known(self, section: str) -> set[str]:
        """Names of all entries, valid or not: a reference to an entry with mistakes is not a mistake."""
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


def validate(document: Document, kinds: Kinds) -> Sections:
    """Check every entry in `document` by itself; mistakes are added to it."""
    return _Validator(document, kinds).sections()


class _Validator:
    def __init__(self, document: Document, kinds: Kinds) -> None:
        self._document = document
        self._kinds = kinds
        self._sections = Sections()
        self._adapters: dict[int, TypeAdapter[Any]] = {}

    def sections(self) -> Sections:
        fields = catalog_file(self._kinds).model_fields
        for section, content in self._document.root.items():
            if section not in fields:
                self._document.wrong((section,), "there is no such section.", nearest(section, fields))
            elif section == "defaults":
                checked = self._checked((section,), content, LaneLayer)
                self._sections.defaults = checked if isinstance(checked, LaneLayer) else LaneLayer()
            elif isinstance(content, dict):
                self._section(section, content, typing.get_args(fields[section].annotation)[1])
            elif content is not None:
                self._document.wrong((section,), "must be a mapping of names.")
        return self._sections

    def _section(self, section: str, content: dict[str, Any], model: Any) -> None:
        things = self._sections.things.setdefault(section, {})
        self._sections.names[section] = set(content)
        for name, raw in content.items():
            path = (section, name)
            if not is_name(name):
                hint = "Letters, digits, dot, dash and underscore, at most 64."
                self._document.wrong(path, f'"{name}" cannot be a name.', hint)
            if section == "services":
                model = service_of(self._kinds, *self._runs_on(path, raw))
            thing = self._checked(path, raw, model)
            if thing is not _NOTHING:
                things[name] = thing
                self._look_into(path, thing)

    def _runs_on(self, path: KeyPath, raw: Any) -> list[str]:
        """The kinds of targets that run a service, which decide on its spec and router; empty when that is unclear."""
        root, targets = self._document.root, self._kinds.targets
        found: dict[str, str] = {}
        for environment, own in _mapping(_mapping(raw).get("environments")).items():
            layers = (own, raw, _mapping(root.get("environments")).get(environment), root.get("defaults"))
            named = [name for layer in layers if isinstance(name := _mapping(layer).get("target"), str)]
            kind = _mapping(_mapping(root.get("targets")).get(named[0])).get("kind") if named else None
            if isinstance(kind, str) and kind in targets:
                found.setdefault(kind, environment)
        if len(found) > 1:
            on = " and ".join(f"{kind} in {environment}" for kind, environment in found.items())
            hint = "Use targets of one kind for all its environments."
            self._document.wrong(path, f"it runs on different kinds of targets: {on}.", hint)
            return []
        if found:
            return list(found)
        # Whatever it was meant to name, it is of the only kind that there is.
        given = {_mapping(target).get("kind") for target in _mapping(root.get("targets")).values()}
        return [str(kind) for kind in given] if len(given) == 1 and given <= set(targets) else []

    def _checked(self, path: KeyPath, raw: Any, model: Any) -> Any:
        """The model of `raw` without its invalid parts; `_NOTHING` when nothing is left."""
        adapter = self._adapter(model)
        raw, sections = copy.deepcopy(raw), self._sections
        context = {"folder": Path(self._document.place(path).file).parent}
        for _ in range(_ROUNDS):
            try:
                return adapter.validate_python(raw, context=context)
            except ValidationError as failed:
                doomed: dict[KeyPath, KeyPath] = {}
                for error in failed.errors(include_url=False):
                    at = _written(raw, error["loc"])
                    doomed[at] = sections.original((*path, *at))
                    if (*doomed[at], *error["loc"][-1:]) not in sections.spoilt:
                        report(self._document, model, doomed[at], error)
                sections.spoilt.update(doomed.values())
                if () in doomed:
                    return _NOTHING
                for at in sorted(doomed, key=lambda p: [str(x).zfill(6) for x in p], reverse=True):
                    _leave_out(raw, at)
        return _NOTHING

    def _adapter(self, model: Any) -> TypeAdapter[Any]:
        """What validates by `model`, built once: building takes longer than the validation of an entry."""
        if id(model) not in self._adapters:
            self._adapters[id(model)] = TypeAdapter(model)
        return self._adapters[id(model)]

    def _look_into(self, path: KeyPath, thing: Any) -> None:
        """Report problems of valid values: a secret in a file, or one that the kind finds."""
        document, original = self._document, self._sections.original
        for at, value in _inside(thing, path):
            if isinstance(value, Secret):
                written = original(at)
                if written in document.places and written not in document.expanded:
                    hint = "Write ${NAME} and set that variable."
                    document.wrong(written, "must not be written in a file.", hint)
            elif isinstance(value, SpecSettings):
                self._referred(original(at), value)
            elif isinstance(value, KindSettings):
                _report(document, self._sections, at, value.problems())

    def _referred(self, path: KeyPath, spec: SpecSettings) -> None:
        for at, values in self._document.references.items():
            if at[: len(path)] == path:
                spec.refers_to(at[len(path) :], values.values())
        for at, text in self._document.written.items():
            if at[: len(path)] == path:
                spec.is_written(at[len(path) :], text)


def examine(document: Document, sections: Sections) -> None:
    """Report what only servers can tell of the settings of adapters."""
    for name, section in sections.things.items():
        for at, value in _inside(section, (name,)):
            if isinstance(value, KindSettings):
                _report(document, sections, at, value.examine())


def _report(document: Document, sections: Sections, at: KeyPath, problems: Iterable[SettingsProblem]) -> None:
    for problem in problems:
        if not problem.path and sections.is_spoilt(at):
            continue  # what it misses may be what was left out
        first = document.place(sections.original((*at, *problem.first)))
        sentence = problem.sentence.replace("{first}", str(first))
        document.wrong(sections.original((*at, *problem.path)), sentence, problem.hint)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _inside(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """`value` and everything in it, each with its path."""
    yield path, value
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, BaseModel):
        inner = ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    for key, part in inner:
        yield from _inside(part, (*path, key))


def _written(raw: Any, loc: Iterable[str | int]) -> KeyPath:
    """The part of pydantic's location that is in the file, without unions and expanded shorthands."""
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
