"""The statements of the trainer's code, followed in their order."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from dpcompile.audit.calls import Calls
from dpcompile.audit.checkout import MAIN
from dpcompile.audit.record import MODEL_TYPE
from dpcompile.audit.scopes import Frame
from dpcompile.audit.symbols import Function, FunctionNode, is_guard
from dpcompile.audit.values import (
    UNKNOWN,
    ClassRef,
    FunctionRef,
    Value,
    entries,
    tables,
    texts,
)

_ROUNDS = 8
"""So often at most is everything followed anew; what an attribute holds is known after two or three rounds."""


class Follower(Calls):
    """Follows train.py and all that it calls with a part of the configuration."""

    def follow(self) -> None:
        """Follows everything, again until no attribute gets a further value."""
        for _ in range(_ROUNDS):
            before = dict(self.attributes)
            self._round()
            if self.attributes == before:
                return

    def _round(self) -> None:
        self.start_round()
        self.written = frozenset()
        main = Frame(module=MAIN)
        self.main = main
        try:
            self._block(self.symbols.modules[MAIN].tree.body, main)
        except RecursionError:
            self.record.too_deep.add(self.symbols.modules[MAIN].file)
        self._open_functions(main)
        for function in list(self.symbols.functions.values()):
            if function.module == MAIN and function.cls is None:
                self.invoke(FunctionRef(key=function.key), [], {})
        # Methods that nothing here calls are called by the libraries. Following one may make further objects.
        done = 0
        while done < len(self.made):
            instance = list(self.made)[done]
            done += 1
            for method in self.symbols.methods(instance.cls).values():
                self.invoke(FunctionRef(key=method.key, me=instance), [], {})

    def run(self, function: Function, frame: Frame) -> None:
        """Follows the body of a function."""
        if frame.parent is None and function.module == MAIN:
            frame.parent = self.main
        self._block(function.node.body, frame)
        self._open_functions(frame)

    def _open_functions(self, frame: Frame) -> None:
        """Follows the functions defined in one that has ended, for who calls them is not always to be seen."""
        for node in frame.nested:
            self.invoke(FunctionRef(key=_nested_key(node, frame)), [], {})

    def _block(self, body: Iterable[ast.stmt], frame: Frame) -> None:
        for node in body:
            self._statement(node, frame)

    def _statement(self, node: ast.stmt, frame: Frame) -> None:
        match node:
            case ast.If():
                self._branches(node, frame)
            case ast.Match():
                self._match(node, frame)
            case ast.For() | ast.AsyncFor():
                self._loop(node, frame)
            case ast.While():
                self.evaluate(node.test, frame)
                self._alternatives([node.body, node.orelse], frame, certain=False)
            case ast.Try() | ast.TryStar():
                self._try(node, frame)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self.evaluate(item.context_expr, frame)
                    if item.optional_vars is not None:
                        self.bind(item.optional_vars, value, frame)
                self._block(node.body, frame)
            case _:
                self._simple(node, frame)

    def _simple(self, node: ast.stmt, frame: Frame) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
                self._named(node, frame)
            case ast.Assign():
                value = self.evaluate(node.value, frame)
                for target in node.targets:
                    self.bind(target, value, frame)
            case ast.AnnAssign():
                if node.value is not None:
                    self.bind(node.target, self.evaluate(node.value, frame), frame)
            case ast.AugAssign():
                # `config["key"] += 1` reads the key before it writes it.
                self.evaluate(node.target, frame)
                self.evaluate(node.value, frame)
            case ast.Return():
                if node.value is not None:
                    frame.returns |= self.evaluate(node.value, frame)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.evaluate(child, frame)

    def _named(self, node: FunctionNode | ast.ClassDef | ast.Import | ast.ImportFrom, frame: Frame) -> None:
        match node:
            case ast.Import() | ast.ImportFrom():
                frame.variables |= dict(self.symbols.imported(node, frame.module))
            case ast.ClassDef():
                key = f"{frame.module}:{node.name}"
                if key not in self.symbols.classes:
                    self.symbols.add_class(frame.module, node)
                frame.variables[node.name] = frozenset({ClassRef(key=key)})
            case _:
                self._function(node, frame)

    def _function(self, node: FunctionNode, frame: Frame) -> None:
        if frame.module == MAIN and frame is self.main and f"{MAIN}:{node.name}" in self.symbols.functions:
            known = self.symbols.functions[f"{MAIN}:{node.name}"]
            if known.node is node:
                frame.variables[node.name] = frozenset({FunctionRef(key=known.key)})
                return
        key = _nested_key(node, frame)
        self.nested[key] = Function(key=key, module=frame.module, node=node), frame
        frame.nested.append(node)
        frame.variables[node.name] = frozenset({FunctionRef(key=key)})

    def _branches(self, node: ast.If, frame: Frame) -> None:
        """An `if` with all its `elif`: each branch begins with the same variables."""
        if is_guard(node):
            self._block(node.body, frame)
            return
        blocks: list[tuple[list[ast.stmt], frozenset[str] | None]] = []
        rest: list[ast.stmt] = [node]
        while len(rest) == 1 and isinstance(rest[0], ast.If):
            branch = rest[0]
            self.evaluate(branch.test, frame)
            blocks.append((branch.body, self.chosen(branch.test, frame)))
            rest = branch.orelse
        self._alternatives([*(body for body, _ in blocks), rest], frame, chosen=[types for _, types in blocks])

    def _match(self, node: ast.Match, frame: Frame) -> None:
        subject = self.evaluate(node.subject, frame)
        about_types = any(t.path == MODEL_TYPE for t in tables(subject))
        chosen: list[frozenset[str] | None] = []
        for case in node.cases:
            names = texts(frozenset().union(*(self.evaluate(v, frame) for v in _values(case.pattern))))
            chosen.append(names if about_types and names else None)
            if case.guard is not None:
                self.evaluate(case.guard, frame)
        self._alternatives([case.body for case in node.cases], frame, chosen=chosen, certain=False)

    def _alternatives(
        self,
        blocks: list[list[ast.stmt]],
        frame: Frame,
        *,
        chosen: list[frozenset[str] | None] | None = None,
        certain: bool = True,
    ) -> None:
        """Blocks of which one is run (or none, where that is not certain). After it, a variable may hold any result."""
        start, written = frame.variables, self.written
        ends = [] if certain else [(start, written)]
        for n, block in enumerate(blocks):
            frame.variables, self.written = dict(start), written
            self._only_for(chosen[n] if chosen and n < len(chosen) else None, block, frame)
            ends.append((frame.variables, self.written))
        frame.variables = _joined([variables for variables, _ in ends])
        self.written = frozenset.intersection(*(end for _, end in ends)) if ends else written

    def _only_for(self, chosen: frozenset[str] | None, block: list[ast.stmt], frame: Frame) -> None:
        before = self.types
        if chosen is not None:
            self.types = chosen if before is None else chosen & before
        try:
            if self.types is None or self.types:
                self._block(block, frame)
        finally:
            self.types = before

    def _loop(self, node: ast.For | ast.AsyncFor, frame: Frame) -> None:
        given = entries(self.evaluate(node.iter, frame))
        start, written = dict(frame.variables), self.written
        for _ in range(2):  # what one turn leaves in a variable, the next may read
            before = dict(frame.variables)
            self.bind(node.target, given, frame)
            self._block(node.body, frame)
            frame.variables = _joined([before, frame.variables])
            if frame.variables.keys() == before.keys() and frame.variables == before:
                break
        self._block(node.orelse, frame)
        frame.variables = _joined([start, frame.variables])
        self.written = written

    def _try(self, node: ast.Try | ast.TryStar, frame: Frame) -> None:
        start, written = dict(frame.variables), self.written
        self._block(node.body, frame)
        after, self.written = frame.variables, written
        frame.variables = _joined([start, after])
        self._alternatives([handler.body for handler in node.handlers], frame, certain=False)
        frame.variables = _joined([after, frame.variables])
        self._block(node.orelse, frame)
        self._block(node.finalbody, frame)


def _joined(ends: list[dict[str, Value]]) -> dict[str, Value]:
    """Each variable with all that it may hold."""
    names = {name for variables in ends for name in variables}
    return {name: frozenset().union(*(variables.get(name, UNKNOWN) for variables in ends)) for name in names}


def _nested_key(node: FunctionNode, frame: Frame) -> str:
    return f"{frame.module}:{node.name}@{node.lineno}"


def _values(pattern: ast.pattern) -> list[ast.expr]:
    if isinstance(pattern, ast.MatchOr):
        return [value for part in pattern.patterns for value in _values(part)]
    return [pattern.value] if isinstance(pattern, ast.MatchValue) else []
