"""The second story: another application's slash commands, compared, deployed, refused, and restored."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from demo.stories.stage import Json, Stage, StoryError, said

APPLICATION = "greeter"
SERVICE = "greeter-commands"
# The application's program, and the release of it that has the new commands.
PROGRAM, RELEASE = "herald", "1.5.0"
AFTER = ["greet", "silence", "wave"]
# What validation must name, each with its path.
MISTAKES = (
    "$[0].name",
    "$[1].description",
    "$[2].default_member_permissions",
    "$[2].options[1]",
    "$[2].options[2].type",
    "$[3].kind",
    "$[3].name",
)


async def play(stage: Stage, manifests: Path) -> None:
    """Play the whole story. `manifests` is the folder that the application's manifest is read from.

    Raises `StoryError` where the story goes otherwise.
    """
    tell = stage.transcript
    tell.chapter(f"the slash commands of {APPLICATION}: what differs")
    before = (await commands(stage))[0]
    await difference(stage)
    tell.chapter("commands to staging, which is one server")
    await to_staging(stage, before)
    tell.chapter("commands to production, which is everywhere, approved by a release manager")
    await to_production(stage)
    tell.chapter("a bad manifest is merged")
    await refused(stage, manifests)
    tell.chapter("back to the former commands, from their backup")
    await back(stage, before)
    tell.chapter(f"{PROGRAM} {RELEASE}, and its commands with it")
    await with_release(stage)


async def sync(stage: Stage, user: str, what: str, **options: Any) -> Json:
    return await stage.slash(user, f"commands-sync {what}", app=APPLICATION, **options)


async def difference(stage: Stage) -> None:
    """Everyone can read; production needs a success in staging first."""
    shown = said(await sync(stage, "guest", "diff", environment="production"))
    expect(shown, "/wave created", "/silence created")
    early = said(await sync(stage, "dev", "apply", environment="production", reason="new commands"))
    expect(early, "succe", "staging")


async def to_staging(stage: Stage, before: list[str]) -> None:
    expect(said(await sync(stage, "dev", "apply", environment="staging")), "Rollout", "/wave created")
    await ended(stage, "staging")
    await commands_are(stage, everywhere=before, here=AFTER)


async def to_production(stage: Stage) -> None:
    await sync(stage, "dev", "apply", environment="production", reason="new commands")
    gate = await stage.message("deploys", SERVICE, "→ production", button="Approve")
    stage.transcript.say("card", "waits for approval")
    await stage.press("lead", gate["id"], "Approve")
    await ended(stage, "production")
    await commands_are(stage, everywhere=AFTER, here=[])


async def refused(stage: Stage, manifests: Path) -> None:
    """A bad manifest lists every mistake at once, and nothing is sent."""
    good, bad = manifests / f"{APPLICATION}-{RELEASE}.json", manifests / f"{APPLICATION}-bad.json"
    kept = good.with_suffix(".kept")
    shutil.copy(good, kept)
    shutil.copy(bad, good)
    try:
        for what in ("validate", "apply"):
            where = {"environment": "staging"} if what == "apply" else {}
            expect(said(await sync(stage, "dev", what, **where)), "nothing was sent to Discord", *MISTAKES)
    finally:
        kept.replace(good)
    await commands_are(stage, everywhere=AFTER, here=[])


async def back(stage: Stage, before: list[str]) -> None:
    """A backup is opened, compared with the present, and restored."""
    listed = await sync(stage, "dev", "backups", environment="production")
    select = listed["message"]["selects"][0]
    newest = select["options"][0]["value"]
    one = await stage.choose("dev", listed["message"]["id"], select["custom_id"], newest)
    compared = await stage.press("dev", one["message"]["id"], "Compare with now")
    expect(said(compared), "/wave deleted", "/silence deleted")
    form = await stage.press("dev", compared["message"]["id"], "Restore")
    last = await stage.last_message("deploys")
    await stage.submit("dev", form["id"], reason="people were silenced")
    await ended(stage, "production", after=last)
    await commands_are(stage, everywhere=before, here=[])


async def with_release(stage: Stage) -> None:
    """A release brings its commands: they change before it serves."""
    last = await stage.last_message("deploys")
    await stage.slash("dev", "deploy", service=PROGRAM, version=RELEASE, environment="production")
    gate = await stage.message("deploys", PROGRAM, RELEASE, button="Approve", after=last)
    await stage.press("lead", gate["id"], "Approve")
    await stage.message(
        "deploys", f"{PROGRAM} {RELEASE} → production", "succeeded", after=last, timeout_s=40.0
    )
    stage.transcript.say("card", f"{PROGRAM} {RELEASE} → production: succeeded")
    await commands_are(stage, everywhere=AFTER, here=[])
    expect(said(await stage.slash("lead", "silence", minutes=5)), f"{PROGRAM} {RELEASE}")


async def ended(stage: Stage, environment: str, *, after: int = 0) -> None:
    words = (SERVICE, f"→ {environment}", "succeeded")
    await stage.message("deploys", *words, after=after, timeout_s=40.0)
    stage.transcript.say("card", f"{SERVICE} → {environment}: succeeded")


async def commands(stage: Stage) -> tuple[list[str], list[str]]:
    """Wait until Discord has these commands of the application: everywhere, and in the server alone."""
    state = await stage.call("GET", "state")
    application = next(a for a in state["applications"] if a["name"] == APPLICATION)
    found: dict[bool, list[str]] = {True: [], False: []}
    for command in application["commands"]:
        found[command.get("guild_id") is None].append(command["name"])
    return sorted(found[True]), sorted(found[False])


async def commands_are(stage: Stage, *, everywhere: list[str], here: list[str]) -> None:
    async def look() -> bool | None:
        return True if await commands(stage) == (everywhere, here) else None

    await stage.until(f"{everywhere} everywhere and {here} in the server", look)
    shown = ", ".join(f"/{name}" for name in everywhere) or "no commands"
    only = f"; in this server alone: {', '.join(f'/{name}' for name in here)}" if here else ""
    stage.transcript.say("discord", f"{APPLICATION} has {shown}{only}")


def expect(text: str, *words: str) -> None:
    plain = text.replace("\\", "")
    for word in words:
        if word not in plain:
            raise StoryError(f"the answer should contain {word!r}, but it is: {plain}")
