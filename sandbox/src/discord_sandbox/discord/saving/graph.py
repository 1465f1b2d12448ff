"""A world's objects as numbered lists by class, and back."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from discord_sandbox.discord.saving.shapes import makers, parts, read_parts, shown, write_parts

LeftOut = Mapping[type, frozenset[str]]
_NOTHING: frozenset[str] = frozenset()


class Writing:
    """Numbers objects as they are met, and writes each once."""

    def __init__(self, left_out: LeftOut) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {}
        self._left_out = left_out
        self._numbers: dict[int, int] = {}
        self._waiting: deque[tuple[object, dict[str, Any]]] = deque()

    def number(self, it: object) -> int:
        found = self._numbers.get(id(it))
        if found is not None:
            return found
        others = self.objects.setdefault(type(it).__name__, [])
        self._numbers[id(it)] = len(others)
        body: dict[str, Any] = {}
        others.append(body)
        self._waiting.append((it, body))
        return len(others) - 1

    def finish(self) -> None:
        """Write the objects that were met, and those that they name. Not recursive: messages name messages."""
        while self._waiting:
            it, body = self._waiting.popleft()
            kind: Any = type(it)
            body.update(write_parts(it, parts(kind, self._left_out.get(kind, _NOTHING)), self))


class Reading:
    """Makes every object first, then fills them in. `problems`: sentences, empty if all is well."""

    def __init__(self, given: Any, kinds: Mapping[str, type], left_out: LeftOut) -> None:
        self.problems: list[str] = []
        self._left_out = left_out
        self._all: dict[type, list[Any]] = {kind: [] for kind in kinds.values()}
        self._bodies: list[tuple[Any, Any, str]] = []
        for name, kind, bodies in self._lists(given, kinds):
            for n, body in enumerate(bodies):
                made: Any = object.__new__(kind)
                self._all[kind].append(made)
                self._bodies.append((made, body, f"{name} {n}"))

    def _lists(self, given: Any, kinds: Mapping[str, type]) -> Iterator[tuple[str, type, list[Any]]]:
        if not isinstance(given, dict):
            self.complain("objects", f"must be an object, not {shown(given)}")
            return
        for name, bodies in given.items():
            if name not in kinds:
                self.complain("objects", f"has no {name}")
            elif not isinstance(bodies, list):
                self.complain(f"objects: {name}", f"must be a list, not {shown(bodies)}")
            else:
                yield name, kinds[name], bodies

    def everything(self) -> Iterator[Any]:
        return (one for others in self._all.values() for one in others)

    def find(self, kind: type, number: int) -> Any:
        others = self._all[kind]
        return others[number] if 0 <= number < len(others) else None

    def complain(self, where: str, sentence: str) -> None:
        self.problems.append(f"{where} {sentence}")

    def fill(self) -> None:
        for it, body, where in self._bodies:
            kind: Any = type(it)
            left_out = self._left_out.get(kind, _NOTHING)
            for name, value in read_parts(body, parts(kind, left_out), self, where).items():
                setattr(it, name, value)
            for name in left_out:
                setattr(it, name, makers(kind)[name]())
