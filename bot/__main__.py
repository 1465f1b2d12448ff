"""Command line: parse, call, exit. `slipway --help`, or `python -m bot --help`.

Exit codes: 0 success · 1 failed, or a check found a problem · 2 wrong usage · 3 mistakes in settings or catalog ·
4 Discord refuses the token or the bot · 5 a dependency does not answer · 6 the API refuses · 7 `deploy --wait`: rolled
back · 10 `commands … --exit-code`: there are differences · 11 `--wait`: not over in time · 130 interrupted.
"""

from __future__ import annotations

from bot.protection import close_process

# Before the imports below, which take a while: the environment has the bot's secrets from the start.
close_process()

# ruff: noqa: E402
import gc
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from bot import __version__
from bot.cli.exits import EXIT_FAILED, EXIT_INTERRUPTED, exit_code, sentence, tell

# Where each command is. Its module is imported when it is called: an abort does not wait for what others need.
COMMANDS: Mapping[str, str] = {
    "abort": "deploys.local:abort",
    "act": "deploys.requests:act",
    "alerts": "watching.alerts:alerts",
    "approve": "deploys.requests:approve",
    "archive": "operations.archive:archive",
    "backup": "operations.backup:backup",
    "bootstrap": "deploys.bootstrap:bootstrap",
    "checks": "watching.checks:checks",
    "commands": "appcommands.commands:commands",
    "config": "operations.config:config",
    "deploy": "deploys.requests:deploy",
    "doctor": "operations.service:doctor",
    "export": "watching.reports:export",
    "history": "deploys.lists:history",
    "host": "operations.service:host",
    "incidents": "watching.incidents:incidents",
    "judge": "judging.judge:judge",
    "migrate": "operations.service:migrate",
    "oncall": "watching.oncall:oncall",
    "plan": "judging.judge:plan",
    "releases": "deploys.lists:releases",
    "report": "watching.reports:report",
    "restore": "operations.backup:restore",
    "rollback": "deploys.requests:rollback",
    "run": "operations.service:run",
    "silences": "watching.silences:silences",
    "smoke": "watching.checks:smoke_",
    "status": "deploys.local:status",
    "token": "operations.tokens:token",
    "wait": "deploys.requests:wait_",
    "why": "judging.why:why",
}


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return sorted([*COMMANDS, *self.commands])

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return self.commands.get(name)
        module, attribute = COMMANDS[name].split(":")
        found: click.Command = getattr(import_module(f"bot.cli.{module}"), attribute)
        return found


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="slipway")
def cli() -> None:
    """Slipway deploys your services from a Discord channel.

    Settings come from the environment and .env (docs/configuration.md).
    """


@cli.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit. Expected errors print as sentences, without a traceback."""
    # A command's imports create much that stays: scanning it as often as Python does takes a tenth of every start.
    gc.set_threshold(50_000, 20, 50)
    try:
        cli.main(args=arguments, prog_name="slipway", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        tell(sentence(error), err=True)
        sys.exit(code)
    sys.exit(0)


__all__ = ["EXIT_FAILED", "cli", "main"]

if __name__ == "__main__":
    main()
