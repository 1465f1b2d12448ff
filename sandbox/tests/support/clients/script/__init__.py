"""The script: one function per ability, the same for every library, in the order of the table."""

from support.clients.script import interactions, messages, trouble
from support.clients.script.ability import Ability

ABILITIES: tuple[Ability, ...] = (*interactions.ABILITIES, *messages.ABILITIES, *trouble.ABILITIES)
