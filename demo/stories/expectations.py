"""Verbs: what is waited for and seen."""

from __future__ import annotations

from collections.abc import Sequence

from demo.stories.language import SEEING, WAITING, Lane, StoryError, verb
from demo.stories.scene import Scene, described
from demo.stories.transcript import plain, short
from demo.stories.world import Message


@verb(WAITING, "wait {time}", "wait 10 minutes")
async def wait(scene: Scene, time: float) -> None:
    """Let time pass."""
    await scene.world.sleep(time)


@verb(WAITING, "{time} pass for alerts", "15 minutes pass for alerts")
async def pass_for_alerts(scene: Scene, time: float) -> None:
    """The clock by which alerts are followed up, and Discord's, are moved forward."""
    await scene.world.move_clock(time)


@verb(WAITING, "wait until {card} shows {status}( within {time})", "wait until the card shows succeeded")
async def wait_status(scene: Scene, card: str, status: str, time: float | None = None) -> None:
    """Until the card's status is this: waiting for approval, soaking, on hold, rolled back, and so on."""

    async def look() -> Message | None:
        return await scene.showing(card, status)

    scene.saw("card", described(await scene.until(f"{card} to show {status}", look, time)))


@verb(
    WAITING,
    "wait until {message} says {words}( within {time})",
    'wait until #alerts says "checkout 1.5.1" within 1 minute',
)
async def wait_says(scene: Scene, message: str, words: Sequence[str], time: float | None = None) -> None:
    """Until a message has these words, in any case; several phrases stand in quotes."""

    async def look() -> Message | None:
        return await scene.saying(message, words)

    found = await scene.until(f"{message} to say {' and '.join(words)}", look, time)
    scene.saw(_speaker(message), described(found))


@verb(WAITING, "wait until {message} has [{button}]( within {time})", "wait until the card has [Approve]")
async def wait_button(scene: Scene, message: str, button: str, time: float | None = None) -> None:
    """Until a message has a button that can be pressed."""

    async def look() -> Message | None:
        return next((m for m in await scene.candidates(message) if button in m.buttons), None)

    found = await scene.until(f"{message} to have [{button}]", look, time)
    scene.saw(_speaker(message), described(found))


@verb(
    WAITING,
    "wait until {version} serves {share} of {lane}( within {time})",
    "wait until 1.5.0 serves 20% of checkout in production",
)
async def wait_share(scene: Scene, version: str, share: float, lane: Lane, time: float | None = None) -> None:
    """Until at least so many of the users' recent answers come from a version; 0% means none at all."""

    async def look() -> float | None:
        seen = (await scene.world.traffic(lane)).shares.get(version, 0.0)
        return seen if (seen >= share if share else not seen) else None

    seen = await scene.until(f"{version} to serve {share:.0%} of {lane}", look, time)
    scene.saw("users", f"{seen:.0%} of the answers of {lane} come from {version}")


@verb(
    WAITING,
    "wait until {application} has {commands}( everywhere and {here} in the server)",
    "wait until greeter has /greet everywhere and /greet, /wave in the server",
)
async def wait_commands(
    scene: Scene, application: str, commands: Sequence[str], here: Sequence[str] = ()
) -> None:
    """Until Discord has exactly these slash commands of an application."""
    wanted = (list(commands), list(here))

    async def look() -> bool | None:
        return True if await scene.world.app_commands(application) == wanted else None

    await scene.until(f"{application} to have {wanted[0]} everywhere and {wanted[1]} in the server", look)
    shown = _listed(commands) + (f"; in the server alone {_listed(here)}" if here else "")
    scene.saw("discord", f"{application} has {shown}")


@verb(WAITING, "wait until {channel} calls {who}( within {time})", "wait until #incidents calls oncall")
async def wait_calls(scene: Scene, channel: str, who: str, time: float | None = None) -> None:
    """Until a message of the chapter in that channel notifies the person."""

    async def look() -> Message | None:
        return await _calling(scene, channel, who)

    found = await scene.until(f"#{channel} to call {who}", look, time)
    scene.saw(f"#{channel}", described(found))


# ---- now ---------------------------------------------------------------------------------------------------


@verb(SEEING, "{card} shows {status}", "the card shows paused")
async def shows_now(scene: Scene, card: str, status: str) -> None:
    """The card's status is this."""
    if await scene.showing(card, status) is None:
        raise StoryError(f"{card} shows {described(await scene.message(card))}")


@verb(SEEING, "{message} says {words}", 'the answer says "cannot approve"')
async def says_now(scene: Scene, message: str, words: Sequence[str]) -> None:
    """A message has these words, in any case; of a channel, any message of the chapter that is no card."""
    if await scene.saying(message, words) is None:
        raise StoryError(f"{message} does not say {' and '.join(words)}; {await _instead(scene, message)}")


@verb(SEEING, "{message} does not say {words}", "the card does not say paused")
async def says_not(scene: Scene, message: str, words: Sequence[str]) -> None:
    """A message lacks at least one of these phrases."""
    if await scene.saying(message, words) is not None:
        raise StoryError(f"{message} says {' and '.join(words)}")


@verb(SEEING, "{message} has {buttons}", "the card has [Approve] [Reject]")
async def has_buttons(scene: Scene, message: str, buttons: Sequence[str]) -> None:
    """A message has these buttons, and perhaps more."""
    found = await scene.message(message)
    if missing := set(buttons) - set(found.buttons):
        raise StoryError(f"{message} lacks {sorted(missing)}; it has {', '.join(found.buttons) or 'none'}")


@verb(SEEING, "{message} has no {buttons}", "the card has no [Promote]")
async def has_no_buttons(scene: Scene, message: str, buttons: Sequence[str]) -> None:
    """A message has none of these buttons."""
    found = await scene.message(message)
    if present := set(buttons) & set(found.buttons):
        raise StoryError(f"{message} has {', '.join(sorted(present))}")


@verb(SEEING, "only {who} sees the answer", "only dev sees the answer")
async def only_to(scene: Scene, who: str) -> None:
    """Discord shows the answer to that person only."""
    answer = scene.answer
    if answer is None or not answer.private or answer.who != who:
        raise StoryError(f"the answer to {answer.who if answer else 'no one'} is not for {who} alone")


@verb(SEEING, "{channel} calls {who}", "#alerts calls oncall")
async def calls(scene: Scene, channel: str, who: str) -> None:
    """A message of the chapter in that channel notifies the person."""
    if await _calling(scene, channel, who) is None:
        raise StoryError(f"nothing in #{channel} notifies {who}; {await _instead(scene, f'#{channel}')}")


async def _calling(scene: Scene, channel: str, who: str) -> Message | None:
    return next((m for m in await scene.candidates(f"#{channel}") if who in m.notified), None)


@verb(SEEING, "{who} got no direct message", "dev got no direct message")
async def not_written_to(scene: Scene, who: str) -> None:
    """Slipway wrote nothing to the person since the chapter began."""
    if found := await scene.candidates(f"@{who}"):
        raise StoryError(f"{who} got: {short(found[0].text)}")


@verb(SEEING, "{channel} stays silent", "#alerts stays silent")
async def silent(scene: Scene, channel: str) -> None:
    """Nothing was posted in that channel since the chapter began."""
    if found := await scene.candidates(f"#{channel}"):
        raise StoryError(f"#{channel} has: {short(found[0].text)}")


@verb(SEEING, "show {message}", "show the card")
async def show(scene: Scene, message: str) -> None:
    """Print a message as people see it, with its buttons."""
    found = await scene.message(message)
    for line in found.text.splitlines():
        if line.strip():
            scene.saw("|", line)
    if found.buttons:
        scene.saw("|", " ".join(f"[{label}]" for label in found.buttons))


@verb(SEEING, "users of {lane} saw no failures", "users of checkout in production saw no failures")
async def no_failures(scene: Scene, lane: Lane) -> None:
    """Since the chapter began every request was answered well."""
    await _failures(scene, lane, "")


@verb(
    SEEING,
    "users of {lane} saw failures of {version} only",
    "users of checkout in production saw failures of 1.5.1 only",
)
async def own_failures(scene: Scene, lane: Lane, version: str) -> None:
    """Since the chapter began the only requests that failed were answered by that version, and some were."""
    await _failures(scene, lane, version)


async def _failures(scene: Scene, lane: Lane, version: str) -> None:
    seen = await scene.world.traffic(lane, scene.since(lane))
    failed = {one: count for one, count in seen.failures.items() if count}
    if foreign := {one: count for one, count in failed.items() if one != version}:
        raise StoryError(f"users of {lane} saw failures, by version: {foreign}")
    if version and not failed:
        raise StoryError(f"users of {lane} saw no failure of {version}")
    total, own = sum(seen.requests.values()), seen.requests.get(version, 0)
    served = f", {own} answered by {version}" if version else ""
    errors = f"{sum(failed.values())} failed, all of them its own" if version else "none failed"
    scene.saw("users", f"{total} requests in this chapter{served}; {errors}")


async def _instead(scene: Scene, message: str) -> str:
    found = await scene.candidates(message)
    return f"it says: {plain(found[0].text)[:600]}" if found else "there is no such message"


def _speaker(message: str) -> str:
    return "card" if message.startswith("the card") else message.removeprefix("the ")


def _listed(commands: Sequence[str]) -> str:
    return ", ".join(f"/{name}" for name in commands) or "no commands"
