"""Reading of YAML files into one tree of plain values, each with its file and line.

Aliases and merge keys work as usual; a duplicate key is a mistake. `${NAME}` and `${NAME:-default}` in scalars are
replaced from the environment; `$${` becomes `${`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bot.catalog.diagnostics import Diagnostic, KeyPath, SourceLocation, dotted
from bot.references import REFERENCE

_LARGEST = 50_000  # values, so that aliases of aliases cannot fill the memory
_MERGE = "tag:yaml.org,2002:merge"
_STRING = "tag:yaml.org,2002:str"


@dataclass(slots=True)
class Document:
    """The merged tree of all files, with the place of every key path."""

    root: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, SourceLocation] = field(default_factory=dict)
    mistakes: list[Diagnostic] = field(default_factory=list)
    expanded: set[KeyPath] = field(default_factory=set)  # may be secrets: never shown
    # By the value's path: the environment variables in it, with their values. Defaults are in the file anyway.
    references: dict[KeyPath, dict[str, str]] = field(default_factory=dict)
    # Texts with a reference (or `$${`) in them, as they are written.
    written: dict[KeyPath, str] = field(default_factory=dict)
    folder: str = ""

    def as_written(self, path: KeyPath) -> Any:
        """What stands at `path`, with `${NAME}` in place of what the environment gave; None when nothing does.

        Numbers and switches are given as they are. `bot.references.expanded` is the way back.
        """
        value: Any = self.root
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return self._as_written(value, path)

    def _as_written(self, value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {key: self._as_written(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self._as_written(each, (*path, index)) for index, each in enumerate(value)]
        return self.written.get(path, value) if isinstance(value, str) else value

    def place(self, path: KeyPath) -> SourceLocation:
        """Place of `path`, or of the closest key around it that is in a file."""
        while path:
            if found := self.places.get(path):
                return found
            path = path[:-1]
        return SourceLocation(self.folder)

    def wrong(self, path: KeyPath, sentence: str, hint: str = "") -> None:
        self.mistakes.append(Diagnostic(self.place(path), dotted(path), sentence, hint))


def read_folder(folder: Path, environ: Mapping[str, str] | None = None) -> Document:
    """Read and merge every `*.yaml` and `*.yml` below `folder`, in the order of their names.

    GitHub workflows are left out.
    """
    document = Document(folder=str(folder))
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())
    if not files:
        what = "holds no YAML file" if folder.is_dir() else "is not a folder"
        hint = "Copy a folder of config/examples there, or set SLIPWAY_CONFIG_DIR to your catalog."
        document.mistakes.append(Diagnostic(SourceLocation(str(folder)), "", f"{what}.", hint))
    for file in files:
        _Reader(document, str(file), os.environ if environ is None else environ).read(file)
    return document


# Keys of a GitHub workflow, such as the one beside the examples: not part of a catalog.
_WORKFLOW = {"on", "jobs"}


class _Reader:
    """Reader of one file into a document."""

    def __init__(self, document: Document, name: str, environ: Mapping[str, str]) -> None:
        self._document = document
        self._name = name
        self._environ = environ
        self._resolver = yaml.SafeLoader("")
        self._open: set[int] = set()
        self._count = 0

    def read(self, file: Path) -> None:
        try:
            node = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 0
            self._wrong(line, (), f"is not YAML: {error.problem or error.context}.")
            return
        except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
            self._wrong(0, (), f"cannot be read: {str(error).splitlines()[0]}.")
            return
        if node is None:
            return
        if not isinstance(node, yaml.MappingNode):
            self._wrong(_line(node), (), "must hold sections (services:, plans:, …).")
            return
        if {key.value for key, _ in node.value} >= _WORKFLOW:
            return
        for section, key, value in self._entries(node, ()):
            self._section(section, key, value)

    def _section(self, section: str, key: yaml.Node, value: yaml.Node) -> None:
        """Merge one section into the tree; an entry that another file has too is a mistake."""
        self._document.places.setdefault((section,), self._place(key))
        if not isinstance(value, yaml.MappingNode):
            built = self._build(value, (section,))
            if built is not None:
                self._document.root.setdefault(section, built)
            return
        things = self._document.root.setdefault(section, {})
        if not isinstance(things, dict):
            return
        for name, name_node, thing in self._entries(value, (section,)):
            path = (section, name)
            if name in things:
                there = self._document.places[path]
                self._wrong(_line(name_node), path, f"is given twice; the other one is at {there}.")
                continue
            things[name] = None
            self._document.places[path] = self._place(name_node)
            things[name] = self._build(thing, path)

    def _build(self, node: yaml.Node, path: KeyPath) -> Any:
        self._count += 1
        if self._count > _LARGEST:
            if self._count == _LARGEST + 1:
                self._wrong(_line(node), path, f"the file expands to more than {_LARGEST} values.")
            return None
        if id(node) in self._open:
            self._wrong(_line(node), path, "an alias refers to itself.")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, path)
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _sequence(self, node: yaml.SequenceNode, path: KeyPath) -> list[Any]:
        built = []
        for index, item in enumerate(node.value):
            self._document.places[(*path, index)] = self._place(item)
            built.append(self._build(item, (*path, index)))
        return built

    def _mapping(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        built = {}
        for name, key, value in self._entries(node, path):
            self._document.places[(*path, name)] = self._place(key)
            built[name] = self._build(value, (*path, name))
        return built

    def _entries(self, node: Any, path: KeyPath) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """Entries of a mapping: merged ones last, and only for keys that it does not have itself."""
        own: dict[str, yaml.Node] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
                continue
            name = self._key(key, path)
            if name in own:
                first = self._place(own[name])
                self._wrong(_line(key), (*path, name), f"is given twice; the first one is at {first}.")
                continue
            own[name] = key
            yield name, key, value
        taken = set(own)
        for other in merged:
            yield from self._merged(other, path, taken)

    def _merged(
        self, other: yaml.Node, path: KeyPath, taken: set[str]
    ) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        if not isinstance(other, yaml.MappingNode) or id(other) in self._open:
            self._wrong(_line(other), path, "`<<` takes a mapping, or a list of mappings.")
            return
        self._open.add(id(other))
        for name, key, value in self._entries(other, path):
            if name not in taken:
                taken.add(name)
                yield name, key, value
        self._open.discard(id(other))

    def _key(self, key: yaml.Node, path: KeyPath) -> str:
        if not isinstance(key, yaml.ScalarNode):
            self._wrong(_line(key), path, "a key must be text.")
            return "?"
        return str(key.value)

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        text = self._expand(node, path)
        if text is None:
            return None
        if text != node.value:
            self._document.expanded.add(path)
            self._document.written[path] = node.value
        tag = node.tag
        if text and text != node.value and node.style is None and tag == _STRING:
            # A reference may resolve to a number: `port: ${PORT:-8080}`.
            tag = self._resolver.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        try:
            return self._resolver.construct_object(
                yaml.ScalarNode(tag, text, node.start_mark, node.end_mark), deep=True
            )
        except (yaml.YAMLError, ValueError, AttributeError, TypeError, OverflowError) as error:
            # The library's constructors fail with various errors on a value that does not fit its tag.
            why = getattr(error, "problem", None) or f"it is not a valid {tag.rpartition(':')[2]}"
            self._wrong(_line(node), path, f"cannot be read: {why}.")
            return None

    def _expand(self, node: yaml.ScalarNode, path: KeyPath) -> str | None:
        missing: list[str] = []

        def value(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "${"
            given = self._environ.get(match[1])
            if given:
                self._document.references.setdefault(path, {})[match[1]] = given
            given = given if given or match[2] is None else match[2]
            if given is None:
                missing.append(match[1])
            return given or ""

        text = REFERENCE.sub(value, node.value)
        for name in missing:
            hint = f"Set it, or give a default: ${{{name}:-…}}."
            self._wrong(_line(node), path, f"the environment variable {name} is not set.", hint)
        return None if missing else text

    def _place(self, node: yaml.Node) -> SourceLocation:
        return SourceLocation(self._name, _line(node))

    def _wrong(self, line: int, path: KeyPath, sentence: str, hint: str = "") -> None:
        self._document.mistakes.append(
            Diagnostic(SourceLocation(self._name, line), dotted(path), sentence, hint)
        )


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
