"""How the model's values are written as JSON and read back, from their type hints.

Objects with an identity (dataclasses without equality, such as `Message`) are numbered, and named by their number;
values such as `Forum` are written in place.
"""

import base64
import binascii
import dataclasses
import functools
import types
import typing
from collections import OrderedDict, deque
from typing import Any, NamedTuple, Protocol

_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
_LISTS: dict[Any, Any] = {list: list, set: set, frozenset: frozenset, deque: deque}
_DICTS: dict[Any, Any] = {dict: dict, OrderedDict: OrderedDict}
_MISSING: Any = dataclasses.MISSING
_LARGEST = 1e11  # of fractions, which are times in Unix seconds: later ones have no date


class Numbering(Protocol):
    """While a world is written: the number of an object among those of its class."""

    def number(self, it: object) -> int: ...


class Objects(Protocol):
    """While a world is read: the objects by class and number, and what is wrong with it."""

    def find(self, kind: type, number: int) -> Any:
        """None if there is none."""

    def complain(self, where: str, sentence: str) -> None: ...


class Shape(Protocol):
    def write(self, value: Any, numbers: Numbering) -> Any: ...

    def read(self, given: Any, objects: Objects, where: str) -> Any:
        """The value; None with a complaint if `given` is no such value."""


class Part(NamedTuple):
    """A field of a class; `make` its default, None if it has none."""

    name: str
    shape: Shape
    make: Any


def shown(given: Any) -> str:
    """A wrong value in a complaint."""
    text = repr(given)
    return text if len(text) <= 40 else f"{text[:37]}…"


@dataclasses.dataclass(frozen=True, slots=True)
class _Anything:
    def write(self, value: Any, numbers: Numbering) -> Any:
        return value

    def read(self, given: Any, objects: Objects, where: str) -> Any:
        return given


@dataclasses.dataclass(frozen=True, slots=True)
class _Scalar:
    kinds: tuple[type, ...]

    def write(self, value: Any, numbers: Numbering) -> Any:
        return value

    def read(self, given: Any, objects: Objects, where: str) -> Any:
        if float in self.kinds and type(given) in (int, float):
            if abs(given) < _LARGEST:
                return float(given)
        elif type(given) in self.kinds:
            return given
        elif int in self.kinds and type(given) is float and given.is_integer():
            return int(given)
        wanted = " or ".join(_WORDS[kind] for kind in self.kinds)
        objects.complain(where, f"must be {wanted}, not {shown(given)}")
        return None


@dataclasses.dataclass(frozen=True, slots=True)
class _Content:
    """Bytes, as base64."""

    def write(self, value: bytes, numbers: Numbering) -> str:
        return base64.b64encode(value).decode()

    def read(self, given: Any, objects: Objects, where: str) -> bytes | None:
        try:
            return base64.b64decode(given, validate=True)
        except (binascii.Error, TypeError, ValueError):
            objects.complain(where, f"must be base64, not {shown(given)}")
            return None


@dataclasses.dataclass(frozen=True, slots=True)
class _Maybe:
    of: Shape

    def write(self, value: Any, numbers: Numbering) -> Any:
        return None if value is None else self.of.write(value, numbers)

    def read(self, given: Any, objects: Objects, where: str) -> Any:
        return None if given is None else self.of.read(given, objects, where)


@dataclasses.dataclass(frozen=True, slots=True)
class _Many:
    kind: Any
    of: Shape

    def write(self, value: Any, numbers: Numbering) -> list[Any]:
        found = [self.of.write(one, numbers) for one in value]
        return sorted(found) if isinstance(value, set | frozenset) else found

    def read(self, given: Any, objects: Objects, where: str) -> Any:
        if not isinstance(given, list):
            objects.complain(where, f"must be a list, not {shown(given)}")
            return None
        return self.kind(self.of.read(one, objects, f"{where} {n}") for n, one in enumerate(given, 1))


@dataclasses.dataclass(frozen=True, slots=True)
class _Fixed:
    """A tuple with a shape for each place."""

    of: tuple[Shape, ...]

    def write(self, value: Any, numbers: Numbering) -> list[Any]:
        return [shape.write(one, numbers) for shape, one in zip(self.of, value, strict=True)]

    def read(self, given: Any, objects: Objects, where: str) -> Any:
        if not isinstance(given, list) or len(given) != len(self.of):
            objects.complain(where, f"must be a list of {len(self.of)}, not {shown(given)}")
            return None
        return tuple(
            shape.read(one, objects, f"{where} {n}")
            for n, (shape, one) in enumerate(zip(self.of, given, strict=True), 1)
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _ByName:
    kind: Any
    of: Shape

    def write(self, value: Any, numbers: Numbering) -> dict[str, Any]:
        return {key: self.of.write(one, numbers) for key, one in value.items()}

    def read(self, given: Any, objects: Objects, where: str) -> Any:
        if not isinstance(given, dict):
            objects.complain(where, f"must be an object, not {shown(given)}")
            return None
        return self.kind({key: self.of.read(one, objects, f"{where} {key}") for key, one in given.items()})


@dataclasses.dataclass(frozen=True, slots=True)
class _Pairs:
    """A dictionary with keys that are not texts."""

    kind: Any
    pair: _Fixed

    def write(self, value: Any, numbers: Numbering) -> list[Any]:
        return [self.pair.write(one, numbers) for one in value.items()]

    def read(self, given: Any, objects: Objects, where: str) -> Any:
        found = _Many(list, self.pair).read(given, objects, where)
        return None if found is None or None in found else self.kind(found)


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """An object with an identity, by its number."""

    kind: type

    def write(self, value: Any, numbers: Numbering) -> int:
        return numbers.number(value)

    def read(self, given: Any, objects: Objects, where: str) -> Any:
        found = objects.find(self.kind, given) if type(given) is int else None
        if found is None:
            objects.complain(where, f"must be the number of a {self.kind.__name__}, not {shown(given)}")
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Value:
    """A frozen dataclass or named tuple, written in place."""

    kind: Any

    def write(self, value: Any, numbers: Numbering) -> dict[str, Any]:
        return write_parts(value, parts(self.kind), numbers)

    def read(self, given: Any, objects: Objects, where: str) -> Any:
        return self.kind(**read_parts(given, parts(self.kind), objects, where))


def write_parts(it: object, of: tuple[Part, ...], numbers: Numbering) -> dict[str, Any]:
    """The fields of an object by name, without those that have their default."""
    body = {}
    for part in of:
        value = getattr(it, part.name)
        if part.make is None or value != (usual := part.make()) or type(value) is not type(usual):
            body[part.name] = part.shape.write(value, numbers)
    return body


def read_parts(given: Any, of: tuple[Part, ...], objects: Objects, where: str) -> dict[str, Any]:
    """The fields of an object by name, all of them; None for those that are complained of."""
    if not isinstance(given, dict):
        objects.complain(where, f"must be an object, not {shown(given)}")
        given = {}
    else:
        for key in sorted(given.keys() - {part.name for part in of}):
            objects.complain(where, f"has no {key}")
    found = {}
    for part in of:
        if part.name in given:
            found[part.name] = part.shape.read(given[part.name], objects, f"{where}: {part.name}")
        elif part.make is not None:
            found[part.name] = part.make()
        else:
            objects.complain(where, f"lacks {part.name}")
            found[part.name] = None
    return found


@functools.cache
def parts(kind: Any, left_out: frozenset[str] = frozenset()) -> tuple[Part, ...]:
    """The fields of a dataclass or named tuple, but for `left_out`. Raises TypeError for a hint without a shape."""
    hints = typing.get_type_hints(kind)
    return tuple(
        Part(name, shape(hints[name]), make) for name, make in makers(kind).items() if name not in left_out
    )


def makers(kind: Any) -> dict[str, Any]:
    """The fields of a dataclass or named tuple with what makes their default, None for those without."""
    if hasattr(kind, "_fields"):
        defaults = kind._field_defaults
        return {name: _constant(defaults[name]) if name in defaults else None for name in kind._fields}
    return {one.name: _maker(one) for one in dataclasses.fields(kind)}


def _maker(one: dataclasses.Field[Any]) -> Any:
    if one.default_factory is not _MISSING:
        return one.default_factory
    return None if one.default is _MISSING else _constant(one.default)


def _constant(value: Any) -> Any:
    return lambda: value


@functools.cache
def shape(hint: Any) -> Shape:  # noqa: PLR0911
    """The shape of a type hint. Raises TypeError for one that cannot be saved."""
    origin, given = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return _Anything()
    if origin in (typing.Union, types.UnionType):
        return _union(given)
    if hint in _WORDS:
        return _Scalar((hint,))
    if hint is bytes:
        return _Content()
    if origin in _LISTS:
        return _Many(_LISTS[origin], shape(given[0]))
    if origin is tuple:
        if given[1:] == (...,):
            return _Many(tuple, shape(given[0]))
        return _Fixed(tuple(map(shape, given)))
    if origin in _DICTS:
        key, value = given
        if key is str:
            return _ByName(_DICTS[origin], shape(value))
        return _Pairs(_DICTS[origin], _Fixed((shape(key), shape(value))))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return Reference(hint) if hint.__eq__ is object.__eq__ else _Value(hint)
    if isinstance(hint, type) and hasattr(hint, "_fields"):
        return _Value(hint)
    raise TypeError(f"{hint} cannot be saved")


def _union(given: tuple[Any, ...]) -> Shape:
    """One kind of value or None, or several scalars."""
    others = tuple(one for one in given if one is not type(None))
    if all(one in _WORDS for one in others):
        found: Shape = _Scalar(others)
    elif len(others) == 1:
        found = shape(others[0])
    else:
        raise TypeError(f"{given} cannot be saved")
    return found if len(others) == len(given) else _Maybe(found)
