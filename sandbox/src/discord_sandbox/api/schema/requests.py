"""What each call of the JSON API takes."""

from discord_sandbox.api.schema.arguments import taking
from discord_sandbox.api.schema.fragments import (
    COUNT,
    FLAG,
    GIVEN,
    JSON,
    OBJECT,
    SECONDS,
    TEXT,
    WHOLE,
    about,
    by_name,
    many,
    one_of,
)
from discord_sandbox.discord.saving.saved import KIND, VERSION
from discord_sandbox.discord.traffic.faults import KINDS, SCOPES

USER = about(GIVEN, "A person's name or id.")
CHANNEL = about(GIVEN, "A channel or thread by name or id; `@robot` is the direct messages with that bot.")
MESSAGE = about(GIVEN, "A message's id.")
GUILD = about(GIVEN, "A server's name or id; only needed where a name is ambiguous.")
APPLICATION = about(GIVEN, "A bot's name or id; only needed where a name is ambiguous.")
COMMAND = about(GIVEN, "`order`, or with subcommands `settings show`.")
OPTIONS = about(
    OBJECT, "The command's options by name; for an attachment, {filename, text} or {filename, content}."
)
PERMISSIONS = about(
    by_name({"type": ["boolean", "null"]}), "By name: allowed (true), denied (false) or inherited (null)."
)
NAMED = {"user": USER, "guild": GUILD}
NOTHING = taking()
BY = {
    "by": about(GIVEN, "Who does it, for the audit log; the server's owner without it."),
    "reason": about(GIVEN, "Why, for the audit log."),
}
PLACE = taking(guild=GUILD)
PLACE_BY = taking(guild=GUILD, **BY)

_SENT = {"channel": CHANNEL, "command": COMMAND, "options": OPTIONS, "application": APPLICATION}
_ORDER: JSON = {"user": "ada", "channel": "general", "command": "order"}
COMMANDS = taking(
    "user command channel",
    "user command target_message",
    example=_ORDER | {"options": {"dish": "soup"}},
    **NAMED,
    **_SENT,
    target_user=about(GIVEN, "Of a person's context menu: a person or bot."),
    target_message=about(GIVEN, "Of a message's context menu: its id."),
)
AUTOCOMPLETE = taking(
    "user channel command option",
    example=_ORDER | {"option": "dish", "value": "so"},
    **NAMED,
    **_SENT,
    option=about(GIVEN, "The option that is typed."),
    value=about({"type": ["string", "number"]}, "What was typed so far."),
)

_BUTTON = about(GIVEN, "A button's label or custom id, as it is now.")
_CUSTOM_ID = about(GIVEN, "Sent unchecked, also for what is gone or disabled.")
PRESSES = taking(
    "user message button",
    "user message custom_id",
    "presses",
    example={"user": "mia", "message": "5678", "button": "Accept"},
    **NAMED,
    message=MESSAGE,
    button=_BUTTON,
    custom_id=_CUSTOM_ID,
    presses=about(many(OBJECT), "Many at the same moment, each an object like this one."),
)
PRESS = taking(
    "user message button",
    "user message custom_id",
    **NAMED,
    message=MESSAGE,
    button=_BUTTON,
    custom_id=_CUSTOM_ID,
)
SELECTS = taking(
    "user message values select",
    "user message values custom_id",
    example={"user": "mia", "message": "5678", "select": "Dish", "values": ["Soup"]},
    **NAMED,
    message=MESSAGE,
    select=about(GIVEN, "A select's placeholder or custom id."),
    custom_id=_CUSTOM_ID,
    values=about({"type": ["array", "string", "number"], "minLength": 1}, "Values, labels or names."),
)
MODALS = taking(
    "user interaction",
    example={"user": "ada", "interaction": "1234", "fields": {"Reason": "late"}},
    **NAMED,
    interaction=about(GIVEN, "The id of the interaction in state `modal`."),
    fields=about(OBJECT, "Values by the field's custom id or label."),
)
_FILES = about(many(OBJECT), "Up to ten, each {filename, text} or {filename, content}, the latter in base64.")
_REPLY = {
    "reply_to": about(GIVEN, "A message of the channel."),
    "mention": about(FLAG, "Whether the reply notifies its author; true by default."),
}
WRITE = taking(
    "user channel content",
    "user channel files",
    "user channel poll",
    "user channel forward",
    example={"user": "ada", "channel": "general", "content": "hello"},
    **NAMED,
    channel=CHANNEL,
    content=GIVEN,
    files=_FILES,
    poll=about(OBJECT, "{question, answers, hours, multiple}; answers are texts."),
    forward=about(GIVEN, "The id of a message to forward."),
    **_REPLY,
)
VOTE = taking(
    "user message answers",
    example={"user": "ada", "message": "5678", "answers": ["Soup"]},
    **NAMED,
    message=MESSAGE,
    answers=about(many(GIVEN), "Texts or numbers of answers; none takes votes back."),
)
EDIT = taking("user content", example={"user": "ada", "content": "hello again"}, **NAMED, content=GIVEN)
DELETE = taking(**NAMED)
THREAD = taking(
    "user channel name",
    example={"user": "ada", "channel": "general", "name": "soup"},
    **NAMED,
    channel=CHANNEL,
    name=GIVEN,
    message=about(GIVEN, "The message that it is about."),
    content=about(GIVEN, "Its first message."),
    private=FLAG,
    tags=about(many(GIVEN), "Of a post in a forum: the names of its tags."),
)
GOES = taking("user", example={"user": "ada"}, **NAMED)
JOIN_THREAD = taking("user", example={"user": "ada"}, **NAMED)
REACT = taking(
    "user message emoji",
    example={"user": "ada", "message": "5678", "emoji": "👀"},
    **NAMED,
    message=MESSAGE,
    emoji=GIVEN,
)
PIN = taking("user message", example={"user": "mia", "message": "5678"}, **NAMED, message=MESSAGE)

WAIT = taking(wait=about({"type": "number", "minimum": 0, "maximum": 600}, "Seconds, until it is settled."))
AS = about(GIVEN, "Who reads: with their ephemeral messages.")
READER = taking(**{"as": AS}, guild=GUILD)
PAGE = taking(
    **{"as": AS},
    **NAMED,
    limit={"type": "integer", "minimum": 1, "maximum": 100},
    before=MESSAGE,
    after=MESSAGE,
    around=MESSAGE,
)
EVENTS = taking(since=about(COUNT, "Begin after the event of that number."))
REQUESTS = taking(
    since=about(COUNT, "Begin after the call of that number."),
    limit=COUNT,
    application=about(GIVEN, "A bot's name."),
    route=about(GIVEN, "`/channels/{channel}/messages`"),
    method=about(GIVEN, "`POST`"),
    modelled=about(FLAG, "Whether the sandbox has the route."),
)

JOIN_VOICE = taking(
    "user channel",
    "user mute",
    "user deaf",
    "user request_to_speak",
    example={"user": "ada", "channel": "Lounge", "mute": True},
    **NAMED,
    channel=about(GIVEN, "A voice or stage channel; without it, where the person is."),
    mute=about(FLAG, "Whether they mute themselves."),
    deaf=about(FLAG, "Whether they deafen themselves."),
    request_to_speak=about(FLAG, "On a stage."),
)
LEAVE_VOICE = taking("user", example={"user": "ada"}, **NAMED)
IN_VOICE = taking(channel=CHANNEL, guild=GUILD)
AUDIT_LOG = taking(guild=GUILD, limit=COUNT, action=about(GIVEN, "`MEMBER_KICK`"))

_ROLES = about(many(GIVEN), "Names or ids.")
_ACCEPTS = about(FLAG, "Whether bots may write to them.")
JOIN = taking(
    "name",
    example={"name": "zoe", "display_name": "Zoe", "roles": ["member"]},
    guild=GUILD,
    invite=about(GIVEN, "The code of the invite that they come by."),
    name=GIVEN,
    display_name=TEXT,
    roles=_ROLES,
    accepts_messages=_ACCEPTS,
)
PERSON = taking(
    example={"roles": ["member"], "nick": "Ada L."},
    guild=GUILD,
    roles=_ROLES,
    nick=about(TEXT, "Null: none."),
    timeout=about(SECONDS, "Seconds from now; null ends it."),
    accepts_messages=_ACCEPTS,
    mute=about(FLAG, "Whether the server mutes them, in all its voice channels."),
    deaf=FLAG,
    voice=about(GIVEN, "A voice channel that they are moved to; null disconnects them."),
    **BY,
)
BAN = taking(
    example={"reason": "spam"},
    guild=GUILD,
    by=BY["by"],
    reason=TEXT,
    delete_message_seconds=about(SECONDS, "Back from now."),
)
_CHANNEL = {
    "name": GIVEN,
    "topic": TEXT,
    "position": COUNT,
    "category": about(TEXT, "A category's name or id; null: none."),
    "slowmode": about(COUNT, "Seconds between two messages of a person."),
    "nsfw": FLAG,
    "user_limit": about(COUNT, "Of a voice or stage channel; 0: none."),
    "bitrate": about(COUNT, "Of a voice or stage channel, in bits per second."),
    **BY,
}
MAKE_CHANNEL = taking(
    "name",
    example={"name": "kitchen", "category": "back"},
    guild=GUILD,
    type=one_of("text", "announcement", "category", "forum", "voice", "stage"),
    tags=about(many(GIVEN), "Of a forum: the names of its tags."),
    **_CHANNEL,
)
CHANGE_CHANNEL = taking(
    example={"permissions": {"SEND_MESSAGES": False}, "application": "robot"},
    **NAMED,
    role=GIVEN,
    application=about(GIVEN, "Whom the permissions are for: an application, a role or a user."),
    permissions=PERMISSIONS,
    **_CHANNEL,
    archived=FLAG,
    locked=FLAG,
)
_ROLE = {"guild": GUILD, "color": WHOLE, "hoist": FLAG, "mentionable": FLAG, "permissions": PERMISSIONS}
_ROLE |= BY
MAKE_ROLE = taking("name", example={"name": "cook", "color": 3447003}, name=GIVEN, **_ROLE)
CHANGE_ROLE = taking(
    example={"mentionable": False},
    name=GIVEN,
    position=about(WHOLE, "1 is the lowest."),
    **_ROLE,
)
APPLICATION_CHANGE = taking(
    example={"interactions_endpoint_url": "http://127.0.0.1:9000/interactions"},
    interactions_endpoint_url=about(GIVEN, "Takes interactions by HTTP; null: they come by the gateway."),
)
COMMAND_PERMISSIONS = taking(
    "permissions",
    example={"permissions": [{"id": "helper", "type": 1, "permission": True}]},
    guild=GUILD,
    **BY,
    permissions=about(
        many(OBJECT), "Each {id, type, permission}; type 1 is a role, 2 a person, 3 a channel."
    ),
)
EMOJI = taking(
    "name",
    example={"name": "blob"},
    guild=GUILD,
    name=GIVEN,
    image=about(GIVEN, "A data URI of a png, jpeg, gif, webp or avif; a smile without it."),
    roles=about(many(GIVEN), "Who may use it; everyone without them."),
    **BY,
)
WEBHOOK = taking(
    "user channel name",
    example={"user": "mia", "channel": "news", "name": "Kitchen"},
    **NAMED,
    channel=CHANNEL,
    name=GIVEN,
)

FAULT = taking(
    "kind",
    example={"kind": "429", "route": "/channels/*/messages", "count": 2, "retry_after": 0.5},
    kind=one_of(*KINDS),
    guild=GUILD,
    application=about(GIVEN, "The bot that is hit; all without it."),
    method=GIVEN,
    route=about(GIVEN, "A path under /api/v10; `*` matches anything, `{…}` one segment."),
    count=about(COUNT, "Ends after so many hits."),
    seconds=about(SECONDS, "Ends after so long."),
    retry_after=about(SECONDS, "Of 429, in seconds."),
    scope=one_of(*SCOPES),
    delay_ms=about({"type": "number", "minimum": 0, "maximum": 3_600_000}, "Of slow."),
    after=about(FLAG, "Of slow: wait before the answer, not before the call."),
    code=about({"type": "integer", "minimum": 1000, "maximum": 4999}, "Of gateway_drop: the close code."),
    event=about(GIVEN, "Of duplicate_delivery: the dispatch."),
)

_SERVICE = {"name": GIVEN, "environment": GIVEN}
REGISTER = taking(
    "name environment control_url",
    example={"name": "kitchen", "environment": "test", "control_url": "http://127.0.0.1:9001"},
    **_SERVICE,
    control_url=about(GIVEN, "An http address on this machine."),
)
UNREGISTER = taking("name environment", example={"name": "kitchen", "environment": "test"}, **_SERVICE)

CLOCK = taking("advance", example={"advance": 900}, advance=about(SECONDS, "Seconds to move forward."))
SAVE = taking(
    example={"name": "busy"},
    name=about(GIVEN, "Made up if it is not given; a save of that name is replaced."),
)
RESTORE = taking("name", example={"name": "busy"}, name=GIVEN)
SAVED = taking(
    "kind version now last_id cdn world roots objects",
    example={
        "kind": KIND,
        "version": VERSION,
        "now": 1_780_000_000.0,
        "last_id": "0",
        "cdn": "http://127.0.0.1:8300/cdn",
    }
    | {"world": {}, "roots": {}, "objects": {}},
    kind=one_of(KIND),
    version=WHOLE,
    now={"type": "number"},
    last_id=GIVEN,
    cdn=GIVEN,
    world=OBJECT,
    roots=OBJECT,
    objects=OBJECT,
)
RESET = taking(commands=about(FLAG, "Remove registered commands too."))
