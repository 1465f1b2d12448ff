"""The words for what a rollout moves: shares of traffic between releases, or slash commands that Discord has.

The machine is the same for both. Every sentence that differs stands here, so that nothing else asks which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.rollout.model import PHASE_MEANS, Phase, WordingKind


@dataclass(frozen=True, slots=True)
class Wording:
    """Templates; `{version}`, `{weight}` and the like are filled in where they are used."""

    means: Mapping[Phase, str]
    # One step of the plan: as a dry run lists it, in the card's row, and while it is under way.
    step: str
    mark: str
    moving: str
    # What the log says.
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
    # How the candidate stands: before, at the end without it, on the way back, during, at the end with it.
    before: str
    after: str
    back: str
    rising: str
    falling: str
    some: str
    everything: str
    observed: str
    straight: str
    # The way back, before anybody needs it.
    warm: str
    cold: str
    # Messages that call people.
    failed_head: str
    heading: str
    going_back: str
    stays: str
    shared: str
    share: str

    def standing(self, version: str, seen: int, wanted: int, phase: Phase) -> str:
        """How the candidate stands: the first thing one wants to know of a bad release."""
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
    untidy="{version} serves everything, but the target reports: {why}",
    succeeded="{version} serves everything in {environment} and is stable now.",
    failed="{version} failed before it had traffic: {why}",
    returned="{version} serves everything again.",
    late="The target reports now that the candidate has {weight}% of the traffic.",
    late_none="The target reports now that the candidate has 0% of the traffic.",
    begun="The candidate has had traffic.",
    still="{version} still has {weight}% of the traffic",
    instead="{version} has {weight}% of the traffic instead of {wanted}%",
    absent="{version} is not running",
    before="{version} has no traffic",
    after="{version} has no traffic",
    back="{version} has no traffic",
    rising=_ON_ITS_WAY,
    falling=_ON_ITS_WAY,
    some="{version} has {seen}% of traffic",
    everything="{version} serves everything",
    observed="{version} {state} {weight}%",
    straight="back to a known-good release, straight to 100%",
    warm="to {version}, still warm: a change of weights, seconds",
    cold="to {version}, cold: it has to be started first",
    failed_head="failed before it got any traffic",
    heading="Traffic",
    going_back="all traffic is going back to {stable}",
    stays="{stable} serves everything",
    shared="{candidate} {seen}%, {stable} {rest}%",
    share="{weight}% of traffic",
)

_FROM_BACKUP = "the commands from before ({version}), from their backup"

COMMANDS = Wording(
    means={
        **PHASE_MEANS,
        Phase.VERIFYING: "The commands are looked at; nothing is applied yet.",
        Phase.SHIFTING: "Discord is told the commands; done when it answers exactly these.",
        Phase.SOAKING: "The commands are applied and watched.",
        Phase.OBSERVING: "The commands are applied and still watched.",
        Phase.ROLLING_BACK: "The commands from before are being put back.",
        Phase.SUCCEEDED: "Discord answered exactly these commands when they were read back.",
        Phase.ROLLED_BACK: "Discord has the commands from before.",
        Phase.CANCELLED: "Ended by people or by an expired gate before it was done.",
        Phase.FAILED: "It failed before anything was applied.",
    },
    step="apply the commands to Discord, and read them back",
    mark="apply",
    moving="Applying to Discord",
    shifting="Applying {version} to Discord.",
    shifted="{version} is applied: this is what Discord has.",
    untidy="{version} is applied, but Discord reports: {why}",
    succeeded="{version} is applied in {environment}: this is what Discord has.",
    failed="{version} was not applied: {why}",
    returned="{version} is put back: this is what Discord has again.",
    late="Discord shows now that the commands are applied in {weight}% of their places.",
    late_none="Discord shows now that the commands are not applied.",
    begun="The commands were given to Discord already.",
    still="Discord still has {version}",
    instead="Discord does not have {version} everywhere",
    absent="Discord does not have {version}",
    before="{version} is not applied yet",
    after="{version} is not applied",
    back="{version} is to be taken back",
    rising="{version} is being applied",
    falling="{version} is to be taken back",
    some="{version} is applied: this is what Discord has",
    everything="{version} is applied: this is what Discord has",
    observed="Discord has {version}",
    straight="back to commands from before, without approval",
    warm=_FROM_BACKUP,
    cold=_FROM_BACKUP,
    failed_head="failed: nothing was applied",
    heading="Discord",
    going_back="the commands from before ({stable}) are being put back",
    stays="Discord has {stable}",
    shared="{candidate} is applied, not yet everywhere taken back to {stable}",
    share="applied in {weight}% of its places",
)

_OF: Mapping[WordingKind, Wording] = {"traffic": TRAFFIC, "commands": COMMANDS}


def wording_for(words: WordingKind) -> Wording:
    return _OF[words]
