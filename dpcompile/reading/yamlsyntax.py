"""Why a text is not YAML, in plain words."""

from __future__ import annotations

import re

import yaml

from dpcompile.reading.faults import Fault, is_unicode, unicode_fault

# What PyYAML's parsers, the one in C and the one in Python, refuse to read.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

# A part of the parser's words (libyaml's or PyYAML's own), what they mean, what to do; the first that fits.
_CAUSES = (
    (
        "mapping values",
        "a colon where no key can stand",
        "Quote text with colons; look at the indentation.",
    ),
    ("sequence entries", "a list entry where none can stand", "Put each - on its own line, indented alike."),
    ("tab character", "a tab in the indentation", "Indent with spaces."),
    ("expected ':'", "a key without a colon", "Write key: value, with a space after the colon."),
    ("escape c", "a backslash that YAML cannot read", "Double it, or put the text in single quotes."),
    ("',' or", "a bracket that is not closed, or a missing comma", "Close the bracket, or write a comma."),
    ("expected key", "a line that does not fit the lines above", "Indent all keys of a mapping alike."),
    ("'-' indicator", "a line that does not fit the list above", "Begin each entry with -, indented alike."),
    ("block end", "a line that does not fit the lines above", "Indent all entries of a block alike."),
    ("node content", "a mark where a value is due", "Quote text that begins with a mark."),
    ("tag", "a tag that cannot be read", "Quote text that begins with !."),
    ("alphabetic", "an anchor or alias without a name", "Quote text that begins with & or *."),
    ("comment or line break", "text right after | or >", "Let the text begin on the next line."),
    ("indentation", "an indentation that YAML cannot read", "Indent the text alike, with spaces."),
    ("YAML", "a %YAML line that cannot be used", "Take it away."),
    ("directive", "a line that begins with %", "Take it away, or quote the text."),
)
_OTHER = ("this is not YAML", "Look at the indentation, the quotes and the colons here.")


def unprintable(text: str) -> Fault | None:
    """The first character that YAML does not allow (DPC301), or half of a surrogate pair (DPC110)."""
    found = _UNPRINTABLE.search(text)
    if found is None:
        return None
    if not is_unicode(found[0]):
        return unicode_fault(found[0], "", found.start())
    message = f"a control character (U+{ord(found[0]):04X}) that YAML does not allow"
    hint = f'Take it out, or write it as "\\u{ord(found[0]):04x}" in double quotes.'
    return Fault(code="DPC301", offset=found.start(), message=message, hint=hint)


def explain(text: str, error: Exception) -> Fault:
    """The fault (DPC301) behind what PyYAML's parser raised over `text`."""
    problem, mark = "", None
    if isinstance(error, yaml.MarkedYAMLError):
        problem, mark = error.problem or "", error.problem_mark
        if "end of stream" in problem:
            mark = error.context_mark
    at = mark.index if mark else 0
    message, hint = _cause(problem, text[at : at + 1])
    return Fault(code="DPC301", offset=at, message=message, hint=hint)


def _cause(problem: str, here: str) -> tuple[str, str]:
    if "cannot start any token" in problem:
        if here == "\t":
            return "a tab in the indentation", "Indent with spaces."
        mark = here if here in "@`%|>" else "this mark"
        return f"text that begins with {mark}", "Put the text in quotes."
    if "end of stream" in problem:
        return "a quoted text that is never closed", "Put a quote of the same kind at its end."
    for part, message, hint in _CAUSES:
        if part in problem:
            return message, hint
    return _OTHER
