"""Which expression of the trainer's code is which table of its configuration."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product
from typing import ClassVar

from dpcompile.audit.record import MODEL_TYPE, OPTIMIZER_TYPE, Place, Read, Record
from dpcompile.audit.symbols import FunctionNode, Symbols
from dpcompile.audit.values import (
    TRAIN_FILE,
    UNKNOWN,
    Atom,
    ClassRef,
    CommandLine,
    FunctionRef,
    Instance,
    ModuleRef,
    Pack,
    Path,
    Super,
    Table,
    Text,
    Value,
    entries,
    literal,
    pack,
    table,
    tables,
    texts,
    union,
)


@dataclass(slots=True)
class Frame:
    """The variables of a function while it is followed."""

    module: str
    variables: dict[str, Value] = field(default_factory=dict)
    parent: Frame | None = None
    cls: str | None = None
    me: Value = UNKNOWN
    returns: Value = UNKNOWN
    nested: list[FunctionNode] = field(default_factory=list)


class Expressions(ABC):
    """Finds what expressions stand for, and writes down what they read."""

    def __init__(self, symbols: Symbols, record: Record) -> None:
        self.symbols = symbols
        self.record = record
        self.types: frozenset[str] | None = None
        """The model types that the code now followed is for; None is all."""
        self.attributes: dict[tuple[Instance, str], Value] = {}
        self.written: frozenset[tuple[Path, str, frozenset[str] | None]] = frozenset()
        """Keys that the code has certainly set itself by now, and for which model types."""

    @abstractmethod
    def invoke(self, ref: FunctionRef, positional: list[Value], keywords: dict[str, Value]) -> Value: ...

    @abstractmethod
    def call(self, node: ast.Call, frame: Frame) -> Value: ...

    def evaluate(self, node: ast.expr, frame: Frame) -> Value:
        """What the expression may stand for. Everything inside it is looked at, too."""
        handler = self._HANDLERS.get(type(node))
        if handler is not None:
            return handler(self, node, frame)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child, frame)
        return UNKNOWN

    def read(
        self, held: Iterable[Table], names: Iterable[str], node: ast.expr, frame: Frame, *, certain: bool
    ) -> Value:
        """Writes down that keys are looked for in tables, and gives their values."""
        place = self.place(node, frame)
        found: Value = UNKNOWN
        for at, name in product(held, names):
            found |= table((*at.path, name))
            # What the code has put there itself is not what the user wrote.
            if not {(at.path, name, None), (at.path, name, self.types)} & self.written:
                self.record.reads.add(Read(path=at.path, key=name, place=place, types=self.types, certain=certain))
        return found

    def place(self, node: ast.expr, frame: Frame) -> Place:
        return Place(file=self.symbols.modules[frame.module].file, line=node.lineno)

    def lookup(self, name: str, frame: Frame) -> Value:
        """What a variable holds here."""
        scope: Frame | None = frame
        while scope is not None:
            if name in scope.variables:
                return scope.variables[name]
            scope = scope.parent
        return self.symbols.name(frame.module, name)

    def member(self, held: Value, name: str) -> Value:
        """What `held.name` may be."""
        return union(self._member(atom, name) for atom in held)

    def _member(self, atom: Atom, name: str) -> Value:
        if isinstance(atom, ModuleRef):
            return self.symbols.member(atom.name, name)
        if isinstance(atom, Instance):
            return self._attribute(atom, name)
        if isinstance(atom, Super):
            method = self.symbols.method(atom.me.cls, name, after=atom.after)
            return frozenset({FunctionRef(key=method.key, me=atom.me)}) if method else UNKNOWN
        if isinstance(atom, ClassRef):
            method = self.symbols.method(atom.key, name)
            bound = frozenset({FunctionRef(key=method.key, me=atom)}) if method else UNKNOWN
            return bound or self.symbols.constant(atom.key, name)
        if isinstance(atom, CommandLine) and name == "config":
            return table(TRAIN_FILE)
        return UNKNOWN

    def _attribute(self, instance: Instance, name: str) -> Value:
        if (instance, name) in self.attributes:
            return self.attributes[instance, name]
        method = self.symbols.method(instance.cls, name)
        if method is None:
            return self.symbols.constant(instance.cls, name)
        ref = FunctionRef(key=method.key, me=instance)
        if method.decorated("property") or method.decorated("cached_property"):
            return self.invoke(ref, [], {})
        return frozenset({ref})

    def chosen(self, test: ast.expr, frame: Frame) -> frozenset[str] | None:
        """The model types for which a condition holds; None when it is not about them."""
        if isinstance(test, ast.BoolOp):
            parts = [self.chosen(value, frame) for value in test.values]
            told = [part for part in parts if part is not None]
            if isinstance(test.op, ast.Or):
                return frozenset().union(*told) if told and len(told) == len(parts) else None
            return frozenset.intersection(*told) if told else None
        if not isinstance(test, ast.Compare) or len(test.ops) != 1:
            return None
        sides = self.evaluate(test.left, frame), self.evaluate(test.comparators[0], frame)
        if isinstance(test.ops[0], ast.Eq | ast.In) and any(t.path == MODEL_TYPE for v in sides for t in tables(v)):
            return texts(sides[0] | sides[1]) or None
        return None

    def bind(self, target: ast.expr, value: Value, frame: Frame) -> None:
        """Gives a value to what stands left of `=`, or between `for` and `in`."""
        if isinstance(target, ast.Name):
            frame.variables[target.id] = value
        elif isinstance(target, ast.Attribute):
            for atom in self.evaluate(target.value, frame):
                if isinstance(atom, Instance):
                    self.attributes[atom, target.attr] = self.attributes.get((atom, target.attr), UNKNOWN) | value
        elif isinstance(target, ast.Tuple | ast.List):
            for n, part in enumerate(target.elts):
                self.bind(part, _nth(value, n), frame)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, UNKNOWN, frame)
        elif isinstance(target, ast.Subscript):
            held = tables(self.evaluate(target.value, frame))
            keys = [atom.value for atom in self.evaluate(target.slice, frame) if isinstance(atom, Text)]
            if len(held) == 1 and len(keys) == 1:
                self.written |= {(held[0].path, keys[0], self.types)}

    def _name(self, node: ast.Name, frame: Frame) -> Value:
        return self.lookup(node.id, frame)

    def _get_attribute(self, node: ast.Attribute, frame: Frame) -> Value:
        return self.member(self.evaluate(node.value, frame), node.attr)

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        held = self.evaluate(node.value, frame)
        index = self.evaluate(node.slice, frame)
        if isinstance(node.slice, ast.Slice):
            return held
        keys = {atom.value for atom in index if isinstance(atom, Text)}
        if keys:
            return self.read(tables(held), keys, node, frame, certain=True)
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            return _nth(held, node.slice.value)
        return union(atom_entries for atom in held if isinstance(atom, Pack) for atom_entries in atom.items)

    def _compare(self, node: ast.Compare, frame: Frame) -> Value:
        values = [self.evaluate(part, frame) for part in (node.left, *node.comparators)]
        for left, op, right in zip(values, node.ops, values[1:], strict=False):
            if isinstance(op, ast.In | ast.NotIn):
                keys = {atom.value for atom in left if isinstance(atom, Text)}
                self.read(tables(right), keys, node, frame, certain=False)
            if any(t.path == OPTIMIZER_TYPE for t in tables(left | right)):
                for name in texts(left | right):
                    self.record.optimizers.setdefault(name, self.place(node, frame))
        return UNKNOWN

    def _either(self, node: ast.BoolOp, frame: Frame) -> Value:
        return union([self.evaluate(value, frame) for value in node.values])

    def _choice(self, node: ast.IfExp, frame: Frame) -> Value:
        self.evaluate(node.test, frame)
        return self.evaluate(node.body, frame) | self.evaluate(node.orelse, frame)

    def _operation(self, node: ast.BinOp, frame: Frame) -> Value:
        both = self.evaluate(node.left, frame) | self.evaluate(node.right, frame)
        # `config | {…}` has the keys of both; what else is worked out from a value is another value.
        return both if isinstance(node.op, ast.BitOr) else UNKNOWN

    def _walrus(self, node: ast.NamedExpr, frame: Frame) -> Value:
        value = self.evaluate(node.value, frame)
        self.bind(node.target, value, frame)
        return value

    def _sequence(self, node: ast.Tuple | ast.List | ast.Set, frame: Frame) -> Value:
        return pack(*(self.evaluate(entry, frame) for entry in node.elts))

    def _dict(self, node: ast.Dict, frame: Frame) -> Value:
        copied: Value = UNKNOWN
        for key, value in zip(node.keys, node.values, strict=True):
            held = self.evaluate(value, frame)
            if key is None:  # `{**config}` is the table again
                copied |= frozenset(tables(held))
            else:
                self.evaluate(key, frame)
        return copied

    def _comprehension(self, node: ast.expr, frame: Frame) -> Value:
        inner = Frame(module=frame.module, parent=frame, cls=frame.cls, me=frame.me)
        for loop in getattr(node, "generators", ()):
            self.bind(loop.target, entries(self.evaluate(loop.iter, inner)), inner)
            for test in loop.ifs:
                self.evaluate(test, inner)
        if isinstance(node, ast.DictComp):
            self.evaluate(node.key, inner)
            self.evaluate(node.value, inner)
            return UNKNOWN
        element = getattr(node, "elt", None)
        return pack(self.evaluate(element, inner)) if isinstance(element, ast.expr) else UNKNOWN

    def _lambda(self, node: ast.Lambda, frame: Frame) -> Value:
        inner = Frame(module=frame.module, parent=frame, cls=frame.cls, me=frame.me)
        spec = node.args
        for parameter in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs):
            inner.variables[parameter.arg] = UNKNOWN
        self.evaluate(node.body, inner)
        return UNKNOWN

    def _yield(self, node: ast.Yield, frame: Frame) -> Value:
        if node.value is not None:
            frame.returns |= pack(self.evaluate(node.value, frame))
        return UNKNOWN

    def _constant(self, node: ast.Constant, _frame: Frame) -> Value:
        return literal(node)

    _HANDLERS: ClassVar[dict[type[ast.expr], Callable[..., Value]]] = {
        ast.Attribute: _get_attribute,
        ast.BinOp: _operation,
        ast.BoolOp: _either,
        ast.Call: lambda self, node, frame: self.call(node, frame),
        ast.Compare: _compare,
        ast.Constant: _constant,
        ast.Dict: _dict,
        ast.DictComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.IfExp: _choice,
        ast.Lambda: _lambda,
        ast.List: _sequence,
        ast.ListComp: _comprehension,
        ast.Name: _name,
        ast.NamedExpr: _walrus,
        ast.Set: _sequence,
        ast.SetComp: _comprehension,
        ast.Subscript: _subscript,
        ast.Tuple: _sequence,
        ast.Yield: _yield,
    }


def _nth(value: Value, n: int) -> Value:
    """The entry of a list or tuple; any entry where the list stands in the configuration."""
    found: set[Atom] = set(entries(frozenset(tables(value))))
    for atom in value:
        if isinstance(atom, Pack):
            found |= atom.items[n] if -len(atom.items) <= n < len(atom.items) else UNKNOWN
    return frozenset(found)
