"""A small bot of a café with one of everything that the page shows: cards, embeds, modals, selects, refusals.

What it shows for a moment alone, it shows until a person writes in #kitchen: a test goes on once it has seen it.

`python -m support.page_bot API_BASE GATEWAY_URL TOKEN` runs it until it is killed.
"""

import asyncio
import functools
import io
import math
import struct
import sys
import zlib
from collections.abc import Coroutine
from typing import Any

import discord
import yarl
from discord import app_commands, ui

DISHES = ("chocolate", "coffee", "lemonade", "soup", "teacake")
SIZES = ("small", "medium", "large", "huge")
KITCHEN = "kitchen"
HOSTILE = (
    '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> [x](javascript:window.hacked=1)'
)


@functools.cache
def png(width: int = 560, height: int = 200) -> bytes:
    """A chart of two lines on a dark ground. Made once: the bot answers no one meanwhile."""
    rows = []
    for y in range(height):
        row = bytearray([0])
        for x in range(width):
            hot = abs(y - (150 + 5 * math.sin(x / 17))) < 1.5
            cold = abs(y - (118 - x / 9 + 7 * math.sin(x / 11))) < 1.5 and x > 80
            limit = y == 60 and x % 12 < 7
            color = (
                (237, 66, 69) if limit else (88, 101, 242) if cold else (59, 165, 92) if hot else (30, 31, 34)
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


class Reason(ui.Modal, title="Decline the order"):
    reason: ui.TextInput[Any] = ui.TextInput(
        label="Reason",
        style=discord.TextStyle.paragraph,
        min_length=5,
        max_length=200,
        placeholder="What is wrong with it?",
    )
    voucher: ui.TextInput[Any] = ui.TextInput(label="Voucher", required=False, max_length=20)

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(
            f"Declined: {self.reason.value} ({self.voucher.value or 'no voucher'})"
        )


class Scan(ui.Modal, title="Scan"):
    papers: ui.Label[Any] = ui.Label(text="Papers", component=ui.FileUpload(custom_id="papers", max_values=2))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        assert isinstance(self.papers.component, ui.FileUpload)
        await interaction.response.send_message(f"Scanned: {_listed(self.papers.component.values)}")


def _listed(files: list[discord.Attachment]) -> str:
    return ", ".join(f"{one.filename} with {one.size} bytes" for one in files)


class CardRow(ui.ActionRow["Card"]):
    @ui.button(label="Accept", style=discord.ButtonStyle.success, custom_id="card:accept", emoji="✅")
    async def accept(self, interaction: discord.Interaction, _button: ui.Button["Card"]) -> None:
        assert isinstance(interaction.user, discord.Member)
        if "moderator" not in [role.name for role in interaction.user.roles]:
            await interaction.response.send_message("Only a **moderator** can accept this.", ephemeral=True)
            return
        await interaction.response.edit_message(
            view=Card("Brewing, **5%** done", accepted=interaction.user.mention)
        )

    @ui.button(label="Decline", style=discord.ButtonStyle.danger, custom_id="card:decline")
    async def decline(self, interaction: discord.Interaction, _button: ui.Button["Card"]) -> None:
        await interaction.response.send_modal(Reason())

    @ui.button(label="Pause", style=discord.ButtonStyle.secondary, custom_id="card:pause", disabled=True)
    async def pause(self, interaction: discord.Interaction, _button: ui.Button["Card"]) -> None: ...

    @ui.button(label="Silent", style=discord.ButtonStyle.secondary, custom_id="card:silent")
    async def silent(self, interaction: discord.Interaction, _button: ui.Button["Card"]) -> None:
        """Never answered, like a bot that hangs."""


class Card(ui.LayoutView):
    def __init__(self, state: str = "Waiting for the kitchen", accepted: str = "") -> None:
        super().__init__(timeout=None)
        gate = (
            f"Accepted by {accepted}" if accepted else f"Needs a **moderator** · expires <t:{4102444800}:R>"
        )
        row = CardRow()
        row.add_item(ui.Button(label="Recipe", url="https://recipes.example/d/1"))
        self.add_item(
            ui.Container(
                ui.Section(
                    ui.TextDisplay("## chocolate `small` → `large`"),
                    ui.TextDisplay(f"**window** · {state}\n-# ordered by Ada · “With cream, please”"),
                    accessory=ui.Thumbnail("attachment://chart.png", description="Chart, small"),
                ),
                ui.Separator(),
                ui.TextDisplay(
                    "✅ Ordered  ›  **⏳ Accepted**  ›  5%  ›  stir 30 s  ›  25%  ›  stir 30 s  ›  100%"
                ),
                ui.TextDisplay(gate),
                ui.TextDisplay(
                    "```\n                today   usual   limit\nspilled         0.21%   0.18%      1%\n"
                    "time to table   182 s   176 s   500 s```"
                ),
                ui.MediaGallery(
                    discord.MediaGalleryItem("attachment://chart.png", description="Orders over time")
                ),
                row,
                accent_colour=discord.Colour.yellow(),
            )
        )


class Choices(ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)

    @ui.select(
        placeholder="Dish",
        custom_id="pick:dish",
        options=[discord.SelectOption(label=s, value=s, description=f"Our {s}") for s in DISHES],
    )
    async def dish(self, interaction: discord.Interaction, select: ui.Select["Choices"]) -> None:
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
        title="The soup was taken off the menu",
        colour=discord.Colour.red(),
        url="https://recipes.example/soup",
        description="**8.1%** of the guests sent it back; the limit is `1%`.\n> the tea was fine",
    )
    embed.set_author(name="Robot")
    embed.add_field(name="Table", value="window").add_field(name="Cook", value="Max").add_field(
        name="Instead", value="teacake"
    )
    embed.add_field(
        name="Why", value="`sent back` 8.1% > 1% of 412 guests\n- 33 unhappy\n- 379 happy", inline=False
    )
    embed.set_footer(text="note 7f3a")
    embed.timestamp = discord.utils.utcnow()
    return embed


class PageBot(discord.Client):
    def __init__(self) -> None:
        intents = discord.Intents.default()
        super().__init__(intents=intents)
        self.tree = app_commands.CommandTree(self)
        register(self.tree)

    async def setup_hook(self) -> None:
        png()
        self.add_view(Choices())
        await self.tree.sync()

    def told_to_go_on(self) -> Coroutine[Any, Any, object]:
        """To be awaited: a person writes in the kitchen, from this call on. At once where there is no kitchen."""
        if not any(channel.name == KITCHEN for channel in self.get_all_channels()):
            return asyncio.sleep(0)

        def by_a_person(message: discord.Message) -> bool:
            return not message.author.bot and getattr(message.channel, "name", "") == KITCHEN

        return self.wait_for("message", check=by_a_person)


def register(tree: app_commands.CommandTree[PageBot]) -> None:
    @tree.command(description="Order a dish to a table")
    @app_commands.describe(
        dish="What to order",
        size="How much of it",
        table="Where to",
        note="Shown on the card",
        preview="Only say what would happen",
    )
    @app_commands.choices(table=[app_commands.Choice(name=t, value=t) for t in ("terrace", "window")])
    async def order(
        interaction: discord.Interaction,
        dish: str,
        size: str,
        table: str,
        note: app_commands.Range[str, 3, 200] | None = None,
        preview: bool = False,
    ) -> None:
        if preview:
            await interaction.response.send_message(
                f"Would order {dish} {size} to the {table}: {note or 'no note'}", ephemeral=True
            )
            return
        await interaction.response.send_message(
            view=Card(), file=discord.File(io.BytesIO(png()), "chart.png")
        )

    @order.autocomplete("dish")
    async def dishes(_: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=d, value=d) for d in DISHES if current.lower() in d]

    @order.autocomplete("size")
    async def sizes(interaction: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
        dish = interaction.namespace.dish
        return [app_commands.Choice(name=f"{s} ({dish})", value=s) for s in SIZES if current in s]

    @tree.command(description="What there is today")
    async def menu(interaction: discord.Interaction[PageBot]) -> None:
        told = interaction.client.told_to_go_on()
        await interaction.response.defer(thinking=True)
        await told
        await interaction.followup.send("chocolate `large` today.")

    @tree.command(description="Post an alert that mentions the helpers")
    async def alert(interaction: discord.Interaction) -> None:
        assert interaction.guild is not None
        role = discord.utils.get(interaction.guild.roles, name="helper")
        channel = discord.utils.get(interaction.guild.text_channels, name="news")
        assert role is not None and channel is not None
        await channel.send(
            f"{role.mention} the soup was taken off the menu.",
            embed=alert_embed(),
            allowed_mentions=discord.AllowedMentions.all(),
        )
        await interaction.response.send_message("Posted.", ephemeral=True)

    @tree.command(description="One of each select")
    async def pick(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Choose:", view=Choices())

    @tree.command(description="Types for a moment, then says something")
    async def ponder(interaction: discord.Interaction[PageBot]) -> None:
        told = interaction.client.told_to_go_on()
        await interaction.response.send_message("Let me think.", ephemeral=True)
        assert isinstance(interaction.channel, discord.TextChannel)
        async with interaction.channel.typing():
            await told
        await interaction.channel.send("It depends.")

    @tree.command(description="A message that changes as you look")
    async def live(interaction: discord.Interaction[PageBot]) -> None:
        told = interaction.client.told_to_go_on()
        await interaction.response.send_message("brewed 0%")
        await told
        for percent in (5, 25, 100):
            await asyncio.sleep(0.1)
            await interaction.edit_original_response(content=f"brewed {percent}%")

    @tree.command(description="A card with a thread, one line per event")
    async def story(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Order of a large chocolate")
        message = await interaction.original_response()
        assert isinstance(interaction.channel, discord.TextChannel)
        thread = await interaction.channel.create_thread(
            name="chocolate large · window", message=discord.Object(message.id)
        )
        for line in (
            "Order checked: `chocolate` is in stock, 3 left",
            "Waiting for a **moderator**",
            "Brewed to **5%**",
        ):
            await thread.send(line)

    @tree.command(description="Text that tries to be a script")
    async def hostile(interaction: discord.Interaction) -> None:
        embed = discord.Embed(title=HOSTILE, description=HOSTILE).add_field(name=HOSTILE, value=HOSTILE)
        await interaction.response.send_message(HOSTILE, embed=embed)

    @tree.command(description="File a receipt")
    @app_commands.describe(picture="What was paid", extra="What else belongs to it", note="What for")
    async def receipt(
        interaction: discord.Interaction,
        picture: discord.Attachment,
        extra: discord.Attachment | None = None,
        note: str = "",
    ) -> None:
        files = [one for one in (picture, extra) if one is not None]
        await interaction.response.send_message(f"Filed: {_listed(files)} {note}")

    @tree.command(description="A form that takes files")
    async def scan(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Scan())

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

    @tree.context_menu(name="Bookmark")
    async def bookmark(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"Kept: {message.content}", ephemeral=True)

    @tree.context_menu(name="Wave at")
    async def wave(interaction: discord.Interaction, user: discord.User) -> None:
        await interaction.response.send_message(f"👋 {user.mention}")

    @tree.command(description="Only for administrators")
    @app_commands.default_permissions(administrator=True)
    async def panic(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("Everybody out.")


async def run(api_base: str, gateway_url: str, token: str) -> None:
    discord.http.Route.BASE = api_base
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)
    async with PageBot() as bot:
        await bot.start(token)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:4]))
