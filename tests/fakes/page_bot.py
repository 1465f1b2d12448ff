"""A small real bot with one of everything that the page has to show: cards, embeds, modals, selects, refusals.

`python -m tests.fakes.page_bot API_BASE GATEWAY_URL TOKEN` runs it until it is killed.
"""

import asyncio
import io
import struct
import sys
import zlib
from typing import Any

import discord
import yarl
from discord import app_commands, ui

SERVICES = ("checkout", "catalog", "payments", "search", "herald")
VERSIONS = ("1.4.0", "1.5.0", "1.5.1", "1.5.2")
HOSTILE = (
    '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> [x](javascript:window.hacked=1)'
)


def png(width: int = 560, height: int = 200) -> bytes:
    """A picture in the manner of the rollout chart: two lines on a dark ground."""
    rows = []
    for y in range(height):
        row = bytearray([0])
        for x in range(width):
            stable = abs(y - (150 + (x * 7 % 13) - 6)) < 2
            candidate = abs(y - (120 - x // 8 + (x * 5 % 17) - 8)) < 2 and x > 80
            limit = y == 60 and x % 12 < 7
            color = (
                (237, 66, 69)
                if limit
                else (88, 101, 242)
                if candidate
                else (59, 165, 92)
                if stable
                else (30, 31, 34)
            )
            row += bytes(color)
        rows.append(bytes(row))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + chunk(b"IEND", b"")
    )


class Reason(ui.Modal, title="Reject the rollout"):
    reason: ui.TextInput[Any] = ui.TextInput(
        label="Reason",
        style=discord.TextStyle.paragraph,
        min_length=5,
        max_length=200,
        placeholder="What is wrong with it?",
    )
    ticket: ui.TextInput[Any] = ui.TextInput(label="Ticket", required=False, max_length=20)

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(
            f"Rejected: {self.reason.value} ({self.ticket.value or 'no ticket'})"
        )


class CardRow(ui.ActionRow["Card"]):
    @ui.button(label="Approve", style=discord.ButtonStyle.success, custom_id="card:approve", emoji="✅")
    async def approve(self, interaction: discord.Interaction, _button: ui.Button["Card"]) -> None:
        assert isinstance(interaction.user, discord.Member)
        if "release-manager" not in [role.name for role in interaction.user.roles]:
            await interaction.response.send_message(
                "Only a **release manager** may approve this.", ephemeral=True
            )
            return
        await interaction.response.edit_message(
            view=Card("Soaking at **5 %**", approved=interaction.user.mention)
        )

    @ui.button(label="Reject", style=discord.ButtonStyle.danger, custom_id="card:reject")
    async def reject(self, interaction: discord.Interaction, _button: ui.Button["Card"]) -> None:
        await interaction.response.send_modal(Reason())

    @ui.button(label="Pause", style=discord.ButtonStyle.secondary, custom_id="card:pause", disabled=True)
    async def pause(self, interaction: discord.Interaction, _button: ui.Button["Card"]) -> None: ...

    @ui.button(label="Silent", style=discord.ButtonStyle.secondary, custom_id="card:silent")
    async def silent(self, interaction: discord.Interaction, _button: ui.Button["Card"]) -> None:
        """Never answered: what people see when a bot hangs."""


class Card(ui.LayoutView):
    def __init__(self, state: str = "Waiting for approval", approved: str = "") -> None:
        super().__init__(timeout=None)
        gate = (
            f"Approved by {approved}"
            if approved
            else f"Needs 1 of **release-manager** · expires <t:{4102444800}:R>"
        )
        row = CardRow()
        row.add_item(ui.Button(label="Dashboard", url="https://grafana.example/d/1"))
        self.add_item(
            ui.Container(
                ui.Section(
                    ui.TextDisplay("## checkout `1.4.0` → `1.5.0`"),
                    ui.TextDisplay(
                        f"**production** · {state}\n-# asked by <@{{dev}}> · “Faster invoices”".replace(
                            "<@{dev}>", "Dev"
                        )
                    ),
                    accessory=ui.Thumbnail("attachment://chart.png", description="Chart, small"),
                ),
                ui.Separator(),
                ui.TextDisplay(
                    "✅ Verify  ›  **⏳ Gate**  ›  5 %  ›  soak 30 s  ›  25 %  ›  soak 30 s  ›  100 %"
                ),
                ui.TextDisplay(gate),
                ui.TextDisplay(
                    "```\n              candidate   stable    limit\nerror rate       0.21 %   0.18 %      1 %\n"
                    "p99 latency      182 ms   176 ms   500 ms```"
                ),
                ui.MediaGallery(
                    discord.MediaGalleryItem("attachment://chart.png", description="Error rate over time")
                ),
                row,
                accent_colour=discord.Colour.yellow(),
            )
        )


class Choices(ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)

    @ui.select(
        placeholder="Service",
        custom_id="pick:service",
        options=[discord.SelectOption(label=s, value=s, description=f"The {s} service") for s in SERVICES],
    )
    async def service(self, interaction: discord.Interaction, select: ui.Select["Choices"]) -> None:
        await interaction.response.send_message(f"You chose **{select.values[0]}**.", ephemeral=True)

    @ui.select(cls=ui.UserSelect, placeholder="People", custom_id="pick:people", max_values=3)
    async def people(self, interaction: discord.Interaction, select: ui.UserSelect["Choices"]) -> None:
        await interaction.response.send_message(
            "Chosen: " + ", ".join(u.mention for u in select.values), ephemeral=True
        )

    @ui.select(cls=ui.ChannelSelect, placeholder="Channel", custom_id="pick:channel")
    async def channel(self, interaction: discord.Interaction, select: ui.ChannelSelect["Choices"]) -> None:
        await interaction.response.defer()


def alert_embed() -> discord.Embed:
    embed = discord.Embed(
        title="checkout 1.5.1 was rolled back",
        colour=discord.Colour.red(),
        url="https://runbooks.example/rollback",
        description="The candidate failed **8.1 %** of its requests; the limit is `1 %`.\n> stable kept serving",
    )
    embed.set_author(name="Slipway")
    embed.add_field(name="Environment", value="production").add_field(name="From", value="1.5.1").add_field(
        name="To", value="1.4.0"
    )
    embed.add_field(
        name="Why", value="`error_rate` 8.1 % > 1 % after 412 requests\n- 33 bad\n- 379 good", inline=False
    )
    embed.set_footer(text="rollout 7f3a")
    embed.timestamp = discord.utils.utcnow()
    return embed


class PageBot(discord.Client):
    def __init__(self) -> None:
        intents = discord.Intents.default()
        super().__init__(intents=intents)
        self.tree = app_commands.CommandTree(self)
        register(self.tree)

    async def setup_hook(self) -> None:
        self.add_view(Choices())
        await self.tree.sync()


def register(tree: app_commands.CommandTree[PageBot]) -> None:
    @tree.command(description="Roll out a release of a service")
    @app_commands.describe(
        service="What to deploy",
        version="Which release",
        environment="Where to",
        reason="Why; shown on the card",
        dry_run="Only say what would happen",
    )
    @app_commands.choices(
        environment=[app_commands.Choice(name=e, value=e) for e in ("staging", "production")]
    )
    async def deploy(
        interaction: discord.Interaction,
        service: str,
        version: str,
        environment: str,
        reason: app_commands.Range[str, 3, 200] | None = None,
        dry_run: bool = False,
    ) -> None:
        if dry_run:
            await interaction.response.send_message(
                f"Would deploy {service} {version} to {environment}: {reason}", ephemeral=True
            )
            return
        await interaction.response.send_message(
            view=Card(), file=discord.File(io.BytesIO(png()), "chart.png")
        )

    @deploy.autocomplete("service")
    async def services(_: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=s, value=s) for s in SERVICES if current.lower() in s]

    @deploy.autocomplete("version")
    async def versions(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        service = interaction.namespace.service
        return [app_commands.Choice(name=f"{v} ({service})", value=v) for v in VERSIONS if current in v]

    @tree.command(description="What runs where")
    async def status(interaction: discord.Interaction) -> None:
        await interaction.response.defer(thinking=True)
        await asyncio.sleep(0.6)
        await interaction.followup.send("checkout `1.4.0` everywhere.")

    @tree.command(description="Post an alert that mentions on-call")
    async def alert(interaction: discord.Interaction) -> None:
        assert interaction.guild is not None
        role = discord.utils.get(interaction.guild.roles, name="oncall")
        channel = discord.utils.get(interaction.guild.text_channels, name="alerts")
        assert role is not None and channel is not None
        await channel.send(
            f"{role.mention} checkout was rolled back in production.",
            embed=alert_embed(),
            allowed_mentions=discord.AllowedMentions.all(),
        )
        await interaction.response.send_message("Posted.", ephemeral=True)

    @tree.command(description="One of each select")
    async def pick(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Choose:", view=Choices())

    @tree.command(description="Types for a moment, then says something")
    async def ponder(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Let me think.", ephemeral=True)
        assert isinstance(interaction.channel, discord.TextChannel)
        async with interaction.channel.typing():
            await asyncio.sleep(0.8)
        await interaction.channel.send("It depends.")

    @tree.command(description="A message that changes while one looks at it")
    async def live(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("weight 0 %")
        for weight in (5, 25, 100):
            await asyncio.sleep(0.3)
            await interaction.edit_original_response(content=f"weight {weight} %")

    @tree.command(description="A card with a thread under it, one line an event")
    async def story(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Rollout of checkout 1.5.0")
        message = await interaction.original_response()
        assert isinstance(interaction.channel, discord.TextChannel)
        thread = await interaction.channel.create_thread(
            name="checkout 1.5.0 · production", message=discord.Object(message.id)
        )
        for line in (
            "Verify passed: `/healthz` answered 200 in 3 ms",
            "Gate opened, needs **release-manager**",
            "Shifted to **5 %**",
        ):
            await thread.send(line)

    @tree.command(description="Text that tries to be a script")
    async def hostile(interaction: discord.Interaction) -> None:
        embed = discord.Embed(title=HOSTILE, description=HOSTILE).add_field(name=HOSTILE, value=HOSTILE)
        await interaction.response.send_message(HOSTILE, embed=embed)

    @tree.command(description="Every kind of text")
    async def markup(interaction: discord.Interaction) -> None:
        assert interaction.guild is not None
        role = interaction.guild.roles[-1]
        await interaction.response.send_message(
            f"# Heading\n## Smaller\n**bold** *italics* __underline__ ~~strike~~ `code` ||spoiler|| snake_case_name\n"
            f"> a quote\n> of two lines\n- one\n- two\n  - nested\n1. first\n2. second\n-# subtext\n"
            f"{interaction.user.mention} {role.mention} <#{interaction.channel_id}> <t:1767225600:F> <t:1767225600:R>\n"
            f"[a link](https://example.com/a_(b)) https://example.com/x?y=1. :rocket: "
            f"<:custom:123456789012345678>\n```py\nprint('hello')\n```",
            allowed_mentions=discord.AllowedMentions.all(),
        )

    @tree.command(description="Only for administrators")
    @app_commands.default_permissions(administrator=True)
    async def panic(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Everything is held.")


async def run(api_base: str, gateway_url: str, token: str) -> None:
    discord.http.Route.BASE = api_base
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)
    async with PageBot() as bot:
        await bot.start(token)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:4]))
