"""Manifests on both sides of every limit that Discord has: those it takes, and those it refuses and why."""


def command(**over):
    return {"name": "weather", "description": "Tells the weather", **over}


def option(**over):
    return {"type": 3, "name": "city", "description": "Which city", **over}


def choice(n, **over):
    return {"name": f"choice {n}", "value": f"v{n}", **over}


def sub(name="add", **over):
    return {"type": 1, "name": name, "description": "A sub-command", **over}


def with_option(**over):
    return [command(options=[option(**over)])]


def chars(n):
    """One command with names, descriptions and values of n characters in all."""
    found = command(name="a", description="b")
    left, options = n - 2, []
    for i in range(25):
        choices = []
        left -= 2 + len(str(i))
        for k in range(25):
            take = min(100, left - 3)
            if take < 1:
                break
            choices.append({"name": f"{k:02}", "value": "v" * take})
            left -= take + 2
        options.append(option(name=f"o{i}", description="d", choices=choices))
        if left <= 8:
            break
    options[-1]["description"] = "d" * (1 + left)
    found["options"] = options
    return [found]


TAKEN = {
    "one character name": [command(name="a")],
    "name of 32": [command(name="a" * 32)],
    "names in many scripts": [command(name=n) for n in ("погода", "天気", "मौसम", "อากาศ", "it's_a-b", "42")],
    "a letter without lower case": [command(name="ª")],
    "description of 100": [command(description="d" * 100)],
    "100 astral characters count as 100": [command(description="🌦" * 100)],
    "130 commands of four types": [command(name=f"c{i}") for i in range(99)]
    + [{"type": 2, "name": f"User {i}"} for i in range(15)]
    + [{"type": 3, "name": f"Message {i}"} for i in range(15)]
    + [{"type": 4, "name": "launch", "description": "Start", "handler": 2}],
    "the same name for another type": [command(name="info"), {"type": 2, "name": "info"}],
    "25 options": [command(options=[option(name=f"o{i}") for i in range(25)])],
    "required before optional": [command(options=[option(required=True), option(name="b")])],
    "25 choices": with_option(choices=[choice(i) for i in range(25)]),
    "choice name and value of 100": with_option(choices=[{"name": "n" * 100, "value": "v" * 100}]),
    "choice values at 2^53 - 1": with_option(
        type=4, choices=[{"name": "a", "value": 2**53 - 1}, {"name": "b", "value": 1 - 2**53}]
    ),
    "a number's choice of 0.5": with_option(type=10, choices=[{"name": "half", "value": 0.5}]),
    "autocomplete alone": with_option(autocomplete=True),
    "bounds that meet": with_option(type=4, min_value=3, max_value=3),
    "lengths from 0 to 6000": with_option(min_length=0, max_length=6000),
    "channel types": with_option(type=7, channel_types=[0, 5, 15]),
    "groups with sub-commands": [
        command(
            options=[
                {"type": 2, "name": "g", "description": "G", "options": [sub(options=[option()])]},
                sub("x"),
            ]
        )
    ],
    "permissions as text and number": [
        command(default_member_permissions="8"),
        command(name="b", default_member_permissions=0),
        command(name="c", default_member_permissions=None),
    ],
    "contexts and integration types": [command(contexts=[0, 1, 2], integration_types=[0, 1])],
    "localisations": [
        command(
            name_localizations={"de": "wetter", "en-GB": "weather"},
            description_localizations={"de": "Sagt das Wetter"},
        )
    ],
    "8000 characters": chars(8000),
    "what Discord answers": [
        command(id="1", application_id="2", version="3", guild_id="4", name_localized="weather", nsfw=False)
    ],
    "nothing": [],
}

REFUSED = {
    "no name": ([{"description": "d"}], "$[0].name", "missing"),
    "empty name": ([command(name="")], "$[0].name", "empty"),
    "name of 33": ([command(name="a" * 33)], "$[0].name", "33 characters; at most 32"),
    "upper case": ([command(name="Weather")], "$[0].name", "lower case: weather"),
    "upper case Cyrillic": ([command(name="Погода")], "$[0].name", "lower case"),
    "a blank": ([command(name="the weather")], "$[0].name", "blank"),
    "an emoji": ([command(name="sun☀")], "$[0].name", "☀"),
    "no description": ([{"name": "a"}], "$[0].description", "missing"),
    "description of 101": ([command(description="d" * 101)], "$[0].description", "at most 100"),
    "101 slash commands": ([command(name=f"c{i}") for i in range(101)], "$", "at most 100"),
    "16 user commands": ([{"type": 2, "name": f"u{i}"} for i in range(16)], "$", "at most 15"),
    "16 message commands": ([{"type": 3, "name": f"m{i}"} for i in range(16)], "$", "at most 15"),
    "two entry points": (
        [{"type": 4, "name": n, "description": "d", "handler": 1} for n in ("a", "b")],
        "$",
        "at most 1",
    ),
    "duplicate": ([command(), command()], "$[1].name", "$[0]"),
    "a user command with a description": (
        [{"type": 2, "name": "u", "description": "d"}],
        "$[0].description",
        "no desc",
    ),
    "a user command with options": (
        [{"type": 2, "name": "u", "options": [option()]}],
        "$[0].options",
        "no options",
    ),
    "26 options": (
        [command(options=[option(name=f"o{i}") for i in range(26)])],
        "$[0].options",
        "26 options",
    ),
    "two options of one name": (
        [command(options=[option(), option()])],
        "$[0].options[1].name",
        "options[0]",
    ),
    "required after optional": (
        [command(options=[option(), option(name="b", required=True)])],
        "$[0].options[1].required",
        "before optional",
    ),
    "26 choices": (
        with_option(choices=[choice(i) for i in range(26)]),
        "$[0].options[0].choices",
        "26 choices",
    ),
    "choice name of 101": (
        with_option(choices=[{"name": "n" * 101, "value": "v"}]),
        "$[0].options[0].choices[0].name",
        "101",
    ),
    "choice value of 101": (
        with_option(choices=[{"name": "n", "value": "v" * 101}]),
        "$[0].options[0].choices[0].value",
        "101",
    ),
    "two choices of one name": (
        with_option(choices=[choice(1), choice(1, value="x")]),
        "$[0].options[0].choices[1].name",
        "choices[0]",
    ),
    "choices with autocomplete": (
        with_option(autocomplete=True, choices=[choice(1)]),
        "$[0].options[0].choices",
        "both choices and autocomplete",
    ),
    "choices of a boolean": (
        with_option(type=5, choices=[choice(1)]),
        "$[0].options[0].choices",
        "no choices",
    ),
    "autocomplete of a user": (
        with_option(type=6, autocomplete=True),
        "$[0].options[0].autocomplete",
        "no autocomplete",
    ),
    "choice above 2^53": (
        with_option(type=4, choices=[{"name": "a", "value": 2**53}]),
        "$[0].options[0].choices[0].value",
        "2^53",
    ),
    "a fraction for an integer": (
        with_option(type=4, choices=[{"name": "a", "value": 0.5}]),
        "$[0].options[0].choices[0].value",
        "whole number",
    ),
    "true for an integer": (
        with_option(type=4, choices=[{"name": "a", "value": True}]),
        "$[0].options[0].choices[0].value",
        "whole number",
    ),
    "min above max": (with_option(type=4, min_value=2, max_value=1), "$[0].options[0].min_value", "above"),
    "min_value of a string": (with_option(min_value=1), "$[0].options[0].min_value", "no min_value"),
    "min_length of a number": (
        with_option(type=10, min_length=1),
        "$[0].options[0].min_length",
        "no min_length",
    ),
    "length of 6001": (with_option(max_length=6001), "$[0].options[0].max_length", "6000"),
    "max_length of 0": (with_option(max_length=0), "$[0].options[0].max_length", "from 1"),
    "min_length below 0": (with_option(min_length=-1), "$[0].options[0].min_length", "from 0"),
    "channel types of a role": (
        with_option(type=8, channel_types=[0]),
        "$[0].options[0].channel_types",
        "no channel types",
    ),
    "an unknown channel type": (
        with_option(type=7, channel_types=[99]),
        "$[0].options[0].channel_types",
        "a list with",
    ),
    "option type 12": (with_option(type=12), "$[0].options[0].type", "not an option type"),
    "command type 5": ([command(type=5)], "$[0].type", "not a command type"),
    "sub-commands beside options": ([command(options=[sub(), option()])], "$[0].options", "mixed with"),
    "an option in a group": (
        [command(options=[{"type": 2, "name": "g", "description": "G", "options": [option()]}])],
        "$[0].options[0].options[0].type",
        "only have sub-commands",
    ),
    "a group in a group": (
        [
            command(
                options=[
                    {
                        "type": 2,
                        "name": "g",
                        "description": "G",
                        "options": [{"type": 2, "name": "h", "description": "H"}],
                    }
                ]
            )
        ],
        "$[0].options[0].options[0].type",
        "not deeper",
    ),
    "a sub-command in a sub-command": (
        [command(options=[sub(options=[sub("x")])])],
        "$[0].options[0].options[0].type",
        "not deeper",
    ),
    "a required sub-command": (
        [command(options=[sub(required=True)])],
        "$[0].options[0].required",
        "cannot be required",
    ),
    "options of a string": (with_option(options=[option()]), "$[0].options[0].options", "of its own"),
    "8001 characters": (chars(8001), "$[0]", "8001 characters"),
    "a locale that is none": (
        [command(name_localizations={"de-AT": "wetter"})],
        "$[0].name_localizations.de-AT",
        "not a locale",
    ),
    "a localised name in upper case": (
        [command(name_localizations={"de": "Wetter"})],
        "$[0].name_localizations.de",
        "lower case",
    ),
    "a localised description of 101": (
        [command(description_localizations={"de": "d" * 101})],
        "$[0].description_localizations.de",
        "at most 100",
    ),
    "localisations that are a list": (
        [command(name_localizations=["de"])],
        "$[0].name_localizations",
        "not a list",
    ),
    "permissions that are words": (
        [command(default_member_permissions="ADMINISTRATOR")],
        "$[0].default_member_permissions",
        "permission bits",
    ),
    "permissions that are too many": (
        [command(default_member_permissions=str(2**54))],
        "$[0].default_member_permissions",
        "permission bits",
    ),
    "no contexts at all": ([command(contexts=[])], "$[0].contexts", "at least one"),
    "a context twice": ([command(contexts=[0, 0])], "$[0].contexts", "once"),
    "integration type 2": ([command(integration_types=[2])], "$[0].integration_types", "a list with"),
    "a handler of a slash command": ([command(handler=1)], "$[0].handler", "entry point"),
    "a handler that is none": (
        [{"type": 4, "name": "a", "description": "d", "handler": 3}],
        "$[0].handler",
        "1 (the application)",
    ),
    "an unknown key": ([command(colour="red")], "$[0].colour", "not a field that Discord knows"),
    "an unknown key of an option": (
        with_option(colour="red"),
        "$[0].options[0].colour",
        "not a field that Discord knows",
    ),
    "nsfw that is a text": ([command(nsfw="yes")], "$[0].nsfw", "true or false"),
    "required that is a text": (with_option(required="yes"), "$[0].options[0].required", "true or false"),
    "a command that is a text": (["weather"], "$[0]", "a command must be an object"),
    "131 commands of four types": (
        [command(name=f"c{i}") for i in range(100)]
        + [{"type": 2, "name": f"User {i}"} for i in range(15)]
        + [{"type": 3, "name": f"Message {i}"} for i in range(15)]
        + [{"type": 4, "name": "launch", "description": "Start", "handler": 2}],
        "$",
        "at most 130 of all types together",
    ),
    "an option that is a text": (
        [command(options=["city"])],
        "$[0].options[0]",
        "an option must be an object",
    ),
    "a choice that is a text": (
        with_option(choices=["x"]),
        "$[0].options[0].choices[0]",
        "a choice must be an object",
    ),
    "options that are an object": ([command(options={"a": 1})], "$[0].options", "a list of options"),
    "choices that are an object": (
        with_option(choices={"a": 1}),
        "$[0].options[0].choices",
        "a list of choices",
    ),
    "a name that is a number": ([command(name=3)], "$[0].name", "not a number"),
    "an object": ({"name": "a"}, "$", "a manifest must be a list"),
    "nothing at all": (None, "$", "not null"),
}
