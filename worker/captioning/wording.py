"""What becomes of the text that a captioner writes."""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"[.!?…。！？][\"')\]]?(?=\s|$)")


def tidied(text: str, *, cut: bool) -> str:
    """One line without blanks around it. A text that was cut off ends with its last whole sentence."""
    line = " ".join(text.split())
    if cut:
        ends = list(_SENTENCE_END.finditer(line))
        if ends:
            line = line[: ends[-1].end()]
    return line
