"""What went wrong between us and a server, in plain words that hold neither an address nor a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which the same request may well succeed."""
_RATE_LIMIT = re.compile(r'"\w+"\s*;\s*r\s*=\s*(\d+)\s*;\s*t\s*=\s*(\d+)')


class TargetFailed(Exception):
    """A target did not take the result: why, and what the user can do. Neither holds a secret."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotConfigured(Exception):
    """Nobody said what a target needs to be used: under `auto` it is left out."""


class HttpFault(Exception):
    """An answer that is no success. `wait` is what the server asks for, in seconds; 0 if it does not say."""

    def __init__(self, status: int, wait: float = 0.0, said: str = "") -> None:
        super().__init__(status)
        self.status, self.wait, self.said = status, wait, said

    @property
    def passing(self) -> float | None:
        """How long to wait before the next try; None when that would be of no use."""
        return self.wait if self.status in PASSING else None


def status_in_words(status: int) -> str:
    """`answered 403 (Forbidden)`."""
    try:
        return f"answered {status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return f"answered {status}"


def asked_wait(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """The seconds that a server asks to wait, by Retry-After or by the Hub's RateLimit; 0 if it does not say."""
    lower = {name.lower(): value for name, value in headers.items()}
    limit = _RATE_LIMIT.search(lower.get("ratelimit", ""))
    if limit and int(limit[1]) == 0:
        return float(limit[2])
    text = lower.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max((date - (now or datetime.now(UTC))).total_seconds(), 0.0)
