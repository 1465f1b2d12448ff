"""The language of stories and scenarios: one line is one thing that a person does, that happens, or that is seen.

A file is read top to bottom. `# …` is a comment, `== … ==` opens a chapter, an indented line is what is expected to
happen after the line above it, and every other line is a verb: one of the functions that `@verb` registers. There are
no variables, loops or conditions.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

INDENT = "    "
GIVEN, PEOPLE, WAITING = "Before the story", "What people do", "Waiting"
SEEING, FAULTS = "What is seen", "What goes wrong"
GROUPS = (GIVEN, PEOPLE, WAITING, SEEING, FAULTS)
_CHAPTER = re.compile(r"== (.+) ==")
_QUOTED = re.compile(r'"([^"]+)"')
_UNITS = {"s": 1, "second": 1, "minute": 60, "hour": 3600}


class StoryError(Exception):
    """The story did not go as told; the sentence says what was expected and what was seen."""


class Lane(NamedTuple):
    """`checkout in production`."""

    service: str
    environment: str

    def __str__(self) -> str:
        return f"{self.service} in {self.environment}"


def phrases(text: str) -> tuple[str, ...]:
    """`succeeded` is one phrase; `"one" and "two"` are two."""
    return tuple(_QUOTED.findall(text)) or (text,)


def seconds(text: str) -> float:
    """`8 s`, `1 minute`, `2 hours`."""
    number, unit = text.split()
    return float(number) * _UNITS[unit.removesuffix("s") or unit]


def options(text: str) -> dict[str, str]:
    """`service:checkout reason:the summer sale`, as Discord shows a command's options."""
    parts = re.split(r"(?:^| )([a-z_]+):(?=\S)", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _fields(text: str) -> dict[str, str]:
    name, _, value = text.partition(": ")
    return {name: value}


def _lane(text: str) -> Lane:
    service, _, environment = text.partition(" in ")
    return Lane(service, environment)


def _buttons(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\[([^\]]+)\]", text))


def _commands(text: str) -> tuple[str, ...]:
    return () if text == "no commands" else tuple(sorted(re.findall(r"/([\w-]+)", text)))


_NAME = r"[a-z][a-z0-9-]*"
_LANE = rf"{_NAME} in {_NAME}"
_LISTED = r"/[\w-]+(?:, /[\w-]+)*"

# What a placeholder of a pattern takes, and what the verb gets for it.
KINDS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "who": (_NAME, str),
    "service": (_NAME, str),
    "application": (_NAME, str),
    "environment": (_NAME, str),
    "version": (r"\d[\w.-]*", str),
    "lane": (_LANE, _lane),
    "command": (r"[a-z][\w-]*(?: [a-z][\w-]*)?", str),
    "options": (r"[a-z_]+:\S.*", options),
    "fields": (r"[a-z_]+: .+", _fields),
    "button": (r"[^\]]+", str),
    "buttons": (r"\[[^\]]+\](?: \[[^\]]+\])*", _buttons),
    "message": (rf"the card(?: of {_LANE})?|the answer|the incident|the war room|#[a-z]+|@[a-z]+[0-9]*", str),
    "card": (rf"the card(?: of {_LANE})?", str),
    "status": (r"[a-z].*?", str),
    "channel": (r"#[a-z]+", lambda text: text[1:]),
    "words": (r".+?", phrases),
    "choice": (r".+?", str),
    "time": (r"\d+(?:\.\d+)? (?:s|seconds?|minutes?|hours?)", seconds),
    "number": (r"[2-9]|[1-9]\d", int),
    "milliseconds": (r"\d+ ms", lambda text: float(text[:-3])),
    "share": (r"\d+(?:\.\d+)?%", lambda text: float(text[:-1]) / 100),
    "commands": (rf"no commands|{_LISTED}", _commands),
    "here": (rf"no commands|{_LISTED}", _commands),
    "moment": (r"before|after", str),
    "file": (r"[\w.-]+\.json", str),
    "reason": (r".+", str),
}


@dataclass(frozen=True, slots=True)
class Verb:
    """One kind of line. `pattern` has `{placeholders}` of `KINDS` and `(optional parts)`."""

    group: str
    pattern: str
    example: str
    run: Callable[..., Awaitable[None]]
    matcher: re.Pattern[str]

    @property
    def help(self) -> str:
        return (self.run.__doc__ or "").splitlines()[0]

    def read(self, text: str) -> dict[str, Any] | None:
        """The values of the placeholders; None when the line is not of this kind."""
        found = self.matcher.fullmatch(text)
        if found is None:
            return None
        return {name: KINDS[name][1](given) for name, given in found.groupdict().items() if given is not None}


VERBS: list[Verb] = []

Run = Callable[..., Awaitable[None]]


def verb(group: str, pattern: str, example: str) -> Callable[[Run], Run]:
    """Register the function as the meaning of lines like `pattern`; its first line of documentation is the help.

    It is called with the scene and the placeholders' values by name; those of optional parts may be missing.
    """

    def register(run: Run) -> Run:
        VERBS.append(Verb(group, pattern, example, run, _matcher(pattern)))
        return run

    return register


def _matcher(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}|([()])", pattern)
    made = ""
    for literal, name, bracket in zip(parts[::3], [*parts[1::3], None], [*parts[2::3], None], strict=True):
        made += re.escape(literal)
        if name:
            made += f"(?P<{name}>{KINDS[name][0]})"
        elif bracket:
            made += "(?:" if bracket == "(" else ")?"
    return re.compile(made)


# ---- a file ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Line:
    """One line of a file with what is expected after it. `chapter` is its title, `verb` its meaning, if any."""

    number: int
    text: str
    chapter: str = ""
    verb: Verb | None = None
    values: dict[str, Any] = field(default_factory=dict)
    expected: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Script:
    """A file that was understood as a whole."""

    path: Path
    lines: Sequence[Line]

    @property
    def title(self) -> str:
        """The first comment."""
        return next((line.text[1:].strip() for line in self.lines if line.text.startswith("#")), "")

    def rewritten(self, happened: Mapping[int, Sequence[str]]) -> str:
        """The file's text with what happened, by line number, in place of what was expected."""
        made = []
        for line in self.lines:
            made += [line.text, *(f"{INDENT}{one}" for one in happened.get(line.number, ()))]
        return "\n".join(made) + "\n"


def read(path: Path) -> Script:
    """The file's script. Raises `StoryError` that names every line that is not understood."""
    return parse(path.read_text(encoding="utf-8"), path)


def parse(text: str, path: Path) -> Script:
    """As `read`, from text; `path` is for messages."""
    lines: list[Line] = []
    mistakes: list[str] = []
    for number, raw in enumerate(text.splitlines(), 1):
        if raw.startswith(" "):
            if lines and lines[-1].verb is not None:
                lines[-1].expected.append(raw.removeprefix(INDENT).rstrip())
            else:
                mistakes.append(f"{path}:{number}: an indented line says what happens, so it follows a verb")
            continue
        try:
            lines.append(_line(number, raw.rstrip()))
        except StoryError as mistake:
            mistakes.append(f"{path}:{number}: {mistake}")
    if mistakes:
        raise StoryError("\n".join(mistakes))
    return Script(path, lines)


def _line(number: int, text: str) -> Line:
    if not text or text.startswith("#"):
        # `#deploys says …` begins with a channel.
        if not re.match(r"#[a-z]", text):
            return Line(number, text)
    elif chapter := _CHAPTER.fullmatch(text):
        return Line(number, text, chapter=chapter[1])
    found = [(one, values) for one in VERBS if (values := one.read(text)) is not None]
    if not found:
        raise StoryError(f"no verb for {text!r}. {nearest(text)}")
    if len(found) > 1:
        raise StoryError(f"{text!r} means several things: {' · '.join(one.pattern for one, _ in found)}")
    return Line(number, text, verb=found[0][0], values=found[0][1])


def nearest(text: str) -> str:
    """The verb that a line probably meant, by its pattern and its example."""

    def likeness(one: Verb) -> float:
        return max(difflib.SequenceMatcher(None, text, like).ratio() for like in (one.pattern, one.example))

    best = max(VERBS, key=likeness)
    return f"Nearest: {best.pattern} (as in: {best.example})"
