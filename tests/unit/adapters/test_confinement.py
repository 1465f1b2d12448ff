"""Users and limits of releases that run as processes."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.adapters.runtimes.limits import Limits
from bot.adapters.runtimes.process import users as users_module
from bot.adapters.runtimes.process.confinement import confined, listens_as
from bot.adapters.runtimes.process.settings import ProcessSettings
from bot.adapters.runtimes.process.users import LaneUser, LaneUsers, closed_to
from bot.domain.rollout.model import Lane
from tests.support.users import as_root

SHOP, PAY = Lane("shop", "production"), Lane("pay", "production")
USER = LaneUser(70123, Path("/srv/home"))
LIMITS = Limits(memory="512MB", cpus=1.5, pids=100)


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of users can be made without root."""
    monkeypatch.setattr(os, "chown", lambda *_, **__: None)


def users(folder: Path, owner: str = "host", ids: range = range(70_000, 70_100)) -> LaneUsers:
    folder.mkdir(exist_ok=True)
    return LaneUsers(folder / "users", folder / "releases" / "homes", owner, ids)


async def test_each_lane_has_its_own_user_which_it_keeps(tmp_path: Path, owned: None) -> None:
    made = users(tmp_path)
    shop, pay = await made.of(SHOP), await made.of(PAY)
    assert shop.id != pay.id and {shop.id, pay.id} <= set(range(70_000, 70_100))
    again = users(tmp_path)
    assert (await again.of(PAY), await again.of(SHOP)) == (pay, shop)
    assert again.known(SHOP) == shop.id and users(tmp_path / "other").known(SHOP) is None
    assert shop.home.stat().st_mode & 0o777 == 0o700


async def test_two_hosts_of_a_machine_rarely_give_the_same_user(tmp_path: Path, owned: None) -> None:
    ids = range(70_000, 80_000)
    given = [(await users(tmp_path / name, name, ids).of(SHOP)).id for name in "abcdefgh"]
    assert len(set(given)) == len(given)


async def test_ids_of_accounts_are_left_alone_and_none_is_given_twice(
    tmp_path: Path, owned: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = {70_000, 70_002}

    def account(user: int) -> object:
        if user not in accounts:
            raise KeyError
        return object()

    monkeypatch.setattr(pwd, "getpwuid", account)
    made = users(tmp_path, ids=range(70_000, 70_004))
    assert {(await made.of(SHOP)).id, (await made.of(PAY)).id} == {70_001, 70_003}
    with pytest.raises(OSError, match="no user id between 70000 and 70003 is left"):
        await made.of(Lane("one", "more"))


async def test_user_that_cannot_be_saved_is_not_given(
    tmp_path: Path, owned: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = users(tmp_path)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(users_module, "write_atomically", full)
        with pytest.raises(OSError, match="No space"):
            await made.of(SHOP)
    assert made.known(SHOP) is None
    assert (await made.of(SHOP)).id


def test_variables_of_the_hosts_user_stay_with_it() -> None:
    base = {
        "PATH": "/bin",
        "HOME": "/root",
        "USER": "root",
        "TMPDIR": "/tmp",
        "LC_ALL": "C",
        "TZ": "UTC",
    }
    assert USER.environment(base) == {"PATH": "/bin", "TZ": "UTC", "LC_ALL": "C", "HOME": "/srv/home"}


def test_folder_that_is_closed_to_a_user_is_found_also_behind_links(tmp_path: Path) -> None:
    program = tmp_path / "closed" / "bin" / "program"
    program.parent.mkdir(parents=True)
    program.touch()
    (tmp_path / "link").symlink_to(program)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    assert closed_to(70_000, tmp_path / "link") is None
    (tmp_path / "closed").chmod(0o700)
    assert closed_to(70_000, tmp_path / "link") == tmp_path / "closed"
    assert closed_to(os.getuid(), tmp_path / "link") is None


def test_systemd_gets_a_scope_with_limits_and_the_user_without_rights() -> None:
    start = confined(["serve", "--port", "1"], USER, LIMITS, "slipway-abc", systemd=True)
    assert [word.rpartition("/")[2] for word in start.argv] == [
        *("systemd-run", "--scope", "--quiet", "--collect", "--unit=slipway-abc"),
        *("--property=MemoryMax=536870912", "--property=MemorySwapMax=0"),
        *("--property=TasksMax=100", "--property=CPUQuota=150%", "--"),
        *("setpriv", "--reuid=70123", "--regid=70123", "--clear-groups"),
        *("--inh-caps=-all", "--no-new-privs", "--"),
        *("serve", "--port", "1"),
    ]
    assert start.options == {}


@as_root
def test_user_that_systemd_starts_has_no_rights() -> None:
    argv = confined(["id"], USER, Limits(), "slipway-abc", systemd=True).argv
    become = argv[argv.index("--") + 1 :]
    said = subprocess.run(become, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "uid=70123 gid=70123 groups=70123"


def test_scope_without_limits_or_user_is_only_a_scope() -> None:
    start = confined(["serve"], None, Limits(), "slipway-abc", systemd=True)
    assert [Path(start.argv[0]).name, *start.argv[1:]] == [
        *("systemd-run", "--scope", "--quiet", "--collect", "--unit=slipway-abc", "--", "serve")
    ]


def test_without_systemd_the_kernel_limits_processes() -> None:
    start = confined(["serve"], USER, LIMITS, "slipway-abc", systemd=False)
    assert [Path(start.argv[0]).name, *start.argv[1:]] == [
        *("prlimit", f"--data={512 * 1024**2}", "--nproc=100", "--", "serve")
    ]
    assert start.options == {"user": 70123, "group": 70123, "extra_groups": []}
    # The number of processes is counted by user, and the host's own has others.
    assert "--nproc=100" not in confined(["serve"], None, LIMITS, "x", systemd=False).argv
    assert confined(["serve"], None, Limits(), "x", systemd=False).argv == ["serve"]


def test_release_cannot_use_more_memory_than_its_limit() -> None:
    takes = [sys.executable, "-c", "x = bytearray(300 * 1024**2); print('took it')"]
    within = confined(takes, None, Limits(memory="1GB"), "x", systemd=False)
    beyond = confined(takes, None, Limits(memory="100MB"), "x", systemd=False)
    assert subprocess.run(within.argv, capture_output=True, check=True).stdout == b"took it\n"
    refused = subprocess.run(beyond.argv, capture_output=True, check=False)
    assert refused.returncode != 0 and b"MemoryError" in refused.stderr


@as_root
def test_user_of_a_lane_cannot_start_more_processes_than_its_limit() -> None:
    forks = "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.5 & done; wait; echo all"
    for pids, runs in ((100, True), (3, False)):
        start = confined(["/bin/sh", "-c", forks], USER, Limits(pids=pids), "x", systemd=False)
        done = subprocess.run(start.argv, capture_output=True, check=False, cwd="/", **start.options)
        assert (done.returncode == 0 and b"all" in done.stdout) is runs, done.stderr


def test_system_without_the_programs_of_limits_says_which_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="prlimit is needed for limits, and is not installed"):
        confined(["serve"], USER, LIMITS, "x", systemd=False)
    assert confined(["serve"], USER, Limits(), "x", systemd=False).argv == ["serve"]


def test_who_listens_on_a_port_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert listens_as(port) == {os.getuid()}
    assert listens_as(port) == set()


def test_port_of_another_address_is_not_the_release() -> None:
    with socket.create_server(("127.0.0.2", 0)) as listening:
        assert listens_as(listening.getsockname()[1]) == set()
    with socket.create_server(("::", 0), family=socket.AF_INET6) as listening:
        assert listens_as(listening.getsockname()[1]) == {os.getuid()}


@pytest.mark.parametrize("users", ["70000-79999", "host"])
def test_users_are_a_range_or_the_hosts(users: str) -> None:
    made = ProcessSettings.model_validate({"kind": "process", "users": users, "router": {"kind": "envoy"}})
    assert made.ids == (None if users == "host" else range(70_000, 80_000))
    assert made.isolated is (users != "host" and os.geteuid() == 0)
    assert bool(made.trust) is not made.isolated


@pytest.mark.parametrize("users", ["0-100", "500", "daemon", "80000-70000", "1-4294967295"])
def test_mistake_in_users_is_named(users: str) -> None:
    with pytest.raises(ValidationError):
        ProcessSettings.model_validate({"kind": "process", "users": users, "router": {"kind": "envoy"}})
