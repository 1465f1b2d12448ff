"""A service with releases from a registry, as it is written in a catalog."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.catalog_files import LISTED, ON_DOCKER, changed, check, load, write


def catalog(releases: str) -> str:
    return changed(ON_DOCKER, (LISTED, f"      {releases}\n"))


@pytest.mark.parametrize(
    "releases",
    [
        'kind: registry\n      spec: {image: "r.example.com/shop:v{version}", port: 80}',
        'kind: registry\n      image: "r.example.com/shop:v{version}"\n      spec: {port: 80}',
    ],
)
def test_the_image_is_written_once(tmp_path: Path, releases: str) -> None:
    load(write(tmp_path, all=catalog(releases)), {})


def test_an_image_without_a_tag_has_its_versions_as_tags(tmp_path: Path) -> None:
    found = load(write(tmp_path, all=catalog("kind: registry\n      image: r.example.com/shop")), {})
    settings = found.releases["checkout"].settings
    assert settings.template == "r.example.com/shop:{version}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("releases", "said"),
    [
        ("kind: registry", "nothing says which image it is."),
        ('kind: registry\n      image: "r.example.com/shop:stable"', "has no {version}"),
        ('kind: registry\n      spec: {image: "r.example.com/shop"}', "has no {version}"),
        ('kind: registry\n      image: "r.example.com/{environment}/shop"', "names no image of which"),
        (f"kind: registry\n      image: shop@sha256:{'a' * 64}", "names no image of which"),
        ('kind: registry\n      image: shop\n      versions: "(1"', "is no regular expression"),
        ("kind: registry\n      image: shop\n      username: ci", "username and password need each other"),
        ("kind: registry\n      image: shop\n      password: hidden", "password"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, releases: str, said: str) -> None:
    _, mistakes = check(write(tmp_path, all=catalog(releases)), {})
    assert any(said in str(mistake) for mistake in mistakes), mistakes
    assert "hidden" not in " ".join(map(str, mistakes))
