"""What bots do without interactions: messages, threads, reactions, members, and what they change in a server."""

from support.clients.run import JSON, Run
from support.clients.script.ability import Ability


async def messages(run: Run) -> None:
    """A person's message is answered; the reply is edited, the history read, a message deleted."""
    said = await run.say("messages", "hello")
    reply = await run.message("messages", "hello again, ada")
    assert reply["reference"]["message_id"] == said["id"]
    assert reply["edited"] is not None
    await run.message("messages", "2 messages")
    texts = [one["text"] for one in await run.messages("messages")]
    assert texts == ["hello", "hello again, ada", "2 messages"], texts


async def direct_messages(run: Run) -> None:
    await run.say("@robot", "hello")
    await run.message("@robot", "hello to you alone")


async def threads(run: Run) -> None:
    """One from a message, in which a person is heard; one without, renamed and archived."""
    said = await run.say("threads", "thread")

    async def made() -> list[JSON] | None:
        channels = (await run.api("GET", "state"))["channels"]
        found = [one for one in channels if one["type"] == "thread"]
        named = {one["name"]: one for one in found}
        complete = set(named) == {"talk", "renamed"} and named["renamed"]["archived"]
        return [named["talk"], named["renamed"]] if complete else None

    talk, alone = await run.until("the threads talk and renamed, the latter archived", made)
    assert talk["message_id"] == said["id"] != alone["message_id"]
    await run.message(talk["id"], "first")
    await run.say(talk["id"], "say inside")
    await run.message(talk["id"], "inside")


async def reactions(run: Run) -> None:
    """The bot reacts, reads who did, takes its own back; and is told of people's."""
    said = await run.say("reactions", "react")
    robot = (await run.robot())["bot_id"]
    ada = next(one["id"] for one in (await run.api("GET", "state"))["people"] if one["name"] == "ada")
    await run.message("reactions", f"reacted: {robot}")
    shown = await run.api("GET", f"messages/{said['id']}")
    assert [(one["emoji"], one["users"]) for one in shown["reactions"]] == [("✅", ["robot"])]
    reaction = {"user": "ada", "message": said["id"], "emoji": "👍"}
    await run.api("POST", "reactions", reaction)
    await run.message("reactions", f"{ada} added 👍")
    await run.api("DELETE", "reactions", reaction)
    await run.message("reactions", f"{ada} removed 👍")


async def members(run: Run) -> None:
    """Roles are given and taken, all members listed, and others' changes heard."""
    state = await run.api("GET", "state")
    everyone = len(state["people"]) + len(state["applications"])
    for did in ("gave helper to", "took helper from"):
        shown = await run.command("members", "member", who="ben", role="helper")
        assert shown["message"]["text"] == f"{did} ben, one of {everyone}"
    await run.api("PATCH", "people/kim", {"roles": ["helper", "member"]})
    await run.message("members", "kim: helper, member")


async def overwrites(run: Run) -> None:
    """An overwrite takes effect for people, is read back, and cleared."""
    assert (await run.command("overwrites", "overwrite", role="helper"))["message"]["text"] == "denied"
    denied = False
    try:
        await run.say("overwrites", "let me", user="kim")
    except AssertionError as error:
        denied = "missing_permissions" in str(error)
    assert denied, "the overwrite had no effect"
    assert (await run.command("overwrites", "overwrite", role="helper"))["message"]["text"] == "cleared"
    await run.say("overwrites", "let me", user="kim")


async def channels(run: Run) -> None:
    """A channel in a category is made, changed and written in; another one deleted."""
    await run.say("building", "channels")

    async def edited() -> bool:
        return any(one["name"] == "stew" for one in (await run.api("GET", "state"))["channels"])

    await run.until("the channel stew", edited)
    await run.message("stew", "served")
    shown = {one["name"]: one for one in (await run.api("GET", "state"))["channels"]}
    assert (shown["stew"]["topic"], shown["stew"]["category_id"]) == ("Hot", shown["back"]["id"])
    assert not {"soup", "passing"} & set(shown)


async def forums(run: Run) -> None:
    """A forum is made, and a post in it."""
    await run.say("building", "forum")

    async def asked() -> JSON | None:
        listed = {one["name"]: one for one in (await run.api("GET", "state"))["channels"]}
        posted = listed.get("ask")
        return posted if posted and posted["parent_id"] == listed["questions"]["id"] else None

    post = await run.until("a post in a forum", asked)
    await run.message(post["id"], "open")


async def roles(run: Run) -> None:
    await run.say("building", "roles")

    async def made() -> JSON | None:
        listed = {one["name"]: one for one in (await run.api("GET", "state"))["guilds"][0]["roles"]}
        deleted = await run.calls("DELETE", "/roles/")
        return listed.get("chef") if deleted and "passing" not in listed else None

    chef = await run.until("a role that was renamed, and none that was deleted", made)
    assert (chef["color"], chef["mentionable"]) == (0x3498DB, True)


async def webhooks(run: Run) -> None:
    await run.say("webhooks", "webhook")
    message = await run.message("webhooks", "at your table")
    assert message["author_name"] == "Waiter"


async def moderation(run: Run) -> None:
    """A nickname, a timeout and a kick; and that a person left and joined is heard."""
    await run.say("moderation", "late", user="guest")

    async def moderated() -> bool:
        people = (await run.api("GET", "state"))["people"]
        guest = next(one for one in people if one["name"] == "guest")
        return guest["nick"] == "Late" and guest["timed_out_until"] is not None

    await run.until("a nickname and a timeout", moderated)
    await run.say("moderation", "out", user="max")
    await run.message("moderation", "max left")
    await run.api("POST", "people", {"name": "max"})
    await run.message("moderation", "max joined")


async def voice(run: Run) -> None:
    """The bot hears who joins a voice channel, joins it itself and leaves it; there is no sound."""

    async def inside(**expected: bool) -> None:
        async def settled() -> bool:
            listed = (await run.api("GET", "voice"))["voice"]
            return {one["user"]: one["self_deaf"] for one in listed} == expected

        await run.until(f"in voice, and whether deafened by themselves: {expected}", settled)

    await run.api("POST", "voice", {"user": "ben", "channel": "Parlour"})
    await run.message("voice", "ben in Parlour")
    await run.say("voice", "join")
    await run.message("voice", "with ben")
    await inside(ben=False, robot=True)
    await run.say("voice", "leave")
    await inside(ben=False)


ABILITIES = (
    Ability("Messages", messages),
    Ability("Direct messages", direct_messages),
    Ability("Threads", threads),
    Ability("Reactions", reactions),
    Ability("Members", members),
    Ability("Moderation", moderation),
    Ability("Channels", channels),
    Ability("Forums", forums),
    Ability("Roles", roles),
    Ability("Overwrites", overwrites),
    Ability("Webhooks", webhooks),
    Ability("Voice", voice),
)
