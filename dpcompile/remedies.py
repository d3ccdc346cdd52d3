"""What to write instead of a value of the wrong type."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from dpcompile.wording import quote

_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def hint_for_type(value: object, schema: Any) -> str:
    """For a value of another type than its schema wants."""
    wanted = schema.get("type", []) if isinstance(schema, Mapping) else []
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if "array" in wanted and not _holds_plain(schema):
        wanted = [each for each in wanted if each != "array"]
    if value is None:
        return "Give it a value, or take it out."
    if isinstance(value, str):
        listed = f"Write a list: [{quote(value)}]." if "array" in wanted and _holds_text(schema) else ""
        return _list_hint(value, wanted) or hint_for_text(value.strip(), wanted) or listed
    if isinstance(value, bool) and {"integer", "number"} & set(wanted):
        return "true and false are not numbers here."
    if isinstance(value, float) and "integer" in wanted and value.is_integer():
        return f"Write {int(value)}, without a decimal point."
    if "string" in wanted and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f'Write it in quotes: "{value}".'
    if "array" in wanted and not isinstance(value, (dict, list)):
        return f"Write a list: [{quote(value)}]."
    if "boolean" in wanted and value in (0, 1):
        return f"Write {'true' if value else 'false'}."
    return ""


def _holds_plain(schema: Mapping[str, Any]) -> bool:
    """Whether one number or text in brackets could be such a list."""
    items = schema.get("items", {})
    return schema.get("minItems", 0) <= 1 and items.get("type") not in ("array", "object")


def _holds_text(schema: Mapping[str, Any]) -> bool:
    return bool(schema.get("items", {}).get("type") == "string")


def hint_for_text(text: str, wanted: list[str]) -> str:
    """For text where a number, true or false is wanted."""
    if "boolean" in wanted and text.lower() in ("true", "false", "yes", "no", "on", "off", "1", "0"):
        yes = text.lower() in ("true", "yes", "on", "1")
        return f"Write {'true' if yes else 'false'} without quotes."
    number = _number(text, wanted)
    return f"Write {number} without quotes." if number else ""


def _number(text: str, wanted: list[str]) -> str:
    """The number that a text means, as JSON has it: `3` for `03`; empty if none that is wanted."""
    try:
        number = float(text)
    except ValueError:
        return ""
    if not math.isfinite(number) or not {"integer", "number"} & set(wanted):
        return ""
    json_number = _JSON_NUMBER.fullmatch(text)
    if "number" not in wanted and not (json_number and text.lstrip("-").isdigit()):
        return str(int(number)) if number.is_integer() else ""
    return text if json_number else quote(int(number) if number.is_integer() else number)


def _list_hint(text: str, wanted: list[str]) -> str:
    """For lists as other trainers write them: `"512, 768"`."""
    if "array" not in wanted or not re.fullmatch(r"[\d.]+(\s*,\s*[\d.]+)*", text.strip()):
        return ""
    return f"Write a list: [{', '.join(re.split(r'[ ,]+', text.strip()))}]."
