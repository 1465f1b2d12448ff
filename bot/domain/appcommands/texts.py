"""Mistakes in names, descriptions and lengths, which commands, options and choices share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.appcommands import limits


@dataclass(frozen=True, slots=True)
class ManifestProblem:
    """One mistake. `path`: JSON path (``$[3].options[0].name``); `sentence`: what is wrong and what Discord accepts."""

    path: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}"


def names(path: str, holder: Mapping[str, Any], *, strict: bool) -> Iterator[ManifestProblem]:
    """Mistakes in a name. `strict`: for slash commands and options; user and message commands have free text."""
    yield from _name(f"{path}.name", holder.get("name"), strict)
    for mistakes, text in localizations(path, holder, "name_localizations"):
        yield from mistakes
        yield from _name(*text, strict) if text else ()


def _name(path: str, name: Any, strict: bool) -> Iterator[ManifestProblem]:
    plain = list(text_mistakes(path, name, limits.NAME))
    if plain or not strict:
        yield from plain
        return
    wrong = sorted({c for c in name if not limits.name_character(c)})
    if wrong:
        shown = " ".join("blank" if c == " " else c for c in wrong)
        yield ManifestProblem(path, f"names can only have letters, digits, - _ and ', not: {shown}")
    if not limits.lower_cased(name):
        yield ManifestProblem(path, f"names must be in lower case: {name.lower()}")


def descriptions(path: str, holder: Mapping[str, Any]) -> Iterator[ManifestProblem]:
    yield from text_mistakes(f"{path}.description", holder.get("description"), limits.DESCRIPTION)
    for mistakes, text in localizations(path, holder, "description_localizations"):
        yield from mistakes
        yield from text_mistakes(*text, limits.DESCRIPTION) if text else ()


def text_mistakes(path: str, text: Any, most: int) -> Iterator[ManifestProblem]:
    if not isinstance(text, str):
        yield ManifestProblem(path, "is missing" if text is None else f"must be text, not {kind_of(text)}")
    elif not text.strip():
        yield ManifestProblem(path, "is empty")
    elif len(text) > most:
        yield ManifestProblem(path, f"{len(text)} characters; at most {most}")


def localizations(
    path: str, holder: Mapping[str, Any], field: str
) -> Iterator[tuple[list[ManifestProblem], tuple[str, Any] | None]]:
    """For each locale: mistakes in the locale itself, and the text with its path, to be checked further."""
    texts = holder.get(field)
    if texts is None:
        return
    if not isinstance(texts, dict):
        yield (
            [ManifestProblem(f"{path}.{field}", f"must be an object of locale: text, not {kind_of(texts)}")],
            None,
        )
        return
    for locale, text in texts.items():
        inner = f"{path}.{field}.{locale}"
        if locale not in limits.LOCALES:
            yield [ManifestProblem(inner, "is not a locale that Discord knows")], None
        else:
            yield [], (inner, text)


def characters(holder: Mapping[str, Any]) -> int:
    """Characters as Discord counts them: names, descriptions and values; of a localised text, the longest counts."""
    total = sum(
        max(
            [
                len(t)
                for t in (holder.get(f), *_values(holder.get(f"{f}_localizations")))
                if isinstance(t, str)
            ]
            or [0]
        )
        for f in ("name", "description")
    )
    if isinstance(holder.get("value"), str):
        total += len(holder["value"])
    for inner in ("options", "choices"):
        listed = holder.get(inner)
        total += sum(
            characters(x) for x in (listed if isinstance(listed, list) else ()) if isinstance(x, dict)
        )
    return total


def _values(texts: Any) -> Sequence[Any]:
    return list(texts.values()) if isinstance(texts, dict) else []


def duplicates(
    path: str,
    items: Sequence[Any],
    shown: Callable[[Mapping[str, Any]], str],
    key: Callable[[Mapping[str, Any]], object],
    what: str,
) -> Iterator[ManifestProblem]:
    first: dict[object, int] = {}
    for i, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            continue
        seen = first.setdefault(key(item), i)
        if seen != i:
            yield ManifestProblem(
                f"{path}[{i}].name", f"another {what} is called {shown(item)!r}: {path}[{seen}]"
            )


def unknown(path: str, holder: Mapping[str, Any], known: frozenset[str]) -> Iterator[ManifestProblem]:
    for key in holder:
        if key not in known:
            yield ManifestProblem(f"{path}.{key}", "is not a field that Discord knows")


def kind_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def a(noun: str) -> str:
    """The noun with its article: `"a string"`, `"an integer"`."""
    return f"{'an' if noun[0] in 'aei' else 'a'} {noun}"


def set_of(path: str, value: Any, allowed: frozenset[int]) -> Iterator[ManifestProblem]:
    if value is None:
        return
    listed = value if isinstance(value, list) else None
    if not listed or any(not isinstance(v, int) or isinstance(v, bool) or v not in allowed for v in listed):
        yield ManifestProblem(
            path, f"must be null or a list with at least one of {', '.join(map(str, sorted(allowed)))}"
        )
    elif len(set(listed)) != len(listed):
        yield ManifestProblem(path, "must have each value once")
