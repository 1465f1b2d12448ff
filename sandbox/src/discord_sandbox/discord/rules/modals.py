"""Modals: title, labels and inputs."""

from discord_sandbox.discord.rules.controls import options, select
from discord_sandbox.discord.rules.custom_emoji import Palette
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.model import JSON

ROW, TEXT_INPUT, TEXT, LABEL = 1, 4, 10, 18
UPLOAD, RADIO, CHECKBOXES, CHECKBOX = 19, 21, 22, 23
IN_LABEL = frozenset({3, 4, 5, 6, 7, 8, UPLOAD, RADIO, CHECKBOXES, CHECKBOX})
COMMON = frozenset({"type", "id", "custom_id", "required"})
LENGTHS = frozenset({"min_length", "max_length"})
KEYS = {
    TEXT_INPUT: COMMON | LENGTHS | {"style", "label", "value", "placeholder"},
    UPLOAD: COMMON | {"min_values", "max_values"},
    RADIO: COMMON | {"options"},
    CHECKBOXES: COMMON | {"options", "min_values", "max_values"},
    CHECKBOX: COMMON | {"default"},
}


def read(body: Fields, palette: Palette) -> JSON:
    """The modal as a client shows it. Collects complaints."""
    body.known(("custom_id", "title", "components"))
    modal: JSON = {
        "custom_id": body.text("custom_id", 100, shortest=1, required=True),
        "title": body.text("title", 45, shortest=1, required=True),
        "components": [],
    }
    seen: set[str] = set()
    for number, one in enumerate(body.objects("components", 5, least=1, required=True) or [], 1):
        one.known(("type", "id", "components", "content", "label", "description", "component"))
        kind = one.choice("type", (ROW, TEXT, LABEL), required=True)
        part: JSON = {"type": kind, "id": one.number("id", 0, 2**31 - 1) or number}
        if kind == TEXT:
            part["content"] = one.text("content", 4000, shortest=1, required=True)
        elif kind == LABEL:
            part |= _label(one, seen, palette)
        elif kind == ROW:
            inputs = one.objects("components", 1, least=1, required=True) or []
            part["components"] = [
                _input(each, frozenset({TEXT_INPUT}), seen, palette, labelled=False) for each in inputs
            ]
        modal["components"].append(part)
    return modal


def _label(body: Fields, seen: set[str], palette: Palette) -> JSON:
    found: JSON = {"label": body.text("label", 45, shortest=1, required=True)}
    if (description := body.text("description", 100, shortest=1)) is not None:
        found["description"] = description
    inner = body.object("component", required=True)
    found["component"] = {} if inner is None else _input(inner, IN_LABEL, seen, palette, labelled=True)
    return found


def _input(
    body: Fields, allowed: frozenset[int], seen: set[str], palette: Palette, *, labelled: bool
) -> JSON:
    kind = body.choice("type", allowed, required=True)
    if kind is None:
        return {}
    found: JSON = {"type": kind}
    if kind in (3, 5, 6, 7, 8):
        found |= select(body, palette)
    else:
        found["custom_id"] = body.text("custom_id", 100, shortest=1, required=True)
    if kind == TEXT_INPUT:
        found |= _text_input(body, labelled=labelled)
    elif kind in (RADIO, CHECKBOXES):
        found["options"] = options(body, 10, palette, least=2 if kind == RADIO else 1)
    if kind in (UPLOAD, CHECKBOXES):
        least, most = body.number("min_values", 0, 10), body.number("max_values", 1, 10)
        found["min_values"] = 1 if least is None else least
        found["max_values"] = (len(found.get("options", "1")) if most is None else most) or 1
    if kind == CHECKBOX:
        found["default"] = bool(body.flag("default"))
    if kind in KEYS:
        body.known(KEYS[kind])
    required = body.flag("required")
    found["required"] = True if required is None else required
    custom_id = found["custom_id"]
    if custom_id is not None and custom_id in seen:
        body.complain(
            "custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
        )
    seen.add(custom_id or "")
    return found


def _text_input(body: Fields, *, labelled: bool) -> JSON:
    found: JSON = {"style": body.choice("style", (1, 2), required=True)}
    if not labelled:
        found["label"] = body.text("label", 45, shortest=1, required=True)
    elif body.body.get("label") is not None:
        body.complain(
            "label", "TEXT_INPUT_LABEL_FORBIDDEN", "A text input in a label has no label of its own"
        )
    least = body.number("min_length", 0, 4000)
    most = body.number("max_length", 1, 4000)
    value = body.text("value", 4000)
    placeholder = body.text("placeholder", 100)
    if least is not None and most is not None and least > most:
        body.complain("min_length", "TEXT_INPUT_INVALID", "min_length cannot exceed max_length")
    if value and most is not None and len(value) > most:
        body.complain("value", "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
    optional = {"min_length": least, "max_length": most, "value": value, "placeholder": placeholder}
    return found | {key: one for key, one in optional.items() if one is not None}
