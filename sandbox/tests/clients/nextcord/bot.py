"""The bot of the matrix in nextcord."""

import io
import json
import os

import nextcord
from nextcord import ui
from nextcord.ext import commands
from words import WORDS

ready = json.loads(os.environ["SANDBOX"])
# [sandbox]
nextcord.http.Route.BASE = ready["api_base"]
token = ready["applications"][0]["token"]
# [/sandbox]
bot = commands.Bot(intents=nextcord.Intents.all(), heartbeat_timeout=8)

DISHES = ("bread", "salad", "soup")
OPTIONS = [nextcord.SelectOption(label=one) for one in ("soup", "salad", "tea")]
SHOWN = ("buttons", "selects", "modal", "ephemeral", "deferral", "followups", "files")


def file(name: str, text: str, description: str | None = None) -> nextcord.File:
    return nextcord.File(io.BytesIO(text.encode()), name, description=description)


class Buttons(ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)
        self.count = 0

    @ui.button(label="More", custom_id="more")
    async def more(self, _: ui.Button, interaction: nextcord.Interaction) -> None:
        self.count += 1
        await interaction.response.edit_message(content=f"counter {self.count}")

    @ui.button(label="Later", custom_id="later")
    async def later(self, _: ui.Button, interaction: nextcord.Interaction) -> None:
        await interaction.response.defer()
        await interaction.edit_original_message(content="later")


class Selects(ui.View):
    @ui.string_select(custom_id="dish", options=OPTIONS, max_values=2)
    async def dish(self, select: ui.StringSelect, interaction: nextcord.Interaction) -> None:
        await interaction.response.send_message(f"dish: {', '.join(select.values)}")

    @ui.user_select(custom_id="who")
    async def who(self, select: ui.Select, interaction: nextcord.Interaction) -> None:
        await interaction.response.send_message(f"who: {select.values[0].id}")

    @ui.role_select(custom_id="which")
    async def which(self, select: ui.Select, interaction: nextcord.Interaction) -> None:
        await interaction.response.send_message(f"which: {select.values[0].id}")

    @ui.channel_select(custom_id="where")
    async def where(self, select: ui.Select, interaction: nextcord.Interaction) -> None:
        await interaction.response.send_message(f"where: {select.values[0].id}")


class Reason(ui.Modal):
    def __init__(self) -> None:
        why = ui.TextInput(label="Why", custom_id="why", style=nextcord.TextInputStyle.paragraph)
        when = ui.TextInput(label="When", custom_id="when", required=False)
        super().__init__("Reason")
        self.add_item(why)
        self.add_item(when)

    async def callback(self, interaction: nextcord.Interaction) -> None:
        await interaction.response.send_message(f"why: {self.children[0].value}")


@bot.event
async def on_message(message: nextcord.Message) -> None:
    if message.author.bot:
        return
    word, _, rest = message.content.partition(" ")
    if word in WORDS:
        await WORDS[word](message, rest)


@bot.event
async def on_raw_reaction_add(event: nextcord.RawReactionActionEvent) -> None:
    if event.user_id != bot.user.id:
        await bot.get_channel(event.channel_id).send(f"{event.user_id} added {event.emoji}")


@bot.event
async def on_raw_reaction_remove(event: nextcord.RawReactionActionEvent) -> None:
    if event.user_id != bot.user.id:
        await bot.get_channel(event.channel_id).send(f"{event.user_id} removed {event.emoji}")


@bot.event
async def on_member_update(_: nextcord.Member, after: nextcord.Member) -> None:
    channel = nextcord.utils.get(after.guild.channels, name="members")
    roles = sorted(role.name for role in after.roles[1:])
    await channel.send(f"{after.name}: {', '.join(roles)}")


@bot.event
async def on_member_join(member: nextcord.Member) -> None:
    channel = nextcord.utils.get(member.guild.channels, name="moderation")
    await channel.send(f"{member.name} joined")


@bot.event
async def on_member_remove(member: nextcord.Member) -> None:
    channel = nextcord.utils.get(member.guild.channels, name="moderation")
    await channel.send(f"{member.name} left")


@bot.event
async def on_voice_state_update(
    member: nextcord.Member, _: nextcord.VoiceState, after: nextcord.VoiceState
) -> None:
    if after.channel is not None and not member.bot:
        channel = nextcord.utils.get(member.guild.text_channels, name="voice")
        await channel.send(f"{member.name} in {after.channel.name}")


@bot.slash_command(description="Answer.")
async def ping(interaction: nextcord.Interaction) -> None:
    await interaction.send("pong")


@bot.slash_command(description="Repeat the options.")
async def echo(
    interaction: nextcord.Interaction,
    text: str,
    count: int,
    loud: bool,
    ratio: float,
    who: nextcord.Member,
    where: nextcord.TextChannel,
    role: nextcord.Role,
) -> None:
    plain = f"{text} {count} {str(loud).lower()} {ratio}"
    await interaction.send(f"{plain} {who.id} {where.id} {role.id}")


@bot.slash_command(description="Settings.")
async def settings(interaction: nextcord.Interaction) -> None: ...


@settings.subcommand(name="show", description="Show them.")
async def settings_show(interaction: nextcord.Interaction) -> None:
    await interaction.send("settings")


@settings.subcommand(description="A limit.")
async def limit(interaction: nextcord.Interaction) -> None: ...


@limit.subcommand(name="set", description="Set it.")
async def limit_set(interaction: nextcord.Interaction, value: int) -> None:
    await interaction.send(f"limit {value}")


@bot.slash_command(description="Find a dish.")
async def find(
    interaction: nextcord.Interaction, dish: str = nextcord.SlashOption(autocomplete=True)
) -> None:
    await interaction.send(f"found {dish}")


@find.on_autocomplete("dish")
async def dishes(interaction: nextcord.Interaction, current: str) -> None:
    await interaction.response.send_autocomplete([one for one in DISHES if one.startswith(current)])


@bot.user_command(name="Greet")
async def greet(interaction: nextcord.Interaction, who: nextcord.Member) -> None:
    await interaction.send(f"hello {who.name}")


@bot.message_command(name="Quote")
async def quote(interaction: nextcord.Interaction, message: nextcord.Message) -> None:
    await interaction.send(f"quoted: {message.content}")


@bot.slash_command(description="Read a file.")
async def upload(interaction: nextcord.Interaction, file: nextcord.Attachment) -> None:
    text = (await file.read()).decode()
    await interaction.send(f"{file.filename}: {text}")


@bot.slash_command(description="Give a role, or take it.")
async def member(interaction: nextcord.Interaction, who: nextcord.Member, role: nextcord.Role) -> None:
    who = await interaction.guild.fetch_member(who.id)
    holds = role in who.roles
    await (who.remove_roles(role) if holds else who.add_roles(role))
    everyone = [one async for one in interaction.guild.fetch_members(limit=None)]
    did = f"took {role.name} from" if holds else f"gave {role.name} to"
    await interaction.send(f"{did} {who.name}, one of {len(everyone)}")


@bot.slash_command(description="Deny a role to write here, or allow it again.")
async def overwrite(interaction: nextcord.Interaction, role: nextcord.Role) -> None:
    channel = await interaction.guild.fetch_channel(interaction.channel_id)
    denied = channel.overwrites_for(role).send_messages is False
    wanted = None if denied else nextcord.PermissionOverwrite(send_messages=False)
    await channel.set_permissions(role, overwrite=wanted)
    await interaction.send("cleared" if denied else "denied")


@bot.slash_command(description="Show one of the things that a bot answers with.")
async def show(
    interaction: nextcord.Interaction, what: str = nextcord.SlashOption(choices=list(SHOWN))
) -> None:
    if what == "buttons":
        await interaction.send("counter 0", view=Buttons())
    elif what == "selects":
        await interaction.send("choose", view=Selects(timeout=None))
    elif what == "modal":
        await interaction.response.send_modal(Reason())
    elif what == "ephemeral":
        await interaction.send("only you", ephemeral=True)
    elif what == "deferral":
        await interaction.response.defer()
        await interaction.edit_original_message(content="done")
    elif what == "followups":
        await interaction.send("one")
        two = await interaction.followup.send("two", wait=True)
        await interaction.followup.send("three", ephemeral=True)
        four = await interaction.followup.send("four", wait=True)
        await two.edit(content="two, edited")
        await four.delete()
    elif what == "files":
        await interaction.send("menu", file=file("menu.txt", "soup"))
        sent = await interaction.channel.send(
            "both", files=[file("a.txt", "a", "the first"), file("b.txt", "b")]
        )
        await sent.edit(content="kept one", attachments=[sent.attachments[0]])


bot.run(token)
