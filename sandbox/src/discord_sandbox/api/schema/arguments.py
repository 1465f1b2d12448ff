"""Arguments of a call: its JSON Schema, and the check of what is given, from one definition."""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from discord_sandbox.api.errors import invalid
from discord_sandbox.api.schema.fragments import JSON, maybe

_WORDS = {
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "number": "a number",
    "integer": "a whole number",
}
_TYPES: dict[str, type] = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}


@dataclass(frozen=True, slots=True)
class Taking:
    """The fields of an object by name, each a schema of `fragments`; no other may be given.

    `needed` are alternatives: all fields of at least one of them must be there. A field that is null is one that is
    not given.
    """

    fields: Mapping[str, JSON]
    needed: tuple[tuple[str, ...], ...] = ()
    example: JSON | None = None

    @property
    def always(self) -> list[str]:
        """The fields that every alternative needs."""
        return [key for key in self.fields if self.needed and all(key in one for one in self.needed)]

    def schema(self) -> JSON:
        always = self.always
        found: JSON = {
            "type": "object",
            "properties": {key: one if key in always else maybe(one) for key, one in self.fields.items()},
            "required": always,
            "additionalProperties": False,
        }
        others = [[key for key in one if key not in always] for one in self.needed]
        if any(others):
            found["anyOf"] = [
                {"properties": {key: self.fields[key] for key in one}, "required": one} for one in others
            ]
        return found if self.example is None else found | {"examples": [self.example]}

    def check(self, given: JSON) -> None:
        """Raise ApiError 400 `invalid` with the first mistake."""
        for key in given:
            if key not in self.fields:
                raise invalid(f'There is no "{key}" here.', _hint(key, self.fields))
        if self.needed:
            self._check_needed(given)
        for key, value in given.items():
            if value is not None:
                _check(self.fields[key], value, key)

    def check_query(self, given: Iterable[tuple[str, str]]) -> None:
        """The same for a query string."""
        self.check({key: _read(self.fields.get(key, {}), text) for key, text in given})

    def _check_needed(self, given: JSON) -> None:
        for key in self.always:
            if given.get(key) in (None, ""):
                raise invalid(f'"{key}" is missing.')
        missing = [[key for key in one if given.get(key) in (None, "")] for one in self.needed]
        if all(missing):
            begun = [one for one, whole in zip(missing, self.needed, strict=True) if len(one) < len(whole)]
            ways = (" and ".join(f'"{key}"' for key in one) for one in begun or missing)
            raise invalid(f"{' or '.join(ways)} is missing.")


def taking(*needed: str, example: JSON | None = None, **fields: JSON) -> Taking:
    """`needed`: alternatives of needed fields, such as `"user message"`."""
    return Taking(fields, tuple(tuple(one.split()) for one in needed), example)


def _check(schema: JSON, value: Any, name: str) -> None:
    kinds = _kinds(schema)
    if kinds and not any(_is(kind, value) for kind in kinds):
        raise invalid(f'"{name}" must be {" or ".join(_WORDS[kind] for kind in kinds)}.')
    if "enum" in schema and value not in schema["enum"]:
        raise invalid(f'"{name}" cannot be "{value}".', _hint(str(value), schema["enum"]))
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        raise invalid(f'"{name}" is empty.')
    if isinstance(value, int | float) and not isinstance(value, bool):
        least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        if not least <= value <= most:
            raise invalid(f'"{name}" must be {least:,} to {most:,}, not {value}.')
    if isinstance(value, list):
        for number, one in enumerate(value, 1):
            _check(schema.get("items", {}), one, f"{name}: {number}")
    if isinstance(value, dict):
        for key, one in value.items():
            _check(schema.get("additionalProperties", {}), one, f"{name}: {key}")


def _kinds(schema: JSON) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else found


def _is(kind: str, value: Any) -> bool:
    if kind in ("number", "integer"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return kind == "number" or isinstance(value, int) or value.is_integer()
    return isinstance(value, _TYPES[kind])


def _read(schema: JSON, text: str) -> Any:
    """A query parameter as the value that it stands for; the text itself if it stands for none."""
    kinds = _kinds(schema)
    if "boolean" in kinds:
        return {"true": True, "false": False}.get(text, text)
    try:
        return int(text) if "integer" in kinds else float(text) if "number" in kinds else text
    except ValueError:
        return text


def _hint(given: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known: {', '.join(names)}." if names else "It takes none."
