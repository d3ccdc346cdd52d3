r"""One value as TOML text that TOML 1.0 and the trainer's parser read alike.

The trainer reads its files with the package `toml` (requirements.txt:2 at 8f83dbf; the newest release is
0.10.2), by `json.loads(json.dumps(toml.load(f)))` (train.py:284). That parser misreads legal TOML, often
without an error: `[{path = "/it's/x"}]` becomes `[]`. It splits lists and inline tables at commas and
brackets with little regard for quotes, decodes `\u` in a pass of its own before the other escapes, reads
-0.0 as 0 - 0.0, and wants lists of one kind. What is written here avoids every spelling that it misreads; a
value that has no other is refused.

The text is one line of ASCII, since the trainer opens its files in the machine's own encoding
(train.py:282). The trainer cannot pickle the inline tables of a dataset file, which it reads without the
detour through JSON (train.py:394): write the tables of that file as `[section]` or `[[section]]`, not with
this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from dpcompile.keypath import KeyPath, dotted

TomlValue: TypeAlias = bool | int | float | str | Sequence["TomlValue"] | Mapping[str, "TomlValue"]
"""What a TOML file can hold, dates aside. A sequence is a list or a tuple."""

MAX_DEPTH = 32
"""How many lists and tables may stand one inside the other."""

_Place = Literal["line", "list", "table"]
"""Where a value stands: as a whole right-hand side, as an item of a list, as a value in an inline table."""

# These find what must be escaped: all but printable ASCII, the quote and the backslash; inside of lists and
# inline tables ' , [ ] too. A `u` is found with the backslash before it, as the two may need another
# spelling.
_SPECIAL_ON_LINE = re.compile(r"\\[uU]?|[^ !#-\[\]-~]")
_SPECIAL_INSIDE = re.compile(r"\\[uU]?|[^ !#-&(-+\--Z^-~]")
_SURROGATE = re.compile("[\ud800-\udfff]")

_SHORT = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_SHORT |= {"\\u": "\\\\u", "\\U": "\\\\U"}
# In a string with a `\uXXXX` the parser may take the `\u` in `\\u` for another one.
_SHORT_BESIDE_HEX = _SHORT | {"\\u": "\\\\\\u0075", "\\U": "\\\\\\U00000055"}

# In an inline table the parser wants a number to start with a digit or a minus.
_FLOATS_IN_TABLE = {"inf": "1e999", "nan": "-nan"}

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NOT_IN_KEY = re.compile(r"""[^ -~]|["'\\,=#\[\]{}]""")


class Unencodable(ValueError):
    """No TOML text exists that both parsers read as this value.

    `path` is the place of the offending part inside the value, `()` for the value itself. `reason` says in
    plain words what is wrong and, where there is something to do, what to do; it never quotes the value.
    """

    def __init__(self, reason: str, path: KeyPath = ()) -> None:
        super().__init__(reason, path)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.reason}" if self.path else self.reason


def encode(value: TomlValue) -> str:
    """The right-hand side of `key = …` on a line of its own, at the root or in a `[section]`.

    Mappings become inline tables, whose keys may change order. The text is one line of ASCII; a comment may
    follow it. Raises Unencodable.
    """
    return _encode(value, "line", ())


def encode_key(key: str) -> str:
    """A key, bare or in plain quotes, for use left of `=`, in an inline table or inside of a `[header]`.

    Raises Unencodable.
    """
    return _key(key, ())


def _encode(value: object, place: _Place, path: KeyPath) -> str:
    if isinstance(value, str):
        return _string(value, _SPECIAL_ON_LINE if place == "line" else _SPECIAL_INSIDE, path)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _integer(value, path)
    if isinstance(value, float):
        return _float(value, place, path)
    if isinstance(value, (list, tuple)):
        return _list(value, path)
    if isinstance(value, Mapping):
        return _braced(_pairs(value, path))
    if value is None:
        raise Unencodable("TOML has no null; leave the value out", path)
    raise Unencodable(f"TOML cannot hold a value of the type {type(value).__name__}", path)


def _string(text: str, special: re.Pattern[str], path: KeyPath) -> str:
    if not special.search(text):
        return '"' + text + '"'
    if _SURROGATE.search(text):
        raise Unencodable("the text holds half of a surrogate pair, which is no character; remove it", path)
    # The parser takes a string that starts so, once decoded, for one in triple quotes: so let it be one.
    triple = text == '"' or text.startswith('""')
    hexed = triple or not _SHORT.keys() >= set(special.findall(text))
    short = _SHORT_BESIDE_HEX if hexed else _SHORT
    body = special.sub(lambda found: short.get(found[0]) or _hex_escape(found[0]), text)
    if triple:
        return '"""' + body.replace('\\"', "\\u0022") + '"""'
    return '"' + body + '"'


def _hex_escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _integer(number: int, path: KeyPath) -> str:
    try:
        return int.__repr__(number)  # not str(): subclasses such as enums print themselves in other ways
    except ValueError:  # more digits than Python converts
        raise Unencodable("the whole number has too many digits for the trainer to read", path) from None


def _float(number: float, place: _Place, path: KeyPath) -> str:
    text = float.__repr__(number)
    if text == "-0.0":
        raise Unencodable("the trainer's TOML parser reads -0.0 as 0.0; write 0.0", path)
    return _FLOATS_IN_TABLE.get(text, text) if place == "table" else text


def _list(items: Sequence[object], path: KeyPath) -> str:
    _check_depth(path)
    texts = [_encode(item, "list", (*path, index)) for index, item in enumerate(items)]
    if len(set(map(type, items))) > 1:
        _check_one_kind(items, path)
    return "[" + ", ".join(texts) + "]"


def _check_one_kind(items: Sequence[object], path: KeyPath) -> None:
    """The parser raises on a list of two kinds, or drops what is no table when the first item is one."""
    kinds = list(dict.fromkeys(map(_kind, items)))
    if len(kinds) == 1:
        return
    remedy = "make all items the same kind"
    if set(kinds) == {"whole numbers", "numbers with a decimal point"}:
        remedy = "write all of them with a decimal point, as in 1.0"
    mix = ", ".join(kinds[:-1]) + " and " + kinds[-1]
    raise Unencodable(f"the list mixes {mix}, which the trainer's TOML parser cannot read; {remedy}", path)


def _kind(item: object) -> str:
    if isinstance(item, str):
        return "text"
    if isinstance(item, bool):
        return "true or false"
    if isinstance(item, int):
        return "whole numbers"
    if isinstance(item, float):
        return "numbers with a decimal point"
    return "tables" if isinstance(item, Mapping) else "lists"


def _braced(pairs: list[tuple[str, str]]) -> str:
    return "{" + ", ".join([name + " = " + text for name, text in pairs]) + "}"


def _pairs(table: Mapping[object, object], path: KeyPath) -> list[tuple[str, str]]:
    """Names and values of an inline table, spelled and ordered so that the parser can tell them apart.

    It cuts at every comma and takes a piece for whole when its value starts with `[` or `{` and the piece
    ends in the like bracket. So a value that starts with `[` must not hold `],`, and one that starts with
    `{` no `},`. (Strings and keys never do: their commas are escaped or refused.)
    """
    _check_depth(path)
    pairs: list[tuple[str, str]] = []
    for key, value in table.items():
        place = (*path, str(key))
        name = _key(key, place)
        if isinstance(value, Mapping):
            pairs += _subtable(name, _pairs(value, place))
            continue
        text = _encode(value, "table", place)
        if text[0] == "[" and "]," in text:
            raise Unencodable(
                "the trainer's TOML parser cannot tell apart several lists inside of one list in an "
                "inline table (an item of a list or the value of a key); give that table a [section]",
                place,
            )
        pairs.append((name, text))
    if any(isinstance(step, str) for step in path):
        # This table may stand in a list of another inline table: lists go last, where no comma follows.
        pairs.sort(key=lambda pair: pair[1].endswith("]"))
    return pairs


def _subtable(name: str, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """`name = {…}` where that is readable, else a `name.key = …` for each key."""
    text = _braced(pairs)
    if "}," in text:
        return [(name + "." + inner, value) for inner, value in pairs]
    return [(name, text)]


def _check_depth(path: KeyPath) -> None:
    if len(path) >= MAX_DEPTH:
        raise Unencodable(f"lists and tables are nested more than {MAX_DEPTH} deep; flatten them", path)


def _key(key: object, path: KeyPath) -> str:
    """The text of a key: the parser decodes no escapes in keys, so they are written raw or not at all."""
    if not isinstance(key, str):
        raise Unencodable("the key of a table must be text", path)
    if _BARE_KEY.fullmatch(key):
        return str.__str__(key)
    problem = _key_problem(key)
    if problem:
        raise Unencodable(f"the key {problem}, which the trainer does not read reliably; rename it", path)
    return '"' + key + '"'


def _key_problem(key: str) -> str:
    bad = _NOT_IN_KEY.search(key)
    if bad:
        return "holds " + (bad[0] if " " < bad[0] <= "~" else f"U+{ord(bad[0]):04X}")
    if not key or key != key.strip():
        return "starts or ends with a blank" if key else "is empty"
    return "holds both a dot and a blank" if "." in key and " " in key else ""
