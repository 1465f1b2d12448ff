"""The JSON API: acting as people, changes behind a bot's back, reading."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from discord_sandbox import (
    ApplicationSpec,
    ChannelSpec,
    GuildSpec,
    ManualClock,
    PersonSpec,
    RoleSpec,
    Sandbox,
    World,
)
from support.client import PING, Answer, Client

JSON = dict[str, Any]
ORDER: JSON = {
    "name": "order",
    "description": "Orders",
    "options": [
        {
            "type": 3,
            "name": "dish",
            "description": "s",
            "required": True,
            "min_length": 2,
            "max_length": 8,
        },
        {
            "type": 3,
            "name": "table",
            "description": "e",
            "choices": [{"name": "Window", "value": "window"}],
        },
        {"type": 4, "name": "sugar", "description": "w", "min_value": 1, "max_value": 100},
        {"type": 5, "name": "hot", "description": "f"},
        {"type": 6, "name": "for", "description": "a"},
        {"type": 8, "name": "role", "description": "r"},
        {"type": 7, "name": "place", "description": "p"},
        {"type": 10, "name": "tip", "description": "r"},
    ],
}
SETTINGS: JSON = {
    "name": "settings",
    "description": "Shows or changes settings",
    "default_member_permissions": str(1 << 5),
    "options": [
        {"type": 1, "name": "show", "description": "d"},
        {"type": 1, "name": "change", "description": "a"},
    ],
}


@pytest.fixture
async def app(client: Client) -> Client:
    await client.commands(ORDER, SETTINGS, PING)
    return client


def error(answer: Answer) -> tuple[int, str]:
    assert set(answer.body) == {"error"}
    assert set(answer.body["error"]) == {"code", "message", "hint"}
    return answer.status, answer.body["error"]["code"]


async def run(client: Client, command: str = "order", user: str = "ada", **options: Any) -> Answer:
    body = {"user": user, "channel": "#general", "command": command, "options": options}
    return await client.api("POST", "commands", body)


async def test_names_stand_for_ids(app: Client) -> None:
    got = await run(
        app,
        dish="tea",
        table="Window",
        sugar="25",
        hot=True,
        **{"for": "mia"},
        role="helper",
        place="#news",
        tip=0.5,
    )
    made = app.sandbox.core.state.interactions[got.body["interaction"]]
    assert {one["name"]: one["value"] for one in made.data["options"]} == {
        "dish": "tea",
        "table": "window",
        "sugar": 25,
        "hot": True,
        "for": app.sandbox.person_id("mia"),
        "role": app.sandbox.role_id("helper"),
        "place": app.sandbox.channel_id("news"),
        "tip": 0.5,
    }
    assert set(made.data["resolved"]) == {"users", "members", "roles", "channels"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (422, "option_required")),
        ({"dish": "tea", "dihs": "x"}, (422, "unknown_option")),
        ({"dish": "x"}, (422, "option_length")),
        ({"dish": "x" * 9}, (422, "option_length")),
        ({"dish": True}, (422, "option_type")),
        ({"dish": "tea", "table": "moon"}, (422, "option_choice")),
        ({"dish": "tea", "sugar": 101}, (422, "option_range")),
        ({"dish": "tea", "sugar": "many"}, (422, "option_type")),
        ({"dish": "tea", "hot": "perhaps"}, (422, "option_type")),
        ({"dish": "tea", "for": "stranger"}, (404, "unknown_person")),
    ],
)
async def test_options_are_checked_as_the_client_does(
    app: Client, options: JSON, expected: tuple[int, str]
) -> None:
    assert error(await run(app, **options)) == expected


async def test_unknown_names_come_with_near_misses(app: Client) -> None:
    got = await run(app, "ordre", dish="tea")
    assert error(got) == (404, "unknown_command")
    assert "/order" in got.body["error"]["hint"]
    got = await app.api("POST", "commands", {"user": "ada", "channel": "genral", "command": "ping"})
    assert error(got) == (404, "unknown_channel")
    assert "general" in got.body["error"]["hint"]
    assert error(await app.api("POST", "commands", {"user": "ada"})) == (400, "invalid")
    assert error(await app.api("GET", "nonsense")) == (404, "unknown_call")
    assert error(await app.api("GET", "interactions/1")) == (404, "unknown_interaction")
    assert error(await app.api("GET", "messages/1")) == (404, "unknown_message")


async def test_subcommands_and_default_permissions(app: Client) -> None:
    assert error(await run(app, "settings show")) == (403, "missing_permissions")
    assert error(await run(app, "settings", "mia")) == (422, "subcommand_required")
    assert error(await run(app, "settings undo", "mia")) == (404, "unknown_subcommand")
    got = await run(app, "settings show", "mia")
    shown = (await app.api("GET", f"interactions/{got.body['interaction']}")).body
    assert (shown["command"], shown["type"], shown["state"]) == ("settings show", "command", "pending")


async def test_a_disabled_button_is_refused_and_a_raw_custom_id_is_not(app: Client) -> None:
    buttons = [
        {"type": 2, "style": 1, "label": "Go", "custom_id": "go", "disabled": True},
        {"type": 2, "style": 5, "label": "Docs", "url": "https://example.com"},
    ]
    message = (await app.send({"content": "x", "components": [{"type": 1, "components": buttons}]})).body[
        "id"
    ]

    async def press(**how: str) -> Answer:
        return await app.api("POST", "presses", {"user": "ada", "message": message, **how})

    assert error(await press(button="Go")) == (409, "disabled")
    assert error(await press(button="Docs")) == (409, "not_pressable")
    assert error(await press(button="Went")) == (404, "unknown_button")
    assert (await press(custom_id="go")).status == 200
    assert (await press(custom_id="long gone")).status == 200


async def test_selects_by_label_and_their_limits(app: Client) -> None:
    options = [{"label": "Tea", "value": "te"}, {"label": "Soup", "value": "so"}]
    select = {"type": 3, "custom_id": "s", "placeholder": "Dish", "options": options, "max_values": 2}
    people = {"type": 5, "custom_id": "who"}
    rows = [{"type": 1, "components": [one]} for one in (select, people)]
    message = (await app.send({"content": "x", "components": rows})).body["id"]

    async def pick(which: str, *values: str) -> Answer:
        return await app.api(
            "POST", "selects", {"user": "ada", "message": message, "select": which, "values": list(values)}
        )

    got = await pick("Dish", "Tea", "so")
    assert app.sandbox.core.state.interactions[got.body["interaction"]].data["values"] == ["te", "so"]
    assert error(await pick("Dish", "Gravel")) == (422, "value_unknown")
    assert error(await pick("Dish")) == (422, "value_count")
    assert error(await pick("Nothing", "x")) == (404, "unknown_select")
    got = await pick("who", "mia")
    data = app.sandbox.core.state.interactions[got.body["interaction"]].data
    assert data["values"] == [app.sandbox.person_id("mia")]
    assert data["resolved"]["members"]


async def test_a_modal_is_filled_in_by_its_person(app: Client) -> None:
    fields = [
        {
            "type": 18,
            "label": "Reason",
            "component": {"type": 4, "custom_id": "why", "style": 1, "max_length": 5},
        },
        {
            "type": 18,
            "label": "How",
            "component": {
                "type": 21,
                "custom_id": "how",
                "options": [{"label": "Fast", "value": "f"}, {"label": "Slow", "value": "s"}],
            },
        },
        {"type": 18, "label": "Sure", "component": {"type": 23, "custom_id": "sure"}},
        {"type": 18, "label": "Whom", "component": {"type": 5, "custom_id": "whom", "required": False}},
    ]
    it = await app.begin(user="ada", channel="general", command="ping")
    await app.callback(it, {"type": 9, "data": {"custom_id": "m", "title": "t", "components": fields}})

    async def submit(user: str = "ada", **given: Any) -> Answer:
        return await app.api("POST", "modals", {"user": user, "interaction": it["id"], "fields": given})

    assert error(await submit("mia", Reason="x")) == (403, "forbidden")
    assert error(await submit(How="Fast")) == (422, "field_required")
    assert error(await submit(Reason="x" * 6, How="Fast")) == (422, "field_length")
    assert error(await submit(Reason="x", How="Never")) == (422, "field_value")
    assert error(await submit(Reason="x", How="Fast", Extra="x")) == (422, "field_unknown")
    got = await submit(why="x", How="Fast", Sure=True)
    parts = app.sandbox.core.state.interactions[got.body["interaction"]].data["components"]
    assert [one["component"].get("value", one["component"].get("values")) for one in parts] == [
        "x",
        "f",
        True,
        [],
    ]


async def test_waiting_ends_with_the_answer(app: Client) -> None:
    it = await app.begin(user="ada", channel="general", command="ping")
    waiting = asyncio.create_task(app.api("GET", f"interactions/{it['id']}", wait=60))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    await app.callback(it, {"type": 5})
    await asyncio.sleep(0.02)
    assert not waiting.done()
    await app.rest("PATCH", app.webhook(it, "@original"), {"content": "done"}, token="")
    assert (await waiting).body["message"]["text"] == "done"


async def test_text_is_everything_visible(app: Client) -> None:
    ada = app.sandbox.person_id("ada")
    body = {
        "flags": 1 << 15,
        "components": [
            {"type": 10, "content": f"one <@{ada}>"},
            {
                "type": 17,
                "components": [
                    {
                        "type": 9,
                        "components": [{"type": 10, "content": "two <t:0:R>"}],
                        "accessory": {"type": 2, "style": 3, "label": "Go", "custom_id": "go"},
                    }
                ],
            },
        ],
    }
    message = (await app.send(body)).body["id"]
    shown = (await app.api("GET", f"messages/{message}")).body
    assert shown["text"].splitlines() == ["one @ada", "two 1970-01-01T00:00:00.000000+00:00"]
    assert shown["buttons"] == [
        {"label": "Go", "custom_id": "go", "enabled": True, "style": "success", "url": None, "emoji": None}
    ]
    assert shown["mentions"]["users"] == {ada: "ada"}


async def test_roles_and_deletions_behind_the_bots_back(app: Client) -> None:
    got = await app.api("PATCH", "people/guest", {"roles": ["member", "helper"]})
    assert got.body["roles"] == ["member", "helper"]
    assert error(await app.api("PATCH", "people/guest", {"roles": ["king"]})) == (404, "unknown_role")
    assert (await app.api("DELETE", "channels/news")).status == 200
    assert error(await app.api("GET", "channels/news/messages")) == (404, "unknown_channel")
    assert (await app.send({"content": "x"}, "news")).code == 10003


async def test_a_person_who_cannot_see_a_channel_can_do_nothing_in_it(app: Client) -> None:
    body = {"permissions": {"VIEW_CHANNEL": False}, "role": "member"}
    assert (await app.api("PATCH", "channels/general", body)).status == 200
    assert error(await run(app, dish="tea")) == (403, "missing_permissions")
    assert (await run(app, user="mia", dish="tea")).status == 200


async def test_the_log_has_every_call(app: Client) -> None:
    since = (await app.api("GET", "requests")).body["last"]
    await app.rest(
        "POST", "/channels/1/messages", {"content": "x"}, headers={"X-Audit-Log-Reason": "because"}
    )
    log = (await app.api("GET", "requests", since=since)).body["requests"]
    assert len(log) == 1
    call = log[0]
    assert (call["method"], call["path"], call["route"]) == (
        "POST",
        "/channels/1/messages",
        "/channels/{channel}/messages",
    )
    assert (call["status"], call["body"], call["error"]["code"]) == (404, {"content": "x"}, 10003)
    assert (call["application"], call["headers"]["x-audit-log-reason"]) == ("robot", "because")


async def test_what_a_person_was_refused_is_in_the_log(app: Client) -> None:
    since = (await app.api("GET", "requests")).body["last"]
    await run(app, "nonsense")
    (call,) = (await app.api("GET", "requests", since=since)).body["requests"]
    assert (call["application"], call["path"], call["status"]) == (None, "/sandbox/v1/commands", 404)
    assert call["error"]["code"] == "unknown_command"


async def read_event(stream: aiohttp.StreamReader) -> JSON:
    found: JSON = {}
    while True:
        line = (await asyncio.wait_for(stream.readline(), 60)).decode().rstrip("\n")
        if not line and "data" in found:
            return found
        if line and not line.startswith(":"):
            key, _, value = line.partition(": ")
            found[key] = json.loads(value) if key == "data" else value


async def test_events_come_live_and_again(app: Client) -> None:
    start = (await app.api("GET", "state")).body["event_id"]
    url = f"{app.sandbox.api}/events"
    async with app.http.get(url) as live:
        await live.content.readline()
        message = (await app.send({"content": "one"})).body["id"]
        while (event := await read_event(live.content))["event"] != "message_create":
            pass
        assert event["data"]["message"]["text"] == "one"
    async with app.http.get(url, headers={"Last-Event-ID": str(start)}) as replayed:
        event = await read_event(replayed.content)
        assert (event["event"], int(event["id"])) == ("message_create", start + 1)
        await app.api("DELETE", f"messages/{message}")
        assert (await read_event(replayed.content))["event"] == "message_delete"
    async with app.http.get(url, headers={"Last-Event-ID": "999999"}) as lost:
        assert (await read_event(lost.content))["event"] == "resync"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
async def test_other_sites_are_refused(client: Client, headers: dict[str, str]) -> None:
    async with client.http.get(f"{client.sandbox.api}/state", headers=headers) as got:
        assert got.status == 403


async def test_the_sandboxs_own_page_is_served(client: Client) -> None:
    async with client.http.get(f"{client.sandbox.api}/state", headers={"Origin": client.sandbox.url}) as got:
        assert got.status == 200


async def test_services_register_and_are_reached(client: Client) -> None:
    async def control(request: web.Request) -> web.Response:
        body = await request.json() if request.method == "POST" else None
        return web.json_response({"query": dict(request.query), "body": body})

    service = web.Application()
    service.router.add_route("*", "/control", control)
    runner = web.AppRunner(service)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/control"
        for environment in ("test", "live"):
            body = {"name": "kitchen", "environment": environment, "control_url": url}
            assert (await client.api("POST", "registry/services", body)).status == 201
        got = await client.api("GET", "services/kitchen", environment="test", since=3)
        assert got.body["query"] == {"environment": "test", "since": "3"}
        got = await client.api("POST", "services/kitchen", {"closed": True}, environment="live")
        assert got.body["body"] == {"closed": True}
        assert error(await client.api("GET", "services/kitchen")) == (400, "invalid")
        assert error(await client.api("GET", "services/kitchn", environment="x")) == (
            404,
            "unknown_service",
        )
        assert len((await client.api("GET", "state")).body["services"]) == 2
        foreign = {"name": "x", "environment": "y", "control_url": "http://example.com/"}
        assert error(await client.api("POST", "registry/services", foreign)) == (400, "invalid")
    finally:
        await runner.cleanup()
    assert error(await client.api("GET", "services/kitchen", environment="test")) == (
        502,
        "service_unreachable",
    )


async def test_the_processes_file_is_in_the_state(tmp_path: Path) -> None:
    listed = [{"name": "bot", "pid": 1, "health": "http://127.0.0.1:1/health", "data": "/data"}]
    file = tmp_path / "processes.json"
    async with Sandbox(processes_file=file) as sandbox, Client(sandbox) as client:
        assert (await client.api("GET", "state")).body["processes"] == []
        file.write_text(json.dumps(listed))
        assert (await client.api("GET", "state")).body["processes"] == listed


async def test_time_goes_forward_and_back_to_the_start(app: Client, clock: ManualClock) -> None:
    it = await app.begin(user="ada", channel="general", command="ping")
    assert (await app.api("POST", "clock", {"advance": 4})).body["clock_offset"] == 4
    assert (await app.api("GET", f"interactions/{it['id']}")).body["state"] == "failed"
    assert error(await app.api("POST", "clock", {"advance": -1})) == (400, "invalid")
    await app.send({"content": "x"})
    await app.api("PATCH", "people/guest", {"roles": ["helper"]})
    assert (await app.api("POST", "reset", {})).status == 200
    state = (await app.api("GET", "state")).body
    assert state["clock_offset"] == 0
    assert next(one for one in state["people"] if one["name"] == "guest")["roles"] == []
    assert len(state["applications"][0]["commands"]) == 3
    assert (await app.api("GET", "channels/general/messages")).body["messages"] == []
    await app.api("POST", "reset", {"commands": True})
    assert (await app.api("GET", "state")).body["applications"][0]["commands"] == []


async def test_several_guilds_and_applications(clock: ManualClock) -> None:
    people = (PersonSpec("ada", roles=("member",)), PersonSpec("guest"))
    guilds = tuple(
        GuildSpec(name, people, (RoleSpec("member"),), (ChannelSpec("general"),)) for name in ("east", "west")
    )
    world = World(
        guilds, (ApplicationSpec("one"), ApplicationSpec("two", guilds=("west",))), rate_limits=False
    )
    async with (
        Sandbox(world, clock=clock) as sandbox,
        Client(sandbox, "one") as one,
        Client(sandbox, "two") as two,
    ):
        await one.commands(PING)
        await two.commands(PING | {"name": "pong"})
        body = {"user": "ada", "channel": "general", "command": "ping"}
        assert error(await one.api("POST", "commands", body)) == (409, "ambiguous")
        assert (await one.api("POST", "commands", body | {"guild": "west"})).status == 200
        east = await one.api("POST", "commands", body | {"guild": "east", "command": "pong"})
        assert error(east) == (404, "unknown_command")
        assert len((await one.rest("GET", "/users/@me/guilds")).body) == 2
        assert len((await two.rest("GET", "/users/@me/guilds")).body) == 1
        hidden = sandbox.channel_id("general", "east")
        assert (await two.rest("POST", f"/channels/{hidden}/messages", {"content": "x"})).code == 50001
