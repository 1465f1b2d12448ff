"""Verbs: what goes wrong."""

from __future__ import annotations

from demo.stories.language import FAULTS, Lane, StoryError, verb
from demo.stories.scene import Scene


@verb(
    FAULTS,
    "{version} of {lane} fails {share} of requests",
    "1.5.1 of checkout in production fails 8% of requests",
)
async def errors(scene: Scene, version: str, lane: Lane, share: float) -> None:
    """A version answers so many of its requests with errors from now on."""
    await scene.world.errors(lane, version, share)


@verb(FAULTS, "{lane} fails {share} of requests", "checkout in production fails 50% of requests")
async def failing(scene: Scene, lane: Lane, share: float) -> None:
    """What serves most of a lane's users answers so many of their requests with errors from now on."""
    shares = {v: part for v, part in (await scene.world.traffic(lane)).shares.items() if v[:1].isdigit()}
    if not shares:
        raise StoryError(f"nothing serves {lane}")
    await scene.world.errors(lane, max(shares, key=lambda version: shares[version]), share)


@verb(
    FAULTS,
    "1 of {number} instances of {version} of {lane} fails {share} of requests",
    "1 of 4 instances of 1.5.0 of checkout in production fails 40% of requests",
)
async def sick_instance(scene: Scene, number: int, version: str, lane: Lane, share: float) -> None:
    """One of so many instances of a version answers so many of its requests with errors from now on."""
    await scene.world.sick_instance(lane, version, number, share)


@verb(
    FAULTS,
    "{version} of {lane} answers within about {milliseconds}",
    "1.5.0 of checkout in production answers within about 60 ms",
)
async def latency(scene: Scene, version: str, lane: Lane, milliseconds: float) -> None:
    """A version takes so long for most requests from now on."""
    await scene.world.latency(lane, version, milliseconds / 1000)


@verb(FAULTS, "{version} of {lane} crashes", "1.5.0 of checkout in production crashes")
async def crash(scene: Scene, version: str, lane: Lane) -> None:
    """The process of a release dies."""
    await scene.world.crash(lane, version)


@verb(FAULTS, "kill -9 the bot( right {moment} its next order)", "kill -9 the bot")
async def kill(scene: Scene, moment: str = "") -> None:
    """The bot dies without a chance to clean up, and is started again."""
    await scene.world.kill_bot(moment)


@verb(FAULTS, "the database is away for {time}", "the database is away for 5 s")
async def database_away(scene: Scene, time: float) -> None:
    """PostgreSQL does not answer for a while; the story goes on meanwhile."""
    await scene.world.database_away(time)


@verb(FAULTS, "Discord is away for {time}", "Discord is away for 10 s")
async def discord_away(scene: Scene, time: float) -> None:
    """Discord takes no calls of the bot and drops its gateway for a while; the story goes on meanwhile."""
    await scene.world.discord_away(time)


@verb(
    FAULTS, "the target of {lane} is away for {time}", "the target of checkout in production is away for 30 s"
)
async def target_away(scene: Scene, lane: Lane, time: float) -> None:
    """What runs the releases cannot be reached for a while; users do not notice."""
    await scene.world.target_away(lane, time)


@verb(
    FAULTS,
    "$ slipway abort {service} {environment} --reason {reason}",
    "$ slipway abort checkout production --reason 'the pager is on fire'",
)
async def abort(scene: Scene, service: str, environment: str, reason: str) -> None:
    """An operator sends all traffic to the stable release on the machine itself, past the bot."""
    await scene.world.abort(Lane(service, environment), reason.strip("'"))


@verb(
    FAULTS,
    "{file} is the manifest of {application} {version}",
    "greeter-bad.json is the manifest of greeter 1.5.0",
)
async def manifest(scene: Scene, application: str, version: str, file: str) -> None:
    """A merge changes which slash commands come with a release; files are those of config/demo/manifests."""
    await scene.world.manifest(application, version, file)


@verb(FAULTS, "{who} accepts no direct messages", "dev2 accepts no direct messages")
async def refuses(scene: Scene, who: str) -> None:
    """A person's privacy settings let no bot write to them."""
    await scene.world.refuse_direct_messages(who)
