"""A person's submission of a modal; refuses what Discord's client would not send."""

from typing import Any

from discord_sandbox.api.errors import ApiError, unknown
from discord_sandbox.api.options import OptionReader
from discord_sandbox.discord.state.model import JSON

TEXT, UPLOAD, RADIO, CHECKBOXES, CHECKBOX = 4, 19, 21, 22, 23
THINGS = {5: 6, 6: 8, 7: 9, 8: 7}


def fill(modal: JSON, given: JSON, reader: OptionReader) -> list[JSON]:
    """The submission's `components`. Raises ApiError 422 `field_*`."""
    taken: set[str] = set()
    filled: list[JSON] = []
    names: list[str] = []
    for number, part in enumerate(modal["components"], 1):
        outer: JSON = {"type": part["type"], "id": part.get("id", number)}
        if "component" in part:
            outer["component"] = _field(part["component"], part["label"], given, taken, reader)
        elif "components" in part:
            outer["components"] = [
                _field(one, one.get("label", ""), given, taken, reader) for one in part["components"]
            ]
        for one in [part["component"]] if "component" in part else part.get("components", []):
            names.append(one.get("label") or part.get("label") or one["custom_id"])
        filled.append(outer)
    for key in given:
        if key not in taken:
            error = unknown("field", key, names)
            raise ApiError(422, "field_unknown", error.message, error.hint)
    return filled


def _field(one: JSON, label: str, given: JSON, taken: set[str], reader: OptionReader) -> JSON:
    custom_id = one["custom_id"]
    value: Any = None
    for key in (custom_id, label):
        if key in given:
            taken.add(key)
            value = given[key]
            break
    found: JSON = {"type": one["type"], "custom_id": custom_id, "id": one.get("id", 1)}
    kind = one["type"]
    if kind == TEXT:
        return found | {"value": _text(one, label, value)}
    if kind == CHECKBOX:
        return found | {"value": bool(one.get("default") if value is None else value)}
    if kind == RADIO:
        if value is None:
            value = next((o["value"] for o in one["options"] if o.get("default")), None)
        if value is None and one.get("required", True):
            raise ApiError(422, "field_required", f'The field "{label}" is required.')
        return found | {"value": None if value is None else _option(one, label, value)}
    return found | {"values": _values(one, label, value, reader)}


def _text(one: JSON, label: str, value: Any) -> str:
    text = str(one.get("value", "") if value is None else value)
    least, most = one.get("min_length") or 0, one.get("max_length") or 4000
    if not text:
        if one.get("required", True):
            raise ApiError(422, "field_required", f'The field "{label}" is required.')
        return ""
    if not least <= len(text) <= most:
        raise ApiError(422, "field_length", f'"{label}" takes {least} to {most} characters, not {len(text)}.')
    if one.get("style") == 1 and "\n" in text:
        raise ApiError(422, "field_lines", f'"{label}" takes a single line.')
    return text


def _option(one: JSON, label: str, value: Any) -> str:
    for option in one["options"]:
        if value in (option["value"], option["label"]):
            return str(option["value"])
    error = unknown("value", value, (option["label"] for option in one["options"]))
    raise ApiError(422, "field_value", f'{error.message[:-1]} in "{label}".', error.hint)


def _values(one: JSON, label: str, value: Any, reader: OptionReader) -> list[str]:
    values = [] if value is None else value if isinstance(value, list) else [value]
    if value is None and "options" in one:
        values = [option["value"] for option in one["options"] if option.get("default")]
    if not values and not one.get("required", True):
        return []
    least, most = one.get("min_values", 1), one.get("max_values", 1)
    if not least <= len(values) <= most:
        code = "field_required" if not values else "field_count"
        raise ApiError(422, code, f'"{label}" takes {least} to {most} values, not {len(values)}.')
    if one["type"] in THINGS:
        definitions = [{"name": str(i), "type": THINGS[one["type"]]} for i in range(len(values))]
        read = reader.read(definitions, {str(i): v for i, v in enumerate(values)})
        return [str(each["value"]) for each in read]
    if one["type"] == UPLOAD:
        return [reader.file(each) for each in values]
    return [_option(one, label, each) for each in values]
