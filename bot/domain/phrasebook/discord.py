"""Discord's own refusals: of the bot's connection, and of an application's slash commands."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.phrasebook.values import name, sentence, unquoted

LOGIN_REJECTED = (
    "Discord rejects the bot token. Copy a new one from the Developer Portal (Bot → Reset Token)."
)
LOGIN_MISSING = "SLIPWAY_DISCORD_TOKEN is not set. Copy it from the Developer Portal (Bot → Reset Token)."
SHARD_REJECTED = "Discord rejects the requested shard."
SHARDING_REQUIRED = "Discord requires sharding: the bot is in too many servers for one connection."
GATEWAY_TOO_OLD = "Discord no longer supports this gateway version. Update Slipway."
INTENTS_UNKNOWN = "Discord does not know the requested intents. Update Slipway."
INTENT_IS_OFF = (
    "The bot requests an intent that is off in the Developer Portal (Bot → Privileged Gateway Intents)."
)

_FIELDS = 10


def token_not_accepted(application: str) -> str:
    return (
        f"Discord does not accept the token of {name(application)}: it was reset, or it is not a bot's token."
    )


def token_of_another(application: str, application_id: int, said: str, code: int) -> str:
    """`said`, `code`: Discord's own, as in those below."""
    return (
        f"The token of {name(application)} does not belong to application {application_id}. "
        f"Discord says “{unquoted(said, 200).rstrip('. ')}” ({code})."
    )


def no_access(application: str, code: int) -> str:
    return (
        f"{name(application)} has no access there ({code}): it is not in that server, or was invited without "
        "the scope applications.commands."
    )


def too_many_created(application: str, said: str, code: int) -> str:
    return (
        f"Discord accepts no more new commands of {name(application)} there today ({code}).{sentence(said)}"
    )


def commands_refused(application: str, said: str, code: int, fields: Sequence[str]) -> str:
    """`fields`: a JSON path and what is wrong there, for each; ten are shown."""
    more = f" and {len(fields) - _FIELDS} more" if len(fields) > _FIELDS else ""
    listed = unquoted("; ".join(filter(str.strip, fields[:_FIELDS])), 600).rstrip(". ")
    refusal = f"Discord refuses the commands of {name(application)} ({code}).{sentence(said)}"
    return f"{refusal} Where: {listed}{more}." if listed else refusal
