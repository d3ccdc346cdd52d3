"""Which machines a job may reach: public ones, unless the operator allows more."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from worker.errors import StepFailed

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")  # carriers' own networks; some clouds put metadata there


def _with_embedded(address: Address) -> Iterator[Address]:
    """An address, and every IPv4 address that it is another way to reach."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _COMPATIBLE or any(address in network for network in _NAT64):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def is_public(text: str) -> bool:
    """Whether a numeric address, as the system resolves a host to it, leads out into the internet.

    Private, loopback, link-local, shared, reserved, unspecified and multicast addresses do not, nor do the
    IPv6 forms that stand for such an IPv4 address.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return all(_public(each) for each in _with_embedded(address))


def _public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address) and address in _SHARED:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return True  # decided by the address inside
        if address.is_site_local or address.scope_id:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def refused(host: str) -> StepFailed:
    """A host that a job may not reach. The number it resolves to is not told: a job is no port scanner."""
    text = f"{host} is a private, loopback or link-local address: a job may not reach it"
    hint = (
        "Put the data where it can be reached from the internet, or on the volume. "
        "The operator of the worker can allow such addresses: DPCOMPILE_ALLOW_PRIVATE_ADDRESSES."
    )
    return StepFailed("DPC712", text, hint, resumable=False)
