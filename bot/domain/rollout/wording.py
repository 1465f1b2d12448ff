"""Words for what a rollout moves: shares of traffic, or slash commands in Discord.

The machine is the same for both. Every sentence that differs stands here, so that no other module asks which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.rollout.model import PHASE_MEANS, Phase, WordingKind


@dataclass(frozen=True, slots=True)
class Wording:
    """Templates with fields such as `{version}` and `{weight}`."""

    means: Mapping[Phase, str]
    # One step of the plan: as a dry run lists it, in the card's row, and while it is under way.
    step: str
    mark: str
    moving: str
    # Lines of the log.
    shifting: str
    shifted: str
    untidy: str
    succeeded: str
    failed: str
    returned: str
    late: str
    late_none: str
    begun: str
    # What the target shows instead of what was desired.
    still: str
    instead: str
    absent: str
    # The candidate's share: before, at the end without it, on the way back, during, at the end with it.
    before: str
    after: str
    back: str
    rising: str
    falling: str
    some: str
    everything: str
    observed: str
    straight: str
    # Rollback readiness.
    warm: str
    cold: str
    # Messages that mention people.
    failed_head: str
    heading: str
    going_back: str
    stays: str
    shared: str
    share: str

    def standing(self, version: str, seen: int, wanted: int, phase: Phase) -> str:
        """Share of traffic that the candidate has, in words."""
        if phase is Phase.SUCCEEDED:
            said = self.everything
        elif not seen and not wanted:
            going_back = phase in (Phase.ROLLING_BACK, Phase.HALTED)
            said = self.after if phase.final else self.back if going_back else self.before
        elif seen == wanted:
            said = self.some
        else:
            said = self.rising if seen < wanted else self.falling
        return said.format(version=version, seen=seen, wanted=wanted)

    def seen_late(self, weight: int) -> str:
        return (self.late if weight else self.late_none).format(weight=weight)


_ON_ITS_WAY = "{version} has {seen}% of traffic, on its way to {wanted}%"

TRAFFIC = Wording(
    means=PHASE_MEANS,
    step="shift {weight}% of the traffic",
    mark="{weight}%",
    moving="Moving to {weight}%",
    shifting="Moving {weight}% of the traffic to {version}.",
    shifted="{version} has {weight}% of the traffic.",
    untidy="{version} serves all traffic, but the target reports: {why}",
    succeeded="{version} serves all traffic in {environment} and is the stable release now.",
    failed="{version} failed before it had traffic: {why}",
    returned="{version} serves all traffic again.",
    late="The target now reports {weight}% of the traffic on the candidate.",
    late_none="The target now reports no traffic on the candidate.",
    begun="The candidate already had traffic.",
    still="{version} still has {weight}% of the traffic",
    instead="{version} has {weight}% of the traffic instead of {wanted}%",
    absent="{version} is not running",
    before="{version} has no traffic",
    after="{version} has no traffic",
    back="{version} has no traffic",
    rising=_ON_ITS_WAY,
    falling=_ON_ITS_WAY,
    some="{version} has {seen}% of traffic",
    everything="{version} serves all traffic",
    observed="{version} {state} {weight}%",
    straight="return to a known-good release, straight to 100%",
    warm="to {version} in seconds: it is still running",
    cold="to {version}, which must be started first",
    failed_head="failed before it got any traffic",
    heading="Traffic",
    going_back="all traffic is going back to {stable}",
    stays="{stable} serves all traffic",
    shared="{candidate} {seen}%, {stable} {rest}%",
    share="{weight}% of traffic",
)

_FROM_BACKUP = "to the previous commands ({version}), from their backup"

COMMANDS = Wording(
    means={
        **PHASE_MEANS,
        Phase.VERIFYING: "The commands are being checked. Nothing is applied yet.",
        Phase.SHIFTING: "The commands are being sent to Discord. Done when it returns exactly these.",
        Phase.SOAKING: "The commands are applied and being watched.",
        Phase.OBSERVING: "The commands are applied and still being watched.",
        Phase.ROLLING_BACK: "The previous commands are being restored.",
        Phase.SUCCEEDED: "Discord returned exactly these commands when they were read back.",
        Phase.ROLLED_BACK: "Discord has the previous commands again.",
        Phase.CANCELLED: "Ended by a person or an expired gate before it was done.",
        Phase.FAILED: "Failed before anything was applied.",
    },
    step="apply the commands to Discord and read them back",
    mark="apply",
    moving="Applying to Discord",
    shifting="Applying {version} to Discord.",
    shifted="{version} is applied, as read back from Discord.",
    untidy="{version} is applied, but Discord reports: {why}",
    succeeded="{version} is applied in {environment}, as read back from Discord.",
    failed="{version} was not applied: {why}",
    returned="{version} is restored, as read back from Discord.",
    late="Discord now has the commands in {weight}% of their servers.",
    late_none="Discord now has none of the commands.",
    begun="The commands were already sent to Discord.",
    still="Discord still has {version}",
    instead="Discord does not have {version} everywhere",
    absent="Discord does not have {version}",
    before="{version} is not applied yet",
    after="{version} is not applied",
    back="{version} is being removed",
    rising="{version} is being applied",
    falling="{version} is being removed",
    some="{version} is applied",
    everything="{version} is applied",
    observed="Discord has {version}",
    straight="return to previous commands, without approval",
    warm=_FROM_BACKUP,
    cold=_FROM_BACKUP,
    failed_head="failed: nothing was applied",
    heading="Discord",
    going_back="the previous commands ({stable}) are being restored",
    stays="Discord has {stable}",
    shared="{candidate} is applied, {stable} is not yet restored everywhere",
    share="applied in {weight}% of its servers",
)

_OF: Mapping[WordingKind, Wording] = {"traffic": TRAFFIC, "commands": COMMANDS}


def wording_for(words: WordingKind) -> Wording:
    return _OF[words]
