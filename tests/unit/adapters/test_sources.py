"""What is read from outside: which addresses may be asked, and how much and how deep a manifest may be."""

from __future__ import annotations

import json
import time

import pytest

from bot.adapters.sources.addresses import address, is_loopback, is_public
from bot.adapters.sources.fetching import Fetcher
from bot.adapters.sources.manifests.reading import LARGEST, parsed
from bot.ports.errors import ManifestUnavailable

OUTSIDE = (
    "8.8.8.8",
    "140.82.121.4",
    "2606:4700::1111",
    "2a00:1450:4001:82a::200e",
    "::ffff:8.8.8.8",  # mapped
    "64:ff9b::8.8.8.8",  # NAT64, how a network without IPv4 reaches it
    "2002:808:808::1",  # 6to4 of 8.8.8.8
    "2001:0:808:808:0:0:f7f7:f7f7",  # Teredo, server and client 8.8.8.8
    "2a00:1450:4001:82a:0:5efe:8.8.8.8",  # ISATAP
    "2001:200::1",  # the first address after those for protocols
    "2600:5efe:7f00:1::1",
)
INSIDE = (
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",  # carrier-grade NAT
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # metadata of a cloud
    "172.16.0.1",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",  # 6to4 relays
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible
    "::10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",  # 169.254.169.254
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::127.0.0.1",
    "64:ff9b:1::8.8.8.8",  # the local network alone knows where that leads
    "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    "100::1",  # discard
    "192.0.0.8",  # for protocols, and in every network
    "192.0.0.9",
    "192.0.0.255",
    "::ffff:192.0.0.8",
    "3fff::1",  # documentation
    "3fff:fff:ffff::1",
    "64:ff9b::192.0.0.8",
    "2002:c000:8::1",  # 6to4 of 192.0.0.8
    "::5efe:127.0.0.1",  # ISATAP, behind any prefix
    "fe80::5efe:10.0.0.1",
    "fe80::200:5efe:8.8.8.8",
    "2a00:1450:4001:82a:0:5efe:127.0.0.1",
    "2a00:1450:4001:82a:200:5efe:10.0.0.1",
    "2a00:1450:4001:82a:300:5efe:192.168.0.1",
    "2002:808:808:0:0:5efe:127.0.0.1",  # inside 6to4 of 8.8.8.8
    "64:ff9b:0:0:0:5efe:7f00:1",
    "2001:0:7f00:1::",  # Teredo, its server 127.0.0.1
    "2001:0:808:808:0:0:80ff:fffe",  # Teredo, its client 127.0.0.1
    "2001:1::1",  # for protocols
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4 of 127.0.0.1
    "2002:a9fe:a9fe::1",
    "2002:c0a8:1::",
    "4000::1",  # not given out
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",  # site-local
    "feff::1",
    "ff02::1",
    "ff0e::1",
)


@pytest.mark.parametrize("text", OUTSIDE)
def test_addresses_of_the_internet_are_public(text: str) -> None:
    found = address(text)
    assert found is not None
    assert is_public(found)
    assert not is_loopback(found)


@pytest.mark.parametrize("text", INSIDE)
async def test_no_other_address_may_be_asked(text: str) -> None:
    found = address(text)
    assert found is not None
    assert not is_public(found)
    host = f"[{text.partition('%')[0]}]" if ":" in text else text
    fetcher = Fetcher(hosts=None, allow_loopback=False, largest=10, timeout_s=1.0)
    with pytest.raises(ManifestUnavailable, match="is an address inside the network"):
        await fetcher.get(f"https://{host}/x")


@pytest.mark.parametrize(
    "text", ["10.0.0.1", "::10.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::1", "fec0::1"]
)
async def test_permission_for_this_machine_is_none_for_others(text: str) -> None:
    fetcher = Fetcher(hosts=None, allow_loopback=True, largest=10, timeout_s=1.0)
    host = f"[{text}]" if ":" in text else text
    with pytest.raises(ManifestUnavailable, match="is an address inside the network"):
        await fetcher.get(f"https://{host}/x")


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0177.0.0.1", "0x7f.1", "0x7f000001"])
async def test_other_spellings_of_an_inner_address_are_refused_too(host: str) -> None:
    fetcher = Fetcher(hosts=None, allow_loopback=False, largest=10, timeout_s=5.0)
    with pytest.raises(ManifestUnavailable, match=r"inside the network|cannot be fetched"):
        await fetcher.get(f"https://{host}/x")


@pytest.mark.parametrize(
    "text",
    [
        '"' * LARGEST,
        "[" * LARGEST,
        '["' + '\\"' * (LARGEST // 2 - 2),
        "[]," * (LARGEST // 3),
        '"a' * (LARGEST // 2),
    ],
    ids=["quotes", "brackets", "escapes", "empty lists", "open strings"],
)
def test_no_text_takes_longer_than_its_length(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ManifestUnavailable, match="is not JSON"):
        parsed(text, "x")
    assert time.process_time() - began < 1.0  # 32 KiB took 3 s


def test_depth_is_bounded_wherever_it_lies() -> None:
    assert parsed("[" * 32 + "]" * 32, "x")
    for deep in (
        "[" * 33 + "]" * 33,
        "[" * 5000 + "]" * 5000,
        json.dumps({"a": [0, json.loads("[" * 31 + "]" * 31)]}),
    ):
        with pytest.raises(ManifestUnavailable, match="x is not JSON: it nests deeper than 32"):
            parsed(deep, "x")
    assert parsed(json.dumps({"text": "[" * 100}), "x") == {"text": "[" * 100}


def test_what_is_too_large_is_not_parsed() -> None:
    with pytest.raises(ManifestUnavailable, match="x is larger than 1024 KiB"):
        parsed("[" + " " * LARGEST + "]", "x")
