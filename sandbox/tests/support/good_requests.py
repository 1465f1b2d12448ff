"""Generated requests made good: they name what is there, and keep the rules that Discord's description leaves out.

What else was generated stays. Each body still fits the description.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from discord_sandbox.api.calls.emojis import SMILE
from discord_sandbox.discord.rules.naming import LOCALES
from support import discord_specs

JSON = dict[str, Any]
There = Mapping[str, str]  # ids of what is there, and two moments, by name

SLASH, USER, MESSAGE = 1, 2, 3
NESTING, STRING = (1, 2), 3
COMPONENTS_V2 = 1 << 15


def made_good(route: str, body: Any, there: There) -> Any:
    """The body of a generated request, as it is if the route has no rules of its own here."""
    if route not in _BODIES or not isinstance(body, dict | list):
        return body
    made = _BODIES[route](body, there)
    assert discord_specs.is_valid(route, made), f"{route} is not described so: {made}"
    return made


def good_query(route: str, query: JSON) -> JSON:
    """Without the thread that a webhook posts in: its channel has none of a generated id."""
    return {key: one for key, one in query.items() if (route, key) != (_WEBHOOK, "thread_id")}


def _command(body: JSON, there: There) -> JSON:
    kind = body.get("type") or SLASH
    made = body | _texts(body, plain=kind == SLASH) | {"options": None}
    if kind == SLASH:
        return made | {"description": body.get("description") or "x", "options": _options(body)}
    return made | ({"description": None} if kind in (USER, MESSAGE) else {})


def _commands(body: list[JSON], there: There) -> list[JSON]:
    """Each with a name of its own; no more than a scope takes of one type."""
    made = [_command(one, there) for one in body[:15]]
    return [one | {"name": f"{number}-{one['name']}"[:32]} for number, one in enumerate(made)]


def _texts(body: JSON, *, plain: bool) -> JSON:
    """The names in Discord's letters, and the localizations in its languages."""
    made: JSON = {"name": _word(body["name"]) if plain else body["name"]}
    for key in ("name_localizations", "description_localizations"):
        if body.get(key) is not None:
            texts = zip(sorted(LOCALES), body[key].values(), strict=False)
            is_name = plain and key.startswith("name")
            made[key] = {locale: _word(text) if is_name else text for locale, text in texts}
    return made


def _word(text: str) -> str:
    return re.sub(r"[^\w'-]", "", text.lower())[:32] or "x"


def _options(body: JSON) -> list[JSON]:
    """Subcommands or plain options, the required ones first."""
    given = body.get("options") or []
    nesting = [one for one in given if one["type"] in NESTING]
    chosen = nesting or sorted(given, key=lambda one: not one.get("required"))
    return [_option(one, number) for number, one in enumerate(chosen)]


def _option(option: JSON, number: int) -> JSON:
    made = option | _texts(option, plain=True)
    made["name"] = f"{number}-{made['name']}"[:32]
    if option["type"] in NESTING:
        return made | {"required": None, "options": _options(option)}
    if option.get("choices"):
        choices = [_choice(one, option["type"], n) for n, one in enumerate(option["choices"])]
        made |= {"choices": choices, "autocomplete": None}
    for low, high in (("min_value", "max_value"), ("min_length", "max_length")):
        limits = sorted(_kept(made[key]) for key in (low, high) if made.get(key) is not None)
        if limits:
            made |= {low: limits[0], high: limits[-1]}
    return made


def _choice(choice: JSON, kind: int, number: int) -> JSON:
    value = choice["value"]
    value = (value[:100] or "x") if kind == STRING else _kept(value)
    made = choice | {"name": f"{number}-{choice['name']}"[:100], "value": value}
    return made | {"name_localizations": None}


def _kept(value: float) -> float:
    """A number within what an option can hold."""
    return max(-(2**53) + 1, min(2**53 - 1, value))


def _emoji(body: JSON, there: There) -> JSON:
    made = body | {"name": re.sub(r"\W", "_", body["name"], flags=re.ASCII), "image": SMILE}
    return made | ({"roles": [there["role_id"]]} if body.get("roles") else {})


def _message(body: JSON, there: There) -> JSON:
    """With text. What a server has not, or what goes only with other fields, is left out."""
    kept = {key: one for key, one in body.items() if key not in _OTHERS}
    made = kept | {"content": (body.get("content") or "x")[:2000]}
    if not made["content"].strip():
        made["content"] = "x"
    if body.get("flags") is not None:
        made["flags"] = abs(body["flags"]) % COMPONENTS_V2
    if body.get("avatar_url") is not None:
        made["avatar_url"] = "https://example.com/cook.png"
    if body.get("embeds"):
        made["embeds"] = [_embed(one) for one in body["embeds"]]
    if body.get("components"):
        made["components"] = [_ROW]
    if body.get("poll") is not None:
        made["poll"] = _poll(body["poll"])
    if body.get("allowed_mentions") is not None:
        parse = [one for one in body["allowed_mentions"].get("parse") or () if one is not None]
        made["allowed_mentions"] = {"parse": parse, "replied_user": True}
    if body.get("message_reference") is not None:
        made["message_reference"] = {"message_id": there["message_id"]}
    return made


_OTHERS = ("sticker_ids", "attachments", "thread_name", "applied_tags")
_ROW: JSON = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"}]}


def _embed(embed: JSON) -> JSON:
    """Its text and color: what else it can have are addresses, and texts that need others."""
    color = {"color": embed["color"]} if embed.get("color") is not None else {}
    return {"description": (embed.get("description") or "x")[:500], **color}


def _poll(poll: JSON) -> JSON:
    answers = [{"poll_media": {"text": _said(one["poll_media"], 55)}} for one in poll["answers"]]
    return poll | {"question": {"text": _said(poll["question"], 300)}, "answers": answers}


def _said(media: JSON, longest: int) -> str:
    return str(media.get("text") or "x")[:longest]


def _pictured(body: JSON, there: There) -> JSON:
    return body | {key: SMILE for key in ("avatar", "image") if body.get(key) is not None}


def _event(body: JSON, there: There) -> JSON:
    place = {1: there["stage"], 2: there["voice"], 3: None}[body["entity_type"]]
    made = _pictured(body, there) | {"name": body["name"] or "Feast", "channel_id": place}
    made |= {"scheduled_start_time": there["soon"], "scheduled_end_time": there["later"]}
    if place is None:
        made["entity_metadata"] = {"location": body["entity_metadata"]["location"] or "Kitchen"}
    if body.get("recurrence_rule") is not None:
        once = {"start": there["soon"], "end": None, "interval": 1, "count": None}
        made["recurrence_rule"] = body["recurrence_rule"] | once
    return made


def _stage(body: JSON, there: There) -> JSON:
    made = body | {"channel_id": there["silent_stage"]}
    if body.get("guild_scheduled_event_id") is not None:
        made["guild_scheduled_event_id"] = there["guild_scheduled_event_id"]
    return made


def _bans(body: JSON, there: There) -> JSON:
    strangers = [one for one in body["user_ids"] if one != there["user_id"]]
    return body | {"user_ids": [there["user_id"], *strangers[:199]]}


def _direct(body: JSON, there: There) -> JSON:
    return {"recipient_id": there["user_id"]}


_WEBHOOK = "POST /webhooks/{webhook_id}/{webhook_token}"
_BODIES: Mapping[str, Callable[[Any, There], Any]] = {
    "POST /applications/{application_id}/commands": _command,
    "POST /applications/{application_id}/emojis": _emoji,
    "POST /applications/{application_id}/guilds/{guild_id}/commands": _command,
    "PATCH /guilds/{guild_id}/scheduled-events/{guild_scheduled_event_id}": _pictured,
    "PATCH /webhooks/{webhook_id}": _pictured,
    "PATCH /webhooks/{webhook_id}/{webhook_token}": _pictured,
    "PUT /applications/{application_id}/commands": _commands,
    "PUT /applications/{application_id}/guilds/{guild_id}/commands": _commands,
    "POST /channels/{channel_id}/messages": _message,
    "POST /channels/{channel_id}/webhooks": _pictured,
    "POST /guilds/{guild_id}/bulk-ban": _bans,
    "POST /guilds/{guild_id}/emojis": _emoji,
    "POST /guilds/{guild_id}/scheduled-events": _event,
    "POST /stage-instances": _stage,
    "POST /users/@me/channels": _direct,
    _WEBHOOK: _message,
}
