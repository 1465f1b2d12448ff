"""Names of images, logins to registries, and the progress of pulls."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from bot.adapters.runtimes.docker.images import ImageUnavailable, Logins, Progress, Reference, pinned
from bot.domain.rollout.model import Release

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "registry", "name"),
    [
        ("web", "docker.io", "web:latest"),
        ("team/web:1", "docker.io", "team/web:1"),
        ("localhost/web:1", "localhost", "localhost/web:1"),
        ("127.0.0.1:5000/web", "127.0.0.1:5000", "127.0.0.1:5000/web:latest"),
        (f"r.example.com/a/web:1@{DIGEST}", "r.example.com", f"r.example.com/a/web@{DIGEST}"),
        (DIGEST, "docker.io", DIGEST),
    ],
)
def test_reference(text: str, registry: str, name: str) -> None:
    found = Reference.parse(text)
    assert (found.registry, str(found)) == (registry, name)


async def test_login_of_docker_login_is_sent_for_its_registry_only(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    auth = base64.b64encode(b"ci:pass:word").decode()
    file.write_text(json.dumps({"auths": {"r.example.com": {"auth": auth}}}))
    headers = await Logins(file).headers(Reference.parse("r.example.com/web:1"))
    sent = json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"]))
    assert sent == {"username": "ci", "password": "pass:word", "serveraddress": "r.example.com"}
    assert await Logins(file).headers(Reference.parse("other.example.com/web:1")) == {}


async def test_login_of_a_credential_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-team"
    helper.write_text(
        '#!/bin/sh\nread server\necho "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"$server\\"}"\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"credHelpers": {"r.example.com": "team"}}))
    headers = await Logins(file).headers(Reference.parse("r.example.com/web:1"))
    assert json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"])) == {
        "identitytoken": "r.example.com"
    }


@pytest.mark.parametrize("content", ["", "{", '{"auths": {"r.example.com": {"auth": "%"}}}', '{"auths": 1}'])
async def test_unreadable_logins_are_named_without_their_content(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(ImageUnavailable, match=r"the logins in .*config\.json cannot be read"):
        await Logins(file).headers(Reference.parse("r.example.com/web:1"))


def test_progress_adds_up_all_layers() -> None:
    pull = Progress("web@sha256:12ab34cd5678")
    told = []
    for layer, status, current, total in [
        ("a", "Downloading", 1_000_000, 300_000_000),
        ("b", "Downloading", 40_000_000, 40_000_000),
        ("a", "Downloading", 80_000_000, 300_000_000),
        ("b", "Download complete", 0, 0),
    ]:
        pull.take({"id": layer, "status": status, "progressDetail": {"current": current, "total": total}})
        told.append(pull.phrase)
    assert told[0] == "pulling 1 of 300 MB of web@sha256:12ab34cd5678"
    assert told[-1] == "pulling 120 of 340 MB of web@sha256:12ab34cd5678"


def test_pinned_release_has_another_digest_for_another_image_and_the_same_for_the_same() -> None:
    release = Release("web", "1", "sha256:1", spec={"image": "web:{version}"}, base="sha256:b")
    first, again = pinned(release, f"web@{DIGEST}"), pinned(release, f"web@{DIGEST}")
    other = pinned(release, f"web@sha256:{'b' * 64}")
    assert first == again and first.spec["image"] == f"web@{DIGEST}"
    assert len({release.digest, first.digest, other.digest}) == 3
    assert len({release.base, first.base, other.base}) == 3
