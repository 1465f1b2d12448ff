"""discord.py's invites, as bots use them that count who invited whom."""

from discord_sandbox import Sandbox, World
from support.client import Client
from support.discord_py import SandboxBot, listening, running


async def test_invites_are_made_counted_and_deleted() -> None:
    async with (
        Sandbox(World(rate_limits=False)) as sandbox,
        Client(sandbox) as client,
        running(SandboxBot(), sandbox) as bot,
    ):
        await client.grant("CREATE_INSTANT_INVITE", "MANAGE_CHANNELS", "MANAGE_GUILD", "VIEW_AUDIT_LOG")
        created = await listening(bot, "invite_create")
        made = await bot.channel().create_invite(max_age=3600, max_uses=5, reason="party")
        told = await created
        assert (told.code, told.max_uses, told.channel) == (made.code, 5, bot.channel())
        joined = await listening(bot, "member_join")
        await client.api("POST", "people", {"name": "zoe", "invite": made.code})
        assert (await joined).name == "zoe"
        assert {one.code: one.uses for one in await bot.guild.invites()} == {made.code: 1}
        looked_up = await bot.fetch_invite(made.url)
        assert (looked_up.guild.id, looked_up.approximate_member_count) == (
            bot.guild.id,
            bot.guild.member_count,
        )
        gone = await listening(bot, "invite_delete", code=made.code)
        await made.delete(reason="over")
        await gone
        assert await bot.channel().invites() == []
        logged = [one async for one in bot.guild.audit_logs(limit=2)]
        assert [(one.action.name, one.reason) for one in logged] == [
            ("invite_delete", "over"),
            ("invite_create", "party"),
        ]
        assert [one.target.code for one in logged] == [made.code] * 2
