"""Settings: one frozen tree from the environment and `.env`, built once and passed on in parts.

Every name is `SLIPWAY_<GROUP>_<FIELD>` (`SLIPWAY_WEB_PORT`) or `SLIPWAY_<FIELD>` (`SLIPWAY_DATA_DIR`); the
plain names that hosters set anyway are understood as well (`PLAIN_NAMES`). The environment wins over `.env`.
Names that begin with `SLIPWAY_DEMO_` or `SLIPWAY_VAR_` are left to the catalog, which may refer to them.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, unquote_plus, urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.domain.errors import UserError
from bot.values import is_name

PREFIX = "SLIPWAY_"
FREE_PREFIXES = ("SLIPWAY_DEMO_", "SLIPWAY_VAR_")
# Of the client of the HTTP API: address, token, and whether http:// is allowed. In the environment, never in `.env`.
CLIENT_NAMES = ("SLIPWAY_URL", "SLIPWAY_TOKEN", "SLIPWAY_ALLOW_HTTP")
PLAIN_NAMES: Mapping[str, tuple[str, str]] = {
    "DISCORD_TOKEN": ("discord", "token"),
    "DATABASE_URL": ("database", "url"),
    "REDIS_URL": ("redis", "url"),
    "ADMIN_API_SECRET": ("web", "admin_token"),
    # The standard names of OpenTelemetry; of the last two, the one for traces counts.
    "OTEL_SDK_DISABLED": ("otel", "disabled"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("otel", "endpoint"),
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ("otel", "traces_endpoint"),
    "OTEL_EXPORTER_OTLP_HEADERS": ("otel", "headers"),
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS": ("otel", "headers"),
}


_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class SettingsError(UserError):
    """Mistakes in the environment. The text lists all of them, one per line, without secrets."""

    def __init__(self, sentences: Iterable[str]) -> None:
        self.sentences = tuple(sentences)
        super().__init__("\n".join(self.sentences), rule="bad_settings")


def _scheme(*allowed: str) -> Any:
    def check(value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        scheme = urlsplit(text).scheme
        if scheme not in allowed or "://" not in text:
            raise ValueError(f"an address that starts with {' or '.join(f'{a}://' for a in allowed)}")
        return value

    return AfterValidator(check)


def _a_name(value: str) -> str:
    if not is_name(value):
        raise ValueError("a name of letters, digits, dot, dash and underscore, at most 64")
    return value


def _without_slash(value: str) -> str:
    return value.rstrip("/")


def without_password(address: str) -> tuple[str, str | None]:
    """A URL that is safe to show, and its decoded password (before the `@`, or as `?password=`)."""
    parts = urlsplit(address)
    password = unquote(parts.password) if parts.password else None
    user, at, place = parts.netloc.rpartition("@")
    kept = []
    for field in parts.query.split("&"):
        name, _, value = field.partition("=")
        if unquote(name) == "password":
            password = password or unquote_plus(value)
        elif unquote(name) != "sslpassword":
            kept.append(field)
    query = f"?{'&'.join(kept)}" if any(kept) else ""
    return f"{parts.scheme}://{user.partition(':')[0]}{at}{place}{parts.path}{query}", password


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DiscordSettings(_Group):
    """`api_base` and `gateway_url` are set only to use another server than Discord, such as the sandbox."""

    token: SecretStr | None = Field(default=None, description="The bot's token. `slipway run` needs it.")
    api_base: Annotated[str, _scheme("http", "https"), AfterValidator(_without_slash)] = Field(
        default="https://discord.com/api/v10",
        description="Where REST calls go. Set it to the sandbox's `api_base` to play.",
    )
    gateway_url: Annotated[str, _scheme("ws", "wss")] | None = Field(
        default=None, description="The gateway's address, for the sandbox. Discord's own without it."
    )
    presences: bool = Field(
        default=False,
        description="Request the Presence intent, for checks of kind `presence`. Switch it on in the portal first.",
    )
    application_id: int | None = Field(
        default=None,
        gt=0,
        description="`slipway doctor` compares the token's application with it.",
    )


class DatabaseSettings(_Group):
    """Without `url`, Slipway starts its own PostgreSQL in the data folder."""

    url: Annotated[SecretStr, _scheme("postgres", "postgresql")] | None = Field(
        default=None, description="`postgresql://user:password@host:5432/name`."
    )
    pool_size: int = Field(
        default=16, ge=4, le=200, description="Connections. Half are kept for people, half for the work."
    )

    @property
    def dsn(self) -> str | None:
        return self.url.get_secret_value() if self.url else None


class RedisSettings(_Group):
    """Without `url`, state that processes would share stays in the memory of this one."""

    url: Annotated[SecretStr, _scheme("redis", "rediss", "unix")] | None = Field(
        default=None, description="`redis://host:6379/0`, `rediss://…` or `unix://…`."
    )

    @property
    def dsn(self) -> str | None:
        return self.url.get_secret_value() if self.url else None


class WebSettings(_Group):
    """Address of `/health`, `/metrics` and the admin calls. Port 0 picks a free one."""

    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="The port to listen on.")
    admin_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Bearer token of the admin calls. Without it they are refused.",
    )


class HeartbeatSettings(_Group):
    """Tells a service outside that this process is well, every 60 s."""

    url: Annotated[SecretStr, _scheme("http", "https")] | None = Field(
        default=None,
        description="Asked with GET while all loops are alive: healthchecks.io, Uptime Kuma, and the like.",
    )


class MemorySettings(_Group):
    """What the process may use. Without it, the limit of its control group counts, if there is one."""

    limit_mb: int | None = Field(
        default=None, ge=64, le=1_048_576, description="In MiB. Above 80% of it, Slipway alerts."
    )


class LogSettings(_Group):
    """Log lines go to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe level that is written."
    )
    format: Literal["json", "console"] = Field(
        default="json", description="`json`: one object a line. `console`: for people."
    )


def _switched(value: object) -> bool:
    return str(value).strip().lower() in ("true", "1", "yes", "on")


class OtelSettings(_Group):
    """Traces of rollouts, over OTLP (HTTP). Off without an endpoint; needs `slipway[otel]`.

    The standard names are often set for all programs of a machine: a value that is not understood switches traces off.
    """

    endpoint: SecretStr | None = Field(
        default=None, description="The collector's address; `/v1/traces` is added to it."
    )
    traces_endpoint: SecretStr | None = Field(
        default=None, description="The whole address for traces, instead of `endpoint`."
    )
    headers: SecretStr | None = Field(
        default=None, description="Headers of each request, such as keys: `name=value,name=value`."
    )
    disabled: Annotated[bool, BeforeValidator(_switched)] = Field(
        default=False, description="Off, although an endpoint is set."
    )

    @property
    def traces_url(self) -> str | None:
        """Where traces go; None while they are off."""
        if self.disabled:
            return None
        if self.traces_endpoint is not None:
            return self.traces_endpoint.get_secret_value()
        base = self.endpoint.get_secret_value() if self.endpoint is not None else None
        return None if base is None else f"{base.rstrip('/')}/v1/traces"


class Settings(BaseSettings):
    """All settings. `config_dir` contains the catalog; Slipway writes everything to `data_dir`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",  # unknown names are found before, with a better sentence
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        env_ignore_empty=True,
        enable_decoding=False,  # a group is never given as JSON
        env_file_encoding="utf-8",
    )

    discord: DiscordSettings = DiscordSettings()
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    web: WebSettings = WebSettings()
    heartbeat: HeartbeatSettings = HeartbeatSettings()
    memory: MemorySettings = MemorySettings()
    log: LogSettings = LogSettings()
    otel: OtelSettings = OtelSettings()
    config_dir: Path = Field(default=Path("config/catalog"), description="The catalog's folder.")
    data_dir: Path = Field(
        default=Path(".slipway"),
        description="Everything that Slipway writes: its PostgreSQL, the process host's state, sockets and logs.",
    )

    location: Annotated[str, AfterValidator(_a_name)] | None = Field(
        default=None,
        description="Where this process is: it asks the checks that name this location.",
    )
    clock_file: Path | None = Field(
        default=None,
        description="For demos: a file with seconds by which the clock of alerts is ahead. Sandbox only.",
    )
    shared_account: bool = Field(
        default=False,
        description="Every command here runs as the same user, as in a container: changes need `--as` and a token.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        env_file = getattr(dotenv_settings, "env_file", None)
        return (init_settings, env_settings, dotenv_settings, _PlainNames(settings_cls, env_file))

    def describe(self) -> dict[str, str]:
        """Every setting by its variable's name, as it may be printed: secrets are `(set)` or `(not set)`."""
        lines: dict[str, str] = {}
        for name, value in _leaves(self):
            secret = isinstance(value, SecretStr) or name in _SECRET_NAMES
            lines[name] = ("(set)" if value else "(not set)") if secret else _plain(value)
        return lines

    def secrets(self) -> list[str]:
        """Every secret value, and the passwords in addresses: what a log must never show."""
        values = [value.get_secret_value() for _, value in _leaves(self) if isinstance(value, SecretStr)]
        hidden = [without_password(value)[1] for value in values if "://" in value]
        if self.otel.headers is not None:
            # As written and as sent.
            given = [
                each.partition("=")[2].strip() for each in self.otel.headers.get_secret_value().split(",")
            ]
            hidden += [*given, *(unquote(each) for each in given)]
        return values + [each for each in hidden if each]


class _PlainNames(PydanticBaseSettingsSource):
    """Last source: names without our prefix, such as `DATABASE_URL`."""

    def __init__(self, settings_cls: type[BaseSettings], env_file: Any) -> None:
        super().__init__(settings_cls)
        self._given = {**_dotenv(env_file), **os.environ}

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        tree: dict[str, dict[str, str]] = {}
        for name, (group, leaf) in PLAIN_NAMES.items():
            if value := self._given.get(name):
                tree.setdefault(group, {})[leaf] = value
        return tree


def load_settings(env_file: Path | None = Path(".env")) -> Settings:
    """Build the settings, and see to `catalog_variables`. Raises `SettingsError` with a sentence for every mistake."""
    mistakes = list(_unknown_names({*os.environ.keys() - set(CLIENT_NAMES), *_dotenv(env_file)}))
    try:
        settings = Settings(_env_file=env_file)  # type: ignore[call-arg]
        mistakes += _demo_alone(settings)
    except ValidationError as error:
        found = error.errors(include_url=False)
        mistakes += [_sentence(e) for e in found if _name(e) in variable_names()]
    if mistakes:
        raise SettingsError(mistakes)
    catalog_variables(env_file)
    return settings


def _demo_alone(settings: Settings) -> Iterable[str]:
    """With real people, nothing may call them before its time."""
    if settings.clock_file is not None and urlsplit(settings.discord.api_base).hostname not in _LOOPBACK:
        needed = f"{PREFIX}DISCORD_API_BASE must be the sandbox's, on this machine."
        yield f"{PREFIX}CLOCK_FILE is for demos alone: {needed}"


def catalog_variables(env_file: Path | None = Path(".env")) -> None:
    """Add what `env_file` has for the catalog to the environment, where catalog and host look; the environment wins."""
    for name, value in _dotenv(env_file).items():
        if name.startswith(FREE_PREFIXES):
            os.environ.setdefault(name, value)


def variable_names() -> list[str]:
    """Every variable that Slipway reads, without the plain names."""
    return [name for name, _ in _leaves(Settings.model_construct())]


def _leaves(settings: BaseModel, prefix: str = PREFIX) -> Iterable[tuple[str, Any]]:
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        name = f"{prefix}{field.upper()}"
        if isinstance(value, _Group):
            yield from _leaves(value, f"{name}_")
        else:
            yield name, value


_SECRET_NAMES = {
    f"{PREFIX}{group}_{leaf}".upper() for group, leaf in (*PLAIN_NAMES.values(), ("heartbeat", "url"))
}


def _plain(value: object) -> str:
    return "(not set)" if value is None else str(value)


def _dotenv(env_file: Any) -> dict[str, str]:
    if not env_file or not Path(env_file).is_file():
        return {}
    return {k: v for k, v in dotenv_values(env_file, encoding="utf-8").items() if v is not None}


def _unknown_names(given: Iterable[str]) -> Iterable[str]:
    known = variable_names()
    for name in sorted(n.upper() for n in given if n.upper().startswith(PREFIX)):
        if name in known or name.startswith(FREE_PREFIXES):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}?" if near else f"Slipway reads {', '.join(known)}."
        yield f"{name} is not a setting. {hint}"


def _name(error: Any) -> str:
    return PREFIX + "_".join(str(part) for part in error["loc"]).upper()


def _sentence(error: Any) -> str:
    """A pydantic error as a sentence with the variable, never with the value of a secret."""
    name = _name(error)
    given = error.get("input")
    shown = "" if name in _SECRET_NAMES or isinstance(given, SecretStr) else f", not {str(given)[:80]!r}"
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            expected = str(context["error"])
        case "int_parsing" | "int_type":
            expected = "a whole number"
        case "literal_error":
            expected = f"one of {context['expected']}"
        case "too_short" | "string_too_short":
            expected = f"at least {context['min_length']} characters long"
        case _:
            expected = str(error["msg"]).removeprefix("Input ").removeprefix("should be ")
    return f"{name} must be {expected}{shown}."
