"""Who stands above whom: by the highest role of each; a server's owner stands above all."""

from discord_sandbox.discord.state.model import Member, Role


def top(member: Member) -> int:
    """The position of the member's highest role; 0 with @everyone alone."""
    roles = member.guild.roles
    return max((roles[one].position for one in member.roles if one in roles), default=0)


def outranks(actor: Member, target: Member) -> bool:
    if target.user.id == target.guild.owner_id:
        return False
    return actor.user.id == actor.guild.owner_id or top(actor) > top(target)


def manages(actor: Member, role: Role) -> bool:
    """Whether the role is below the actor's highest one."""
    return actor.user.id == actor.guild.owner_id or role.position < top(actor)
