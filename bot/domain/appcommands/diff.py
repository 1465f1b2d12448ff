"""Changes of an apply, field by field, with dangers marked.

A command that is gone under one name and new under another with (nearly) the same shape was renamed: its id is
kept, so that the permissions which administrators gave it stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.appcommands import limits
from bot.domain.appcommands.normalization import Json, key_of, normal_command

Leaf = tuple[str, str, tuple[type, Any]]

ALIKE = 0.75  # share of equal leaves at which a missing and a new command count as one renamed command


@dataclass(frozen=True, slots=True)
class FieldChange:
    """Change of one field: `path` inside the command (``options[city].required``), before and after; None if absent."""

    path: str
    before: Any
    after: Any
    danger: str = ""


@dataclass(frozen=True, slots=True)
class CommandDiff:
    """Change of one command. `what`: created, changed, renamed or deleted. `id`: Discord's, of the present command."""

    what: str
    type: int
    name: str
    id: str | None = None
    former_name: str | None = None
    changes: tuple[FieldChange, ...] = ()
    danger: str = ""
    desired: Json | None = None

    @property
    def dangers(self) -> tuple[str, ...]:
        found = [self.danger] if self.danger else []
        return (*found, *(f"{c.path}: {c.danger}" for c in self.changes if c.danger))


@dataclass(frozen=True, slots=True)
class Diff:
    """Differences between what Discord has and what is desired, in one scope."""

    commands: tuple[CommandDiff, ...]
    unchanged: int

    def __bool__(self) -> bool:
        return bool(self.commands)

    def of(self, what: str) -> tuple[CommandDiff, ...]:
        return tuple(c for c in self.commands if c.what == what)

    @property
    def creates(self) -> int:
        """Creations that an apply uses of the 200 per day: new names only."""
        return len(self.of("created"))

    @property
    def dangers(self) -> tuple[str, ...]:
        return tuple(f"{c.name}: {danger}" for c in self.commands for danger in c.dangers)


def compare(
    present: Iterable[Mapping[str, Any]], desired: Iterable[Mapping[str, Any]], *, guild: bool = False
) -> Diff:
    """Compare what Discord has (`present`, as it answers) with what is `desired` (as it would be sent)."""
    present = list(present)
    ids = {key_of(c): str(c["id"]) for c in present if c.get("id")}
    old = {key_of(c): normal_command(c, guild=guild) for c in present}
    new = {key_of(c): normal_command(c, guild=guild) for c in desired}
    found: list[CommandDiff] = []
    unchanged = 0
    for key in new.keys() & old.keys():
        if old[key] == new[key]:
            unchanged += 1
        else:
            changes = tuple(_fields("", old[key], new[key]))
            found.append(CommandDiff("changed", *key, ids.get(key), None, changes, "", new[key]))
    gone, fresh = old.keys() - new.keys(), new.keys() - old.keys()
    for was, now in _renames({k: old[k] for k in gone}, {k: new[k] for k in fresh}):
        changes = tuple(c for c in _fields("", old[was], new[now]) if c.path != "name")
        danger = f"renamed from /{was[1]}: people and scripts can no longer use the old name"
        found.append(CommandDiff("renamed", *now, ids.get(was), was[1], changes, danger, new[now]))
        gone, fresh = gone - {was}, fresh - {now}
    found += [CommandDiff("created", *key, desired=new[key]) for key in fresh]
    danger = "deleted for everyone, including its permissions"
    found += [CommandDiff("deleted", *key, ids.get(key), danger=danger) for key in gone]
    return Diff(tuple(sorted(found, key=lambda c: (c.type, c.name, c.what))), unchanged)


# ---- renames ---------------------------------------------------------------------------------------------


def _renames(
    gone: Mapping[tuple[int, str], Json], fresh: Mapping[tuple[int, str], Json]
) -> list[tuple[tuple[int, str], tuple[int, str]]]:
    """Pairs of a missing and a new command of one type that are alike; the most alike first, each once."""
    if not gone or not fresh:
        return []
    bits: dict[Leaf, int] = {}
    old, new = ({key: _shape(c, bits) for key, c in side.items()} for side in (gone, fresh))
    alike = ((_alike(old[was], new[now]), was, now) for was in gone for now in fresh if was[0] == now[0])
    scored = sorted((s for s in alike if s[0] >= ALIKE), key=lambda s: (-s[0], s[1], s[2]))
    pairs: dict[tuple[int, str], tuple[int, str]] = {}
    taken: set[tuple[int, str]] = set()
    for _, was, now in scored:
        if was not in pairs and now not in taken:
            pairs[was] = now
            taken.add(now)
    return list(pairs.items())


def _shape(command: Json, bits: dict[Leaf, int]) -> tuple[int, int]:
    """The leaves as a set of bits, since each is compared with every new command; and their number."""
    own = (leaf for leaf in _leaves("", command) if leaf[:2] != ("", "name"))
    numbers = {bits.setdefault(leaf, len(bits)) for leaf in own}
    shape = bytearray(max(numbers, default=0) // 8 + 1)
    for number in numbers:
        shape[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(shape, "little"), len(numbers)


def _leaves(path: str, value: Json) -> Iterator[Leaf]:
    """(path, key, value) of everything in the command that is not a container; options are found by name."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _leaves(f"{path}.{key}", inner)
        elif not isinstance(inner, list):
            # With its type: to Discord, true and 1 are different values.
            yield path, key, (inner.__class__, inner)
        else:
            for i, item in enumerate(inner):
                if isinstance(item, dict):
                    yield from _leaves(f"{path}.{key}[{item.get('name', i)}]", item)
                else:
                    yield path, f"{key}[{i}]", (item.__class__, item)


def _alike(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Jaccard similarity of the leaves; 0 for a command without any field but its type."""
    (some, ones), (more, others) = a, b
    both = (some & more).bit_count()
    return both / (ones + others - both) if ones > 1 and others > 1 else 0.0


# ---- fields ----------------------------------------------------------------------------------------------


def _fields(path: str, before: Any, after: Any) -> Iterable[FieldChange]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            inner = f"{path}.{key}" if path else key
            yield from _fields(inner, before.get(key), after.get(key))
    elif path.rsplit(".", maxsplit=1)[-1] in {"options", "choices"}:
        yield from _named(path, before or [], after or [])
    else:
        yield FieldChange(path, before, after, _danger(path, before, after))


def _named(path: str, before: list[Json], after: list[Json]) -> Iterable[FieldChange]:
    """Compare options and choices by name; their order counts, since people see it."""
    old, new = {o["name"]: o for o in before}, {o["name"]: o for o in after}
    for name in dict.fromkeys((*old, *new)):
        inner = f"{path}[{name}]"
        if name in old and name in new:
            yield from _fields(inner, old[name], new[name])
        else:
            was, now = old.get(name), new.get(name)
            yield FieldChange(inner, was, now, _danger(inner, was, now))
    if [n for n in old if n in new] != [n for n in new if n in old]:
        yield FieldChange(f"{path} (order)", list(old), list(new))


def _danger(path: str, before: Any, after: Any) -> str:  # noqa: PLR0911 - one case a line
    field = path.rsplit(".", 1)[-1]
    if field == "default_member_permissions" and _loosened(before, after):
        return "more people can use it"
    if field == "type" and path != "type":
        names = limits.OPTION_TYPE_NAMES
        return f"option type changes from {names.get(before)} to {names.get(after)}"
    if field == "contexts" and after == [0] and before != [0]:
        return "no longer usable outside servers"
    if field == "integration_types" and 1 not in (after or [0]) and 1 in (before or [0]):
        return "removed for people who installed the app for themselves"
    if field == "required" and after:
        return "option becomes required"
    if after is None and field.startswith("options["):
        return "option removed"
    if before is None and isinstance(after, dict) and field.startswith("options[") and after.get("required"):
        return "new required option"
    return ""


def _loosened(before: str | None, after: str | None) -> bool:
    """Whether more people may use it. None: everyone; "0": administrators only; else members with all these bits."""
    if before is None:
        return False
    if after is None:
        return True
    old, new = int(before), int(after)
    if old == 0:
        return new != 0
    return new != 0 and (old & ~new) != 0
