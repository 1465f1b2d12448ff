"""Reference of the command line, from click's own help."""

from __future__ import annotations

from collections.abc import Iterator

import click

from bot.__main__ import cli
from docs.generators.markdown import block

WIDTH = 100
INTRODUCTION = """
# Command line

This page is made by `make reference`: it is what `--help` says. Settings come from the environment and `.env`
([settings](settings.md)).

| exit code | |
|---|---|
| 0 | done |
| 1 | it failed, or a check found something |
| 2 | wrong usage |
| 3 | settings or catalog have mistakes |
| 4 | Discord refuses the token or the bot |
| 5 | something that is needed does not answer |
| 6 | the HTTP API refuses the request |
| 7 | `slipway deploy --wait` and `slipway wait`: rolled back |
| 10 | `slipway commands … --exit-code`: something is different |
| 11 | `--wait`: not over in time |
| 130 | interrupted |
"""


def page() -> str:
    """Every command with its help, groups before their commands."""
    parts = [INTRODUCTION.strip()]
    for context in commands():
        words = context.command_path
        parts += [f"{'#' * min(words.count(' ') + 2, 4)} {words}", block(context.get_help())]
    return "\n\n".join(parts) + "\n"


def commands() -> Iterator[click.Context]:
    """Every command and group, as if it had just been typed; `command_path` has its words."""
    yield from _below(_typed(cli, "slipway", None))


def _below(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from _below(_typed(command, name, context))


def _typed(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return command.make_context(name, [], parent=parent, resilient_parsing=True, terminal_width=WIDTH)
