"""The secrets of a run: their values, kept out of everything that is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

from dpcompile.plan import SecretNeed
from worker.errors import StepFailed

REMOVED = "***"
_SHORTEST = 6  # shorter texts would be found everywhere


class SecretStore:
    """Secrets by the name that a plan gives them, such as `huggingface_token`."""

    def __init__(self, values: Mapping[str, str], needs: Sequence[SecretNeed] = ()) -> None:
        self._values = {name: value for name, value in values.items() if value}
        self._needs = {need.name: need for need in needs}
        forms = {form for value in self._values.values() for form in (value, quote(value, ""), quote_plus(value))}
        self._forms = sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)

    def __repr__(self) -> str:
        return f"SecretStore({', '.join(sorted(self._values))})"

    def get(self, name: str) -> str | None:
        """The value of a secret, by its name or by `secret:NAME` as plans write it."""
        return self._values.get(name.removeprefix("secret:"))

    def require(self, name: str, why: str) -> str:
        """The value of a secret. Raises StepFailed when nobody gave it; `why` ends the message."""
        value = self.get(name)
        if value is None:
            name = name.removeprefix("secret:")
            raise StepFailed("DPC701", f"{name} is missing: {why}", self._remedy(name))
        return value

    def _remedy(self, name: str) -> str:
        need = self._needs.get(name)
        if need is None:
            return "Give it in the job."
        place = ".".join(part for part in need.pointer.removeprefix("/input").split("/") if part)
        names = f", or {' or '.join(need.env[:2])} in the environment of the worker" if need.env else ""
        return f"Set {place} in the job{names}."

    def without(self, *names: str) -> SecretStore:
        """The same store, without these secrets: for a text that has to show them."""
        shown = {self._values.get(name) for name in names}
        return SecretStore({k: v for k, v in self._values.items() if v not in shown}, tuple(self._needs.values()))

    def texts(self) -> tuple[str, ...]:
        """Every form in which a secret may stand in a file, longest first."""
        return tuple(self._forms)

    def redact(self, text: str) -> str:
        """The text without secrets."""
        for form in self._forms:
            text = text.replace(form, REMOVED)
        return text

    def redact_value(self, value: Any) -> Any:
        """A JSON value without secrets, keys included."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, Mapping):
            return {self.redact(str(k)): self.redact_value(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.redact_value(v) for v in value]
        return value
