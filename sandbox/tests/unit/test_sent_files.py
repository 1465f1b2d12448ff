"""Files that people send with commands and modals: in `resolved` as Discord types them, and on the CDN."""

from typing import Any

from support import discord_specs
from support.client import Client, Wire

JSON = dict[str, Any]
UPLOAD: JSON = {"name": "upload", "description": "d", "options": []}
PROOF: JSON = {"type": 11, "name": "proof", "description": "d", "required": True}
MODAL: JSON = {
    "custom_id": "m",
    "title": "Proofs",
    "components": [
        {
            "type": 18,
            "label": "Files",
            "component": {"type": 19, "custom_id": "files", "min_values": 1, "max_values": 2},
        }
    ],
}


def use(proof: Any) -> JSON:
    return {"user": "ada", "channel": "general", "command": "upload", "options": {"proof": proof}}


async def test_an_attachment_option(client: Client) -> None:
    await client.commands(UPLOAD | {"options": [PROOF]})
    async with Wire(client) as wire:
        await wire.identify()
        await client.begin(**use({"filename": "a.txt", "text": "hello", "description": "why"}))
        sent = await wire.dispatch("INTERACTION_CREATE")
    discord_specs.check_gateway("Slash", sent)
    (option,) = sent["data"]["options"]
    found = sent["data"]["resolved"]["attachments"][option["value"]]
    assert (option["type"], found["filename"], found["size"]) == (11, "a.txt", 5)
    assert (found["description"], found["ephemeral"]) == ("why", True)
    async with client.http.get(found["url"]) as got:
        assert (got.status, await got.text()) == (200, "hello")


async def test_what_is_no_file_is_refused(client: Client) -> None:
    await client.commands(UPLOAD | {"options": [PROOF]})
    for bad in ("a.txt", {"text": "x"}, {"filename": "a", "content": "%"}, [], 7):
        refused = await client.api("POST", "commands", use(bad))
        assert (refused.status, refused.body["error"]["code"]) == (400, "invalid"), bad
    missing = use(None) | {"options": {}}
    assert (await client.api("POST", "commands", missing)).body["error"]["code"] == "option_required"


async def test_files_in_a_modal(client: Client) -> None:
    await client.commands(UPLOAD)
    it = await client.begin(user="ada", channel="general", command="upload")
    assert (await client.callback(it, {"type": 9, "data": MODAL})).status == 204
    files = [{"filename": "a.txt", "text": "a"}, {"filename": "b.bin", "content": "AAEC"}]
    sent: JSON = {"user": "ada", "interaction": it["id"]}
    refused = await client.api("POST", "modals", sent | {"fields": {"Files": [*files, files[0]]}})
    assert refused.body["error"]["code"] == "field_count"
    async with Wire(client) as wire:
        await wire.identify()
        await client.begin("modals", **sent, fields={"Files": files})
        got = (await wire.dispatch("INTERACTION_CREATE"))["data"]
    ids = got["components"][0]["component"]["values"]
    assert [got["resolved"]["attachments"][one]["filename"] for one in ids] == ["a.txt", "b.bin"]
