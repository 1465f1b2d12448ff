"""Bodies of application commands around Discord's limits."""

from typing import Any

from support.client import Client

JSON = dict[str, Any]


def path(client: Client, *, guild: bool = False) -> str:
    app = client.sandbox.application_id()
    return f"/applications/{app}" + (f"/guilds/{client.sandbox.guild_id()}" if guild else "") + "/commands"


def command(name: str = "order", **more: Any) -> JSON:
    return {"name": name, "description": "Orders"} | more


def option(name: str = "dish", **more: Any) -> JSON:
    return {"type": 3, "name": name, "description": "Which"} | more


def choices(number: int) -> list[JSON]:
    return [{"name": f"n{i}", "value": f"v{i}"} for i in range(number)]


def sized(total: int) -> JSON:
    """A command with texts of `total` characters in all."""
    options = [option(f"o{i:02}", description="x" * 100) for i in range(25)]
    made = command("big", description="x", options=options)
    left = total - len("big") - 1 - sum(3 + 100 for _ in options)
    for one in options:
        listed: list[JSON] = []
        while left > 0 and len(listed) < 25:
            take = min(left, 90)
            name = f"{len(listed):02}" + "x" * max(0, take - 4)
            value = "y" * max(1, take - len(name))
            listed.append({"name": name, "value": value})
            left -= len(name) + len(value)
        one["choices"] = listed
        if not listed:
            del one["choices"]
    assert left == 0
    return made
