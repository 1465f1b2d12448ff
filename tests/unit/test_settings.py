"""Settings: every mistake at once, names that no one knows, and secrets that no one sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.catalog.yaml_source import read_folder
from bot.settings import (
    CLIENT_NAMES,
    PLAIN_NAMES,
    PREFIX,
    Settings,
    SettingsError,
    load_settings,
    variable_names,
    without_password,
)
from tests.support.paths import ROOT


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIX) or name in PLAIN_NAMES:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def mistakes() -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.sentences


def test_nothing_set_gives_the_defaults() -> None:
    settings = load_settings()
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8080)
    assert settings.discord.api_base == "https://discord.com/api/v10"
    assert settings.discord.token is None
    assert settings.database.dsn is None
    assert settings.redis.dsn is None


def test_a_demos_clock_is_refused_with_the_real_discord(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_CLOCK_FILE", "/somewhere/clock")
    (sentence,) = mistakes()
    assert sentence.startswith("SLIPWAY_CLOCK_FILE is for demos alone")
    monkeypatch.setenv("SLIPWAY_DISCORD_API_BASE", "http://127.0.0.1.example.com/api/v10")
    assert mistakes() == (sentence,)
    monkeypatch.setenv("SLIPWAY_DISCORD_API_BASE", "http://127.0.0.1:8300/api/v10")
    assert load_settings().clock_file == Path("/somewhere/clock")


def test_groups_are_read_with_single_underscores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_DISCORD_API_BASE", "http://127.0.0.1:1/api/v10/")
    monkeypatch.setenv("SLIPWAY_DISCORD_GATEWAY_URL", "ws://127.0.0.1:1/gateway/")
    monkeypatch.setenv("SLIPWAY_DATA_DIR", "/somewhere")
    settings = load_settings()
    assert settings.discord.api_base == "http://127.0.0.1:1/api/v10"
    assert settings.discord.gateway_url == "ws://127.0.0.1:1/gateway/"
    assert settings.data_dir == Path("/somewhere")


@pytest.mark.parametrize(
    ("plain", "read"),
    [
        ("DISCORD_TOKEN", lambda s: s.discord.token),
        ("DATABASE_URL", lambda s: s.database.url),
        ("REDIS_URL", lambda s: s.redis.url),
        ("ADMIN_API_SECRET", lambda s: s.web.admin_token),
    ],
)
def test_names_that_hosters_set_are_understood(
    monkeypatch: pytest.MonkeyPatch, plain: str, read: object
) -> None:
    values = {"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h"}
    monkeypatch.setenv(plain, values.get(plain, "a-long-enough-secret"))
    found = read(load_settings())  # type: ignore[operator]
    assert found.get_secret_value() == values.get(plain, "a-long-enough-secret")


def test_our_own_name_wins_over_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://plain/d")
    monkeypatch.setenv("SLIPWAY_DATABASE_URL", "postgresql://ours/d")
    assert load_settings().database.dsn == "postgresql://ours/d"


def test_the_environment_wins_over_dotenv_and_empty_values_count_as_unset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SLIPWAY_WEB_PORT=1111\nSLIPWAY_LOG_LEVEL=debug\nREDIS_URL=\nOTHER=1\n")
    monkeypatch.setenv("SLIPWAY_WEB_PORT", "2222")
    settings = load_settings()
    assert settings.web.port == 2222
    assert settings.log.level == "debug"
    assert settings.redis.url is None


def test_every_mistake_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_WEB_PORT", "eighty")
    monkeypatch.setenv("SLIPWAY_LOG_LEVEL", "loud")
    monkeypatch.setenv("DATABASE_URL", "mysql://user:hunter2hunter2@h/d")
    monkeypatch.setenv("ADMIN_API_SECRET", "short")
    monkeypatch.setenv("SLIPWAY_WEB_PROT", "1")
    found = mistakes()
    assert len(found) == 5
    text = "\n".join(found)
    assert "SLIPWAY_WEB_PORT must be a whole number, not 'eighty'." in found
    assert "SLIPWAY_WEB_PROT is not a setting. Did you mean SLIPWAY_WEB_PORT?" in found
    assert "SLIPWAY_LOG_LEVEL must be one of" in text
    assert "hunter2" not in text
    assert "short" not in text.replace("shorter", "")


def test_what_dotenv_has_for_the_catalog_is_found_there_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.environ", {**os.environ, "SLIPWAY_VAR_PORT": "1"})
    (tmp_path / ".env").write_text("SLIPWAY_VAR_PORT=2\nSLIPWAY_VAR_NAME=Ada\nOTHER=1\n")
    load_settings()
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "a.yaml").write_text('x: "${SLIPWAY_VAR_PORT} ${SLIPWAY_VAR_NAME}"')
    assert read_folder(tmp_path / "catalog").root == {"x": "1 Ada"}
    assert "OTHER" not in os.environ


def test_unknown_names_in_dotenv_are_mistakes_and_a_group_is_no_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SLIPWAY_TOKEN=x\n")
    monkeypatch.setenv("SLIPWAY_DISCORD", '{"token": "x"}')
    assert [m.split(" ")[0] for m in mistakes()] == ["SLIPWAY_DISCORD", "SLIPWAY_TOKEN"]


def test_names_for_the_catalog_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_DEMO_CHECKOUT_STAGING_PORT", "1")
    monkeypatch.setenv("SLIPWAY_VAR_ANYTHING", "1")
    load_settings()


def test_printing_never_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {"DISCORD_TOKEN": "the-token-itself", "ADMIN_API_SECRET": "the-admin-secret-itself"}
    urls = {"DATABASE_URL": "postgresql://u:dbpassword@h/d", "REDIS_URL": "redis://:rdpassword@h"}
    for name, value in {**secret, **urls}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    shown = f"{settings!r} {settings} {settings.describe()} {settings.model_dump_json()}"
    for hidden in (*secret.values(), "dbpassword", "rdpassword"):
        assert hidden not in shown
        assert any(hidden in known for known in settings.secrets())
    assert settings.describe()["SLIPWAY_DISCORD_TOKEN"] == "(set)"


def test_traces_go_where_the_standard_names_say_and_a_foreign_value_is_no_mistake(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load_settings().otel.traces_url is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=k3y%20value, tenant=acme")
    settings = load_settings()
    assert settings.otel.traces_url == "http://collector:4318/v1/traces"
    assert {"k3y%20value", "k3y value", "acme"} <= set(settings.secrets())
    assert settings.describe()["SLIPWAY_OTEL_HEADERS"] == "(set)"
    (tmp_path / ".env").write_text(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://t/x\nOTEL_EXPORTER_OTLP_TRACES_HEADERS=a=b\n"
    )
    settings = load_settings()
    assert settings.otel.traces_url == "https://t/x"
    assert settings.otel.headers is not None and settings.otel.headers.get_secret_value() == "a=b"
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    assert load_settings().otel.traces_url is None
    monkeypatch.setenv("OTEL_SDK_DISABLED", "maybe")
    monkeypatch.setenv("SLIPWAY_OTEL_TRACES_ENDPOINT", "collector:4317")
    assert load_settings().otel.traces_url == "collector:4317"


def test_names_of_the_client_of_the_api_are_no_mistake_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in CLIENT_NAMES:
        monkeypatch.setenv(name, "x")
    assert load_settings().web.port == 8080


def test_the_tree_is_frozen() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.data_dir = Path("elsewhere")
    with pytest.raises(ValueError, match="frozen"):
        settings.web.port = 1


def test_the_example_names_every_setting_and_nothing_else() -> None:
    text = (ROOT / ".env.example").read_text()
    named = {
        line.lstrip("#").split("=")[0] for line in text.splitlines() if line.lstrip("#").startswith(PREFIX)
    }
    assert named == set(variable_names())


def test_the_docs_explain_every_setting() -> None:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert [name for name in variable_names() if f"`{name}`" not in text] == []


def test_settings_can_be_built_in_code() -> None:
    assert Settings(data_dir=Path("x")).data_dir == Path("x")


@pytest.mark.parametrize(
    ("given", "shown", "password"),
    [
        ("postgresql://u:p%40w@h:5432/db?a=b", "postgresql://u@h:5432/db?a=b", "p@w"),
        ("postgresql://u@h/db?password=p%2Bw&a=b", "postgresql://u@h/db?a=b", "p+w"),
        ("postgresql:///db?host=/tmp&pass%77ord=pw", "postgresql:///db?host=/tmp", "pw"),
        ("postgresql://u:pw@h/db?password=other", "postgresql://u@h/db", "pw"),
        ("postgresql://u@h/db?sslpassword=pw", "postgresql://u@h/db", None),
        ("postgresql://u:pw@h1:1,h2:2/db", "postgresql://u@h1:1,h2:2/db", "pw"),
        ("postgresql://u@h/db", "postgresql://u@h/db", None),
    ],
)
def test_a_password_is_taken_out_of_an_address(given: str, shown: str, password: str | None) -> None:
    assert without_password(given) == (shown, password)


def test_the_password_of_a_query_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@h/db?password=hidden-in-a-query")
    assert "hidden-in-a-query" in load_settings().secrets()
