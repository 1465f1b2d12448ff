"""The first story: staging, an approval, a staged rollout to production, and a bad release rolled back."""

from __future__ import annotations

from demo.stories.stage import Json, Stage, StoryError, said

SERVICE = "checkout"
GOOD, BAD = "1.5.0", "1.5.1"


async def play(stage: Stage) -> None:
    """Play the whole story. Raises `StoryError` if it goes otherwise."""
    tell = stage.transcript
    tell.chapter(f"{GOOD} to staging")
    await deploy(stage, GOOD, "staging")
    await ended(stage, GOOD, "staging", "succeeded")
    tell.chapter(f"{GOOD} to production, approved by a release manager")
    await production(stage)
    tell.chapter(f"{BAD} fails 8% of production's requests, and none of staging's")
    await deploy(stage, BAD, "staging")
    await ended(stage, BAD, "staging", "succeeded")
    await rolled_back(stage)


async def deploy(stage: Stage, version: str, environment: str, reason: str = "") -> Json:
    """Deploy as `dev`; returns the interaction."""
    options = {"service": SERVICE, "version": version, "environment": environment}
    return await stage.slash("dev", "deploy", **options, **({"reason": reason} if reason else {}))


async def card(stage: Stage, version: str, environment: str, *words: str, button: str | None = None) -> Json:
    return await stage.message(
        "deploys", SERVICE, version, environment, *words, button=button, timeout_s=40.0
    )


async def ended(stage: Stage, version: str, environment: str, how: str) -> Json:
    """Wait until the newest card of that rollout says how it ended."""
    message = await card(stage, version, environment, how)
    stage.transcript.say("card", f"{SERVICE} {version} → {environment}: {how}")
    return message


async def production(stage: Stage) -> None:
    await deploy(stage, GOOD, "production", "the summer sale")
    gate = await card(stage, GOOD, "production", button="Approve")
    stage.transcript.say("card", "waits for approval")
    for outsider in ("guest", "dev"):
        refused = await stage.press(outsider, gate["id"], "Approve")
        if not refused["ephemeral"]:
            raise StoryError(f"the refusal to {outsider} should be visible to them only")
    await stage.press("lead", gate["id"], "Approve")
    for share in (0.03, 0.2, 0.98):
        await share_reaches(stage, GOOD, share)
    await ended(stage, GOOD, "production", "succeeded")


async def share_reaches(stage: Stage, version: str, share: float) -> None:
    async def look() -> float | None:
        seen: float = (await stage.users(SERVICE, "production"))["shares"].get(version, 0.0)
        return seen if seen >= share else None

    seen = await stage.until(f"{version} serving {share:.0%} of production", look, 45.0)
    stage.transcript.say("users", f"{seen:.0%} of production's answers come from {version}")


async def rolled_back(stage: Stage) -> None:
    alerts_before = await stage.last_message("alerts")
    cursor = (await stage.users(SERVICE, "production"))["cursor"]
    await deploy(stage, BAD, "production")
    gate = await card(stage, BAD, "production", button="Approve")
    await stage.press("lead", gate["id"], "Approve")
    await ended(stage, BAD, "production", "rolled back")
    alert = await stage.message("alerts", SERVICE, BAD, after=alerts_before)
    if "oncall" not in alert["notified"] or not alert["embeds"]:
        raise StoryError(
            f"the alert should mention on-call and have an embed, but it notified {alert['notified']}"
        )
    stage.transcript.say("#alerts", f"@oncall {said({'message': alert}).splitlines()[0]}")
    await only_its_own_errors(stage, cursor)


async def only_its_own_errors(stage: Stage, since: int) -> None:
    """Check that users saw no error but the candidate's own, and that it has no traffic left."""

    async def gone() -> bool | None:
        shares = (await stage.users(SERVICE, "production"))["shares"]
        return True if BAD not in shares else None

    await stage.until(f"{BAD} without traffic", gone, 15.0)
    log = (await stage.users(SERVICE, "production", since=since))["log"]
    errors = [entry for entry in log if entry["outcome"] == "error"]
    foreign = [entry for entry in errors if entry["version"] != BAD]
    if foreign:
        raise StoryError(f"{len(foreign)} errors were not served by {BAD}, the first: {foreign[0]}")
    served = sum(entry["version"] == BAD for entry in log)
    stage.transcript.say(
        "users",
        f"{len(log)} requests since, {served} answered by {BAD}, {len(errors)} errors, all of them its own",
    )
