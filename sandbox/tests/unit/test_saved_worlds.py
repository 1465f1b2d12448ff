"""Saved worlds: whole, the same after a restore in every read, and alive: ids rise, what was open goes on."""

import asyncio
import json
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from discord_sandbox import GuildSpec, ManualClock, NotASavedWorldError, Sandbox, SavedWorld, World
from discord_sandbox.api.calls.saves import SAVES
from discord_sandbox.discord.saving.contents import BESIDES, ROOTS, kinds
from support.any_world import Play, differences, everything
from support.client import Client, Wire

JSON = dict[str, Any]
ACTIONS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), min_size=8, max_size=40
)


def moved(saved: SavedWorld) -> JSON:
    """The document without what a restore makes different: the last id, which never goes back."""
    return saved.document | {"last_id": ""}


async def story(before: list[Any], after: list[Any], folder: Path) -> None:
    world, clock = World(rate_limits=False), ManualClock()
    async with Sandbox(world, clock=clock) as sandbox, Client(sandbox, check=False) as client:
        play = Play(client)
        await play.begin()
        for numbers in before:
            await play.act(*numbers)
        saved, seen = await sandbox.save(), await everything(client)
        for numbers in after:
            await play.act(*numbers)
        highest = sandbox.core.state.new_id.last
        await sandbox.restore(saved)
        assert differences(moved(await sandbox.save()), moved(saved)) == []
        assert differences(await everything(client), seen) == []
        saved.write(folder / "world.json")
        assert int((await client.send({"content": "x"})).body["id"]) > highest
        for numbers in after:
            await play.act(*numbers)
        ids = [int(one) for one in sandbox.core.state.messages]
        assert ids == sorted(set(ids))
    loaded = SavedWorld.read(folder / "world.json")
    async with (
        Sandbox(saved=loaded, clock=ManualClock(0.0)) as sandbox,
        Client(sandbox, check=False) as client,
    ):
        again = await everything(client)
        offsets = again["state {}"].pop("clock_offset"), seen["state {}"].pop("clock_offset")
        assert differences(again, seen) == [] and offsets[0] > offsets[1]


@hypothesis.settings(max_examples=8, deadline=None, derandomize=True, database=None)
@hypothesis.given(before=ACTIONS, after=ACTIONS)
def test_a_restored_world_is_the_saved_one_in_every_read(
    before: list[Any], after: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    asyncio.run(story(before, after, tmp_path_factory.mktemp("saved")))


def test_all_of_the_state_is_saved_or_left_out_on_purpose(client: Client) -> None:
    kept = vars(client.sandbox.core.state).keys()
    assert kept == ROOTS.keys() | BESIDES, "say in `contents.py` whether it belongs to a world"
    found = kinds()  # raises TypeError for a field that cannot be saved
    assert {"Message", "Channel", "Interaction", "Webhook", "Poll", "Thread"} <= found.keys()


async def test_bots_identify_again_and_watchers_read_again(client: Client) -> None:
    saved = await client.sandbox.save()
    feed = client.sandbox.core.feed
    before = feed.last
    await client.api("POST", "channels", {"name": "kitchen"})
    async with Wire(client) as wire:
        await wire.identify()
        await client.sandbox.restore(saved)
        assert (await wire.op(9))["d"] is False
        session, seq = wire.session_id, wire.seq
    async with Wire(client) as wire:
        await wire.resume(session, seq or 0)
        assert (await wire.op(9))["d"] is False
    async with Wire(client) as wire:
        await wire.identify()
        guild = await wire.dispatch("GUILD_CREATE")
        assert {one["name"] for one in guild["channels"]} == {"general", "news", "support"}
    missed = feed.since(before)
    assert missed is not None and missed[0].kind == "reset", "what was before is about objects that are gone"
    assert feed.since(feed.last + 1) is None


async def test_what_was_open_goes_on_with_the_time_it_had(client: Client, clock: ManualClock) -> None:
    pending = await client.begin(user="ada", channel="general", command="ping")
    deferred = await client.begin(user="ben", channel="general", command="ping")
    assert (await client.callback(deferred, {"type": 5})).status == 204
    clock.advance(2)
    saved = await client.sandbox.save()
    clock.advance(100)
    assert (await client.api("GET", f"interactions/{pending['id']}")).body["state"] == "failed"
    waiting = asyncio.create_task(client.api("GET", f"interactions/{deferred['id']}", wait=60))
    while not client.sandbox.core.state.interactions[deferred["id"]].waiters:
        await asyncio.sleep(0)
    await client.sandbox.restore(saved)
    assert (await waiting).body["state"] == "failed", "who waits for what is gone is told"
    state = (await client.api("GET", "state")).body
    assert (
        state["clock_offset"],
        (await client.api("GET", f"interactions/{pending['id']}")).body["state"],
    ) == (
        2.0,
        "pending",
    )
    assert (await client.callback(pending, {"type": 4, "data": {"content": "in time"}})).status == 204
    got = await client.rest("PATCH", client.webhook(deferred, "@original"), {"content": "at last"}, token="")
    assert got.status == 200
    await client.sandbox.restore(saved)
    clock.advance(1.5)
    late = (await client.api("GET", f"interactions/{pending['id']}")).body
    assert (late["state"], late["reason"]) == ("failed", "The application did not respond within 3 seconds.")


async def test_faults_and_rate_limits_end_and_the_log_stays(limited: Client) -> None:
    saved = await limited.sandbox.save()
    await limited.api("POST", "faults", {"kind": "503", "route": "/gateway"})
    statuses = [(await limited.send({"content": "x"})).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    await limited.sandbox.restore(saved)
    assert (await limited.send({"content": "x"})).status == 200
    assert (await limited.api("GET", "faults")).body == {"faults": []}
    logged = (await limited.api("GET", "requests?method=POST")).body["requests"]
    assert [one["status"] for one in logged] == [*statuses, 200]


async def test_a_world_of_other_servers_takes_the_place_whole(client: Client) -> None:
    club = World((GuildSpec("club"),), rate_limits=True, strict=True, heartbeat_interval_ms=500)
    async with Sandbox(club) as other:
        await other.person("ada").write("general", "hello")
        saved = await other.save()
    assert saved.world() == club
    await client.sandbox.restore(saved)
    assert client.sandbox.guild_id() == other.guild_id() != ""
    assert [one.text for one in await client.sandbox.messages("general")] == ["hello"]
    world = client.sandbox.core.state.world
    assert (world.rate_limits, world.strict, world.heartbeat_interval_ms) == (False, False, 41_250)
    await client.api("POST", "reset", {})
    assert [one["name"] for one in (await client.api("GET", "state")).body["guilds"]] == ["club"]
    assert await client.sandbox.messages("general") == []


async def test_saves_have_names_in_the_json_api(client: Client) -> None:
    await client.send({"content": "one"})
    made = await client.api("POST", "saves", {"name": "busy"})
    assert made.status == 201
    assert made.body == made.body | {"name": "busy", "now": "2026-05-28T20:26:40.000+00:00", "messages": 1}
    unnamed = (await client.api("POST", "saves")).body
    assert unnamed["name"] == "save-1"
    await client.send({"content": "two"})
    document = (await client.api("GET", "saves/busy")).body
    assert (document["kind"], document["version"]) == ("discord-sandbox world", 1)
    assert (await client.api("PUT", "saves/copy", document)).body == made.body | {"name": "copy"}
    listed = (await client.api("GET", "saves")).body["saves"]
    assert [one["name"] for one in listed] == ["busy", "save-1", "copy"]
    assert (await client.api("DELETE", "saves/busy")).body == made.body
    got = await client.api("POST", "restore", {"name": "copy"})
    assert (got.status, got.body) == (200, {"event_id": client.sandbox.core.feed.last})
    assert [one.text for one in await client.sandbox.messages("general")] == ["one"]


async def test_so_many_saves_are_kept_and_a_refused_one_changes_nothing(client: Client) -> None:
    kept = client.sandbox.app[SAVES]
    kept.most = 2
    for name in ("one", "two", "two"):
        assert (await client.api("POST", "saves", {"name": name})).status == 201
    refused = await client.api("POST", "saves", {})
    assert (refused.status, refused.body["error"]["code"]) == (409, "full")
    before = (await client.api("GET", "saves")).body
    document = (await client.api("GET", "saves/two")).body
    assert (await client.api("PUT", "saves/three", document)).status == 409
    kept.most, kept.most_bytes = 3, 1 << 20
    person = {"user": "ada", "channel": "general"}
    text = {"filename": "a.txt", "text": "x" * (1 << 19)}
    assert (await client.api("POST", "messages", {**person, "files": [text]})).status == 201
    assert (await client.api("POST", "saves", {"name": "two"})).status == 201, "smaller than what is free"
    assert (await client.api("POST", "saves", {"name": "three"})).status == 409
    assert [one["name"] for one in before["saves"]] == ["one", "two"]
    assert (await client.api("DELETE", "saves/two")).status == 200
    assert (await client.api("POST", "saves", {"name": "three"})).status == 201
    assert (await client.api("POST", "restore", {"name": "one"})).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "restore", {"name": "bussy"}, 404, 'There is no save "bussy". Did you mean busy?'),
        ("POST", "restore", {}, 400, '"name" is missing.'),
        ("GET", "saves/none", None, 404, 'There is no save "none".'),
        ("DELETE", "saves/none", None, 404, 'There is no save "none".'),
        ("POST", "saves", {"name": "a/b"}, 400, 'A save cannot be called "a/b".'),
        ("POST", "saves", {"nmae": "busy"}, 400, "Did you mean name?"),
        ("PUT", "saves/busy", {}, 400, '"kind" is missing.'),
    ],
)
async def test_mistakes_are_named(
    client: Client, method: str, path: str, body: Any, status: int, said: str
) -> None:
    await client.api("POST", "saves", {"name": "busy"})
    got = await client.api(method, path, body)
    assert got.status == status
    error = got.body["error"]
    assert said in f"{error['message']} {error['hint']}"


def parsed(document: Any) -> list[str]:
    """What is wrong with a document."""
    try:
        SavedWorld.parse(json.dumps(document))
    except NotASavedWorldError as error:
        return error.problems
    return []


async def test_everything_that_is_wrong_is_said_at_once(client: Client, tmp_path: Path) -> None:
    await client.send({"content": "one"})
    saved = await client.sandbox.save()
    document = saved.document
    message, channel = document["objects"]["Message"][0], document["objects"]["Channel"][0]
    message |= {"content": 5, "channel": 99, "colour": 1}
    del channel["name"]
    document["objects"]["Cat"] = []
    document["world"]["guilds"][0].pop("name")
    assert parsed(document) == [
        "world: a guild has no name",
        "objects has no Cat",
        "Channel 0 lacks name",
        "Message 0 has no colour",
        "Message 0: channel must be the number of a Channel, not 99",
        "Message 0: content must be a text, not 5",
    ]
    with pytest.raises(NotASavedWorldError, match=r"; and \d+ more problems$"):
        SavedWorld.parse(json.dumps(saved.document | {"objects": {}}))
    (tmp_path / "world.json").write_text(json.dumps(document))
    with pytest.raises(NotASavedWorldError, match="Message 0: content must be a text"):
        SavedWorld.read(tmp_path / "world.json")
    with pytest.raises(NotASavedWorldError):
        await client.sandbox.restore(SavedWorld.of(document))
    assert await client.sandbox.save() == saved, "a world that is refused changes nothing"
    got = await client.api("PUT", "saves/bad", document)
    assert (got.status, "Message 0 has no colour; " in got.body["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "cat"}, "it is not a saved world"),
        ({"version": 2}, "it has version 2, and this sandbox reads version 1"),
        ({"now": "today"}, "now cannot be 'today'"),
        ({"now": 1e300}, "now must be Unix seconds, not 1e+300"),
        ({"last_id": "x"}, "last_id must be an id, not 'x'"),
        ({"extra": 1}, "it cannot have extra"),
        ({"cdn": "1"}, "cdn must be an address that ends with /cdn, not '1'"),
        ({"roots": {}}, "roots lacks users"),
    ],
)
async def test_a_document_of_another_kind_is_refused(client: Client, change: JSON, problem: str) -> None:
    saved = await client.sandbox.save()
    assert problem in parsed(saved.document | change)
    assert parsed({"guilds": []}) == ["it is not a saved world: it describes one, for --world"]
    for text in ("", "[", "[]", '{"kind": NaN}', "[" * 100_000):
        with pytest.raises(NotASavedWorldError, match=r"^it is not"):
            SavedWorld.parse(text)


ODD: tuple[Any, ...] = (None, True, -1, 10**30, 1.5, 1e200, "", "x", "1", [], [1], [[]], {}, {"x": 1})


async def test_any_document_is_read_or_refused(client: Client) -> None:
    """And what is read is restored, saved and read again."""
    play = Play(client)
    await play.begin()
    for number in range(60):
        await play.act(number, number * 7, number * 3)
    text = (await client.sandbox.save()).text
    accepted = 0
    for number in range(400):
        document = json.loads(text)
        at: Any = document
        for step in range(8):
            keys = list(at) if isinstance(at, dict) else range(len(at))
            key = keys[(number * 31 + step * 17) % len(keys)]
            if not isinstance(at[key], dict | list) or not at[key] or step == 7:
                break
            at = at[key]
        at[key] = ODD[number % len(ODD)]
        if not parsed(document):
            await client.sandbox.restore(SavedWorld.of(document))
            assert parsed((await client.sandbox.save()).document) == []
            accepted += 1
    assert 0 < accepted < 200


async def test_a_file_is_written_whole_or_not_at_all(client: Client, tmp_path: Path) -> None:
    saved = await client.sandbox.save()
    file = tmp_path / "world.json"
    saved.write(file)
    assert SavedWorld.read(file) == saved
    assert [one.name for one in tmp_path.iterdir()] == ["world.json"]
    with pytest.raises(OSError, match="No such file"):
        saved.write(tmp_path / "none" / "world.json")
    file.write_bytes(b"\xff")
    with pytest.raises(NotASavedWorldError, match=r"^it is not JSON$"):
        SavedWorld.read(file)
