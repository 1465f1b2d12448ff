"""Errors of the command line, about the machine that it is typed on and what is given to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from bot.domain.errors import Refused, UserError
from bot.domain.formatting import duration
from bot.domain.phrasebook.values import because, code, codes, name, sentence, unquoted

_PATH = 300


def nothing_to_start(lane: str) -> Refused:
    return Refused(
        f"{name(lane)} has nothing to start.", rule="nothing_to_start", remedy="Use `/commands-sync`."
    )


def lane_owned(lane: str) -> Refused:
    return Refused(
        f"Slipway's database already owns {name(lane)}, and the bot would undo what is started beside it.",
        rule="lane_owned",
        remedy="Use `/deploy`.",
    )


def runs_already(lane: str, versions: Sequence[str]) -> Refused:
    return Refused(
        f"{name(lane)} already runs {', '.join(map(name, versions[:5])) or 'a release'}.",
        rule="already_running",
        remedy="Use `/deploy`.",
    )


def not_reached_yet(lane: str, wait_s: float, why: str) -> str:
    return f"{name(lane)} cannot be reached yet; waiting up to {duration(wait_s)}.{_why(why)}"


def not_reached(lane: str, wait_s: float, why: str) -> str:
    return f"{name(lane)} cannot be reached after {duration(wait_s)}.{_why(why)}"


def did_not_start(lane: str, version: str, why: str) -> str:
    return f"{name(version)} did not start in {name(lane)}.{_why(why)}"


def not_ready(lane: str, version: str, state: str, wait_s: float) -> str:
    return f"{name(version)} is {name(state)} in {name(lane)} after {duration(wait_s)}."


def database_away(why: str) -> str:
    return f"The database does not answer ({name(why)})."


def slash_commands(service: str) -> Refused:
    return Refused(
        f"{name(service)} is a set of slash commands: no target on this machine runs it.",
        rule="slash_commands",
        remedy="`slipway commands health` shows what Discord serves.",
    )


def file_exists(file: str) -> Refused:
    return Refused(f"{_path(file)} exists.", rule="file_exists", remedy="Name a new file for each archive.")


def not_replayed(lane: str, why: str) -> str:
    return f"{name(lane)} cannot be replayed{because(why)}."


def no_history(lane: str) -> str:
    return f"Nothing that {name(lane)} served was counted in the last 24 h, so its traffic is not known."


def no_checks(lane: str) -> UserError:
    return UserError(
        f"{name(lane)} has no checks.",
        rule="no_checks",
        remedy="Add checks: to the service or its environment in the catalog.",
    )


def file_unreadable(file: str, why: str) -> UserError:
    return UserError(f"{_path(file)} cannot be read.{sentence(why)}", rule="manifest_source")


def not_a_dump(file: str) -> UserError:
    return UserError(
        f"{_path(file)} is not a file.", rule="no_backup", remedy="Name a file written by `slipway backup`."
    )


def database_in_use() -> Refused:
    return Refused("The database is in use.", rule="database_in_use", remedy="Stop the bot first.")


def other_schema() -> UserError:
    return UserError(
        "The database has the schema of another version of Slipway.",
        rule="schema",
        remedy="`slipway migrate` upgrades it; so does `slipway run`.",
    )


def schema_not_upgraded(why: str) -> UserError:
    return UserError(
        f"The database's schema could not be upgraded.{_why(why)}",
        rule="schema",
        remedy="If a newer Slipway has run on this database, run that one.",
    )


def tool_failed(tool: LiteralString, said: str) -> UserError:
    return UserError(f"`{tool}` failed.{_why(said)}", rule="postgresql_tool")


def tool_missing(tool: LiteralString) -> UserError:
    return UserError(
        f"`{tool}` is not installed.",
        rule="postgresql_tool",
        remedy="Install PostgreSQL's client tools.",
    )


def bad_token_name(given: str) -> UserError:
    return UserError(
        f"{code(given)} is not a name for a token.",
        rule="bad_name",
        remedy="Use up to 40 small letters, digits, dots, dashes and underscores.",
    )


def token_exists(token: str) -> UserError:
    return UserError(
        f"There is a token {code(token)} already.",
        rule="name_taken",
        remedy=f"Choose another name, or `slipway token revoke {name(token)}`.",
    )


def no_personal_token(token: str) -> Refused:
    return Refused(
        f"To act for the owner of the token {code(token)} takes its secret.",
        rule="who",
        remedy="Set SLIPWAY_TOKEN to it. `slipway token create` makes a token.",
    )


def other_personal_token(token: str) -> Refused:
    return Refused(
        f"SLIPWAY_TOKEN is not the token {code(token)}.",
        rule="who",
        remedy="`slipway token list` shows the valid ones.",
    )


def token_ended(token: str) -> Refused:
    return Refused(
        f"The token {code(token)} is expired or revoked.",
        rule="who",
        remedy="`slipway token create` makes one.",
    )


def token_of_other_server(token: str, server: str) -> Refused:
    return Refused(
        f"The token {code(token)} is not for the server {name(server)}.",
        rule="who",
        remedy="Name its server with --server.",
    )


def token_without_scope(token: str, scope: str) -> Refused:
    return Refused(f"The token {name(token)} does not have the scope {code(scope)}.", rule="scope")


def token_limited(token: str, limits: str, lane: str) -> Refused:
    return Refused(
        f"The token {name(token)} is limited to {unquoted(limits, _PATH) or '-'}, not {name(lane)}.",
        rule="token_limit",
    )


def shared_account(account: str) -> Refused:
    return Refused(
        f"Everyone here is {name(account)}, so Slipway cannot tell who asks.",
        rule="who",
        remedy="Say it with --as and the name of your token, and set SLIPWAY_TOKEN to it.",
    )


def bad_expiry(given: str) -> UserError:
    return UserError(
        f"{code(given)} is not a time.", rule="bad_duration", remedy="Use 12h, 90d, 26w or never."
    )


def no_servers() -> UserError:
    return UserError("The catalog has no server.", rule="no_guilds", remedy="Add one under `guilds`.")


def account_roles(account: str, roles: Sequence[str]) -> str:
    """Instead of the remedy of a refusal for want of a role."""
    has = codes(roles) or "no role"
    return f"The account {code(account)} has {has} here; see `command_line` in the catalog."


def token_roles(token: str, roles: Sequence[str]) -> str:
    """Instead of the remedy of a refusal for want of a role."""
    return (
        f"The token {code(token)} has {codes(roles) or 'no role'}: those that it was given and its owner has."
    )


def no_answer_of_slipway(variable: str) -> UserError:
    return UserError(
        "The answer did not come from Slipway's API.", rule="not_slipway", remedy=f"Check {code(variable)}."
    )


def other_answer(status: int, url: str, moved: str, variable: str) -> UserError:
    """`moved`: where it redirects to; empty for nowhere."""
    where = f", which redirects to {_path(moved)}" if moved else ""
    return UserError(
        f"HTTP {status} from {_path(url)}{where}.", rule="not_slipway", remedy=f"Check {code(variable)}."
    )


def _path(text: str) -> str:
    return unquoted(text, _PATH) or "-"


def _why(text: str) -> str:
    """`" Reason."`, to follow a sentence: what other programs say is longer than people's reasons."""
    said = unquoted(text, 500).rstrip(". ")
    return f" {said[:1].upper()}{said[1:]}." if said else ""
