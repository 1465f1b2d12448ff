"""What goes wrong: rate limits, errors of the server, and every way to lose a connection."""

import functools
from collections.abc import Awaitable, Callable
from datetime import datetime

from support.clients.run import JSON, Run
from support.clients.script.ability import Ability

# Much longer than a call takes on a busy machine, to tell a call repeated at once from one that waited.
RETRY_AFTER_S = 2.0
CLOCKS_DIFFER_S = 0.02
# A library that tries at once tries within it, also on a busy machine.
OUTAGE_S = 5.0


async def kept_limits(run: Run) -> None:
    """Seven messages where five fit into five seconds: the library waits, and is never refused."""
    since = (await run.api("GET", "requests", limit=1))["last"]
    await run.say("limits", "burst 7")
    await run.message("limits", "7")
    calls = await run.calls("POST", "/messages", since)
    assert [one["status"] for one in calls] == [200] * 7, [one["status"] for one in calls]


async def refused(run: Run, scope: str) -> str | None:
    """A call that is refused with 429 is repeated, and not too early. It is not the first of its bucket."""
    channel = f"limits-{scope}"
    await run.say(channel, "say before")
    await run.message(channel, "before")
    since = (await run.api("GET", "requests", limit=1))["last"]
    fault = {"kind": "429", "method": "POST", "route": "/channels/{channel}/messages", "count": 1}
    await run.api("POST", "faults", {**fault, "scope": scope, "retry_after": RETRY_AFTER_S})
    await run.say(channel, "say after")
    await run.message(channel, "after")
    first, second = await run.calls("POST", "/messages", since)
    assert (first["status"], second["status"]) == (429, 200)
    times = [datetime.fromisoformat(one["time"]) for one in (first, second)]
    waited = (times[1] - times[0]).total_seconds()
    if waited < RETRY_AFTER_S - CLOCKS_DIFFER_S:
        assert f"429, scope {scope}" in run.library.peculiar, f"repeated after {waited:.3f} s"
        return "at once"
    return None


async def unavailable(run: Run) -> str:
    """A 503 is repeated, or the bot gets it as an error; either way it works on."""
    route = {"method": "POST", "route": "/channels/{channel}/messages"}
    await run.api("POST", "faults", {"kind": "503", "count": 1, **route})
    await run.say("errors", "say once")

    async def told() -> str | None:
        texts = [one["text"] for one in await run.messages("errors") if one["bot"]]
        return {"once": "repeats", "failed with 503": "raises"}.get(texts[-1]) if texts else None

    found = await run.until("a repeated message, or the word that it failed", told)
    await run.say("errors", "say more")
    await run.message("errors", "more")
    return found


async def _resumed(run: Run, before: JSON) -> None:
    """Wait until the session of before is resumed."""

    async def again() -> bool:
        session = await run.session()
        assert session is None or session["id"] == before["id"], "it began a new session instead of resuming"
        return session is not None and session["resumes"] > before["resumes"]

    await run.until("a resumed session", again)


async def _session(run: Run) -> JSON:
    return await run.until("a connected session", run.session)


async def resumed_after(run: Run, channel: str, fault: JSON) -> None:
    """The session continues, and what happened in between is delivered once."""
    before = await _session(run)
    await run.api("POST", "faults", fault)
    await run.say(channel, "say missed")
    await _resumed(run, before)
    await run.message(channel, "missed")
    await run.say(channel, "say after")
    await run.message(channel, "after")
    texts = [one["text"] for one in await run.messages(channel) if one["bot"]]
    assert texts == ["missed", "after"], f"not once each: {texts}"


async def identified_again(run: Run) -> None:
    """After an invalid session the library identifies again, and its commands still work."""
    before = await _session(run)
    await run.api("POST", "faults", {"kind": "op9"})

    async def again() -> bool:
        session = await run.session()
        return session is not None and session["id"] != before["id"]

    await run.until("a new session", again)
    assert (await run.command("invalid", "ping"))["message"]["text"] == "pong"


async def missed_acks(run: Run) -> None:
    """A connection on which heartbeats stay without an answer is given up and resumed."""
    before = await _session(run)
    fault = await run.api("POST", "faults", {"kind": "missed_acks", "seconds": 60})

    async def given_up() -> bool:
        session = await run.session()
        return session is None or session["id"] != before["id"] or session["resumes"] > before["resumes"]

    await run.until("the connection given up", given_up)
    await run.api("DELETE", f"faults/{fault['id']}")
    await _resumed(run, before)
    await run.say("acks", "say after")
    await run.message("acks", "after")


async def outage(run: Run) -> str | None:
    """The gateway cannot be reached for some seconds; what happened in between is delivered after a resume."""
    before = await _session(run)
    await run.api("POST", "faults", {"kind": "gateway_drop", "seconds": OUTAGE_S})
    await run.say("outage", "say missed")

    async def became() -> str | None:
        if run.ended:
            return "bot ends"
        session = await run.session()
        if session is None or session["id"] != before["id"]:
            return session and "new session"
        return "resumed" if session["resumes"] > before["resumes"] else None

    found = await run.until("what becomes of the session", became, alive=False)
    if found == "resumed":
        await run.message("outage", "missed")
        return None
    assert "Resume after an outage" in run.library.peculiar, found
    return found


def _resume(channel: str, **fault: object) -> Callable[[Run], Awaitable[None]]:
    return functools.partial(resumed_after, channel=channel, fault=fault)


ABILITIES = (
    Ability("Own rate limits", kept_limits),
    Ability("429, scope user", functools.partial(refused, scope="user")),
    Ability("429, scope shared", functools.partial(refused, scope="shared")),
    Ability("429, scope global", functools.partial(refused, scope="global")),
    Ability("503", unavailable),
    Ability("Resume after a cut connection", _resume("cut", kind="gateway_drop")),
    Ability("Resume after a close with 4000", _resume("closed", kind="gateway_drop", code=4000)),
    Ability("Resume after op 7", _resume("op7", kind="op7")),
    Ability("New session after op 9", identified_again),
    Ability("Resume after missed acks", missed_acks),
    Ability("Resume after an outage", outage),  # the last one: not every bot survives it
)
