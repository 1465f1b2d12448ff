"""Every command that a document, an example or a workflow shows can be typed: programs, commands and options exist."""

from __future__ import annotations

import importlib.util
import itertools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from bot.__main__ import cli
from tests.support.paths import ROOT
from tests.support.repository import (
    EXAMPLES,
    SHELL,
    Line,
    blocks,
    compose,
    documents,
    inline_code,
    shell_commands,
    unit,
    words_after,
)

# Programs that are not ours, of which nothing can be checked here. One that is not in this list is a mistake, or new.
OTHERS = {
    *(
        "cd",
        "chmod",
        "chown",
        "cp",
        "curl",
        "docker",
        "echo",
        "envoy",
        "export",
        "git",
        "install",
        "journalctl",
        "kill",
        "mkdir",
        "mv",
        "systemctl",
        "tee",
        "useradd",
    ),
    *("cosign", "gh", "openssl", "pip", "sed"),
}
LANGUAGES = {"sh", "text", "json", "yaml", "ini", "python", "js", "go", "java", "rust"}
WORKFLOWS = [*(ROOT / ".github" / "workflows").glob("*.yml"), *EXAMPLES.rglob("github-*.yml")]


def in_documents() -> Iterator[Line]:
    for path in documents():
        for block in blocks(path):
            if block.language == SHELL:
                yield from shell_commands(block.text, block.path, block.line)


def in_files() -> Iterator[Line]:
    """What units, the compose file, the image and workflows run."""
    for path in EXAMPLES.rglob("*.service"):
        for key in ("ExecStart", "ExecReload"):
            yield from (Line(f"{path.name} {key}", command) for command in unit(path).get(key, ()))
    for name, service in compose("POSTGRES_PASSWORD=x")["services"].items():
        if service.get("image", "").startswith("slipway"):
            yield Line(f"compose.yml {name}", " ".join(["slipway", *service.get("command", ["run"])]))
            yield Line(
                f"compose.yml {name} health",
                " ".join(service.get("healthcheck", {}).get("test", ["", "x"])[1:]),
            )
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            for step in job.get("steps", ()):
                yield from shell_commands(step.get("run", ""), f"{path.name} {name}")


def in_prose() -> Iterator[Line]:
    """`slipway …` in running text and tables, and the lines of synopses."""
    for path in documents():
        yield from (line for line in inline_code(path) if line.text.startswith("slipway "))
        for block in blocks(path):
            if block.language == "text":
                for number, line in enumerate(block.text.splitlines(), block.line + 1):
                    if line.startswith("slipway "):
                        yield Line(f"{block.path}:{number}", line)


def test_every_block_says_what_language_it_is() -> None:
    wrong = [
        f"{block.path}:{block.line}: {block.language or 'no language'}"
        for path in documents()
        for block in blocks(path)
        if block.language not in LANGUAGES
    ]
    assert wrong == [], "shell is `sh`, plain text `text`"


def test_programs_are_known() -> None:
    wrong = [
        f"{line.where}: {line.text}" for line in in_documents() if _program(line) not in {*OTHERS, *OURS}
    ]
    assert wrong == []


def _ours(*sources: Iterator[Line]) -> list[Line]:
    found = [line for source in sources for line in source if words_after("slipway", line.text) is not None]
    assert found
    return found


@pytest.mark.parametrize(
    "line", _ours(in_documents(), in_files()), ids=lambda line: f"{line.where} {line.text}"
)
def test_slipway_takes_the_command_line(line: Line) -> None:
    words = words_after("slipway", line.text)
    assert words is not None
    said = CliRunner().invoke(cli, [*words, "--help"], prog_name="slipway")
    assert (said.exit_code, said.output.startswith("Usage: slipway")) == (0, True), said.output


def test_what_prose_says_of_the_command_line_is_so() -> None:
    lines = list(in_prose())
    assert len(lines) > 30
    wrong = [f"{line.where}: {line.text}: {problem}" for line in lines if (problem := _problem(line.text))]
    assert wrong == []


def test_targets_of_make_exist() -> None:
    asked = {
        " ".join(words) for line in in_documents() if (words := words_after("make", line.text)) is not None
    }
    asked |= {
        line.text.split(None, 1)[1]
        for path in documents()
        for line in inline_code(path)
        if _is_make(line.text)
    }
    assert {"demo", "test", "check", "docs"} <= {words.split()[0] for words in asked}
    for words in asked:
        targets = re.sub(r"-C \S+ ?", "", words).split()
        said = subprocess.run(
            ["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert said.returncode == 0, said.stderr


def test_modules_that_are_run_exist() -> None:
    everywhere = [*in_documents(), *(line for path in documents() for line in inline_code(path))]
    modules = {found[1] for line in everywhere if (found := re.search(r"\bpython3? -m ([\w.]+)", line.text))}
    assert "benchmarks" in modules
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


def _is_make(text: str) -> bool:
    return bool(re.match(r"make [a-z]", text))


OURS = {"slipway", "make", "python", "discord-sandbox", "."}


def _program(line: Line) -> str:
    first = line.text.split()[0]
    return Path(first).name or first


def _problem(text: str) -> str | None:
    """Why a synopsis such as `slipway host [run|stop] --x` is not true; None if it is."""
    command: click.Command = cli
    for raw in itertools.takewhile(lambda word: word != "…", text.split()[1:]):
        word = raw.strip("[](),.:;…\"'")
        if word.startswith("--"):
            options = {name for parameter in command.params for name in parameter.opts}
            if word.partition("=")[0] not in {*options, "--help", "--version"}:
                return f"{command.name} has no option {word}"
        elif isinstance(command, click.Group) and re.match(r"[a-z]", word):
            context = click.Context(command)
            named = {name: command.get_command(context, name) for name in word.split("|")}
            if unknown := [name for name, found in named.items() if found is None]:
                return f"{command.name} has no command {unknown[0]}"
            command = next(found for found in named.values() if found)
    return None
