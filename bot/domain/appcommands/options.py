"""Mistakes in options, their choices and their bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.domain.appcommands import limits
from bot.domain.appcommands.texts import (
    ManifestProblem,
    a,
    descriptions,
    duplicates,
    kind_of,
    localizations,
    names,
    set_of,
    text_mistakes,
    unknown,
)

_OPTION_KEYS = frozenset(
    """type name name_localizations name_localized description description_localizations description_localized
    required autocomplete choices options channel_types min_value max_value min_length max_length""".split()
)
_NESTED = frozenset({limits.SUB_COMMAND, limits.SUB_COMMAND_GROUP})


def options(path: str, listed: Any, *, depth: int) -> Iterator[ManifestProblem]:
    """Mistakes in a list of options. `depth`: 0 in a command, 1 in a group, 2 in a sub-command."""
    if listed is None:
        return
    if not isinstance(listed, list):
        yield ManifestProblem(path, f"must be a list of options, not {kind_of(listed)}")
        return
    if len(listed) > limits.OPTIONS:
        yield ManifestProblem(path, f"{len(listed)} options; at most {limits.OPTIONS}")
    for i, option in enumerate(listed):
        yield from _option(f"{path}[{i}]", option, depth)
    whole = [o for o in listed if isinstance(o, dict)]
    yield from duplicates(path, listed, lambda o: str(o.get("name")), lambda o: o.get("name"), "option")
    if depth == 0 and any(_of(o, _NESTED) for o in whole) and not all(_of(o, _NESTED) for o in whole):
        yield ManifestProblem(path, "sub-commands and groups cannot be mixed with other options")
    optional_before = False
    for i, option in enumerate(listed):
        if not isinstance(option, dict) or _of(option, _NESTED):
            continue
        if option.get("required") is True and optional_before:
            yield ManifestProblem(f"{path}[{i}].required", "required options must come before optional ones")
        optional_before |= option.get("required") is not True


def _of(option: Mapping[str, Any], types: frozenset[int]) -> bool:
    kind = option.get("type")
    return isinstance(kind, int) and kind in types


def _option(path: str, option: Any, depth: int) -> Iterator[ManifestProblem]:
    if not isinstance(option, dict):
        yield ManifestProblem(path, f"an option must be an object, not {kind_of(option)}")
        return
    yield from unknown(path, option, _OPTION_KEYS)
    yield from names(path, option, strict=True)
    yield from descriptions(path, option)
    kind = option.get("type")
    if isinstance(kind, bool) or not isinstance(kind, int) or kind not in limits.OPTION_TYPES:
        yield ManifestProblem(f"{path}.type", f"{kind!r} is not an option type; use 1 to 11")
        return
    word = limits.OPTION_TYPE_NAMES[kind]
    if kind == limits.SUB_COMMAND_GROUP and depth > 0:
        yield ManifestProblem(f"{path}.type", "a group must be directly in a command, not deeper")
    elif kind == limits.SUB_COMMAND and depth > 1:
        yield ManifestProblem(f"{path}.type", "a sub-command must be in a command or a group, not deeper")
    elif depth == 1 and kind != limits.SUB_COMMAND:
        yield ManifestProblem(f"{path}.type", f"a group can only have sub-commands, not {a(word)} option")
    for flag in ("required", "autocomplete"):
        if option.get(flag) is not None and not isinstance(option[flag], bool):
            yield ManifestProblem(f"{path}.{flag}", "must be true or false")
    if kind in _NESTED:
        yield from options(
            f"{path}.options", option.get("options"), depth=2 if kind == limits.SUB_COMMAND else 1
        )
        if option.get("required"):
            yield ManifestProblem(f"{path}.required", f"{a(word)} cannot be required")
    elif option.get("options"):
        yield ManifestProblem(f"{path}.options", f"{a(word)} option has no options of its own")
    yield from _choices(path, option, kind)
    yield from _bounds(path, option, kind)


def _choices(path: str, option: Mapping[str, Any], kind: int) -> Iterator[ManifestProblem]:
    choices = option.get("choices")
    word = limits.OPTION_TYPE_NAMES[kind]
    if option.get("autocomplete") is True and kind not in limits.WITH_CHOICES:
        yield ManifestProblem(f"{path}.autocomplete", f"{a(word)} option has no autocomplete")
    if not choices:
        return
    if not isinstance(choices, list):
        yield ManifestProblem(f"{path}.choices", f"must be a list of choices, not {kind_of(choices)}")
        return
    if kind not in limits.WITH_CHOICES:
        yield ManifestProblem(f"{path}.choices", f"{a(word)} option has no choices")
        return
    if option.get("autocomplete") is True:
        yield ManifestProblem(f"{path}.choices", "an option cannot have both choices and autocomplete")
    if len(choices) > limits.CHOICES:
        yield ManifestProblem(f"{path}.choices", f"{len(choices)} choices; at most {limits.CHOICES}")
    for i, choice in enumerate(choices):
        yield from _choice(f"{path}.choices[{i}]", choice, kind)
    yield from duplicates(
        f"{path}.choices", choices, lambda c: str(c.get("name")), lambda c: c.get("name"), "choice"
    )


def _choice(path: str, choice: Any, kind: int) -> Iterator[ManifestProblem]:
    if not isinstance(choice, dict):
        yield ManifestProblem(path, f"a choice must be an object, not {kind_of(choice)}")
        return
    yield from unknown(path, choice, frozenset({"name", "name_localizations", "name_localized", "value"}))
    yield from text_mistakes(f"{path}.name", choice.get("name"), limits.CHOICE_NAME)
    for locale, text in localizations(path, choice, "name_localizations"):
        yield from locale
        yield from text_mistakes(text[0], text[1], limits.CHOICE_NAME) if text else ()
    value = choice.get("value")
    if kind == limits.STRING:
        yield from text_mistakes(f"{path}.value", value, limits.CHOICE_VALUE)
    elif not _number(value, whole=kind == limits.INTEGER):
        yield ManifestProblem(f"{path}.value", _a_number(kind))


def _bounds(path: str, option: Mapping[str, Any], kind: int) -> Iterator[ManifestProblem]:
    word = limits.OPTION_TYPE_NAMES[kind]
    for low, high, types in (
        ("min_value", "max_value", limits.NUMERIC),
        ("min_length", "max_length", frozenset({limits.STRING})),
    ):
        given = [name for name in (low, high) if option.get(name) is not None]
        for name in given:
            if kind not in types:
                yield ManifestProblem(f"{path}.{name}", f"{a(word)} option has no {name}")
            elif types is limits.NUMERIC and not _number(option[name], whole=kind == limits.INTEGER):
                yield ManifestProblem(f"{path}.{name}", _a_number(kind))
            elif types is not limits.NUMERIC and not _length(option[name], least=int(name == high)):
                yield ManifestProblem(
                    f"{path}.{name}", f"must be from {int(name == high)} to {limits.STRING_LENGTH}"
                )
        both = [option[n] for n in given if isinstance(option[n], int | float)]
        if len(both) == 2 and both[0] > both[1]:
            yield ManifestProblem(f"{path}.{low}", f"{low} {both[0]} is above {high} {both[1]}")
    channels = option.get("channel_types")
    if channels and kind != limits.CHANNEL:
        yield ManifestProblem(f"{path}.channel_types", f"{a(word)} option has no channel types")
    elif channels:
        yield from set_of(f"{path}.channel_types", channels, limits.CHANNEL_TYPES)


def _number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    most = limits.INT53 if whole else limits.INT53 + 1
    return -most <= value <= most


def _length(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= limits.STRING_LENGTH


def _a_number(kind: int) -> str:
    if kind == limits.INTEGER:
        return "a whole number between -2^53 + 1 and 2^53 - 1"
    return "a number between -2^53 and 2^53"
