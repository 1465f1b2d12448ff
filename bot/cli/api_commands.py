"""Commands that talk to the bot's HTTP API: what they share."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec

import click

from bot.cli.exits import ApiRefused, exit_code, sentence, tell

if TYPE_CHECKING:
    from bot.cli.client import ApiClient

P = ParamSpec("P")


def command(work: Callable[P, int]) -> click.Command:
    """A command with `--json`, which prints refusals as JSON too."""

    @click.command(work.__name__.strip("_"), help=work.__doc__)
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API answers.")
    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            sys.exit(work(*args, **kwargs))
        except Exception as error:
            code = exit_code(error)
            if code is None or not kwargs["as_json"]:
                raise
            print_json(error.problem if isinstance(error, ApiRefused) else {"detail": sentence(error)})
            sys.exit(code)

    return run


def print_json(shape: Any) -> None:
    click.echo(json.dumps(shape, indent=2, ensure_ascii=False))


def api_client() -> ApiClient:
    from bot.cli.client import client

    return client(lambda line: tell(f"· {line}", err=True))
