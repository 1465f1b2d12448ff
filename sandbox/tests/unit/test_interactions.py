"""Interactions: three seconds, one first response, fifteen minutes, valid callback types."""

from typing import Any

import pytest

from discord_sandbox import ManualClock
from support.client import PING, Client

JSON = dict[str, Any]
COMMAND: JSON = {"user": "ada", "channel": "general", "command": "ping"}
CARD: JSON = {
    "content": "card",
    "components": [{"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"}]}],
}
MODAL: JSON = {
    "custom_id": "m",
    "title": "Why",
    "components": [
        {"type": 18, "label": "Reason", "component": {"type": 4, "custom_id": "why", "style": 1}},
    ],
}


async def press(client: Client) -> tuple[JSON, str]:
    message = (await client.send(CARD)).body["id"]
    return await client.begin("presses", user="ada", message=message, button="Go"), message


async def seen(client: Client, it: JSON) -> JSON:
    found: JSON = (await client.api("GET", f"interactions/{it['id']}")).body
    return found


async def test_an_answer_is_204_or_its_message(client: Client) -> None:
    it = await client.begin(**COMMAND)
    assert (await client.callback(it, {"type": 4, "data": {"content": "hi"}})).status == 204
    other = await client.begin(**COMMAND)
    got = await client.callback(other, {"type": 4, "data": {"content": "hi"}}, response=True)
    assert got.status == 200
    assert got.body["resource"]["message"]["content"] == "hi"
    assert "X-RateLimit-Bucket" not in got.headers


async def test_three_seconds_for_the_first_answer(client: Client, clock: ManualClock) -> None:
    early, late = await client.begin(**COMMAND), await client.begin(**COMMAND)
    clock.advance(3.0)
    assert (await client.callback(early, {"type": 5})).status == 204
    clock.advance(0.001)
    refused = await client.callback(late, {"type": 5})
    assert (refused.status, refused.code) == (404, 10062)
    shown = await seen(client, late)
    assert (shown["state"], shown["ack_ms"]) == ("failed", None)
    assert "3 seconds" in shown["reason"]


async def test_a_second_first_answer_is_40060(client: Client) -> None:
    it = await client.begin(**COMMAND)
    await client.callback(it, {"type": 5})
    assert (await client.callback(it, {"type": 4, "data": {"content": "x"}})).code == 40060


async def test_unknown_interactions_are_10062(client: Client) -> None:
    it = await client.begin(**COMMAND)
    assert (await client.callback(it | {"token": "x"}, {"type": 5})).code == 10062
    assert (await client.callback(it | {"id": "1"}, {"type": 5})).code == 10062


async def test_fifteen_minutes_for_the_token(client: Client, clock: ManualClock) -> None:
    it = await client.begin(**COMMAND)
    await client.callback(it, {"type": 5})
    clock.advance(900)
    assert (await client.rest("GET", client.webhook(it, "@original"), token="")).status == 200
    clock.advance(0.1)
    refused = await client.rest("PATCH", client.webhook(it, "@original"), {"content": "x"}, token="")
    assert (refused.status, refused.code) == (401, 50027)
    assert (await seen(client, it))["state"] == "failed"


async def test_the_first_follow_up_replaces_a_deferral(client: Client) -> None:
    it = await client.begin(**COMMAND)
    deferred = await client.callback(it, {"type": 5, "data": {"flags": 64}}, response=True)
    assert deferred.body["interaction"]["response_message_loading"] is True
    assert (await seen(client, it))["state"] == "deferred"
    followed = await client.rest("POST", client.webhook(it), {"content": "done"}, token="")
    assert followed.body["id"] == deferred.body["interaction"]["response_message_id"]
    assert followed.body["flags"] & 64
    assert not followed.body["flags"] & 128
    shown = await seen(client, it)
    assert (shown["state"], shown["ephemeral"], shown["message"]["text"]) == ("answered", True, "done")
    second = await client.rest("POST", client.webhook(it), {"content": "and"}, token="")
    assert second.body["id"] != followed.body["id"]
    assert [one["text"] for one in (await seen(client, it))["followups"]] == ["and"]


async def test_a_deferral_takes_only_the_ephemeral_flag(client: Client, strict: Client) -> None:
    for one, status in ((client, 204), (strict, 400)):
        await one.commands(PING)
        it = await one.begin(**COMMAND)
        assert (await one.callback(it, {"type": 5, "data": {"flags": 1 << 15}})).status == status


async def test_originals_and_follow_ups_are_edited_and_deleted(client: Client) -> None:
    it = await client.begin(**COMMAND)
    assert (await client.rest("GET", client.webhook(it, "@original"), token="")).code == 10015
    assert (await client.rest("POST", client.webhook(it), {"content": "x"}, token="")).code == 10015
    await client.callback(it, {"type": 4, "data": {"content": "one"}})
    edited = await client.rest("PATCH", client.webhook(it, "@original"), {"content": "two"}, token="")
    assert (edited.body["content"], edited.body["edited_timestamp"] is None) == ("two", False)
    more = (await client.rest("POST", client.webhook(it), {"content": "three", "flags": 64}, token="")).body
    path = client.webhook(it, more["id"])
    assert (await client.rest("PATCH", path, {"content": "four"}, token="")).body["content"] == "four"
    assert (await client.rest("DELETE", path, token="")).status == 204
    assert (await client.rest("GET", path, token="")).code == 10008
    assert (await client.rest("DELETE", client.webhook(it, "@original"), token="")).status == 204
    assert (await client.rest("GET", client.webhook(it, "@original"), token="")).code == 10008


@pytest.mark.parametrize("kind", [6, 7])
async def test_updates_are_for_components_only(client: Client, kind: int) -> None:
    it = await client.begin(**COMMAND)
    assert (await client.callback(it, {"type": kind, "data": {"content": "x"}})).code == 50035
    pressed, message = await press(client)
    assert (await client.callback(pressed, {"type": kind, "data": {"content": "new"}})).status == 204
    shown = await seen(client, pressed)
    assert shown["state"] == ("deferred" if kind == 6 else "answered")
    assert shown["message"]["id"] == message


async def test_a_silent_acknowledgement_is_followed_by_an_edit(client: Client) -> None:
    pressed, message = await press(client)
    await client.callback(pressed, {"type": 6})
    edited = await client.rest("PATCH", client.webhook(pressed, "@original"), {"content": "new"}, token="")
    assert edited.body["id"] == message
    assert (await seen(client, pressed))["state"] == "answered"


async def test_an_update_of_a_deleted_message_is_10008(client: Client) -> None:
    pressed, message = await press(client)
    assert (await client.api("DELETE", f"messages/{message}")).status == 200
    assert (await client.callback(pressed, {"type": 7, "data": {"content": "new"}})).code == 10008
    again = await client.begin("presses", user="ada", message=message, custom_id="go")
    assert (await client.callback(again, {"type": 4, "data": {"content": "gone"}})).status == 204


async def test_no_modal_in_answer_to_a_modal(client: Client) -> None:
    it = await client.begin(**COMMAND)
    assert (await client.callback(it, {"type": 9, "data": MODAL})).status == 204
    shown = await seen(client, it)
    assert shown["state"] == "modal"
    assert shown["modal"]["fields"][0]["label"] == "Reason"
    submitted = await client.begin("modals", user="ada", interaction=it["id"], fields={"Reason": "because"})
    assert (await client.callback(submitted, {"type": 9, "data": MODAL})).code == 50035
    assert (await client.callback(submitted, {"type": 7, "data": {"content": "x"}})).code == 50035
    assert (await client.callback(submitted, {"type": 4, "data": {"content": "thanks"}})).status == 204


async def test_a_modal_from_a_button_may_update_the_message(client: Client) -> None:
    pressed, message = await press(client)
    await client.callback(pressed, {"type": 9, "data": MODAL})
    submitted = await client.begin("modals", user="ada", interaction=pressed["id"], fields={"why": "because"})
    got = await client.callback(submitted, {"type": 7, "data": {"content": "new"}}, response=True)
    assert got.body["resource"]["message"]["id"] == message


def label(number: int) -> JSON:
    return {
        "type": 18,
        "label": f"l{number}",
        "component": {"type": 4, "custom_id": f"f{number}", "style": 1},
    }


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"title": "x" * 45}, {"title": "x" * 46}),
        ({"custom_id": "x" * 100}, {"custom_id": "x" * 101}),
        ({"components": [label(i) for i in range(5)]}, {"components": [label(i) for i in range(6)]}),
        ({"components": [label(1)]}, {"components": []}),
        ({"components": [label(1), label(2)]}, {"components": [label(1), label(1)]}),
        ({"components": [label(1) | {"label": "x" * 45}]}, {"components": [label(1) | {"label": "x" * 46}]}),
    ],
)
async def test_limits_of_modals(client: Client, good: JSON, bad: JSON) -> None:
    for body, status in ((good, 204), (bad, 400)):
        it = await client.begin(**COMMAND)
        assert (await client.callback(it, {"type": 9, "data": MODAL | body})).status == status


@pytest.mark.parametrize(
    "body", [{}, {"type": 4}, {"type": 4, "data": {}}, {"type": 2}, {"type": 99}, {"type": 8}, {"type": 9}]
)
async def test_bad_answers_leave_the_interaction_open(client: Client, body: JSON) -> None:
    it = await client.begin(**COMMAND)
    assert (await client.callback(it, body)).code in (50035, 50006)
    assert (await client.callback(it, {"type": 5})).status == 204


async def test_ephemeral_answers_are_seen_by_their_person_only(client: Client) -> None:
    it = await client.begin(**COMMAND)
    await client.callback(it, {"type": 4, "data": {"content": "psst", "flags": 64}})

    async def texts(who: str) -> list[str]:
        got = await client.api("GET", "channels/general/messages", **{"as": who})
        return [one["text"] for one in got.body["messages"]]

    assert await texts("ada") == ["psst"]
    assert await texts("mia") == []
    channel = client.sandbox.channel_id("general")
    assert (await client.rest("GET", f"/channels/{channel}/messages")).body == []
    message = (await seen(client, it))["message"]["id"]
    assert (await client.rest("GET", f"/channels/{channel}/messages/{message}")).code == 10008


async def test_autocomplete_gives_at_most_25_choices(client: Client) -> None:
    option = {"type": 3, "name": "service", "description": "d", "autocomplete": True}
    await client.commands({"name": "order", "description": "d", "options": [option]})
    core = client.sandbox.core

    async def answered(number: int) -> int:
        import asyncio

        asking = asyncio.create_task(
            client.api(
                "POST",
                "autocomplete",
                {
                    "user": "ada",
                    "channel": "general",
                    "command": "order",
                    "option": "service",
                    "value": "ch",
                },
            )
        )
        before = len(core.state.interactions)
        while len(core.state.interactions) == before:
            await asyncio.sleep(0)
        made = next(reversed(core.state.interactions.values()))
        assert made.data["options"] == [{"name": "service", "type": 3, "value": "ch", "focused": True}]
        listed = [{"name": f"n{i}", "value": f"v{i}"} for i in range(number)]
        it = {"id": made.id, "token": made.token}
        assert (await client.callback(it, {"type": 5})).code == 50035
        got = await client.callback(it, {"type": 8, "data": {"choices": listed}})
        if got.status != 204:
            await client.callback(it, {"type": 8, "data": {"choices": []}})
        choices = (await asking).body["choices"]
        assert len(choices) == (number if got.status == 204 else 0)
        return got.status

    assert await answered(25) == 204
    assert await answered(26) == 400
