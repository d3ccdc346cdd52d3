"""What was misspelt is recognised, in a time that a hundred thousand unknown names can bear."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.similar import did_you_mean, similar
from dpcompile.wording import quote
from tests.unit.jobs import naming_of

KNOWN = sorted(naming_of("wan13").known_names())


def test_the_likeliest_name_comes_first_and_few_are_told() -> None:
    known = ["epochs", "epoch", "warmup_steps", *(f"epochs{n}" for n in range(9))]
    assert similar("epoch", known)[0] == "epoch"
    assert len(similar("epoch", known)) == 3


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("lora_rnk", 'Did you mean "lora_rank"?'),
        ("warmup_stp", 'Did you mean "warmup_step" or "warmup_steps"?'),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_did_you_mean_names_what_looks_alike_or_nothing(word: str, text: str) -> None:
    assert did_you_mean(word, ["lora_rank", "warmup_steps", "warmup_step", "lr"]) == text


def test_very_long_words_cost_no_time() -> None:
    # difflib takes time that grows with the square of the length.
    assert did_you_mean("x" * 10**6, ["x" * 100]) == f"Did you mean {quote('x' * 100)}?"


@st.composite
def misspelt(draw: st.DrawFn) -> tuple[str, str]:
    """A known name, and the same with one letter lost, doubled, wrong, or swapped with the next."""
    name = draw(st.sampled_from([name for name in KNOWN if len(name) > 4]))
    at = draw(st.integers(0, len(name) - 2))
    wrong = draw(
        st.sampled_from(
            (
                name[:at] + name[at + 1 :],
                name[:at] + name[at] + name[at:],
                name[:at] + "z" + name[at + 1 :],
                name[:at] + name[at + 1] + name[at] + name[at + 2 :],
                name.upper().lower().replace("_", "-"),
            )
        )
    )
    return name, wrong


@given(misspelt())
def test_what_difflib_would_find_among_all_names_is_found(spelt: tuple[str, str]) -> None:
    _, wrong = spelt
    thorough = difflib.get_close_matches(wrong, KNOWN, n=3, cutoff=0.7)
    assert similar(wrong, KNOWN)[:1] == thorough[:1]
