"""Which addresses are on the public internet."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.importers.reach import literal, refusal

V4 = st.ip_addresses(v=4)


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("127.0.0.1", "this machine"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "provider"),
        ("169.254.169.254", "metadata"),
        ("0.0.0.0", "no address"),
        ("0.1.2.3", "no address"),
        ("224.0.0.251", "multicast"),
        ("255.255.255.255", "reserved"),
        ("198.19.0.1", "measurements"),
        ("::", "no address"),
        ("::1", "this machine"),
        ("fd00::1", "private"),
        ("fe80::1%eth0", "this link"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("::127.0.0.1", "not given out"),
        ("2001:0:7f00:1::", "protocols"),
        ("64:ff9b:1::1", "translation"),
        ("::ffff:127.0.0.1", "this machine, written as IPv6"),
        ("2002:7f00:1::", "this machine, written as IPv6"),
        ("64:ff9b::10.0.0.1", "private"),
        ("5f00::1", "not given out"),
    ],
)
def test_what_is_not_public_is_called_by_its_name(address: str, word: str) -> None:
    assert word in refusal(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
        "2002:101:101::",
    ],
)
def test_the_public_internet_is_let_pass(address: str) -> None:
    assert refusal(address) == ""


@given(V4)
def test_an_address_is_judged_alike_however_ipv6_carries_it(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    plain = bool(refusal(str(address)))
    for carrier in (0xFFFF << 32 | number, (0x64FF9B << 96) | number, (0x2002 << 112) | number << 80):
        assert bool(refusal(str(ipaddress.IPv6Address(carrier)))) == plain


@given(st.ip_addresses())
def test_nothing_passes_that_python_does_not_call_global(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    text = str(address)
    carried = address.version == 6 and (
        address.ipv4_mapped or address.sixtofour or text.startswith("64:ff9b:")
    )
    if refusal(text) == "" and not carried:
        assert address.is_global
        assert not address.is_multicast


@given(V4)
def test_every_spelling_of_an_address_is_read_as_the_system_reads_it(address: ipaddress.IPv4Address) -> None:
    number, text = int(address), str(address)
    for spelt in (str(number), hex(number), f"0{number:o}", text):
        assert literal(spelt) == text == socket.inet_ntoa(socket.inet_aton(spelt))


@given(st.text(max_size=20))
def test_any_host_is_an_address_or_a_name(host: str) -> None:
    found = literal(host)
    assert found == "" or str(ipaddress.ip_address(found)) == found
