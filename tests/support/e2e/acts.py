"""What people do and what goes wrong in Discord, for the tests: raw presses, and faults."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from demo.stories.stage import Json, StoryError, said
from tests.support.e2e.stack import FINAL, Stack
from tests.support.paths import ROOT, TESTS

CREW = TESTS / "e2e" / "crew"
MESSAGES = "/channels/{channel}/messages"
EDITS = "/channels/{channel}/messages/{message}"
THREADS = "/channels/{channel}/messages/{message}/threads"
CALLBACKS = "/interactions/{id}/{token}/callback"


# Two servers, as the crew's catalog knows them.
HARBOR = {"name": "harbor"}
QUAY = {
    "name": "quay",
    "people": [{"name": "skipper", "roles": ["deployer"]}, {"name": "mate", "roles": ["release-manager"]}],
    "channels": [{"name": "pier"}, {"name": "beacon"}],
}


def part(row: Any, column: str) -> Json:
    """A JSON column of a row."""
    found: Json = json.loads(row[column])
    return found


def copied_crew(folder: Path) -> Path:
    """The crew's catalog in a folder where it can be changed."""
    for file in CREW.glob("*.yaml"):
        (folder / file.name).write_text(file.read_text().replace("cwd: ../../..", f"cwd: {ROOT}"))
    return folder


# ---- presses -----------------------------------------------------------------------------------------------


async def custom_id(
    stack: Stack, id_: int, action: str, *, step: int | None = None, seal: str | None = None
) -> str:
    """A button of that rollout as it would be drawn now, or for another step."""
    row = await stack.rollout(id_)
    here = part(row, "state")["step"] if step is None else step
    return f"slipway:{id_}:{here}:{action}:{part(row, 'charter')['seal'] if seal is None else seal}"


async def pressed_raw(stack: Stack, user: str, message: str, custom: str) -> Json:
    """A press by custom id, whatever the message shows by now; the settled interaction."""
    begun = await stack.stage.call("POST", "presses", {"user": user, "message": message, "custom_id": custom})
    return await stack.stage.answer(begun["interaction"])


async def act(stack: Stack, user: str, id_: int, action: str, *, reason: str = "", **more: Any) -> Json:
    """A press of any button, through the form where one is asked for; the answer."""
    card = await stack.card(id_)
    answer = await pressed_raw(stack, user, card["id"], await custom_id(stack, id_, action, **more))
    if answer["state"] == "modal":
        answer = await stack.stage.submit(user, answer["id"], reason=reason or "It has to be.")
    return answer


async def command(stack: Stack, user: str, name: str, channel: str = "deploys", **options: object) -> str:
    """The text that the person is answered."""
    return said(await stack.stage.slash(user, name, channel, **options))


# ---- rollouts ----------------------------------------------------------------------------------------------


async def active(stack: Stack, service: str, environment: str) -> int | None:
    row = await stack.one(
        "SELECT id FROM rollouts WHERE service = $1 AND environment = $2 AND NOT final", service, environment
    )
    return int(row["id"]) if row else None


async def stable(stack: Stack, service: str, environment: str) -> str:
    """The version that serves by the last word of the database."""
    row = await stack.one(
        "SELECT desired FROM lanes WHERE service = $1 AND environment = $2", service, environment
    )
    assert row is not None
    return str(part(row, "desired")["stable"]["version"])


async def soaking(stack: Stack, service: str = "search", environment: str = "production") -> int:
    """A rollout that soaks until someone ends it: the one that does already, or a new one."""
    id_ = await active(stack, service, environment)
    if id_ is None:
        now = await stable(stack, service, environment)
        id_ = await stack.deploy(service, "1.5.0" if now == "1.4.0" else "1.4.0", environment)
    await stack.phase(id_, "soaking")
    return id_


async def still_works(stack: Stack, id_: int) -> None:
    """A press is answered and does what it says, and the card shows it."""
    for action, label in (("pause", "Resume"), ("resume", "Pause")):
        await act(stack, "dev2", id_, action)
        await stack.button(id_, label)


async def promoted(stack: Stack, id_: int) -> None:
    """People let it go on, and it ends right: the candidate serves everything."""
    await act(stack, "lead", id_, "promote", reason="It has soaked long enough.")
    row = await stack.phase(id_, "succeeded")
    await stack.served_by(row["service"], row["environment"], row["to_version"])


async def promoted_by_all(stack: Stack, id_: int) -> None:
    """The same where two must want it, as soon as it soaks."""
    await stack.phase(id_, "soaking", "held", "observing", "succeeded")
    for who in ("lead", "lead2"):
        await act(stack, who, id_, "promote", reason="It has soaked long enough.")
    await stack.phase(id_, "succeeded")


async def rolled_back(stack: Stack, id_: int, user: str = "oncall") -> None:
    """On-call ends it, and what served before serves everything."""
    await act(stack, user, id_, "rollback")
    row = await stack.phase(id_, "rolled_back")
    await stack.served_by(row["service"], row["environment"], row["from_version"])


async def cleared(stack: Stack, service: str, environment: str) -> None:
    """Nothing is active there any more, and what a rollback quarantined may be deployed again."""
    if (id_ := await active(stack, service, environment)) is None:
        return
    row = await stack.rollout(id_)
    await act(stack, "lead", id_, "rollback" if part(row, "state")["had_traffic"] else "cancel")
    await stack.phase(id_, *FINAL)
    lane = {"service": service, "environment": environment}
    await command(stack, "lead", "unlock", reason="The next test deploys it.", **lane)


async def audited(stack: Stack, id_: int) -> Counter[str]:
    """How often what stands in the audit log of a rollout."""
    return Counter(row["what"] for row in await stack.audit(id_))


# ---- trouble -----------------------------------------------------------------------------------------------


async def fault(stack: Stack, kind: str, **more: Any) -> str:
    """Orders a fault; its id."""
    return str((await stack.stage.call("POST", "faults", {"kind": kind, **more}))["id"])


async def hits(stack: Stack, fault_id: str) -> int:
    return int((await stack.stage.call("GET", f"faults/{fault_id}"))["hits"])


async def struck(stack: Stack, fault_id: str) -> None:
    """Returns when the fault has hit something: before that, nothing was tried."""

    async def look() -> bool | None:
        return True if await hits(stack, fault_id) else None

    await stack.until(f"fault {fault_id} to hit", look)


async def slipway(stack: Stack) -> Json:
    """The bot as the sandbox sees it."""
    state = await stack.stage.call("GET", "state")
    return next(a for a in state["applications"] if a["name"] == "slipway")


async def identified(stack: Stack) -> int:
    """How many IDENTIFYs the sandbox has counted."""
    return 1000 - int((await slipway(stack))["identifies_left"])


async def handshakes(stack: Stack) -> tuple[int, int]:
    """How many IDENTIFYs there were, and how often the newest session was resumed."""
    found = (await stack.stage.call("GET", "state"))["sessions"]
    ours = [one for one in found if one["application"] == "slipway"]
    newest = max(ours, key=lambda one: str(one["since"]), default=None)
    return await identified(stack), int(newest["resumes"]) if newest else 0


async def reconnected(stack: Stack, before: tuple[int, int]) -> None:
    """Returns when the gateway is up by a handshake after those of `before`.

    The connection that broke may have been replaced before anyone saw that it was gone, and seem to be there when it
    is not any more.
    """

    async def look() -> bool | None:
        now = await handshakes(stack)
        return True if now[0] > before[0] or now[1] > before[1] else None

    await stack.until("another handshake", look)
    await connected(stack)


async def connected(stack: Stack) -> None:
    """Returns when both ends say that the gateway is up."""

    async def look() -> bool | None:
        up = (await slipway(stack))["connected"]
        return True if up and str((await stack.health()).get("gateway", "")).startswith("connected") else None

    await stack.until("the gateway to be connected", look)


async def disconnected(stack: Stack) -> None:
    async def look() -> bool | None:
        gateway = str((await stack.health()).get("gateway", ""))
        return True if gateway and not gateway.startswith("connected") else None

    await stack.until("the gateway to be gone", look)


async def logged(stack: Stack, event: str) -> None:
    """Returns when the bot's log has such a line."""

    async def look() -> bool | None:
        return True if f'"event": "{event}"' in stack.demo.child("bot").log.read_text() else None

    await stack.until(f"{event} in the bot's log", look)


async def permit(stack: Stack, channel: str, **permissions: bool | None) -> None:
    """What an administrator does to the bot in a channel."""
    body = {"permissions": permissions, "application": "slipway"}
    await stack.stage.call("PATCH", f"channels/{channel}", body)


@asynccontextmanager
async def without(stack: Stack, channel: str, *permissions: str) -> AsyncIterator[None]:
    """Those permissions are withdrawn from the bot in that channel for a while."""
    await permit(stack, channel, **dict.fromkeys(permissions, False))
    try:
        yield
    finally:
        await permit(stack, channel, **dict.fromkeys(permissions))


async def at_once(*presses: Any) -> list[Json]:
    """All of them started together; their answers."""
    found = await asyncio.gather(*presses, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise StoryError(str(one)) from one
    return list(found)  # type: ignore[arg-type]
