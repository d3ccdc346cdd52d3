"""Where a job may send its result: to hosts of the internet, unless the operator allows more."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from worker.publishing.faults import TargetFailed
from worker.settings import Settings


def check_destination(url: str, settings: Settings) -> None:
    """Raises TargetFailed unless an address that a job gave is one of the web, and leads out into the internet."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TargetFailed("its address is not one of the web", "It has to begin with https://.")
    if settings.allow_private_addresses:
        return
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise TargetFailed("its host is not known", "Look for a typing error in the address.") from None
    if not all(ipaddress.ip_address(str(place[0]).split("%")[0]).is_global for *_, place in found):
        hint = "The operator of the worker can allow private addresses."
        raise TargetFailed("its address is a private, loopback or link-local one: a job may not reach it", hint)
