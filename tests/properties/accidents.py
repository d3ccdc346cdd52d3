"""Jobs after one to four accidents: nearly right, as most wrong jobs are."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from dpcompile.spec import ModelSpec
from tests.properties.fitting import keys, scalars, wild_json
from tests.properties.strategies import fields_of, jobs
from tests.properties.trees import Container, containers, place


@st.composite
def near_jobs(draw: st.DrawFn) -> dict[str, Any]:
    """A job after one to four accidents."""
    drawn = draw(jobs())
    document = copy.deepcopy(drawn.document)
    for accident in draw(st.lists(st.sampled_from(_ACCIDENTS), min_size=1, max_size=4)):
        places = [node for _, node in containers(document) if node]
        if places:
            accident(draw, document, draw(st.sampled_from(places)), drawn.spec)
    return document


def _member(draw: st.DrawFn, node: Container) -> Any:
    return draw(st.sampled_from(sorted(node))) if isinstance(node, dict) else draw(st.integers(0, len(node) - 1))


def _rename(draw: st.DrawFn, document: Container, node: Container, spec: ModelSpec) -> None:
    if isinstance(node, dict):
        old = _member(draw, node)
        names = st.sampled_from(sorted({name for _, name in fields_of(spec)} | set(spec.names)))
        node[draw(st.one_of(keys, names, st.just(old.upper()), st.just(f"{old}_x")))] = node.pop(old)


def _retype(draw: st.DrawFn, document: Container, node: Container, spec: ModelSpec) -> None:
    member = _member(draw, node)
    old = node[member]
    node[member] = draw(st.one_of(wild_json, scalars, st.sampled_from((str(old), [old], {"value": old}, None))))


def _delete(draw: st.DrawFn, document: Container, node: Container, spec: ModelSpec) -> None:
    del node[_member(draw, node)]


def _duplicate(draw: st.DrawFn, document: Container, node: Container, spec: ModelSpec) -> None:
    member = _member(draw, node)
    other = draw(st.sampled_from([c for _, c in containers(document)]))
    if isinstance(other, dict):
        other[str(member)] = copy.deepcopy(node[member])
    else:
        other.append(copy.deepcopy(node[member]))


def _insert(draw: st.DrawFn, document: Container, node: Container, spec: ModelSpec) -> None:
    if isinstance(node, dict):
        node[draw(keys)] = draw(wild_json)
    else:
        node.insert(draw(st.integers(0, len(node))), draw(wild_json))


def _pass_through(draw: st.DrawFn, document: Container, node: Container, spec: ModelSpec) -> None:
    """A key the compiler knows and looks at, with a value that nobody has checked."""
    job = document.get("input", document) if isinstance(document, dict) else document
    training = job.setdefault("training", {}) if isinstance(job, dict) else None
    if isinstance(training, dict):
        scope, name = draw(st.sampled_from(sorted(fields_of(spec))))
        place(training, ("passthrough", scope, name), draw(wild_json))


_ACCIDENTS = (_rename, _retype, _delete, _duplicate, _insert, _pass_through)
