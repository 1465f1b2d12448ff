"""Polls: limits on both sides, votes of people as bots hear and read them, and how they end."""

from typing import Any

import pytest

from discord_sandbox import ManualClock
from support.client import Client, Wire

JSON = dict[str, Any]
MESSAGES, POLLS, CONTENT = 1 << 9, 1 << 24, 1 << 15


def dinner(**more: Any) -> JSON:
    answers = [{"poll_media": {"text": "Soup", "emoji": {"name": "🍲"}}}, {"poll_media": {"text": "Bread"}}]
    return {"poll": {"question": {"text": "Dinner?"}, "answers": answers} | more}


async def posted(client: Client, **more: Any) -> JSON:
    got = await client.send(dinner(**more))
    assert got.status == 200, got.body
    message: JSON = got.body
    return message


def path(message: JSON, what: str) -> str:
    return f"/channels/{message['channel_id']}/polls/{message['id']}/{what}"


async def vote(client: Client, user: str, message: JSON, *answers: str) -> Any:
    return await client.api(
        "POST", "votes", {"user": user, "message": message["id"], "answers": list(answers)}
    )


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"question": {"text": "x" * 300}}, {"question": {"text": "x" * 301}}),
        ({"question": {"text": "x"}}, {"question": {}}),
        (
            {"answers": [{"poll_media": {"text": "x" * 55}}]},
            {"answers": [{"poll_media": {"text": "x" * 56}}]},
        ),
        (
            {"answers": [{"poll_media": {"text": "x"}}] * 10},
            {"answers": [{"poll_media": {"text": "x"}}] * 11},
        ),
        ({"answers": [{"poll_media": {"text": "x"}}]}, {"answers": []}),
        ({"duration": 768}, {"duration": 769}),
        ({"duration": 1}, {"duration": 0}),
        ({"layout_type": 1}, {"layout_type": 2}),
        ({"allow_multiselect": True}, {"allow_multiselect": "yes"}),
        ({}, {"answers": [{"poll_media": {"text": "x", "emoji": {"name": "soup"}}}]}),
        ({}, {"answers": [{"poll_media": {"text": "x", "emoji": {"id": "1"}}}]}),
    ],
)
async def test_a_limit_holds_on_both_sides(client: Client, good: JSON, bad: JSON) -> None:
    assert (await client.send(dinner(**good))).status == 200
    got = await client.send(dinner(**bad))
    assert (got.code, set(got.body["errors"])) == (50035, {"poll"})


async def test_a_poll_is_shown_and_ends_a_day_later(client: Client, clock: ManualClock) -> None:
    message = await posted(client)
    poll = message["poll"]
    assert (poll["question"], poll["allow_multiselect"], poll["layout_type"]) == (
        {"text": "Dinner?"},
        False,
        1,
    )
    first, second = poll["answers"]
    assert first["poll_media"] == {"text": "Soup", "emoji": {"id": None, "name": "🍲"}}
    assert (first["answer_id"], second["answer_id"]) == (1, 2)
    assert poll["results"] == {"is_finalized": False, "answer_counts": []}
    there = f"/channels/{message['channel_id']}/messages/{message['id']}"
    assert (await client.rest("PATCH", there, dinner())).code == 520003
    await vote(client, "ada", message, "Soup")
    async with Wire(client) as wire:
        await wire.identify(1 | MESSAGES | CONTENT)
        clock.advance(24 * 3600 - 1)
        assert (await client.rest("GET", there)).body["poll"]["results"]["is_finalized"] is False
        clock.advance(1)
        assert (await wire.dispatch("MESSAGE_UPDATE"))["poll"]["results"]["is_finalized"] is True
        told = await wire.dispatch("MESSAGE_CREATE")
    assert (told["type"], told["message_reference"]["message_id"]) == (46, message["id"])
    fields = {one["name"]: one["value"] for one in told["embeds"][0]["fields"]}
    assert fields == {
        "poll_question_text": "Dinner?",
        "victor_answer_votes": "1",
        "total_votes": "1",
        "victor_answer_id": "1",
        "victor_answer_text": "Soup",
    }
    refused = await vote(client, "ben", message, "Soup")
    assert (refused.status, refused.body["error"]["message"]) == (400, "Poll expired (520001)")


async def test_votes_are_announced_counted_and_taken_back(client: Client) -> None:
    message, ada = await posted(client), client.sandbox.person_id("ada")
    async with Wire(client) as wire:
        await wire.identify(1 | POLLS)
        assert (await vote(client, "ada", message, "Soup")).status == 200
        added = await wire.dispatch("MESSAGE_POLL_VOTE_ADD")
        common = {"user_id": ada, "channel_id": message["channel_id"], "message_id": message["id"]}
        common |= {"guild_id": client.sandbox.guild_id()}
        assert added == common | {"answer_id": 1}
        shown = (await vote(client, "ada", message, "2")).body["poll"]["answers"]
        assert [(one["text"], one["count"], one["users"]) for one in shown] == [
            ("Soup", 0, []),
            ("Bread", 1, ["ada"]),
        ]
        assert await wire.dispatch("MESSAGE_POLL_VOTE_REMOVE") == common | {"answer_id": 1}
        assert (await wire.dispatch("MESSAGE_POLL_VOTE_ADD"))["answer_id"] == 2
        await vote(client, "ada", message)
        assert (await wire.dispatch("MESSAGE_POLL_VOTE_REMOVE"))["answer_id"] == 2
    assert (await vote(client, "ada", message, "Soup", "Bread")).status == 422
    assert (await vote(client, "ada", message, "Sop")).body["error"]["hint"] == "Did you mean Soup?"
    both = await posted(client, allow_multiselect=True)
    assert (await vote(client, "ada", both, "Soup", "Bread")).status == 200
    plain = (await client.send({"content": "x"})).body
    assert (await vote(client, "ada", plain, "Soup")).status == 409


async def test_voters_are_listed_in_pages(client: Client) -> None:
    message = await posted(client)
    for user in ("ada", "ben", "kim"):
        await vote(client, user, message, "Soup")
    everyone = (await client.rest("GET", path(message, "answers/1"))).body["users"]
    assert {one["username"] for one in everyone} == {"ada", "ben", "kim"}
    rest = f"answers/1?limit=2&after={everyone[0]['id']}"
    assert (await client.rest("GET", path(message, rest))).body["users"] == everyone[1:]
    assert (await client.rest("GET", path(message, "answers/2"))).body["users"] == []
    assert (await client.rest("GET", path(message, "answers/3"))).code == 10008
    assert (await client.rest("GET", path(message, "answers/1?limit=101"))).code == 50035
    plain = (await client.send({"content": "x"})).body
    assert (await client.rest("GET", path(plain, "answers/1"))).code == 520006


async def test_only_its_author_ends_a_poll_and_only_once(client: Client) -> None:
    message = await posted(client)
    async with Client(client.sandbox, "echo") as other:
        assert (await other.rest("POST", path(message, "expire"))).code == 50013
    assert (await client.rest("POST", path(message, "expire"))).body["poll"]["results"][
        "is_finalized"
    ] is True
    assert (await client.rest("POST", path(message, "expire"))).code == 520001
    plain = (await client.send({"content": "x"})).body
    assert (await client.rest("POST", path(plain, "expire"))).code == 520006


async def test_people_post_polls_where_they_may(client: Client) -> None:
    poll = {"question": "Dinner?", "answers": ["Soup", "Bread"], "hours": 2, "multiple": True}
    body = {"user": "ada", "channel": "general", "poll": poll}
    made = (await client.api("POST", "messages", body)).body
    assert (made["poll"]["multiple"], made["text"]) == (True, "Dinner?\nSoup\nBread")
    for bad in ({}, {"question": "x", "answers": []}, {"question": "", "answers": ["x"]}):
        assert (await client.api("POST", "messages", body | {"poll": bad})).status == 400
    deny = {"permissions": {"SEND_POLLS": False}}
    await client.api("PATCH", "roles/everyone", deny)
    assert (await client.api("POST", "messages", body)).status == 403
    assert (await client.send(dinner())).code == 50013
