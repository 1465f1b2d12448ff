"""The world of `make demo`: a running `Demo`, and people played over the sandbox's JSON API."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence

import psutil

from demo.launcher import CATALOG, Demo
from demo.stories.language import Lane, StoryError
from demo.stories.stage import Json, Stage
from demo.stories.world import Answer, Message, Traffic

_NOT_SEEN = "Slipway does not know yet what runs"
_NUMBER = re.compile(r"Rollout (\d+)\b")


class SandboxWorld:
    """Implements `World` with the real bot, real processes and real time."""

    patience_s = 120.0

    def __init__(self, demo: Demo, stage: Stage) -> None:
        self._demo = demo
        self._stage = stage
        self._thawing: set[asyncio.Task[None]] = set()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def move_clock(self, seconds: float) -> None:
        await self._demo.move_clock(seconds)

    async def catch_up(self) -> None:
        """Nothing: what is seen is told when it is seen."""

    # ---- people ----

    async def command(self, who: str, name: str, options: Mapping[str, str]) -> Answer:
        """Asked again, as a person would, while Slipway has not looked at the lane since it started."""
        for _ in range(30):
            answer = _answer(await self._stage.slash(who, name, "deploys", **options))
            if _NOT_SEEN not in answer.text:
                break
            await asyncio.sleep(1.0)
        return answer

    async def press(self, who: str, message: Message, button: str) -> Answer:
        return _answer(await self._stage.press(who, message.id, button))

    async def settled(self, interaction: str) -> Answer:
        """What a person got for an interaction that was begun elsewhere, such as on the page."""
        return _answer(await self._stage.answer(interaction))

    async def choose(self, who: str, message: Message, choice: str) -> Answer:
        found = await self._stage.call("GET", f"messages/{message.id}")
        for select in found["selects"]:
            for option in select["options"]:
                if option["label"] == choice:
                    picked = await self._stage.choose(who, message.id, select["custom_id"], option["value"])
                    return _answer(picked)
        raise StoryError(f"there is no {choice!r} to pick")

    async def submit(self, who: str, form: Answer, fields: Mapping[str, str]) -> Answer:
        return _answer(await self._stage.submit(who, form.id, **fields))

    # ---- what is seen ----

    async def messages(self, channel: str) -> Sequence[Message]:
        return [_message(one) for one in await self._stage.messages(channel) if one["bot"]]

    async def direct_messages(self, who: str) -> Sequence[Message]:
        return [_message(one) for one in await self._stage.messages("@slipway", as_=who) if one["bot"]]

    async def war_room(self) -> Sequence[Message]:
        channels = (await self._stage.call("GET", "state"))["channels"]
        rooms = [one for one in channels if one["type"] == "thread" and one["name"].startswith("incident-")]
        if not rooms:
            return []
        newest = max(rooms, key=lambda one: int(one["id"]))
        return [_message(one) for one in await self._stage.messages(newest["id"])]

    async def traffic(self, lane: Lane, since: int = -1) -> Traffic:
        first = await self._stage.users(*lane, since)
        requests: Counter[str] = Counter()
        failures: Counter[str] = Counter()
        page = first
        while since >= 0 and page["log"]:
            for entry in page["log"]:
                requests[entry["version"]] += 1
                failures[entry["version"]] += entry["outcome"] == "error"
            page = await self._stage.users(*lane, page["cursor"])
        return Traffic(first["shares"], requests, failures)

    async def cursors(self) -> Mapping[Lane, int]:
        lanes = [Lane(one.service, one.environment) for one in self._demo.lanes if one.rate]
        return {lane: int((await self._stage.users(*lane))["cursor"]) for lane in lanes}

    async def app_commands(self, application: str) -> tuple[list[str], list[str]]:
        state = await self._stage.call("GET", "state")
        found = next((a for a in state["applications"] if a["name"] == application), None)
        if found is None:
            raise StoryError(f"there is no application {application}")
        everywhere = [c["name"] for c in found["commands"] if c.get("guild_id") is None]
        here = [c["name"] for c in found["commands"] if c.get("guild_id") is not None]
        return sorted(everywhere), sorted(here)

    # ---- what goes wrong ----

    async def errors(self, lane: Lane, version: str, share: float) -> None:
        body = {"version": version, "error_rate": share}
        await self._stage.call("POST", f"services/{lane.service}", body, environment=lane.environment)

    async def sick_instance(self, lane: Lane, version: str, instances: int, share: float) -> None:
        raise StoryError("the demo runs one instance of each release")

    async def latency(self, lane: Lane, version: str, seconds: float) -> None:
        body = {"version": version, "latency_ms": seconds * 1000}
        await self._stage.call("POST", f"services/{lane.service}", body, environment=lane.environment)

    async def crash(self, lane: Lane, version: str) -> None:
        (await self._process(f"{lane.service}/{lane.environment} {version}")).kill()

    async def kill_bot(self, moment: str = "") -> None:
        if moment:
            raise StoryError("the demo's bot cannot be killed at a chosen moment")
        process = self._demo.child("bot").process
        process.kill()
        await process.wait()

    async def database_away(self, seconds: float) -> None:
        postmaster = await self._process("postgres")
        frozen = [postmaster, *postmaster.children(recursive=True)]
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        self._afterwards(seconds, frozen)

    async def discord_away(self, seconds: float) -> None:
        away: Json = {"application": "slipway", "seconds": seconds}
        await self._stage.call("POST", "faults", {**away, "kind": "gateway_drop"})
        await self._stage.call("POST", "faults", {**away, "kind": "503", "route": "*", "count": None})

    async def target_away(self, lane: Lane, seconds: float) -> None:
        raise StoryError("the demo's target also serves its users, so it cannot be away unnoticed")

    async def abort(self, lane: Lane, reason: str) -> None:
        await self._demo.cli("abort", *lane, "--reason", reason)

    async def refuse_direct_messages(self, who: str) -> None:
        await self._stage.call("PATCH", f"people/{who}", {"accepts_messages": False})

    async def manifest(self, application: str, version: str, file: str) -> None:
        wanted = self._demo.manifests / f"{application}-{version}.json"
        await asyncio.to_thread(shutil.copy, CATALOG / "manifests" / file, wanted)

    # ---- processes ----

    async def _process(self, name: str) -> psutil.Process:
        listed = (await self._stage.call("GET", "processes"))["processes"]
        found = next((entry for entry in listed if entry["name"] == name), None)
        if found is None:
            raise StoryError(f"there is no process {name}: {', '.join(entry['name'] for entry in listed)}")
        return psutil.Process(found["pid"])

    def _afterwards(self, seconds: float, frozen: Sequence[psutil.Process]) -> None:
        """Let the processes run again, also when the story ends before."""

        async def thaw() -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                for process in frozen:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.resume()

        task = asyncio.create_task(thaw())
        self._thawing.add(task)
        task.add_done_callback(self._thawing.discard)


def _answer(found: Json) -> Answer:
    followups = found.get("followups") or [None]
    message = found.get("message") or followups[-1]
    return Answer(
        id=found["id"],
        who=found["user"],
        message=_message(message) if message else None,
        private=bool(found["ephemeral"]),
        form=found["state"] == "modal",
    )


def _message(found: Json) -> Message:
    text = found["text"]
    number = _NUMBER.search(text.rpartition("\n")[2]) if text.startswith("## ") else None
    return Message(
        id=found["id"],
        channel=found["channel"],
        text=text,
        rollout=int(number[1]) if number else None,
        buttons=tuple(one["label"] for one in found["buttons"] if one["enabled"]),
        choices=tuple(option["label"] for one in found["selects"] for option in one["options"]),
        notified=tuple(found["notified"]),
    )
