"""The strongest layer wins, says what it shadowed, and takes with it what no longer fits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from dpcompile.keypath import KeyPath
from dpcompile.resolve import PRECEDENCE, Assignment, Layer, ResolvedConfig, has_adapter, layered, resolve
from tests.unit.jobs import CATALOGUE, config, said

TRAINER = CATALOGUE.trainer
EPOCHS: KeyPath = ("train", "epochs")
ADAPTER: KeyPath = ("train", "adapter")
RANK: KeyPath = ("train", "adapter", "rank")
OPTIMIZER: KeyPath = ("train", "optimizer", "type")


def resolved(*statements: Assignment, excludes: dict[KeyPath, tuple[KeyPath, ...]] | None = None) -> ResolvedConfig:
    return resolve(statements, TRAINER, excludes or {})


def dropped(config: ResolvedConfig) -> dict[KeyPath, str]:
    return {gone.assignment.key: gone.why for gone in config.dropped}


@pytest.mark.parametrize(("weaker", "stronger"), list(itertools.pairwise(PRECEDENCE)))
def test_stronger_layer_wins_whatever_comes_first(weaker: Layer, stronger: Layer) -> None:
    statements = [said(EPOCHS, 1, stronger), said(EPOCHS, 2, weaker)]

    setting = layered(statements)[EPOCHS]

    assert (setting.value, setting.origin.layer) == (1, stronger)
    assert [(s.value, s.origin.layer) for s in setting.shadowed] == [(2, weaker)]


def test_last_statement_of_one_layer_wins() -> None:
    assert layered([said(EPOCHS, 1), said(EPOCHS, 2)])[EPOCHS].value == 2


def test_shadowed_values_are_told_the_strongest_first() -> None:
    statements = [said(EPOCHS, n, layer) for n, layer in enumerate(PRECEDENCE)]

    shadowed = layered(statements)[EPOCHS].shadowed

    assert [s.origin.layer for s in shadowed] == list(reversed(PRECEDENCE[:-1]))


def test_null_removes_a_weaker_value_and_what_was_shadowed_by_it() -> None:
    statements = [said(EPOCHS, 1, "defaults"), said(EPOCHS, 2, "spec"), said(EPOCHS, removed=True)]

    assert layered(statements) == {}
    assert layered([*statements, said(EPOCHS, 3, "set")])[EPOCHS].shadowed == ()


def test_null_of_a_table_removes_all_below_it_and_nothing_else() -> None:
    statements = [said(RANK, 1, "defaults"), said(EPOCHS, 1, "defaults"), said(ADAPTER, removed=True)]

    assert layered(statements).keys() == {EPOCHS}


def test_stronger_layer_can_bring_a_removed_key_back() -> None:
    assert layered([said(ADAPTER, removed=True), said(RANK, 8, "set")])[RANK].value == 8


def test_weaker_null_does_not_remove_a_stronger_value() -> None:
    assert layered([said(RANK, 8, "set"), said(ADAPTER, removed=True, layer="job")])[RANK].value == 8


@pytest.mark.parametrize(
    ("statements", "verdict"),
    [
        ([], False),
        ([said(RANK, 8, "defaults")], True),
        ([said(RANK, 8, "defaults"), said(ADAPTER, removed=True)], False),
        ([said(ADAPTER, removed=True), said(RANK, 8, "defaults")], False),
        ([said(RANK, 8, "defaults"), said(ADAPTER, removed=True), said(RANK, 8, "set")], True),
        ([said(RANK, 8, "defaults"), said(RANK, removed=True)], True),
        ([said(EPOCHS, 8)], False),
    ],
)
def test_adapter_is_trained_unless_the_strongest_word_on_it_is_null(
    statements: Sequence[Assignment], verdict: bool
) -> None:
    assert has_adapter(statements) is verdict


def test_default_that_the_chosen_optimizer_does_not_take_goes() -> None:
    betas: KeyPath = ("train", "optimizer", "betas")
    config = resolved(said(betas, [0.9, 0.99], "defaults"), said(OPTIMIZER, "sgd"))

    assert config.get(*betas) is None
    assert dropped(config) == {betas: "sgd does not take it"}


def test_default_of_another_kind_than_the_chosen_optimizer_takes_goes() -> None:
    betas: KeyPath = ("train", "optimizer", "betas")
    config = resolved(said(betas, [0.9, 0.99], "defaults"), said(OPTIMIZER, "Adan"))

    assert dropped(config) == {betas: "Adan takes another kind of value"}


@pytest.mark.parametrize("layer", ["job", "set"])
def test_argument_that_was_asked_for_stays_for_the_checks_to_see(layer: Layer) -> None:
    betas: KeyPath = ("train", "optimizer", "betas")

    assert resolved(said(betas, [0.9, 0.99], layer), said(OPTIMIZER, "sgd")).get(*betas) == [0.9, 0.99]


@pytest.mark.parametrize("optimizer", ["no_such_optimizer", 7])
def test_nothing_goes_for_an_optimizer_that_nobody_knows(optimizer: object) -> None:
    config = resolved(said(("train", "optimizer", "betas"), [0.9, 0.99], "defaults"), said(OPTIMIZER, optimizer))

    assert config.dropped == ()


@pytest.mark.parametrize("name", ["gradient_release", "beta2_half_life"])
def test_what_the_trainer_takes_out_itself_is_no_argument(name: str) -> None:
    assert resolved(said(("train", "optimizer", name), 1, "defaults"), said(OPTIMIZER, "sgd")).dropped == ()


def test_default_of_the_other_adapter_type_goes() -> None:
    dropout: KeyPath = ("train", "adapter", "dropout")
    config = resolved(said(dropout, 0.1, "preset"), said(("train", "adapter", "type"), "lokr"))

    assert dropped(config) == {dropout: "lokr adapters do not have it"}
    assert resolved(said(dropout, 0.1), said(("train", "adapter", "type"), "lokr")).dropped == ()


def test_default_that_another_setting_makes_meaningless_goes() -> None:
    shift, flux_shift = ("train", "model", "shift"), ("train", "model", "flux_shift")
    excludes: dict[KeyPath, tuple[KeyPath, ...]] = {shift: (flux_shift,)}

    config = resolved(said(flux_shift, True, "spec"), said(shift, 3.0), excludes=excludes)

    assert dropped(config) == {flux_shift: "shift takes its place"}
    assert resolved(said(flux_shift, True), said(shift, 3.0), excludes=excludes).dropped == ()
    assert resolved(said(flux_shift, False), said(shift, 3.0, "spec"), excludes=excludes).dropped == ()


def test_a_weaker_value_gives_way_to_what_it_would_make_meaningless() -> None:
    shift, flux_shift = ("train", "model", "shift"), ("train", "model", "flux_shift")

    config = resolved(said(flux_shift, True), said(shift, 3.0, "spec"), excludes={shift: (flux_shift,)})

    assert config.get(*flux_shift) is True
    assert [(d.assignment.key, d.why) for d in config.dropped] == [(shift, "flux_shift would have no effect beside it")]


def test_default_of_one_directory_goes_where_the_whole_dataset_is_spoken_of() -> None:
    narrow, wide = ("dataset", "directory", 0, "num_repeats"), ("dataset", "num_repeats")

    config = resolved(said(narrow, 5, "defaults"), said(wide, 2))

    assert dropped(config) == {narrow: "it is set for the whole dataset"}
    assert resolved(said(narrow, 5), said(wide, 2, "defaults")).dropped == ()


def test_config_is_read_by_key_and_by_table() -> None:
    made = config({EPOCHS: 3, RANK: 8, ("dataset", "directory", 0, "path"): "/d"})

    assert made.get("train", "epochs") == 3
    assert made.get("train", "adapter") is None
    assert made.get("nowhere") is None
    assert {name: s.value for name, s in made.table("train", "adapter").items()} == {"rank": 8}
    assert made.table("train", "optimizer") == {}


@pytest.mark.parametrize(
    ("prefix", "there"),
    [(("train",), True), (("dataset",), True), (("dataset", "directory"), True), (("eval",), False), ((*RANK,), False)],
)
def test_config_tells_whether_anything_stands_below_a_table(prefix: KeyPath, there: bool) -> None:
    assert config({RANK: 8, ("dataset", "directory", 0, "path"): "/d"}).has_table(*prefix) is there
