"""The world of a running sandbox: save it, and put another in its place."""

from dataclasses import replace

from discord_sandbox.discord.core import Core
from discord_sandbox.discord.saving.saved import SavedWorld


def save(core: Core) -> SavedWorld:
    """What is there now, but for what belongs to this process: sessions, faults, the log of calls, rate limits."""
    return SavedWorld.take(core.state, core.render.cdn)


def restore(core: Core, saved: SavedWorld) -> None:
    """Put a saved world in the place of what is there. The clock goes on from the moment of the save.

    Sessions are invalidated, faults end, rate limits begin again; settings and the log of calls stay. New ids are
    above all that were made here or there. Raises NotASavedWorldError, and then nothing is changed.
    """
    state = core.state
    contents = saved.contents(core.render.cdn)
    core.end_all("The sandbox was restored.")
    core.clock.offset += contents.now - core.clock.now()
    for name, value in contents.roots.items():
        setattr(state, name, value)
    state.world = replace(state.world, guilds=contents.world.guilds, applications=contents.world.applications)
    state.new_id.skip_to(contents.last_id)
    core.interactions.take_up()
    core.feed.begin_again()
