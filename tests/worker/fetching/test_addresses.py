"""Which addresses lead out into the internet."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.fetching.addresses import is_public

INNER = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "0.0.0.0/8"]


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("::1", "::", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "224.0.0.1", "255.255.255.255", "240.0.0.1"),
        *("not an address", "", "2002:7f00:1::", "64:ff9b::7f00:1", "::127.0.0.1", "2001:0:4136:e378::"),
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@given(st.sampled_from(INNER).flatmap(lambda net: st.ip_addresses(v=4, network=net)))
def test_inner_addresses_are_not_public_in_any_of_their_forms(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    forms = [
        str(address),
        f"::ffff:{address}",
        str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80))),
        str(ipaddress.IPv6Address((0x0064FF9B << 96) | number)),
    ]
    assert not [form for form in forms if is_public(form)]
