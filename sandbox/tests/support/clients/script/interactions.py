"""Interactions: commands, components, modals, and every way to answer them."""

from typing import Any

from support.clients.run import JSON, Run
from support.clients.script.ability import Ability

COMMANDS = {"Greet", "Quote", "echo", "find", "member", "overwrite", "ping", "settings", "show", "upload"}
LAYOUT = 1 << 15


async def login(run: Run) -> None:
    async def complete() -> bool:
        robot = await run.robot()
        return robot["connected"] and {one["name"] for one in robot["commands"]} >= COMMANDS

    await run.until("a session and the registered commands", complete, patience=300)


async def commands(run: Run) -> None:
    """Options of every type reach the bot as what they are."""
    assert (await run.command("commands", "ping"))["message"]["text"] == "pong"
    state = await run.api("GET", "state")
    ids = {
        "who": next(one["id"] for one in state["people"] if one["name"] == "mia"),
        "where": next(one["id"] for one in state["channels"] if one["name"] == "files"),
        "role": next(one["id"] for one in state["guilds"][0]["roles"] if one["name"] == "helper"),
    }
    plain: JSON = {"text": "soup", "count": 3, "loud": True, "ratio": 0.5}
    named = {"who": "mia", "where": "files", "role": "helper"}
    shown = await run.command("commands", "echo", **plain, **named)
    expected = f"soup 3 true 0.5 {ids['who']} {ids['where']} {ids['role']}"
    assert shown["message"]["text"] == expected, shown["message"]["text"]


async def sub_commands(run: Run) -> None:
    assert (await run.command("sub-commands", "settings show"))["message"]["text"] == "settings"
    shown = await run.command("sub-commands", "settings limit set", value=7)
    assert shown["message"]["text"] == "limit 7"


async def context_commands(run: Run) -> None:
    """On a person, and on a message."""
    asked = {"user": "ada", "channel": "context-commands"}
    shown = await run.answer("commands", **asked, command="Greet", target_user="mia")
    assert shown["message"]["text"] == "hello mia"
    said = await run.say("context-commands", "as I said")
    shown = await run.answer("commands", user="ada", command="Quote", target_message=said["id"])
    assert shown["message"]["text"] == "quoted: as I said"


async def buttons(run: Run) -> None:
    """A press changes the message: at once, and after a deferral without a word to the person."""
    message = (await run.show("buttons", "buttons"))["message"]
    assert (message["text"], [one["label"] for one in message["buttons"]]) == ("counter 0", ["More", "Later"])
    pressed = await run.press(message["id"], "More")
    assert (pressed["callback"], await _text(run, message)) == (7, "counter 1")
    await run.press(message["id"], "More", user="ben")
    assert await _text(run, message) == "counter 2"
    later = await run.press(message["id"], "Later")
    assert later["callback"] == 6

    async def edited() -> bool:
        return await _text(run, message) == "later"

    await run.until("the message edited after a deferral", edited)


async def _text(run: Run, message: JSON) -> str:
    shown = await run.api("GET", f"messages/{message['id']}")
    return str(shown["text"])


async def selects(run: Run) -> None:
    message = (await run.show("selects", "selects"))["message"]
    assert [one["type"] for one in message["selects"]] == ["string", "user", "role", "channel"]
    people = {one["name"]: one["id"] for one in (await run.api("GET", "state"))["people"]}

    async def choose(select: str, *values: str) -> str:
        asked = {"user": "ada", "message": message["id"], "select": select, "values": list(values)}
        return str((await run.answer("selects", **asked))["message"]["text"])

    assert await choose("dish", "soup", "tea") == "dish: soup, tea"
    assert await choose("who", "mia") == f"who: {people['mia']}"
    assert (await choose("which", "helper")).startswith("which: ")
    assert (await choose("where", "files")).startswith("where: ")


async def modals(run: Run) -> None:
    opened = await run.show("modal", "modals")
    assert opened["state"] == "modal"
    assert [(one["custom_id"], one["required"]) for one in opened["modal"]["fields"]] == [
        ("why", True),
        ("when", False),
    ]
    sent = {"user": "ada", "interaction": opened["id"], "fields": {"why": "it is cold"}}
    shown = await run.answer("modals", **sent)
    assert shown["message"]["text"] == "why: it is cold"


async def autocomplete(run: Run) -> None:
    asked = {"user": "ada", "channel": "autocomplete", "command": "find", "option": "dish"}
    offered = await run.api("POST", "autocomplete", {**asked, "value": "s"})
    assert [one["value"] for one in offered["choices"]] == ["salad", "soup"]
    shown = await run.command("autocomplete", "find", dish="soup")
    assert shown["message"]["text"] == "found soup"


async def ephemeral(run: Run) -> None:
    shown = await run.show("ephemeral", "ephemeral")
    assert (shown["ephemeral"], shown["message"]["text"]) == (True, "only you")
    assert len(await run.messages("ephemeral", "ada")) == 1
    assert await run.messages("ephemeral", "ben") == []


async def deferral(run: Run) -> None:
    shown = await run.show("deferral", "deferral")
    assert (shown["callback"], shown["message"]["text"]) == (5, "done")


async def follow_ups(run: Run) -> None:
    begun = await run.show("followups", "follow-ups")

    async def complete() -> JSON | None:
        shown: JSON = await run.api("GET", f"interactions/{begun['id']}")
        listed = [(one["text"], one["ephemeral"], one["deleted"]) for one in shown["followups"]]
        expected = [("two, edited", False, False), ("three", True, False)]
        left = [one for one in listed if not one[2]]
        deleted = await run.calls("DELETE", "/webhooks/")
        return shown if left == expected and deleted and deleted[-1]["status"] == 204 else None

    shown = await run.until("an edited, an ephemeral and a deleted follow-up", complete)
    assert shown["message"]["text"] == "one"


async def files(run: Run) -> None:
    """A file in an answer, and in an option; two in a message; an edit that keeps one of them."""
    shown = (await run.show("files", "files"))["message"]
    assert [one["filename"] for one in shown["attachments"]] == ["menu.txt"]
    assert await run.cdn(shown["attachments"][0]["url"]) == b"soup"
    read = await run.command("files", "upload", file={"filename": "order.txt", "text": "tea"})
    assert read["message"]["text"] == "order.txt: tea"

    async def kept() -> JSON | None:
        listed = [one for one in await run.messages("files") if one["content"] == "kept one"]
        return listed[0] if listed else None

    message = await run.until("a message that kept one file", kept)
    assert [one["filename"] for one in message["attachments"]] == ["a.txt"]


async def components_v2(run: Run) -> None:
    """A container with text, a separator and a section with a button; a press replaces it all."""
    message = (await run.show("layout", "components")).get("message")
    assert message is not None
    assert message["flags"] & LAYOUT
    assert _types(message["components"]) == {17, 10, 14, 9, 2}
    await run.press(message["id"], "Press")
    assert await _text(run, message) == "pressed"


def _types(components: Any) -> set[int]:
    """The types of all components, nested ones too."""
    found = set()
    for one in components:
        found.add(one["type"])
        found |= _types([*one.get("components", []), *([one["accessory"]] if one.get("accessory") else [])])
    return found


ABILITIES = (
    Ability("Login", login),
    Ability("Commands", commands),
    Ability("Sub-commands", sub_commands),
    Ability("Context commands", context_commands),
    Ability("Buttons", buttons),
    Ability("Selects", selects),
    Ability("Modals", modals),
    Ability("Autocomplete", autocomplete),
    Ability("Ephemeral", ephemeral),
    Ability("Deferral", deferral),
    Ability("Follow-ups", follow_ups),
    Ability("Files", files),
    Ability("Components V2", components_v2),
)
