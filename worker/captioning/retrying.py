"""What an error of the Gemini API means: try again after a while, give up this video, or give up all."""

from __future__ import annotations

import re
from typing import Any

_LONGEST_PAUSE = 120.0
_PASSING = (408, 429, 500, 502, 503, 504)


class Failure(Exception):
    """This video cannot be described."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Fatal(Exception):
    """No video can be described; `kind` says what would have to change."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind


def pause_before_retry(error: Exception, again: int, *, last: bool) -> float:
    """Seconds to wait before the next try. Raises Failure or Fatal where another try cannot help.

    `again` counts the tries before, and `last` says that there will be no other.
    """
    code, status, message = _parts(error)
    if code is None:
        if not _is_transport(error):
            raise error
        if last:
            raise Fatal(f"Gemini cannot be reached ({type(error).__name__}: {message})", "network") from error
        return _growing(again)
    _raise_fatal(error, code, status, message)
    if code not in _PASSING:
        raise Failure(f"Gemini refused it: {code} {status}: {message}") from error
    if code == 429 and (last or _daily(error)):
        raise Fatal(f"the quota of Gemini is used up: {message}", "quota") from error
    if last:
        raise Fatal(f"Gemini keeps failing: {code} {status}: {message}", "network") from error
    return max(_asked_for(error), _growing(again))


def _parts(error: Exception) -> tuple[int | None, str, str]:
    """HTTP status, name of the error and one line about it."""
    code = getattr(error, "code", None)
    message = getattr(error, "message", None) or str(error)
    first = str(message).strip().splitlines() or [""]
    return (code if isinstance(code, int) else None), str(getattr(error, "status", "") or ""), first[0][:300]


def _raise_fatal(error: Exception, code: int, status: str, message: str) -> None:
    about_a_file = "File" in message  # one that is not ours any more is 403 too, and costs only one video
    if (code in (401, 403) and not about_a_file) or (code == 400 and "api key" in message.lower()):
        raise Fatal(f"Gemini does not accept the key: {message}", "key") from error
    if code == 404 and "model" in message.lower():
        raise Fatal(f"Gemini does not have the model: {message}", "model") from error
    if code == 400 and status == "FAILED_PRECONDITION" and "location" in message.lower():
        raise Fatal(f"Gemini is not offered where this worker runs: {message}", "key") from error


def _details(error: Exception) -> list[dict[str, Any]]:
    details = getattr(error, "details", None)
    inner = details.get("error", details) if isinstance(details, dict) else {}
    found = inner.get("details") if isinstance(inner, dict) else None
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _asked_for(error: Exception) -> float:
    """The pause that the service asks for, in seconds; 0 if it does not."""
    for entry in _details(error):
        if found := re.fullmatch(r"(\d+(?:\.\d+)?)s", str(entry.get("retryDelay", ""))):
            return min(float(found[1]), _LONGEST_PAUSE)
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    after = str(headers.get("retry-after", ""))
    return min(float(after), _LONGEST_PAUSE) if re.fullmatch(r"\d+", after) else 0.0


def _daily(error: Exception) -> bool:
    """Whether it is a quota by the day: waiting for it would cost more than starting again tomorrow."""
    violations = [v for entry in _details(error) for v in entry.get("violations", ()) if isinstance(v, dict)]
    return any("PerDay" in str(violation.get("quotaId", "")) for violation in violations)


def _growing(again: int) -> float:
    return min(float(2**again), 60.0)


def _is_transport(error: Exception) -> bool:
    if isinstance(error, OSError):
        return not isinstance(error, FileNotFoundError)
    return any(kind.__name__ in ("HTTPError", "TransportError", "RequestError") for kind in type(error).__mro__)
