"""The demo on containers: the same catalog but for target and specs, and a sentence where it cannot run."""

import sys
from pathlib import Path

import pytest
import yaml

from bot.catalog.yaml_source import read_folder
from demo import __main__ as launch
from demo.children import LaunchError
from demo.containers import LAYER, Containers, write_catalog
from demo.launcher import CATALOG
from tests.support.catalog_files import check

ENVIRON = {
    "SANDBOX_DEMO_DIR": "/srv/demo",
    "SLIPWAY_DEMO_ENGINE": "unix:///run/docker.sock",
    "SLIPWAY_DEMO_IMAGE": f"sha256:{'0' * 64}",
}


def test_catalog_differs_by_target_and_specs_alone(tmp_path: Path) -> None:
    write_catalog(CATALOG, tmp_path / "config")
    usual, changed = (read_folder(folder, ENVIRON).root for folder in (CATALOG, tmp_path / "config"))
    paths = yaml.safe_load(LAYER.read_text())
    assert {path.rpartition(".")[2] for path in paths} == {"local", "spec"}
    for path in paths:
        *above, last = path.split(".")
        was, now = usual, changed
        for name in above:
            was, now = was[name], now[name]
        assert was.pop(last) != now.pop(last)
    assert changed == usual


def test_catalog_is_sound_and_its_releases_run_in_the_image(tmp_path: Path) -> None:
    write_catalog(CATALOG, tmp_path / "config")
    catalog, mistakes = check(tmp_path / "config", ENVIRON)
    assert [str(mistake) for mistake in mistakes] == []
    specs = {name: catalog.releases[name].settings.spec.said() for name in ("checkout", "search", "herald")}
    assert {spec["image"] for spec in specs.values()} == {ENVIRON["SLIPWAY_DEMO_IMAGE"]}


def test_a_path_that_the_catalog_does_not_have_is_named(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    few = "targets: {local: {kind: process}}\nservices: {checkout: {releases: {}}}\n"
    (tmp_path / "few" / "all.yaml").write_text(few)
    with pytest.raises(KeyError, match=r"services\.checkout\.releases\.spec"):
        write_catalog(tmp_path / "few", tmp_path / "config")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("tcp://10.0.0.7:2376", "a Docker Engine on this machine, and DOCKER_HOST is tcp://10.0.0.7:2376"),
        ("unix:///no/sock", "No Docker Engine answers at unix:///no/sock: No such file or directory"),
    ],
)
async def test_an_engine_that_cannot_be_used_is_named_with_a_way_out(address: str, sentence: str) -> None:
    with pytest.raises(LaunchError, match=sentence) as refused:
        await Containers.prepared({"DOCKER_HOST": address})
    assert "make demo TARGET=docker DOCKER_HOST=unix://" in str(refused.value)


async def test_elsewhere_than_on_linux_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LaunchError, match="needs Linux"):
        await Containers.prepared({})


def test_without_an_engine_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/docker.sock")
    monkeypatch.setattr(sys, "argv", ["demo", "--target", "docker", "--folder", str(tmp_path / "demo")])
    with pytest.raises(SystemExit) as ended:
        launch.main()
    assert str(ended.value.code).startswith("✗ No Docker Engine answers at unix:///no/docker.sock")
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "demo").exists()
