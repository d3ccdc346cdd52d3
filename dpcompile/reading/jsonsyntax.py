"""Why a text is not JSON, in plain words, with the likely cause and never the contents of a string."""

from __future__ import annotations

import re
from json import JSONDecodeError

from dpcompile.locate import line_column, scan_brackets
from dpcompile.reading.faults import Fault

_BRACKETS = {"{": "}", "[": "]"}
_QUOTES = "'`‘’‚“”„«»"
_BLANKS = " \t\r\n"
_INVISIBLE = "\u200b\u2060\ufeff"
_WORD = re.compile(r"[^\W\d][\w$-]*")
_LITERALS = {
    "true": "true",
    "yes": "true",
    "on": "true",
    "false": "false",
    "no": "false",
    "off": "false",
    "none": "null",
    "null": "null",
    "nil": "null",
    "undefined": "null",
}
_FIRST_LINE = re.compile(r"^[ \t]*+([^#\s].*)", re.MULTILINE)
_TOML_LINE = re.compile(r"\[\[?[ \t]*[A-Za-z_][\w.-]*[ \t]*\]\]?[ \t]*(#.*)?\r?$|[\w.-]+[ \t]*=")
_YAML_LINE = re.compile(r"(---|%YAML|-)([ \t\r]|$)|[A-Za-z_][\w. -]*:([ \t\r]|$)")

_FORM = "Write numbers like 10, -0.5 or 1e-5: no leading zeros, no underscores, digits around the point."


def explain(text: str, error: JSONDecodeError) -> Fault:
    """The fault behind an error of `json`: another kind of file (DPC105) or broken JSON (DPC104)."""
    other = _other_kind(text)
    if other is not None:
        return other
    offset, message, hint = _in_string(text, error) or _between(text, error)
    return Fault(code="DPC104", offset=offset, message=message, hint=hint)


_Cause = tuple[int, str, str]


def _other_kind(text: str) -> Fault | None:
    line = _FIRST_LINE.search(text)
    if line is None:
        return None
    message, hint = "", "Write the job as one JSON object: {...}."
    if _TOML_LINE.match(line[1]):
        message = "this is a TOML file; dpcompile takes the JSON job"
        hint += " The trainer's TOML files are made from it."
    elif _YAML_LINE.match(line[1]):
        message = "this is a YAML file; dpcompile takes the JSON job"
        hint += " YAML is for model specs."
    elif line[1].startswith("<"):
        message = "this is an HTML or XML page; dpcompile takes the JSON job"
        hint += " Was an error page or a login page saved in its place?"
    return Fault(code="DPC105", offset=line.start(1), message=message, hint=hint) if message else None


def _in_string(text: str, error: JSONDecodeError) -> _Cause | None:
    at = error.pos
    if error.msg.startswith("Unterminated string"):
        return at, "this string is never closed", 'Put a double quote at its end. Inside a string write \\".'
    if error.msg.startswith("Invalid control character"):
        if text[at] in "\r\n":
            hint = "Put a double quote at its end, or write \\n where a line break is meant."
            return at, "this line ends inside a string", hint
        hint = "Write \\t for a tab." if text[at] == "\t" else "Take it out."
        return at, f"a control character (U+{ord(text[at]):04X}) inside a string", hint
    if error.msg.startswith("Invalid \\"):
        hint = "Write a backslash as \\\\; in paths a forward slash / will do."
        return max(text.rfind("\\", 0, at + 1), 0), "a backslash that JSON cannot read", hint
    return None


def _between(text: str, error: JSONDecodeError) -> _Cause:
    """The cause of an error outside strings, from the characters before and at it."""
    at = error.pos
    if error.msg.startswith("Illegal trailing comma"):  # since Python 3.13, which then points at the comma
        at += 1
    at = len(text) - len(text[at:].lstrip(_BLANKS))
    before = len(text[:at].rstrip(_BLANKS)) - 1
    here, previous = text[at : at + 1], text[before : before + 1] if before >= 0 else ""
    if not here:
        return _cut_off(text, before)
    if text.startswith(("//", "/*"), at) or here == "#":
        return at, "JSON has no comments", "Take the comment out."
    if here in _QUOTES:
        name = "a single quote" if here == "'" else f"a quotation mark (U+{ord(here):04X})"
        return at, f"{name} where JSON needs a double quote", 'Put keys and text in double quotes, "like this".'
    if here.isspace() or here in _INVISIBLE:
        return at, f"a blank (U+{ord(here):04X}) that JSON does not know", "Replace it with a plain space."
    if error.msg.startswith("Extra data"):
        return _after_the_end(text, at, here)
    if here in "}]":
        return _closing(text, at, here, before, previous)
    if previous.isalnum() and before == at - 1 and (here.isalnum() or here in "._"):
        return at, "a number or a word that JSON cannot read", _FORM
    return _unexpected(error, text, at, here, previous)


def _cut_off(text: str, before: int) -> _Cause:
    brackets = _unclosed(text)
    if not brackets:
        return max(before, 0), "the text ends too early", "Is the file complete?"
    line, column = line_column(text, brackets[-1])
    opener = text[brackets[-1]]
    message = f"the text ends, but the {opener} of line {line}, column {column} is not closed"
    return before, message, f"Put a {_BRACKETS[opener]} where it belongs. Is the file complete?"


def _unclosed(text: str) -> list[int]:
    """Offsets of the brackets that are open at the end of `text`, outermost first."""
    opened: list[int] = []
    for bracket, at in scan_brackets(text):
        if bracket in _BRACKETS:
            opened.append(at)
        elif opened:
            opened.pop()
    return opened


def _after_the_end(text: str, at: int, here: str) -> _Cause:
    if here in "}]":
        return at, f"a {here} too many", "Take it away, or look for a bracket that closes too early."
    if here == ":":
        return at, "a key outside of any object", "Put { in front of the first key and } at the end."
    if here in "{[":
        return at, "a second value after the end of the first", "Put one job, one JSON object, into a file."
    if text[at - 1].isalnum():
        return at, "a number or a word that JSON cannot read", _FORM
    return at, "something stands after the end of the JSON value", "Take away what follows the last bracket."


def _closing(text: str, at: int, here: str, before: int, previous: str) -> _Cause:
    if previous == ",":
        return before, f"a comma before the closing {here}", "Take the comma away: JSON allows none here."
    if previous == ":":
        return at, "there is no value after the colon", "Write a value; null stands for none."
    brackets = _unclosed(text[:at])
    opener = text[brackets[-1]] if brackets else ""
    if opener and _BRACKETS[opener] != here:
        line, column = line_column(text, brackets[-1])
        message = f"a {here}, but the {opener} of line {line}, column {column} is still open"
        return at, message, f"Close it with {_BRACKETS[opener]} first."
    return at, f"a {here} where it cannot stand", "A key needs a colon and a value."


def _unexpected(error: JSONDecodeError, text: str, at: int, here: str, previous: str) -> _Cause:
    word = _WORD.match(text, at)
    if error.msg.startswith("Expecting property name"):
        if word:
            return at, "a key without quotes", "Put every key in double quotes."
        if here == ",":
            return at, "a comma too many", "Take it away."
        return at, "this is not a key", "A key is text in double quotes, then comes a colon."
    if error.msg.startswith("Expecting ':'"):
        hint = "Write a colon between key and value" + (", not =." if here == "=" else ".")
        return at, "a colon is missing after the key", hint
    if error.msg.startswith("Expecting ','"):
        return _no_comma(at, here, previous, bool(word))
    if word:
        literal = _LITERALS.get(word[0].lower())
        if literal:
            return at, f"JSON does not know the word {word[0]}", f"Write {literal}."
        if word[0].lower() in ("nan", "inf", "infinity"):
            return at, f"JSON does not know the word {word[0]}", "Only finite numbers can be used."
        return at, "text without quotes", "Put text in double quotes."
    if here in ",:":
        return at, f"a value is missing before this {here}", "Write the value, or take the mark away."
    if here in "+-.":
        return at, "a number that JSON cannot read", _FORM
    return at, "this is not a JSON value", 'JSON has "text", numbers, true, false, null, [lists], {objects}.'


def _no_comma(at: int, here: str, previous: str, word: bool) -> _Cause:
    if here == ";":
        return at, "a semicolon where a comma must stand", "Write a comma."
    if here == ":":
        return (
            at,
            "a colon where a comma must stand",
            "Keys belong in { }, and a key is text in double quotes.",
        )
    hint = "Write a comma between two entries."
    if previous == '"' and word:
        hint += ' A double quote inside a string is written \\".'
    return at, "a comma is missing before this", hint
