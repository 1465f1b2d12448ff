"""What an apply would change, said field by field, with what is dangerous marked.

A command that vanished under one name and appeared under another with (nearly) the same shape was renamed:
its id is carried along, so that the permissions which administrators gave it stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.appcommands import limits
from bot.domain.appcommands.normalization import Json, key_of, normal_command

ALIKE = 0.75  # share of equal leaves from which on a vanished and a new command are the same one, renamed


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: `path` inside the command (``options[city].required``), from → to; None where there is nothing."""

    path: str
    before: Any
    after: Any
    danger: str = ""


@dataclass(frozen=True, slots=True)
class CommandDiff:
    """One command. `what`: created, changed, renamed or deleted. `id` is Discord's, of what is there now."""

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
    """Everything that differs between what Discord has and what is desired, in one scope."""

    commands: tuple[CommandDiff, ...]
    unchanged: int

    def __bool__(self) -> bool:
        return bool(self.commands)

    def of(self, what: str) -> tuple[CommandDiff, ...]:
        return tuple(c for c in self.commands if c.what == what)

    @property
    def creates(self) -> int:
        """How many of the day's 200 creations an apply costs: new names only."""
        return len(self.of("created"))

    @property
    def dangers(self) -> tuple[str, ...]:
        return tuple(f"{c.name}: {danger}" for c in self.commands for danger in c.dangers)


def compare(
    present: Iterable[Mapping[str, Any]], desired: Iterable[Mapping[str, Any]], *, guild: bool = False
) -> Diff:
    """From what Discord has (`present`, as it answers) to what is `desired` (as it would be sent)."""
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
        danger = f"renamed from /{was[1]}: people and scripts that use the old name will not find it"
        found.append(CommandDiff("renamed", *now, ids.get(was), was[1], changes, danger, new[now]))
        gone, fresh = gone - {was}, fresh - {now}
    found += [CommandDiff("created", *key, desired=new[key]) for key in fresh]
    danger = "deleted: it vanishes for everybody, and its permissions with it"
    found += [CommandDiff("deleted", *key, ids.get(key), danger=danger) for key in gone]
    return Diff(tuple(sorted(found, key=lambda c: (c.type, c.name, c.what))), unchanged)


# ---- renames ---------------------------------------------------------------------------------------------


def _renames(
    gone: Mapping[tuple[int, str], Json], fresh: Mapping[tuple[int, str], Json]
) -> list[tuple[tuple[int, str], tuple[int, str]]]:
    """Pairs of a vanished and a new command of one type that are alike; the most alike first, each once."""
    if not gone or not fresh:
        return []
    bits: dict[tuple[str, str], int] = {}
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


def _shape(command: Json, bits: dict[tuple[str, str], int]) -> int:
    """The leaves as a set of bits, since every vanished command is compared with every new one."""
    shape = 0
    for leaf in _leaves(command):
        shape |= 1 << bits.setdefault(leaf, len(bits))
    return shape


def _leaves(command: Json) -> frozenset[tuple[str, str]]:
    """The command as a set of (path, value), its own name left out; options go by name."""
    found: set[tuple[str, str]] = set()

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if path or key != "name":
                    walk(f"{path}.{key}", inner)
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                walk(f"{path}[{inner.get('name', i) if isinstance(inner, dict) else i}]", inner)
        else:
            found.add((path, repr(value)))

    walk("", command)
    return frozenset(found)


def _alike(a: int, b: int) -> float:
    """Jaccard similarity of the leaves; a command that is nothing but its type has no shape to be known by."""
    ones, others, both = a.bit_count(), b.bit_count(), (a & b).bit_count()
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
    """Options and choices go by name; their order counts, since people see it."""
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
        return "more people may use it than before"
    if field == "type" and path != "type":
        names = limits.OPTION_TYPE_NAMES
        return f"the option's type changes from {names.get(before)} to {names.get(after)}"
    if field == "contexts" and after == [0] and before != [0]:
        return "it can no longer be used outside servers"
    if field == "integration_types" and 1 not in (after or [0]) and 1 in (before or [0]):
        return "people who installed the application for themselves lose it"
    if field == "required" and after:
        return "the option is required from now on"
    if after is None and field.startswith("options["):
        return "the option is taken away"
    if before is None and isinstance(after, dict) and field.startswith("options[") and after.get("required"):
        return "a new option that is required"
    return ""


def _loosened(before: str | None, after: str | None) -> bool:
    """None: everybody may. "0": administrators only. Else: whoever holds all of these bits."""
    if before is None:
        return False
    if after is None:
        return True
    old, new = int(before), int(after)
    if old == 0:
        return new != 0
    return new != 0 and (old & ~new) != 0
