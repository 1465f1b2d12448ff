"""Releases from a registry's tags: pages, logins, order, and every way in which a registry does not answer."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.runtimes.docker.spec import DockerSpecSettings
from bot.adapters.sources.cached import CachedReleases
from bot.adapters.sources.registry.source import RegistrySettings, make_registry
from bot.adapters.sources.releases import ExaminingFinder, FoundRelease
from bot.ports.errors import Unreachable
from tests.fakes.registry import RegistryApi, built, serving, tagged
from tests.support.prometheus import self_signed

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
async def api() -> AsyncIterator[RegistryApi]:
    async with serving(RegistryApi(tags=tagged("1.9.0", "1.10.0", "1.10.0-rc1", "latest"))) as served:
        yield served


def source(api: RegistryApi, image: str = "team/shop:{version}", **more: Any) -> CachedReleases:
    spec = {"image": f"{api.host}/{image}", "port": 8080}
    written = {"kind": "registry", "spec": spec, "timeout": "30s", **more}
    settings = RegistrySettings[DockerSpecSettings].model_validate(written)
    assert list(settings.problems()) == []
    return make_registry("shop", settings)


def versions(found: Sequence[FoundRelease]) -> list[str]:
    return [each.version for each in found]


async def test_each_tag_is_a_release_highest_version_first(api: RegistryApi) -> None:
    found = await source(api).find()
    assert versions(found) == ["1.10.0", "1.10.0-rc1", "1.9.0"]
    assert found[0].spec == {"image": f"{api.host}/team/shop:{{version}}", "port": 8080}
    assert api.lists == 1


async def test_all_pages_are_read(api: RegistryApi) -> None:
    api.tags, api.page = tagged(*(f"1.{n}" for n in range(25))), 10
    assert versions(await source(api).find()) == [f"1.{n}" for n in reversed(range(25))]
    assert api.lists == 3


async def test_pages_that_do_not_end_are_an_error(api: RegistryApi) -> None:
    api.page, api.link = 1, "/v2/team/shop/tags/list?n=1"
    with pytest.raises(Unreachable, match="more than 50 pages of tags"):
        await source(api).find()
    assert api.lists == 50


async def test_next_page_on_another_server_is_not_followed(api: RegistryApi) -> None:
    api.page, api.link = 1, "http://169.254.169.254/latest/meta-data"
    with pytest.raises(Unreachable, match="its next page of tags is on another server"):
        await source(api).find()


async def test_tags_are_filtered_by_pattern_and_by_what_stands_around_the_version(api: RegistryApi) -> None:
    api.tags = tagged("v1.0", "v2.0-rc1", "v2.0", "3.0", "main", f"sha256-{'a' * 64}.sig")
    assert versions(await source(api, versions=r"\d+\.\d+", image="team/shop:v{version}").find()) == [
        "2.0",
        "1.0",
    ]
    assert versions(await source(api).find()) == ["3.0", "v2.0", "v2.0-rc1", "v1.0", "main"]


async def test_no_more_than_the_newest_are_offered(api: RegistryApi) -> None:
    assert versions(await source(api, most=2).find()) == ["1.10.0", "1.10.0-rc1"]


async def test_images_that_are_looked_into_come_newest_first_with_their_commits(api: RegistryApi) -> None:
    api.tags = {
        "1.5.0": built("2026-11-18T10:00:00.123456789Z", COMMIT),
        "1.4.9": built("2026-11-19T10:00:00+01:00"),
        "1.4.8": built("2026-11-01T10:00:00Z"),
    }
    shop = source(api, look_into=2)
    found = await shop.find()
    assert [(each.version, each.commit) for each in found] == [
        ("1.4.9", ""),
        ("1.5.0", COMMIT),
        ("1.4.8", ""),
    ]
    before = len(api.asked)
    await shop.find_now()
    assert len(api.asked) == before + 1  # what an image said of itself is kept


async def test_order_is_that_of_versions_where_an_image_does_not_say_when_it_was_built(
    api: RegistryApi,
) -> None:
    api.tags = {"2": built("1970-01-01T00:00:00Z"), "3": built("2026-11-18T10:00:00Z"), "1": {}}
    assert versions(await source(api, look_into=3).find()) == ["3", "2", "1"]


async def test_what_cannot_be_read_of_images_leaves_the_list_as_it_is(api: RegistryApi) -> None:
    api.blobs_at = "http://169.254.169.254/latest/meta-data"
    found = await source(api, look_into=3).find()
    assert [(each.version, each.commit, each.made_at) for each in found] == [
        ("1.10.0", "", None),
        ("1.10.0-rc1", "", None),
        ("1.9.0", "", None),
    ]


async def test_a_token_is_fetched_as_the_registry_asks(api: RegistryApi) -> None:
    api.auth = "bearer"
    found = await source(api, username="ci", password="pass:word", look_into=1).find()
    assert versions(found) == ["1.10.0", "1.10.0-rc1", "1.9.0"]
    assert api.asked.count("/token") == 1


async def test_a_password_is_sent_where_the_registry_asks_for_one(api: RegistryApi) -> None:
    api.auth = "basic"
    assert len(await source(api, username="ci", password="pass:word").find()) == 3


async def test_the_login_of_docker_login_is_used(api: RegistryApi, tmp_path: Path) -> None:
    api.auth = "bearer"
    file = tmp_path / "docker.json"
    file.write_text(json.dumps({"auths": {api.host: {"auth": base64.b64encode(b"ci:pass:word").decode()}}}))
    assert len(await source(api, logins=file).find()) == 3


@pytest.mark.parametrize(
    ("auth", "login", "said"),
    [
        ("bearer", {}, r"127\.0\.0\.1 gives no token for team/shop \(401\)"),
        ("bearer", {"username": "ci", "password": "other"}, "gives no token for team/shop"),
        ("basic", {}, "it needs a login for team/shop"),
        ("basic", {"username": "ci", "password": "other"}, "it does not show team/shop to this login"),
    ],
)
async def test_a_login_that_is_refused_is_a_sentence(
    api: RegistryApi, auth: str, login: dict[str, str], said: str
) -> None:
    api.auth = auth
    with pytest.raises(Unreachable, match=said) as refused:
        await source(api, **login).find()
    assert "other" not in str(refused.value)


@pytest.mark.parametrize(
    "realm",
    [
        "http://10.0.0.1/token",
        "https://10.0.0.1/token",
        "https://169.254.169.254/token",
        "file:///etc/passwd",
    ],
)
async def test_no_password_is_sent_inside_the_network_because_a_registry_says_so(
    api: RegistryApi, realm: str
) -> None:
    api.auth, api.realm = "bearer", realm
    with pytest.raises(Unreachable, match=r"use https|inside the network|does not say where"):
        await source(api, username="ci", password="pass:word").find()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"say": "<html>Sign in</html>"}, "is not what a registry answers"),
        ({"say": "[]"}, "is not what a registry answers"),
        ({"say": '{"tags": "1.0"}'}, "something else than a list of tags"),
        ({"say": "[" * 100_000}, "is not what a registry answers"),
        ({"say": " " * (5 * 2**20)}, "is larger than 4096 KiB"),
        ({"wait_s": 3.0}, r"did not answer in full within 0\.2 s"),
        ({"status": 429}, "it allows no more requests now, again in 30 s"),
        ({"status": 503}, "it answered 503"),
    ],
)
async def test_what_goes_wrong_is_a_sentence(api: RegistryApi, fault: dict[str, Any], said: str) -> None:
    for name, value in fault.items():
        setattr(api, name, value)
    more = {"timeout": "200ms"} if api.wait_s else {}
    with pytest.raises(Unreachable, match=said) as refused:
        await source(api, **more).find()
    assert str(refused.value).startswith(f"The tags of {api.host}/team/shop cannot be read: ")


async def test_an_image_that_is_not_there_is_a_sentence(api: RegistryApi) -> None:
    with pytest.raises(Unreachable, match="it has no image team/other"):
        await source(api, image="team/other:{version}").find()


async def test_a_registry_that_is_away_is_a_sentence() -> None:
    with pytest.raises(
        Unreachable, match=r"The tags of 127\.0\.0\.1:9/team/shop cannot be read: .*cannot be fetched"
    ):
        await source(RegistryApi(host="127.0.0.1:9")).find()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    self_signed(folder)
    return folder / "cert.pem"


@pytest.fixture
async def tls(certificate: Path) -> AsyncIterator[RegistryApi]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    async with serving(RegistryApi(tags=tagged("1.0")), tls=context) as served:
        yield served


async def test_a_registry_is_known_by_the_certificate_of_its_authority(
    tls: RegistryApi, certificate: Path
) -> None:
    assert versions(await source(tls, ca=certificate).find()) == ["1.0"]


async def test_a_registry_with_another_certificate_is_sent_nothing(tls: RegistryApi, tmp_path: Path) -> None:
    self_signed(tmp_path)
    with pytest.raises(Unreachable, match="cannot be fetched"):
        await source(tls, ca=tmp_path / "cert.pem", username="ci", password="pass:word").find()
    assert tls.asked == []


async def test_a_certificate_that_cannot_be_read_is_a_sentence(tls: RegistryApi, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"the certificate .*none\.pem cannot be read"):
        await source(tls, ca=tmp_path / "none.pem").find()


async def test_an_image_without_tags_has_no_releases(api: RegistryApi) -> None:
    api.tags = {}
    assert await source(api).find() == []


async def test_what_an_image_says_of_itself_is_read_when_it_is_deployed(api: RegistryApi) -> None:
    labels = {
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.source": "https://github.com/acme/shop",
        "slipway.irreversible": "drops the table coupons",
    }
    api.tags = tagged("1.9.0") | {"1.10.0": built("2026-11-20T10:00:00Z", labels=labels)}
    shop = source(api)
    assert [each.irreversible for each in await shop.find()] == ["", ""]  # the list alone knows nothing of it
    assert isinstance(shop, ExaminingFinder)
    found = await shop.examined(FoundRelease("1.10.0"))
    assert (found.commit, found.repository) == (COMMIT, "https://github.com/acme/shop")
    assert found.irreversible == "drops the table coupons"
    api.tags["1.10.0"] = built(
        "2026-11-20T10:00:00Z", labels={"slipway.irreversible": "false"}
    )  # the tag was moved
    assert (await shop.examined(found)).irreversible == ""


async def test_a_release_that_may_be_irreversible_is_not_deployed_unread(api: RegistryApi) -> None:
    shop = source(api)
    await shop.find()
    api.status = 500
    assert isinstance(shop, ExaminingFinder)
    with pytest.raises(
        Unreachable, match=r"The labels of .*/team/shop 1\.10\.0 cannot be read: it answered 500\."
    ):
        await shop.examined(FoundRelease("1.10.0"))
