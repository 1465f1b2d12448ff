"""Buttons and selects; selects are the same in messages and modals."""

from discord_sandbox.discord.rules.custom_emoji import Palette
from discord_sandbox.discord.rules.emoji import is_emoji
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.model import JSON

LINK, PREMIUM = 5, 6
BUTTON_KEYS = frozenset({"type", "id", "custom_id", "style", "label", "disabled", "url", "sku_id", "emoji"})
SELECT_KEYS = frozenset(
    {
        "type",
        "id",
        "custom_id",
        "placeholder",
        "min_values",
        "max_values",
        "disabled",
        "required",
        "options",
        "default_values",
        "channel_types",
    }
)


def button(body: Fields, palette: Palette) -> JSON:
    body.known(BUTTON_KEYS)
    style = body.choice("style", (1, 2, 3, 4, 5, 6), required=True)
    if style is None:
        return {}
    label = body.text("label", 80)
    found: JSON = {"style": style}
    if label:
        found["label"] = label
    if (emoji := _emoji(body, palette)) is not None:
        found["emoji"] = emoji
    if body.flag("disabled"):
        found["disabled"] = True
    if style == LINK:
        found["url"] = body.url("url", 512, required=True)
        _refuse(body, "custom_id", "A custom id and url cannot both be specified")
    elif style == PREMIUM:
        found["sku_id"] = body.text("sku_id", 20, required=True)
        _refuse(body, "custom_id", "A custom id and sku_id cannot both be specified")
        _refuse(body, "label", "A premium button has no label")
    else:
        found["custom_id"] = body.text("custom_id", 100, shortest=1, required=True)
        _refuse(body, "url", "A custom id and url cannot both be specified")
    if style != PREMIUM and not label and emoji is None and not body.wrong("label", "emoji"):
        body.complain(
            "label", "BUTTON_COMPONENT_REQUIRES_LABEL_OR_EMOJI", "A button must have a label or an emoji"
        )
    return found


def _refuse(body: Fields, key: str, message: str) -> None:
    if body.body.get(key) is not None:
        body.complain(key, "BUTTON_COMPONENT_INVALID", message)


def _emoji(body: Fields, palette: Palette) -> JSON | None:
    emoji = body.object("emoji")
    if emoji is None:
        return None
    emoji.known(("id", "name", "animated"))
    number = emoji.snowflake("id")
    name = str(emoji.body.get("name") or "")
    if number is not None:
        # Discord goes by its id, and answers with the name that it has.
        custom = palette.known(str(number))
        if custom is None:
            emoji.complain("id", "BUTTON_COMPONENT_INVALID_EMOJI", "Invalid emoji")
            return {"name": name}
        shown: JSON = {"name": custom.name, "id": custom.id}
        return shown | {"animated": True} if custom.animated else shown
    if emoji.body.get("id") is None and not is_emoji(name):
        emoji.complain("name", "BUTTON_COMPONENT_INVALID_EMOJI", "Invalid emoji")
    return {"name": name}


def select(body: Fields, palette: Palette) -> JSON:
    body.known(SELECT_KEYS)
    kind = body.body["type"]
    found: JSON = {"custom_id": body.text("custom_id", 100, shortest=1, required=True)}
    if (placeholder := body.text("placeholder", 150)) is not None:
        found["placeholder"] = placeholder
    least = body.number("min_values", 0, 25)
    most = body.number("max_values", 1, 25)
    found["min_values"] = 1 if least is None else least
    found["max_values"] = 1 if most is None else most
    if found["min_values"] > found["max_values"] and not body.wrong("min_values", "max_values"):
        body.complain("min_values", "SELECT_COMPONENT_INVALID", "min_values cannot exceed max_values")
    if body.flag("disabled"):
        found["disabled"] = True
    if kind == 3:
        found["options"] = options(body, 25, palette)
        if found["min_values"] > len(found["options"]) and not body.wrong("min_values", "options"):
            body.complain("min_values", "SELECT_COMPONENT_INVALID", "min_values cannot exceed the options")
    elif (default := body.items("default_values", 25)) is not None:
        found["default_values"] = default
    if (
        kind == 8
        and (kinds := body.choices("channel_types", (0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16)))
        is not None
    ):
        found["channel_types"] = kinds
    return found


def options(body: Fields, most: int, palette: Palette, *, least: int = 1) -> list[JSON]:
    """Options of a string select, radio group or checkbox group; values are unique."""
    found: list[JSON] = []
    seen: set[str] = set()
    for one in body.objects("options", most, least=least, required=True) or []:
        one.known(("label", "value", "description", "emoji", "default"))
        label = one.text("label", 100, shortest=1, required=True)
        value = one.text("value", 100, shortest=1, required=True)
        option: JSON = {"label": label, "value": value}
        if (description := one.text("description", 100)) is not None:
            option["description"] = description
        if (emoji := _emoji(one, palette)) is not None:
            option["emoji"] = emoji
        if one.flag("default"):
            option["default"] = True
        if value is not None and value in seen:
            one.complain(
                "value",
                "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                "The specified option value is already used",
            )
        seen.add(value or "")
        found.append(option)
    return found
