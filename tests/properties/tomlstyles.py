"""TOML as people write it: quotes of both kinds, CRLF, comments, lists over several lines, inline tables, exponents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from dpcompile.tomlvalue import Unencodable, encode, encode_key

_PLAIN = set(" !#$%&()*+-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~äöüéß図")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one file is written."""

    quote: str
    newline: str
    comments: bool
    long_lists: bool
    exponents: bool
    indent: str
    last_newline: bool
    inline_tables: bool


styles: st.SearchStrategy[Style] = st.builds(
    Style,
    quote=st.sampled_from("'\""),
    newline=st.sampled_from(("\n", "\r\n")),
    comments=st.booleans(),
    long_lists=st.booleans(),
    exponents=st.booleans(),
    indent=st.sampled_from(("", "  ", "\t")),
    last_newline=st.booleans(),
    inline_tables=st.booleans(),
)


def written(tree: Mapping[str, Any], style: Style) -> str:
    """The text of a file; raises Unencodable for what no TOML says."""
    lines = [f"# {style.quote}old{style.quote} = [1, 2"] if style.comments else []
    tables = {k: v for k, v in tree.items() if _is_table(v) or _is_array(k, v)}
    lines += [line for k, v in tree.items() if k not in tables for line in _setting(k, v, style)]
    for name, table in tables.items():
        if isinstance(table, list):
            for row in table:
                lines += ["", f"[[{encode_key(name)}]]", *(x for k, v in row.items() for x in _setting(k, v, style))]
        elif style.inline_tables and len(table) < 3 and all(not isinstance(v, (list, dict)) for v in table.values()):
            lines.insert(0, f"{encode_key(name)} = {encode(table)}")
        else:
            note = "  # the table" if style.comments else ""
            lines += ["", f"[{encode_key(name)}]{note}"]
            lines += [line for k, v in table.items() for line in _setting(k, v, style)]
    text = style.newline.join(lines)
    return text + style.newline if style.last_newline else text


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_array(name: str, value: Any) -> bool:
    return name == "directory" and isinstance(value, list)


def _setting(name: str, value: Any, style: Style) -> list[str]:
    text = _value(value, style)
    if style.comments:
        lines = text.split(style.newline)
        text = (
            style.newline.join([f"{lines[0]}  # was: 'x' = [3", *lines[1:]]) if "\n" in text else f"{text} # {name} ="
        )
    return [f"{style.indent}{encode_key(name)} = {text}"]


def _value(value: Any, style: Style) -> str:
    if isinstance(value, str) and set(value) <= _PLAIN:
        return f"{style.quote}{value}{style.quote}"
    if isinstance(value, float) and style.exponents:
        text = f"{value:e}"
        return text if float(text) == value and not text.startswith(("0", "-0", "inf", "nan")) else encode(value)
    if isinstance(value, list) and value and style.long_lists and not any(isinstance(v, (dict, list)) for v in value):
        items = [f"{style.indent}  {encode(item)}," for item in value]
        encode(value)  # what cannot stand together is refused
        return style.newline.join(["[", *items, "]"])
    return encode(value)


__all__ = ["Style", "Unencodable", "styles", "written"]
