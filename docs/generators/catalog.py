"""Reference of the catalog, from the JSON Schema that `slipway config schema` prints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bot import catalog
from bot.composition.registry import KINDS
from docs.generators.markdown import anchor, code, table

Schema = Mapping[str, Any]
HEAD = ("key", "takes", "default", "meaning")
_DURATION = re.compile(r"\d+(ms|s|m|h|d)")
_WORDS = {"integer": "whole number", "boolean": "`true` or `false`", "string": "text", "object": "mapping"}
INTRODUCTION = """
# Catalog keys

This page is made by `make reference` from the JSON Schema that `slipway config schema` prints, which also completes
and checks the files in your editor. [Configuration](../configuration.md) explains how the keys work together.

Durations are texts such as `30s` or `1h30m`; proportions are `1%` or `0.01`. `${NAME}` stands for a value from the
environment.
"""


def page() -> str:
    """Every section of a catalog file, then every kind of mapping in the order in which they are met."""
    return Reference(catalog.schema(KINDS)).page()


class Reference:
    """The schema as Markdown. Knows nothing of the catalog but the schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.kinds: Mapping[str, Schema] = schema.get("$defs", {})

    def page(self) -> str:
        sections = [
            (code(key), self._takes(part), self._said(part))
            for key, part in self.schema["properties"].items()
        ]
        parts = [INTRODUCTION.strip(), "## Sections of a file", table(("key", "takes", "meaning"), sections)]
        parts += ["## Mappings"]
        for name in self.met():
            parts += self._kind(name)
        return "\n\n".join(parts) + "\n"

    def met(self) -> list[str]:
        """Names of all mappings, each after the first that refers to it."""
        found: list[str] = []
        ahead = [name for part in self.schema["properties"].values() for name in _references(part)]
        while ahead:
            name = ahead.pop(0)
            if name not in found:
                found.append(name)
                ahead = [*_references(self.kinds[name]), *ahead]
        return found

    def _kind(self, name: str) -> list[str]:
        kind = self.kinds[name]
        keys = kind.get("properties", {})
        base = self._base(name)
        said = [f"### {name}"]
        if meaning := _meaning(kind):
            said.append(meaning)
        own = {
            key: part for key, part in keys.items() if not base or key not in self.kinds[base]["properties"]
        }
        if base:
            said.append(f"All keys of [{base}](#{anchor(base)}){', and:' if own else '.'}")
        required = kind.get("required", ())
        rows = [
            (code(key), self._takes(part), _default(part, key in required), self._said(part))
            for key, part in own.items()
        ]
        return [*said, table(HEAD, rows)] if rows else said

    def _said(self, part: Schema) -> str:
        """What a key means: its own description, or that of the one mapping it takes."""
        if "const" in part:
            return "Says which of these it is."
        names = list(dict.fromkeys(_references(part)))
        described = _meaning(self.kinds[names[0]]) if len(names) == 1 else ""
        return _meaning(part) or described

    def _base(self, name: str) -> str | None:
        """The mapping with most keys of which this one has all, word for word, and more."""
        own = self.kinds[name].get("properties", {})
        smaller = [
            (len(keys), other)
            for other, kind in self.kinds.items()
            if 3 < len(keys := kind.get("properties", {})) < len(own)
            and all(own.get(key) == part for key, part in keys.items())
        ]
        return max(smaller)[1] if smaller else self._twin(name)

    def _twin(self, name: str) -> str | None:
        """An earlier mapping with exactly the same keys."""
        own = self.kinds[name].get("properties", {})
        for other in self.met():
            if other == name:
                return None
            if len(own) > 3 and self.kinds[other].get("properties", {}) == own:
                return other
        return None

    def _takes(self, part: Schema) -> str:
        """What may be written there, the short forms first."""
        choices = sorted(
            dict.fromkeys(self._choices(part)), key=lambda choice: choice.startswith(("list", "names"))
        )
        return " or ".join(choices) or "anything"

    def _choices(self, part: Schema) -> Iterator[str]:
        for several in ("anyOf", "oneOf"):
            for choice in part.get(several, ()):
                yield from self._choices(choice)
        if reference := part.get("$ref"):
            name = _name(reference)
            yield f"[{name}](#{anchor(name)})"
        elif "const" in part:
            yield code(part["const"])
        elif "enum" in part:
            yield from (code(value) for value in part["enum"])
        elif "type" in part:
            yield from self._types(part)

    def _types(self, part: Schema) -> Iterator[str]:
        kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
        for kind in kinds:
            inner = part.get("items") if kind == "array" else part.get("additionalProperties")
            if kind == "array":
                yield f"list of {self._takes(inner)}" if inner else "list"
            elif kind == "object" and isinstance(inner, Mapping):
                yield f"names, each with {self._takes(inner)}"
            elif kind == "string" and part.get("examples"):
                yield f"text such as {code(part['examples'][0])}"
            elif kind != "null":
                yield f"{_WORDS.get(kind, kind)}{_bounds(part)}"


def _bounds(part: Schema) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    return f", at least {low}" if low is not None else ""


def _default(part: Schema, required: bool) -> str:
    if required:
        return "**required**"
    value = part.get("default")
    if value in (None, {}, [], "") or isinstance(value, dict):
        return ""
    lasts = any(_DURATION.fullmatch(example) for example in _examples(part))
    if lasts and isinstance(value, int | float):
        return code(_duration(value))
    return code(str(value).lower() if isinstance(value, bool) else value)


def _duration(seconds: float) -> str:
    """As it is written in a file: `1800.0` is `30m`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds * 1000:g}ms"


def _examples(part: Schema) -> Iterator[str]:
    yield from part.get("examples", ())
    for several in ("anyOf", "oneOf"):
        for choice in part.get(several, ()):
            yield from _examples(choice)


def _meaning(part: Schema) -> str:
    return " ".join(str(part.get("description", "")).split())


def _references(part: Any) -> Iterator[str]:
    """Names of the mappings that a piece of schema refers to, in its order."""
    if isinstance(part, Mapping):
        if "$ref" in part:
            yield _name(part["$ref"])
        for key, value in part.items():
            if key not in ("$defs", "discriminator"):
                yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _name(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]
