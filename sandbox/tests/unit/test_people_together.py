"""People as objects, among themselves: context menus, messages, polls, threads, events, who comes and goes."""

from typing import Any

import pytest

from discord_sandbox import CallRefused, Sandbox
from discord_sandbox.discord.state.clock import iso
from support.client import Client

JSON = dict[str, Any]


@pytest.fixture
def sandbox(client: Client) -> Sandbox:
    return client.sandbox


async def channel(sandbox: Sandbox, channel_id: str) -> JSON:
    found: list[JSON] = (await sandbox.call("GET", "state"))["channels"]
    return next(one for one in found if one["id"] == channel_id)


async def test_commands_of_context_menus_have_a_target(client: Client, sandbox: Sandbox) -> None:
    await client.commands({"type": 2, "name": "Wave"}, {"type": 3, "name": "Keep"})
    ada, ben = sandbox.person("ada", patience=0), sandbox.person("ben")
    waved = await ada.user_command("general", "Wave", ben)
    assert (waved.state, waved.body["command"], waved.body["target_user"]) == ("pending", "Wave", "ben")
    assert (await ada.user_command("general", "Wave", "echo")).body["target_user"] == "echo"
    said = await ben.write("general", "hello")
    for message in (said, said.id):
        assert (await ada.message_command(message, "Keep")).body["target_message"] == said.id
    with pytest.raises(CallRefused, match=r"Did you mean Keep\?"):
        await ada.message_command(said, "Kep")


async def test_messages_are_answered_forwarded_edited_and_deleted(sandbox: Sandbox) -> None:
    ada, ben, owner = sandbox.person("ada"), sandbox.person("ben"), sandbox.person("owner")
    said = await ada.write("general", "soup at one")
    answer = await ben.reply(said, "gladly")
    assert (answer.body["reference"]["message_id"], answer.body["notified"]) == (said.id, ["ada"])
    assert (await ben.reply(said.id, "or not", mention=False)).body["notified"] == []
    direct = await ada.write("@robot", "psst")
    assert (await ada.reply(direct, "hello?")).body["channel_id"] == direct.body["channel_id"]
    assert (await ben.forward(said, "news")).body["forwarded"] == "soup at one"
    assert (await ada.edit(said, "soup at two")).text == "soup at two"
    with pytest.raises(CallRefused, match="ben did not write this message"):
        await ben.edit(said, "no soup")
    await ada.delete(said)
    with pytest.raises(CallRefused, match="ada may not delete messages of others here"):
        await ada.delete(answer)
    await owner.delete(answer)
    assert [one.text for one in await sandbox.messages("general")] == ["or not"]


async def test_files_are_texts_or_bytes(client: Client, sandbox: Sandbox) -> None:
    ada = sandbox.person("ada")
    said = await ada.write("general", files={"plan.txt": "soup\n", "raw.bin": b"\x00\xff"})
    found = said.body["attachments"]
    assert [(one["filename"], one["size"]) for one in found] == [("plan.txt", 5), ("raw.bin", 2)]
    async with client.http.get(sandbox.url + found[1]["url"]) as got:
        assert await got.read() == b"\x00\xff"
    answer = await ada.reply(said, "and this", files={"more.txt": "bread"})
    assert (answer.text, len(answer.body["attachments"])) == ("and this", 1)


async def test_polls_are_voted_in_and_votes_taken_back(sandbox: Sandbox) -> None:
    ada, ben = sandbox.person("ada"), sandbox.person("ben")
    asked = await ada.poll("general", "Dinner?", "Soup", "Bread", hours=2, multiple=True)
    assert (asked.body["poll"]["question"], asked.body["poll"]["multiple"]) == ("Dinner?", True)
    voted = await ben.vote(asked, "Soup", 2)
    assert [one["users"] for one in voted.body["poll"]["answers"]] == [["ben"], ["ben"]]
    assert [one["users"] for one in (await ben.vote(asked)).body["poll"]["answers"]] == [[], []]
    single = await ada.poll("general", "Tea?", "Yes", "No")
    with pytest.raises(CallRefused, match="This poll takes one answer"):
        await ben.vote(single, "Yes", "No")


async def test_threads_are_started_joined_and_left(sandbox: Sandbox) -> None:
    ada, ben, owner = sandbox.person("ada"), sandbox.person("ben"), sandbox.person("owner")
    said = await ada.write("general", "soup?")
    thread = await ada.start_thread("general", "about soup", "which one?", message=said)
    assert (await ben.messages(thread))[-1].text == "which one?"
    await ben.join_thread("about soup")
    assert (await channel(sandbox, thread))["members"] == ["ada", "ben"]
    await ben.leave_thread(thread)
    assert (await channel(sandbox, thread))["members"] == ["ada"]
    secret = await owner.start_thread("general", "secret", private=True)
    assert (await channel(sandbox, secret))["type"] == "private_thread"
    await sandbox.call("POST", "channels", {"name": "ideas", "type": "forum", "tags": ["bread"]})
    post = await ada.start_thread("ideas", "Let us bake", "on Friday", tags=["bread"])
    assert (await channel(sandbox, post))["tags"] == ["bread"]


async def test_scheduled_events_have_people_who_are_interested(client: Client, sandbox: Sandbox) -> None:
    await client.grant("CREATE_EVENTS")
    now = sandbox.core.clock.now()
    body: JSON = {"name": "Soup day", "entity_type": 3, "privacy_level": 2}
    body |= {"entity_metadata": {"location": "Kitchen"}}
    body |= {"scheduled_start_time": iso(now + 60), "scheduled_end_time": iso(now + 120)}
    made = await client.rest("POST", f"/guilds/{sandbox.guild_id()}/scheduled-events", body)
    ada, ben = sandbox.person("ada"), sandbox.person("ben")
    await ada.join_event("Soup day")
    await ben.join_event(made.body["id"])
    await ada.leave_event("Soup day")
    (event,) = (await sandbox.call("GET", "scheduled-events"))["events"]
    assert event["users"] == ["ben"]


async def test_people_join_and_leave_the_server(client: Client, sandbox: Sandbox) -> None:
    await client.grant("CREATE_INSTANT_INVITE")
    zoe = sandbox.person("zoe")
    with pytest.raises(CallRefused, match='There is no person "zoe"'):
        await zoe.write("general", "hello?")
    await zoe.join(display_name="Zoe", roles=["helper"])
    said = await zoe.write("general", "hello")
    assert said.body["author_name"] == "Zoe"
    with pytest.raises(CallRefused, match="zoe is in workshop already"):
        await zoe.join()
    await zoe.leave()
    path = f"/channels/{sandbox.channel_id('general')}/invites"
    code = (await client.rest("POST", path, {"max_uses": 1})).body["code"]
    await zoe.join(invite=code)
    with pytest.raises(CallRefused, match="There is no invite"):
        await sandbox.person("yan").join(invite=code)
