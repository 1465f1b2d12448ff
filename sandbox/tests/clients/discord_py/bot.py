"""The bot of the matrix in discord.py."""

import io
import json
import os

import discord
import yarl
from discord import app_commands, ui
from words import WORDS

ready = json.loads(os.environ["SANDBOX"])
# [sandbox]
discord.http.Route.BASE = ready["api_base"]
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(ready["gateway_url"])
# [/sandbox]

DISHES = ("bread", "salad", "soup")
OPTIONS = [discord.SelectOption(label=one) for one in ("soup", "salad", "tea")]
SHOWN = ("buttons", "selects", "modal", "ephemeral", "deferral", "followups", "files", "layout")


def file(name: str, text: str, description: str | None = None) -> discord.File:
    return discord.File(io.BytesIO(text.encode()), name, description=description)


class Buttons(ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.count = 0

    @ui.button(label="More", custom_id="more")
    async def more(self, interaction: discord.Interaction, _: ui.Button) -> None:
        self.count += 1
        await interaction.response.edit_message(content=f"counter {self.count}", view=self)

    @ui.button(label="Later", custom_id="later")
    async def later(self, interaction: discord.Interaction, _: ui.Button) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content="later")


class Selects(ui.View):
    @ui.select(custom_id="dish", options=OPTIONS, max_values=2)
    async def dish(self, interaction: discord.Interaction, select: ui.Select) -> None:
        await interaction.response.send_message(f"dish: {', '.join(select.values)}")

    @ui.select(cls=ui.UserSelect, custom_id="who")
    async def who(self, interaction: discord.Interaction, select: ui.UserSelect) -> None:
        await interaction.response.send_message(f"who: {select.values[0].id}")

    @ui.select(cls=ui.RoleSelect, custom_id="which")
    async def which(self, interaction: discord.Interaction, select: ui.RoleSelect) -> None:
        await interaction.response.send_message(f"which: {select.values[0].id}")

    @ui.select(cls=ui.ChannelSelect, custom_id="where")
    async def where(self, interaction: discord.Interaction, select: ui.ChannelSelect) -> None:
        await interaction.response.send_message(f"where: {select.values[0].id}")


class Reason(ui.Modal, title="Reason"):
    why: ui.TextInput = ui.TextInput(label="Why", custom_id="why", style=discord.TextStyle.paragraph)
    when: ui.TextInput = ui.TextInput(label="When", custom_id="when", required=False)

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"why: {self.why.value}")


class Press(ui.Button):
    async def callback(self, interaction: discord.Interaction) -> None:
        pressed = ui.LayoutView(timeout=None)
        pressed.add_item(ui.TextDisplay("pressed"))
        await interaction.response.edit_message(view=pressed)


class Bot(discord.Client):
    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.all(), heartbeat_timeout=8)
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def on_message(self, message: discord.Message) -> None:
        if message.author.bot:
            return
        word, _, rest = message.content.partition(" ")
        if word in WORDS:
            await WORDS[word](message, rest)

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        if event.user_id != self.user.id:
            await self.get_channel(event.channel_id).send(f"{event.user_id} added {event.emoji}")

    async def on_raw_reaction_remove(self, event: discord.RawReactionActionEvent) -> None:
        if event.user_id != self.user.id:
            await self.get_channel(event.channel_id).send(f"{event.user_id} removed {event.emoji}")

    async def on_member_update(self, _: discord.Member, after: discord.Member) -> None:
        channel = discord.utils.get(after.guild.channels, name="members")
        roles = sorted(role.name for role in after.roles[1:])
        await channel.send(f"{after.name}: {', '.join(roles)}")

    async def on_member_join(self, member: discord.Member) -> None:
        channel = discord.utils.get(member.guild.channels, name="moderation")
        await channel.send(f"{member.name} joined")

    async def on_member_remove(self, member: discord.Member) -> None:
        channel = discord.utils.get(member.guild.channels, name="moderation")
        await channel.send(f"{member.name} left")

    async def on_voice_state_update(
        self, member: discord.Member, _: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        if after.channel is not None and not member.bot:
            channel = discord.utils.get(member.guild.text_channels, name="voice")
            await channel.send(f"{member.name} in {after.channel.name}")


bot = Bot()


@bot.tree.command()
async def ping(interaction: discord.Interaction) -> None:
    """Answer."""
    await interaction.response.send_message("pong")


@bot.tree.command()
async def echo(
    interaction: discord.Interaction,
    text: str,
    count: int,
    loud: bool,
    ratio: float,
    who: discord.Member,
    where: discord.TextChannel,
    role: discord.Role,
) -> None:
    """Repeat the options."""
    plain = f"{text} {count} {str(loud).lower()} {ratio}"
    await interaction.response.send_message(f"{plain} {who.id} {where.id} {role.id}")


settings = app_commands.Group(name="settings", description="Settings")
limit = app_commands.Group(name="limit", description="A limit", parent=settings)
bot.tree.add_command(settings)


@settings.command(name="show")
async def settings_show(interaction: discord.Interaction) -> None:
    """Show them."""
    await interaction.response.send_message("settings")


@limit.command(name="set")
async def limit_set(interaction: discord.Interaction, value: int) -> None:
    """Set it."""
    await interaction.response.send_message(f"limit {value}")


async def dishes(_: discord.Interaction, current: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=one, value=one) for one in DISHES if one.startswith(current)]


@bot.tree.command()
@app_commands.autocomplete(dish=dishes)
async def find(interaction: discord.Interaction, dish: str) -> None:
    """Find a dish."""
    await interaction.response.send_message(f"found {dish}")


@bot.tree.context_menu(name="Greet")
async def greet(interaction: discord.Interaction, who: discord.Member) -> None:
    await interaction.response.send_message(f"hello {who.name}")


@bot.tree.context_menu(name="Quote")
async def quote(interaction: discord.Interaction, message: discord.Message) -> None:
    await interaction.response.send_message(f"quoted: {message.content}")


@bot.tree.command()
async def upload(interaction: discord.Interaction, file: discord.Attachment) -> None:
    """Read a file."""
    text = (await file.read()).decode()
    await interaction.response.send_message(f"{file.filename}: {text}")


@bot.tree.command()
async def member(interaction: discord.Interaction, who: discord.Member, role: discord.Role) -> None:
    """Give a role, or take it."""
    who = await interaction.guild.fetch_member(who.id)
    holds = role in who.roles
    await (who.remove_roles(role) if holds else who.add_roles(role))
    everyone = [one async for one in interaction.guild.fetch_members()]
    did = f"took {role.name} from" if holds else f"gave {role.name} to"
    await interaction.response.send_message(f"{did} {who.name}, one of {len(everyone)}")


@bot.tree.command()
async def overwrite(interaction: discord.Interaction, role: discord.Role) -> None:
    """Deny a role to write here, or allow it again."""
    channel = await interaction.guild.fetch_channel(interaction.channel_id)
    denied = channel.overwrites_for(role).send_messages is False
    wanted = None if denied else discord.PermissionOverwrite(send_messages=False)
    await channel.set_permissions(role, overwrite=wanted)
    await interaction.response.send_message("cleared" if denied else "denied")


@bot.tree.command()
@app_commands.choices(what=[app_commands.Choice(name=one, value=one) for one in SHOWN])
async def show(interaction: discord.Interaction, what: str) -> None:
    """Show one of the things that a bot answers with."""
    respond = interaction.response
    if what == "buttons":
        await respond.send_message("counter 0", view=Buttons())
    elif what == "selects":
        await respond.send_message("choose", view=Selects(timeout=None))
    elif what == "modal":
        await respond.send_modal(Reason())
    elif what == "ephemeral":
        await respond.send_message("only you", ephemeral=True)
    elif what == "deferral":
        await respond.defer(thinking=True)
        await interaction.edit_original_response(content="done")
    elif what == "followups":
        await respond.send_message("one")
        two = await interaction.followup.send("two", wait=True)
        await interaction.followup.send("three", ephemeral=True)
        four = await interaction.followup.send("four", wait=True)
        await two.edit(content="two, edited")
        await four.delete()
    elif what == "files":
        await respond.send_message("menu", file=file("menu.txt", "soup"))
        sent = await interaction.channel.send(
            "both", files=[file("a.txt", "a", "the first"), file("b.txt", "b")]
        )
        await sent.edit(content="kept one", attachments=[sent.attachments[0]])
    elif what == "layout":
        view = ui.LayoutView(timeout=None)
        section = ui.Section("A section", accessory=Press(label="Press", custom_id="press"))
        view.add_item(ui.Container(ui.TextDisplay("A layout"), ui.Separator(), section))
        await respond.send_message(view=view)


bot.run(ready["applications"][0]["token"])
