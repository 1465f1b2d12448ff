"""The group `slipway commands`, with the options, JSON output and errors that its commands share."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

import click

from bot.cli.appcommands import output as shapes
from bot.cli.exits import exit_code, sentence
from bot.domain.appcommands.applications import PRODUCTION, STAGING
from bot.domain.formatting import with_times

P = ParamSpec("P")
ENVIRONMENTS = (STAGING, PRODUCTION)


@click.group()
def commands() -> None:
    """Slash commands of the catalog's applications, with the same gates, backups and audit as in Discord.

    \b
    Exit codes, besides the usual ones:
      0   success, or nothing to do
      1   refused, failed or rolled back; mistakes in the manifest; findings of the monitor
      10  with --exit-code: there are differences
      11  with --wait: no decision within --timeout; the rollout continues
    """


def command(name: str) -> Callable[[Callable[P, Coroutine[Any, Any, int]]], click.Command]:
    """A command with `--json`, which prints errors as JSON too."""

    def wrap(work: Callable[P, Coroutine[Any, Any, int]]) -> click.Command:
        @commands.command(name, help=work.__doc__)
        @click.option(
            "--json", "as_json", is_flag=True, help="Print JSON, described in docs/slash-commands.md."
        )
        @click.option("--server", help="Act for this server (default: the first one).")
        @functools.wraps(work)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                sys.exit(asyncio.run(work(*args, **kwargs)))
            except Exception as error:
                code = exit_code(error)
                if code is None or not kwargs["as_json"]:
                    raise
                print_json(shapes.error(error, sentence(error)))
                sys.exit(code)

        return run

    return wrap


def print_json(shape: Any) -> None:
    """Print `shape` as JSON; times in sentences are ISO 8601."""
    text = json.dumps(shape, indent=2, ensure_ascii=False)
    click.echo(with_times(text, lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}"))


application_argument = click.argument("application")
