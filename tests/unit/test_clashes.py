"""Two statements of one layer that do not go together are told, once."""

from __future__ import annotations

import pytest

from dpcompile.clashes import conflicts
from dpcompile.keypath import KeyPath
from dpcompile.resolve import Assignment
from tests.unit.jobs import compiled, places, said

RANK: KeyPath = ("train", "adapter", "rank")
ADAPTER: KeyPath = ("train", "adapter")


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        pytest.param([said(RANK, 8, pointer="/a"), said(RANK, 8, pointer="/b")], [], id="the same twice"),
        pytest.param([said(RANK, 8, pointer="/a"), said(RANK, 9, pointer="/a")], [], id="one place"),
        pytest.param([said(RANK, 8, pointer="/a"), said(("x",), 9, pointer="/b")], [], id="different keys"),
        pytest.param(
            [said(RANK, 8, pointer="/a"), said(RANK, 9, pointer="/b")], [("DPC212", "/b")], id="different values"
        ),
        pytest.param(
            [said(RANK, 1, pointer="/a"), said(RANK, 1.0, pointer="/b")], [("DPC212", "/b")], id="different types"
        ),
        pytest.param(
            [said(("dataset", "directory", n, "x"), v, pointer=p) for n in (0, 1) for v, p in ((1, "/a"), (2, "/b"))],
            [("DPC212", "/b")],
            id="told once for all directories",
        ),
        pytest.param(
            [said(ADAPTER, pointer="/a", removed=True), said(RANK, 8, pointer="/b")],
            [("DPC212", "/b")],
            id="setting in a table that is taken away",
        ),
        pytest.param(
            [said(ADAPTER, pointer="/a", removed=True), said(RANK, pointer="/b", removed=True)],
            [],
            id="taken away twice",
        ),
    ],
)
def test_two_places_that_disagree_are_told(statements: list[Assignment], found: list[tuple[str, str]]) -> None:
    assert places(conflicts(statements)) == found


def test_disagreement_names_both_places_as_they_were_written() -> None:
    statements = [
        said(RANK, 8, pointer="/input/training/lora_rank"),
        said(RANK, 9, pointer="/input/training/adapter/rank"),
    ]

    [found] = conflicts(statements)

    assert found.message == "lora_rank and adapter.rank set the same thing to 8 and 9"


@pytest.mark.parametrize(
    ("training", "sets", "found"),
    [
        ({"lora_rank": 8, "adapter": {"rank": 8}}, (), []),
        ({"lora_rank": 8, "adapter": {"rank": 9}}, (), [("DPC212", "/training/adapter/rank")]),
        ({"lora_rank": 8}, ("rank=9",), []),
        ({}, ("lora_rank=8", "rank=9"), [("DPC212", "/training/rank")]),
        ({"adapter": None}, ("adapter.rank=9", "adapter.type=lora"), []),
    ],
)
def test_only_statements_of_one_layer_clash(
    training: dict[str, object], sets: tuple[str, ...], found: list[tuple[str, str]]
) -> None:
    assert places(compiled(training=training, sets=sets).diagnostics) == found
