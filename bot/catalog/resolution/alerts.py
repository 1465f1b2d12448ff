"""Resolution of what alerts come from and where they go."""

from __future__ import annotations

from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.config import AlertSourceConfig, SinkConfig


def alert_sources(document: Document, sections: Sections) -> dict[str, AlertSourceConfig]:
    """Every alert source, by name; mistakes go into `document`."""
    ids = {name: guild.id for name, guild in sections.of("guilds").items()}
    found: dict[str, AlertSourceConfig] = {}
    for name, settings in sections.of("alert_sources").items():
        path: KeyPath = ("alert_sources", name)
        for guild in settings.guilds or ():
            if guild not in sections.known("guilds"):
                hint = nearest(guild, sections.known("guilds"))
                document.wrong((*path, "guilds"), f'there is no guild "{guild}".', hint)
        for section, ours_by_theirs in (
            ("services", settings.services),
            ("environments", settings.environments),
        ):
            for theirs, ours in ours_by_theirs.items():
                if ours not in sections.known(section):
                    hint = nearest(ours, sections.known(section))
                    document.wrong((*path, section, theirs), f'there is no {section[:-1]} "{ours}".', hint)
        told = ids if settings.guilds is None else settings.guilds
        found[name] = AlertSourceConfig(settings, tuple(ids[guild] for guild in told if guild in ids))
    return found


def sinks(sections: Sections) -> dict[str, SinkConfig]:
    return {
        name: SinkConfig(settings, settings.enabled, frozenset(settings.severities), settings.timeout)
        for name, settings in sections.of("sinks").items()
    }
