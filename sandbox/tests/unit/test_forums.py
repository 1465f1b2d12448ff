"""Forums: their settings and tags, and posts of bots, webhooks and people."""

from typing import Any

import pytest

from support.client import Client, Wire

JSON = dict[str, Any]
FORUM, REQUIRE_TAG, PINNED = 15, 1 << 4, 1 << 1
TAGS: list[JSON] = [{"name": "idea", "emoji_name": "💡"}, {"name": "done", "moderated": True}]


async def forum(client: Client, **more: Any) -> JSON:
    await client.grant("MANAGE_CHANNELS")
    body = {"name": "Help Desk", "type": FORUM, "available_tags": TAGS} | more
    got = await client.rest("POST", f"/guilds/{client.sandbox.guild_id()}/channels", body)
    assert got.status == 201, got.body
    made: JSON = got.body
    return made


def tag(made: JSON, name: str) -> str:
    return str(next(one["id"] for one in made["available_tags"] if one["name"] == name))


async def post(client: Client, made: JSON, **more: Any) -> Any:
    body = {"name": "How?", "message": {"content": "Tell me"}} | more
    return await client.rest("POST", f"/channels/{made['id']}/threads", body)


async def test_a_forum_has_settings_and_keeps_its_tags_by_id(client: Client) -> None:
    settings = {
        "topic": "x" * 4096,
        "flags": REQUIRE_TAG,
        "default_sort_order": 1,
        "default_forum_layout": 2,
        "default_thread_rate_limit_per_user": 5,
        "default_reaction_emoji": {"emoji_id": None, "emoji_name": "👍"},
    }
    made = await forum(client, **settings)
    assert {key: made[key] for key in settings} == settings
    assert (made["name"], [one["name"] for one in made["available_tags"]]) == ("help-desk", ["idea", "done"])
    path = f"/channels/{made['id']}"
    renamed = [{"id": tag(made, "done"), "name": "solved"}, {"name": "new"}]
    changed = (await client.rest("PATCH", path, {"available_tags": renamed, "flags": 0})).body
    assert changed["available_tags"][0]["id"] == tag(made, "done")
    assert ([one["name"] for one in changed["available_tags"]], changed["flags"]) == (["solved", "new"], 0)
    assert changed["default_sort_order"] == 1, "what the body omits stays"


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"available_tags": [{"name": f"t{number}"} for number in range(21)]}, 50035),
        ({"available_tags": [{"name": "x" * 21}]}, 50035),
        ({"available_tags": [{"name": "x"}, {"name": "x"}]}, 40061),
        ({"available_tags": [{"id": "1", "name": "x"}]}, 10087),
        ({"available_tags": [{"name": "x", "emoji_name": "soup"}]}, 50035),
        ({"default_sort_order": 2}, 50035),
        ({"default_forum_layout": 3}, 50035),
        ({"default_reaction_emoji": {"emoji_id": "1"}}, 50035),
        ({"flags": 1}, 50035),
        ({"topic": "x" * 4097}, 50035),
    ],
)
async def test_settings_have_limits(client: Client, bad: JSON, code: int) -> None:
    made = await forum(client, available_tags=[{"name": "x" * 20}])
    assert (await client.rest("PATCH", f"/channels/{made['id']}", bad)).code == code
    create = {"name": "x", "type": FORUM} | bad
    assert (await client.rest("POST", f"/guilds/{client.sandbox.guild_id()}/channels", create)).code == code


async def test_a_post_is_a_thread_with_a_message_of_the_same_id(client: Client) -> None:
    made = await forum(client, default_thread_rate_limit_per_user=5)
    async with Wire(client) as wire:
        await wire.identify(1 | 1 << 9)
        got = await post(client, made, applied_tags=[tag(made, "idea")], auto_archive_duration=60)
        assert got.status == 201
        thread, message = got.body, got.body["message"]
        assert (thread["id"], message["channel_id"], message["content"]) == (
            message["id"],
            thread["id"],
            "Tell me",
        )
        assert (thread["type"], thread["parent_id"], thread["message_count"]) == (11, made["id"], 0)
        assert (thread["applied_tags"], thread["rate_limit_per_user"]) == ([tag(made, "idea")], 5)
        assert (await wire.dispatch("THREAD_CREATE"))["applied_tags"] == [tag(made, "idea")]
        assert (await wire.dispatch("MESSAGE_CREATE"))["id"] == thread["id"]
    there = f"/channels/{thread['id']}"
    await client.rest("POST", f"{there}/messages", {"content": "So"})
    assert (await client.rest("GET", there)).body["message_count"] == 1
    listed = (await client.rest("GET", f"{there}/messages")).body
    assert [one["content"] for one in listed] == ["So", "Tell me"]


async def test_a_post_that_is_refused_leaves_nothing(client: Client) -> None:
    made = await forum(client)
    threads = f"/guilds/{client.sandbox.guild_id()}/threads/active"
    wrong: list[tuple[JSON, int]] = [
        ({"message": {}}, 50006),
        ({"message": {"content": "x" * 2001}}, 50035),
        ({"message": None}, 50035),
        ({"name": "x" * 101}, 50035),
        ({"applied_tags": ["1"]}, 50035),
        ({"applied_tags": ["1"] * 6}, 50035),
    ]
    for bad, code in wrong:
        assert (await post(client, made, **bad)).code == code
    got = await post(client, made, message={"content": "x" * 2001})
    assert set(got.body["errors"]) == {"message"}
    assert (await client.rest("GET", threads)).body["threads"] == []
    for call, body in (("messages", {"content": "x"}), ("typing", None)):
        assert (await client.rest("POST", f"/channels/{made['id']}/{call}", body)).code == 50008
    await client.api("PATCH", "channels/help-desk", {"permissions": {"SEND_MESSAGES": False}})
    assert (await post(client, made)).code == 50013


async def test_moderated_and_required_tags(client: Client) -> None:
    made = await forum(client, flags=REQUIRE_TAG)
    assert (await post(client, made)).status == 201, "who manages threads need not"
    deny = {"application": "robot", "permissions": {"MANAGE_THREADS": False}}
    await client.api("PATCH", "channels/help-desk", deny)
    assert (await post(client, made)).code == 40067
    assert (await post(client, made, applied_tags=[tag(made, "done")])).code == 50013
    there = f"/channels/{(await post(client, made, applied_tags=[tag(made, 'idea')])).body['id']}"
    both = [tag(made, "idea"), tag(made, "done")]
    assert (await client.rest("PATCH", there, {"applied_tags": both})).code == 50013
    assert (await client.rest("PATCH", there, {"flags": PINNED})).code == 50013
    await client.api(
        "PATCH", "channels/help-desk", {"application": "robot", "permissions": {"MANAGE_THREADS": None}}
    )
    changed = (await client.rest("PATCH", there, {"applied_tags": both, "flags": PINNED})).body
    assert (changed["applied_tags"], changed["flags"]) == (both, PINNED)
    assert (await client.rest("PATCH", there, {"name": "Why?"})).body["flags"] == PINNED


async def test_webhooks_post_with_a_title(client: Client) -> None:
    made = await forum(client)
    await client.grant("MANAGE_WEBHOOKS")
    hook = (await client.rest("POST", f"/channels/{made['id']}/webhooks", {"name": "Bell"})).body
    there = f"/webhooks/{hook['id']}/{hook['token']}"

    async def send(query: str = "?wait=true", **body: Any) -> Any:
        return await client.rest("POST", there + query, {"content": "ding"} | body, token="")

    assert (await send()).code == 220001
    posted = (await send(thread_name="Door", applied_tags=[tag(made, "idea")])).body
    assert posted["channel_id"] == posted["id"]
    thread = (await client.rest("GET", f"/channels/{posted['id']}")).body
    assert (thread["name"], thread["owner_id"], thread["member_count"]) == ("Door", hook["id"], 0)
    again = f"?wait=true&thread_id={posted['id']}"
    assert (await send(again)).body["channel_id"] == posted["id"]
    assert (await send(again, thread_name="x")).code == 220002
    assert (await send("", thread_name="Quiet")).status == 204
    plain = (
        await client.rest("POST", f"/channels/{client.sandbox.channel_id('news')}/webhooks", {"name": "x"})
    ).body
    body = {"content": "x", "thread_name": "x"}
    assert (
        await client.rest("POST", f"/webhooks/{plain['id']}/{plain['token']}", body, token="")
    ).code == 220003


async def test_people_post_with_tags(client: Client) -> None:
    body = {"name": "ideas", "type": "forum", "tags": ["idea", "bug"]}
    assert (await client.api("POST", "channels", body)).body["tags"] == ["idea", "bug"]
    say = {"user": "ada", "channel": "ideas", "name": "Soup", "content": "More of it", "tags": ["idea"]}
    made = (await client.api("POST", "threads", say)).body
    assert (made["type"], made["tags"], made["members"]) == ("thread", ["idea"], ["ada"])
    said = (await client.api("GET", "channels/Soup/messages")).body["messages"]
    assert [(one["id"], one["content"]) for one in said] == [(made["id"], "More of it")]
    got = await client.api("POST", "threads", say | {"tags": ["idae"]})
    assert (got.status, got.body["error"]["hint"]) == (404, "Did you mean idea?")
    assert (
        await client.api("POST", "threads", {"user": "ada", "channel": "ideas", "name": "x"})
    ).status == 400
    await client.api("PATCH", "channels/ideas", {"role": "member", "permissions": {"SEND_MESSAGES": False}})
    assert (await client.api("POST", "threads", say)).status == 403
    assert (
        await client.api("POST", "messages", {"user": "kim", "channel": "ideas", "content": "x"})
    ).status == 409
