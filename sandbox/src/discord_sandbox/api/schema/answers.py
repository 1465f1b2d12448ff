"""What calls answer: every shape by name, as `api/views.py` and `api/text.py` make them."""

from discord_sandbox.api.schema.fragments import (
    ANY,
    FLAG,
    ID,
    JSON,
    NUMBER,
    OBJECT,
    TEXT,
    TIME,
    WHOLE,
    by_name,
    many,
    maybe,
    one_of,
    record,
    shape,
)
from discord_sandbox.discord.state.audit import Action
from discord_sandbox.discord.traffic.faults import KINDS, SCOPES

_CHANNEL_TYPE = one_of(
    *("text", "announcement", "category", "forum", "voice", "stage"),
    *("direct", "thread", "private_thread"),
)
_THING = one_of("string", "user", "role", "mentionable", "channel")
_FIELD_TYPE = one_of(
    *("text", "string_select", "user_select", "role_select", "mentionable_select", "channel_select"),
    *("file_upload", "radio_group", "checkbox_group", "checkbox"),
)
_PERMISSION: JSON = record(id=ID, type=WHOLE, permission=FLAG)

_ERROR: JSON = record(code=TEXT, message=TEXT, hint=maybe(TEXT))
_PLACES: dict[str, JSON] = {
    "Error": record(error=_ERROR | {"properties": _ERROR["properties"] | {"retry_after": NUMBER}}),
    "Role": record(
        id=ID,
        name=TEXT,
        color=WHOLE,
        mentionable=FLAG,
        hoist=FLAG,
        position=WHOLE,
        managed=FLAG,
        permissions=many(TEXT),
    ),
    "Guild": record(id=ID, name=TEXT, roles=many(shape("Role")), channels=many(ID), people=many(ID)),
    "Person": record(
        id=ID,
        name=TEXT,
        display_name=TEXT,
        nick=maybe(TEXT),
        avatar_url=TEXT,
        color=WHOLE,
        guild=TEXT,
        guild_id=ID,
        roles=many(TEXT),
        accepts_messages=FLAG,
        timed_out_until=maybe(TIME),
    ),
    "Ban": record(user=TEXT, user_id=ID, guild=TEXT, reason=maybe(TEXT)),
    "Channel": record(
        id=ID,
        name=TEXT,
        type=_CHANNEL_TYPE,
        topic=maybe(TEXT),
        guild=maybe(TEXT),
        guild_id=maybe(ID),
        user=maybe(TEXT),
        application=maybe(TEXT),
        position=WHOLE,
        slowmode=WHOLE,
        category_id=maybe(ID),
        parent_id=maybe(ID),
        message_id=maybe(ID),
        archived=FLAG,
        locked=FLAG,
        tags=many(TEXT),
        members=many(TEXT),
        message_count=WHOLE,
        last_message_id=maybe(ID),
        user_limit=WHOLE,
        voice=many(shape("Voice")),
    ),
    "Voice": record(
        user=TEXT,
        user_id=ID,
        display_name=TEXT,
        bot=FLAG,
        guild=TEXT,
        channel=TEXT,
        channel_id=ID,
        mute=FLAG,
        deaf=FLAG,
        self_mute=FLAG,
        self_deaf=FLAG,
        suppress=FLAG,
        requested_to_speak=maybe(TIME),
    ),
    "Application": record(
        id=ID,
        name=TEXT,
        display_name=TEXT,
        bot_id=ID,
        avatar_url=TEXT,
        connected=FLAG,
        guilds=many(TEXT),
        invalid_requests=WHOLE,
        identifies_left=WHOLE,
        interactions_endpoint_url=maybe(TEXT),
        public_key=TEXT,
        commands=many(OBJECT),
    ),
    "AuditEntry": record(
        id=ID,
        time=TIME,
        action=one_of(*Action.__members__),
        user=maybe(TEXT),
        user_id=maybe(ID),
        target=maybe(TEXT),
        target_id=maybe(ID),
        changes=many(OBJECT),
        options=by_name(TEXT),
        reason=maybe(TEXT),
    ),
    "Session": record(
        id=TEXT,
        application=TEXT,
        connected=FLAG,
        intents=WHOLE,
        shard=many(WHOLE),
        since=TIME,
        seq=WHOLE,
        resumes=WHOLE,
    ),
}

_MESSAGES: dict[str, JSON] = {
    "Button": record(
        label=TEXT,
        custom_id=maybe(TEXT),
        enabled=FLAG,
        style=one_of("primary", "secondary", "success", "danger", "link", "premium"),
        url=maybe(TEXT),
        emoji=maybe(TEXT),
    ),
    "Select": record(
        custom_id=TEXT,
        placeholder=maybe(TEXT),
        enabled=FLAG,
        type=_THING,
        min_values=WHOLE,
        max_values=WHOLE,
        options=many(record(label=TEXT, value=TEXT, description=maybe(TEXT), default=FLAG)),
    ),
    "Attachment": record(
        id=ID,
        filename=TEXT,
        size=WHOLE,
        content_type=TEXT,
        width=maybe(WHOLE),
        height=maybe(WHOLE),
        description=maybe(TEXT),
        url=TEXT,
    ),
    "Message": record(
        id=ID,
        channel=TEXT,
        channel_id=ID,
        guild_id=maybe(ID),
        type=WHOLE,
        author=TEXT,
        author_id=ID,
        author_name=TEXT,
        bot=FLAG,
        avatar_url=TEXT,
        color=WHOLE,
        created=TIME,
        edited=maybe(TIME),
        text=TEXT,
        content=TEXT,
        notified=many(TEXT),
        buttons=many(shape("Button")),
        selects=many(shape("Select")),
        attachments=many(shape("Attachment")),
        components=many(OBJECT),
        embeds=many(OBJECT),
        thread=maybe(record(id=ID, name=TEXT, archived=FLAG, locked=FLAG, message_count=WHOLE)),
        ephemeral=FLAG,
        ephemeral_to=maybe(TEXT),
        loading=FLAG,
        flags=WHOLE,
        pinned=FLAG,
        deleted=FLAG,
        webhook_id=maybe(ID),
        forwarded=maybe(TEXT),
        poll=maybe(shape("Poll")),
        interaction=maybe(record(id=ID, type=TEXT, user=TEXT, command=maybe(TEXT))),
        reference=maybe(record(message_id=maybe(ID), channel_id=maybe(ID))),
        reactions=many(record(emoji=TEXT, emoji_id=maybe(ID), count=WHOLE, users=many(TEXT))),
        mentions=record(users=by_name(TEXT), roles=by_name(TEXT), channels=by_name(TEXT)),
    ),
    "Poll": record(
        question=TEXT,
        multiple=FLAG,
        expires=TIME,
        finalized=FLAG,
        answers=many(record(id=WHOLE, text=TEXT, emoji=maybe(TEXT), count=WHOLE, users=many(TEXT))),
    ),
    "Modal": record(
        custom_id=TEXT,
        title=TEXT,
        fields=many(shape("ModalField")),
        components=many(OBJECT),
    ),
    "ModalField": record(
        custom_id=TEXT,
        label=TEXT,
        description=maybe(TEXT),
        type=_FIELD_TYPE,
        style=maybe(one_of("short", "paragraph")),
        required=FLAG,
        options=many(OBJECT),
        value=ANY,
        placeholder=maybe(TEXT),
        min_length=maybe(WHOLE),
        max_length=maybe(WHOLE),
        min_values=maybe(WHOLE),
        max_values=maybe(WHOLE),
    ),
    "Interaction": record(
        id=ID,
        type=one_of("command", "autocomplete", "button", "select", "modal"),
        user=TEXT,
        user_id=ID,
        channel=TEXT,
        channel_id=ID,
        guild=maybe(TEXT),
        application=TEXT,
        command=maybe(TEXT),
        target_user=maybe(TEXT),
        target_message=maybe(ID),
        custom_id=maybe(TEXT),
        source_message=maybe(ID),
        created=TIME,
        state=one_of("pending", "deferred", "answered", "modal", "failed"),
        reason=maybe(TEXT),
        callback=maybe(WHOLE),
        ack_ms=maybe(NUMBER),
        answered_ms=maybe(NUMBER),
        ephemeral=FLAG,
        message=maybe(shape("Message")),
        followups=many(shape("Message")),
        modal=maybe(shape("Modal")),
    ),
}

_TRAFFIC: dict[str, JSON] = {
    "Fault": record(
        id=TEXT,
        kind=one_of(*KINDS),
        method=maybe(TEXT),
        route=maybe(TEXT),
        application=maybe(TEXT),
        count=maybe(WHOLE),
        seconds=maybe(NUMBER),
        retry_after=NUMBER,
        scope=one_of(*SCOPES),
        delay_ms=NUMBER,
        after=FLAG,
        code=maybe(WHOLE),
        event=TEXT,
        hits=WHOLE,
        active=FLAG,
    ),
    "LoggedCall": record(
        n=WHOLE,
        time=TIME,
        application=maybe(TEXT),
        method=TEXT,
        path=TEXT,
        route=TEXT,
        status=WHOLE,
        ms=NUMBER,
        body=ANY,
        error=ANY,
        ignored=many(TEXT),
        modelled=FLAG,
        fault=maybe(TEXT),
        headers=by_name(TEXT),
    ),
    "Emoji": record(
        id=ID, name=TEXT, animated=FLAG, roles=many(TEXT), user=maybe(TEXT), guild=TEXT, url=TEXT
    ),
    "ScheduledEvent": record(
        id=ID,
        name=TEXT,
        description=maybe(TEXT),
        guild=TEXT,
        channel=maybe(TEXT),
        location=maybe(TEXT),
        start=TIME,
        end=maybe(TIME),
        status=one_of("scheduled", "active", "completed", "canceled"),
        creator=TEXT,
        users=many(TEXT),
    ),
    "Webhook": record(id=ID, name=TEXT, channel=TEXT, channel_id=ID, user=TEXT, token=TEXT, url=TEXT),
    "Service": record(name=TEXT, environment=TEXT, control_url=TEXT),
    "Save": record(name=TEXT, now=TIME, messages=WHOLE, size=WHOLE),
}

SHAPES: dict[str, JSON] = _PLACES | _MESSAGES | _TRAFFIC

STATE = record(
    now=TIME,
    clock_offset=NUMBER,
    event_id=WHOLE,
    guilds=many(shape("Guild")),
    people=many(shape("Person")),
    channels=many(shape("Channel")),
    applications=many(shape("Application")),
    sessions=many(shape("Session")),
    services=many(shape("Service")),
    processes=many(ANY),
)
BEGUN = record(interaction=ID)
PRESSED: JSON = {"anyOf": [BEGUN, record(interactions=many(ID))]}
CHOICES = record(choices=many(OBJECT), interaction=ID)
MESSAGES = record(channel=shape("Channel"), messages=many(shape("Message")))
OVERWRITE = record(target=ID, type=one_of("role", "member"), permissions=by_name(FLAG))
CHANGED_CHANNEL = record(**SHAPES["Channel"]["properties"], overwrites=many(OVERWRITE))
COMMAND_PERMISSIONS = record(permissions=many(_PERMISSION))
VOICE = record(voice=many(shape("Voice")))
AUDIT_LOG = record(entries=many(shape("AuditEntry")))
BANS = record(bans=many(shape("Ban")))
TOKEN = record(token=TEXT)
REQUESTS = record(last=WHOLE, requests=many(shape("LoggedCall")))
FAULTS = record(faults=many(shape("Fault")))
EVENTS = record(events=many(shape("ScheduledEvent")))
EMOJIS = record(emojis=many(shape("Emoji")))
WEBHOOKS = record(webhooks=many(shape("Webhook")))
SERVICES = record(services=many(shape("Service")))
SAVES = record(saves=many(shape("Save")))
SAVED = record(
    kind=TEXT,
    version=WHOLE,
    now=NUMBER,
    last_id=ID,
    cdn=TEXT,
    world=OBJECT,
    roots=OBJECT,
    objects=by_name(many(OBJECT)),
)
CLOCK = record(now=TIME, clock_offset=NUMBER)
RESET = record(event_id=WHOLE)
CALLS = record(calls=many(record(method=TEXT, path=TEXT, does=TEXT)))
