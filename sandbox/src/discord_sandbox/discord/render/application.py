"""Applications in Discord's JSON."""

from discord_sandbox.discord.render.objects import user
from discord_sandbox.discord.state.ed25519 import public_key, seed_of
from discord_sandbox.discord.state.model import JSON, Application, User

# Bits of an application's flags, by the privileged intent that they tell of: presences, members, message content.
# Those of bots in fewer than 100 servers.
_INTENTS = {1 << 8: 1 << 13, 1 << 1: 1 << 15, 1 << 15: 1 << 19}
_HAS_COMMANDS = 1 << 23


def application_flags(it: Application) -> JSON:
    """`flags` and `flags_new`: that it has commands, and which privileged intents it may use."""
    flags = sum(flag for intent, flag in _INTENTS.items() if it.privileged_intents & intent) | _HAS_COMMANDS
    return {"flags": flags, "flags_new": str(flags)}


def application(it: Application, owner: User, guild_count: int) -> JSON:
    return {
        "id": it.id,
        "name": it.display_name,
        "icon": None,
        "description": it.description,
        "type": None,
        "summary": "",
        "bot": user(it.user),
        "bot_public": False,
        "bot_require_code_grant": False,
        "integration_types_config": {"0": {}},
        "verify_key": public_key(seed_of(it.id)).hex(),
        **application_flags(it),
        "tags": it.tags.copy(),
        "redirect_uris": [],
        "rpc_origins": [],
        "interactions_endpoint_url": it.endpoint_url,
        "role_connections_verification_url": None,
        "owner": user(owner),
        "approximate_guild_count": guild_count,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "event_webhooks_status": 1,
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": ["bot", "applications.commands"],
    }
