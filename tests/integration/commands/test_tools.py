"""Examples of docs/how-to/commands.md, carried out as they stand there by the tools that they name.

`systemctl`, `sudo` and `curl` are stand-ins, since systemd does not run where tests do; OpenSSH and Ansible are real.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.targets.command.settings import CommandTargetSettings
from bot.adapters.targets.command.target import CommandTarget
from bot.adapters.targets.context import TargetContext
from bot.domain.config import Catalog
from bot.domain.rollout.model import Desired, Lane, Observed, Release, RunState
from tests.support.catalog_files import load
from tests.support.paths import ROOT
from tests.support.repository import blocks
from tests.support.ssh import SshServer
from tests.support.waiting import until

pytestmark = pytest.mark.real

PAGE = ROOT / "docs/how-to/commands.md"
STAND_INS = {
    "sudo": '#!/bin/sh\nexec "$@"\n',
    "systemctl": '#!/bin/sh\necho "systemctl $*" >> {log}\ntest "$1" != is-active || test ! -e {broken}\n',
    "curl": "#!/bin/sh\necho ok\n",
    "sleep": "#!/bin/sh\n",
}
PLAYBOOK = """\
- hosts: shop
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        content: "{{ version }}\\n"
        dest: "{{ folder }}/current"
"""
INVENTORY = """\
[shop]
127.0.0.1 ansible_port=%(port)s ansible_user=%(user)s ansible_ssh_private_key_file=%(identity)s

[shop:vars]
ansible_python_interpreter=/usr/bin/python3
ansible_ssh_args='-o UserKnownHostsFile=%(known_hosts)s'
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    folder = tmp_path / "catalog"
    folder.mkdir()
    for number, block in enumerate(b for b in blocks(PAGE) if b.language == "yaml"):
        (folder / f"{number}.yaml").write_text(block.text, encoding="utf-8")
    return load(folder, {"KAMAL_REGISTRY_PASSWORD": "of-kamal"})


def example(catalog: Catalog, name: str, data: Path, **changes: Any) -> tuple[CommandTarget, Lane]:
    """The target of an example; `changes`: what only a test has, such as where its SSH server is."""
    settings = catalog.targets[name].settings
    assert isinstance(settings, CommandTargetSettings)
    (lane,) = catalog.targets[name].lanes
    given = settings.model_copy(update=changes)
    return CommandTarget(given, catalog.targets[name].lanes, TargetContext(data)), lane


def release(version: str, **env: str) -> Release:
    return Release("shop", version, f"sha256:{version}", spec={"env": env} if env else {})


async def reach(target: CommandTarget, lane: Lane, desired: Desired) -> Observed:
    await target.apply(lane, desired)
    brings = desired.candidate if desired.candidate and desired.weight else desired.stable
    assert brings is not None

    def over(observed: Observed) -> bool:
        found = observed.of(brings.digest)
        return found is not None and found.state in (RunState.READY, RunState.CRASHED)

    return await until(lambda: target.observe(lane), over)


async def test_systemd_units_are_switched_and_switched_back_when_one_does_not_start(
    server: SshServer, catalog: Catalog, tmp_path: Path
) -> None:
    site, tools = tmp_path / "site", tmp_path / "tools"
    (script,) = (b.text for b in blocks(PAGE) if b.language == "text" and "bin/deploy VERSION" in b.text)
    for folder in (site / "bin", site / "releases" / "1.0", site / "releases" / "1.1", tools):
        folder.mkdir(parents=True)
    programs = {tools / name: text for name, text in STAND_INS.items()} | {site / "bin/deploy": script}
    for path, text in programs.items():
        path.write_text(text.replace("{log}", f"{tmp_path}/log").replace("{broken}", f"{tmp_path}/broken"))
        path.chmod(0o755)
    settings = catalog.targets["units"].settings
    assert isinstance(settings, CommandTargetSettings) and settings.ssh is not None
    ssh = settings.ssh.model_validate({**server.settings, "folder": str(site)})
    target, lane = example(catalog, "units", tmp_path / "data", ssh=ssh, observe_every=0.05)
    old, new = (release(version, PATH=f"{tools}:/usr/bin:/bin") for version in ("1.0", "1.1"))

    await reach(target, lane, Desired(1, old))
    observed = await reach(target, lane, Desired(2, old, new, 100))
    assert observed.weight_of(new.digest) == 100
    assert (site / "current").resolve() == site / "releases" / "1.1"
    assert "systemctl restart shop" in (tmp_path / "log").read_text()

    await reach(target, lane, Desired(3, old))
    (tmp_path / "broken").touch()
    found = (await reach(target, lane, Desired(4, old, new, 100))).of(new.digest)
    assert found is not None and found.state is RunState.CRASHED
    (tmp_path / "broken").unlink()
    observed = await reach(target, lane, Desired(5, old))
    assert observed.weight_of(old.digest) == 100
    assert (site / "current").resolve() == site / "releases" / "1.0"

    missing = replace(new, version="9.9", digest="sha256:9.9")
    found = (await reach(target, lane, Desired(6, old, missing, 100))).of(missing.digest)
    assert found is not None and found.detail == (
        "the apply command refused (exit code 78); last words: there is no releases/9.9"
    )
    await target.close()


async def test_ansible_deploys_over_ssh_and_a_playbook_that_fails_says_why(
    server: SshServer, catalog: Catalog, tmp_path: Path
) -> None:
    if shutil.which("ansible-playbook") is None:
        pytest.skip("needs ansible-playbook")
    site, book = tmp_path / "site", tmp_path / "catalog" / "ansible"
    for folder in (site, book):
        folder.mkdir()
    (book / "production.ini").write_text(INVENTORY % server.settings + f"folder={site}\n")
    (book / "playbook.yaml").write_text(PLAYBOOK)
    target, lane = example(catalog, "ansible", tmp_path / "data")
    old, new = release("1.0"), release("1.1")
    await reach(target, lane, Desired(1, old))
    await reach(target, lane, Desired(2, old, new, 100))
    assert (site / "current").read_text() == "1.1\n"
    await reach(target, lane, Desired(3, old))
    assert (site / "current").read_text() == "1.0\n"

    server.stop()
    observed = await reach(target, lane, Desired(4, old, new, 100))
    found = observed.of(new.digest)
    assert found is not None and found.state is RunState.CRASHED and "unreachable=1" in found.detail
