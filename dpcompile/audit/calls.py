"""What calls give and read: methods of tables, functions and classes of the trainer, and a few well-known others."""

from __future__ import annotations

import ast
from abc import abstractmethod

from dpcompile.audit.checkout import MAIN
from dpcompile.audit.record import Record
from dpcompile.audit.scopes import Expressions, Frame
from dpcompile.audit.symbols import Function, Symbols
from dpcompile.audit.values import (
    DATASET,
    TRAIN,
    TRAIN_FILE,
    UNKNOWN,
    Atom,
    ClassRef,
    CommandLine,
    FunctionRef,
    Instance,
    Keywords,
    Pack,
    Super,
    Table,
    Text,
    Value,
    entries,
    literal,
    matters,
    pack,
    table,
    tables,
    texts,
    union,
)

_READERS = {"get", "pop", "setdefault"}
_SAME = {
    *("absolute", "expanduser", "open", "read", "read_bytes", "read_text", "resolve"),
    *("casefold", "copy", "decode", "lower", "strip", "upper"),
}
"""Methods that give their object back, or what is as good for us: a file for its name, its text for the file."""
_PASSING = {
    *("copy", "deepcopy", "dict", "iter", "list", "reversed", "set", "sorted", "str", "tuple"),
    *("Path", "fspath", "open"),
    *("dumps", "loads"),
}
"""Functions whose result is as good as their argument: `json.loads(json.dumps(config))`."""
_TOML = {"rtoml", "toml", "tomli", "tomlkit", "tomllib"}


class Calls(Expressions):
    """Follows calls into the trainer's own functions and classes."""

    def __init__(self, symbols: Symbols, record: Record) -> None:
        super().__init__(symbols, record)
        self.nested: dict[str, tuple[Function, Frame]] = {}
        """Functions that are defined in others, with the variables they see."""
        self.made: dict[Instance, None] = {}
        """Objects that see the configuration, in the order in which they were made."""
        self._results: dict[object, Value] = {}
        self._active: set[str] = set()

    @abstractmethod
    def run(self, function: Function, frame: Frame) -> None: ...

    def start_round(self) -> None:
        """Forgets what calls gave: since then, attributes may have got more values."""
        self._results.clear()
        self.nested.clear()

    def call(self, node: ast.Call, frame: Frame) -> Value:
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            return self._super(frame)
        held = self.evaluate(node.func.value, frame) if isinstance(node.func, ast.Attribute) else UNKNOWN
        if isinstance(node.func, ast.Attribute):
            callee = self.member(held, node.func.attr)
        else:
            callee = self.evaluate(node.func, frame)
        positional, keywords = self._arguments(node, frame)
        own = [atom for atom in callee if isinstance(atom, ClassRef | FunctionRef)]
        self._note_dispatch(own, [*positional, *keywords.values()], node, frame)
        if own:
            return union([self._follow(atom, positional, keywords, frame) for atom in own])
        if isinstance(node.func, ast.Attribute) and tables(held):
            return self._on_table(node, node.func.attr, held, positional, frame)
        return self._elsewhere(node, positional, keywords)

    @staticmethod
    def _super(frame: Frame) -> Value:
        scope: Frame | None = frame
        while scope is not None:
            if scope.cls is not None:
                me = [atom for atom in scope.me if isinstance(atom, Instance)]
                return frozenset({Super(me=atom, after=scope.cls) for atom in me})
            scope = scope.parent
        return UNKNOWN

    def _arguments(self, node: ast.Call, frame: Frame) -> tuple[list[Value], dict[str, Value]]:
        positional: list[Value] = []
        keywords: dict[str, Value] = {}
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                spread = [a for a in self.evaluate(argument.value, frame) if isinstance(a, Pack)]
                positional += spread[0].items if len(spread) == 1 else ()
            else:
                positional.append(self.evaluate(argument, frame))
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, frame)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            else:
                keywords |= {name: v for a in value if isinstance(a, Keywords) for name, v in a.items}
        return positional, keywords

    def _note_dispatch(
        self, own: list[ClassRef | FunctionRef], arguments: list[Value], node: ast.Call, frame: Frame
    ) -> None:
        """Where only some model types are meant, what gets the whole configuration serves them."""
        if self.types is None:
            return
        given = any(Table(path=TRAIN) in value for value in arguments)
        classes = [atom.key for atom in own if isinstance(atom, ClassRef)]
        if given or (classes and frame.module == MAIN):
            self.record.dispatch(self.types, self.place(node, frame), classes[0] if classes else None)

    def _on_table(self, node: ast.Call, name: str, held: Value, positional: list[Value], frame: Frame) -> Value:
        if name in _READERS and positional:
            keys = {atom.value for atom in positional[0] if isinstance(atom, Text)}
            found = self.read(tables(held), keys, node, frame, certain=True)
            return found | (positional[1] if len(positional) > 1 else UNKNOWN)
        return frozenset(tables(held)) if name in _SAME else UNKNOWN

    def _elsewhere(self, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value:
        """What a function gives that is not the trainer's own."""
        func = node.func
        name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        first = positional[0] if positional else UNKNOWN
        if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in _TOML:
            return union([_document(t) for t in tables(first)])
        if name == "parse_args":
            return frozenset({CommandLine()})
        if name == "enumerate":
            return pack(pack(UNKNOWN, entries(first)))
        if name == "zip":
            return pack(pack(*(entries(value) for value in positional)))
        if name == "getattr" and len(positional) > 1:
            return union([self.member(first, key) for key in texts(positional[1])])
        if name == "partial":
            refs = [atom for atom in first if isinstance(atom, ClassRef | FunctionRef)]
            for ref in refs:
                self._follow(ref, positional[1:], keywords, None)
        return first if name in _PASSING else UNKNOWN

    def _follow(
        self,
        ref: ClassRef | FunctionRef,
        positional: list[Value],
        keywords: dict[str, Value],
        frame: Frame | None,
    ) -> Value:
        if isinstance(ref, FunctionRef):
            return self.invoke(ref, positional, keywords)
        chosen = self.types is not None and frame is not None and frame.module == MAIN
        if not chosen and not any(matters(value) for value in (*positional, *keywords.values())):
            return UNKNOWN
        instance = Instance(cls=ref.key, types=self.types)
        self.made[instance] = None
        start = self.symbols.method(ref.key, "__init__")
        if start is not None:
            self.invoke(FunctionRef(key=start.key, me=instance), positional, keywords)
        return frozenset({instance})

    def invoke(self, ref: FunctionRef, positional: list[Value], keywords: dict[str, Value]) -> Value:
        """Follows a function with these arguments, unless they cannot lead to the configuration."""
        function, outer = self.nested.get(ref.key) or (self.symbols.functions[ref.key], None)
        seeing = isinstance(ref.me, Instance) or outer is not None or function.module == MAIN
        if not seeing and not any(matters(value) for value in (*positional, *keywords.values())):
            return UNKNOWN
        before = self.types
        if isinstance(ref.me, Instance) and ref.me.types is not None:
            self.types = ref.me.types if before is None else ref.me.types & before
        try:
            if self.types is not None and not self.types:
                return UNKNOWN  # these model types never come here
            return self._result(ref, function, outer, positional, keywords)
        except RecursionError:
            self.record.too_deep.add(self.symbols.modules[function.module].file)
            return UNKNOWN
        finally:
            self.types = before

    def _result(
        self,
        ref: FunctionRef,
        function: Function,
        outer: Frame | None,
        positional: list[Value],
        keywords: dict[str, Value],
    ) -> Value:
        named = tuple(sorted(keywords.items(), key=lambda item: item[0]))
        known = (ref, self.types, tuple(positional), named, _seen_from(outer))
        if known in self._results:
            return self._results[known]
        if outer is not None and ref.key in self._active:
            return UNKNOWN
        self._results[known] = UNKNOWN  # what a function gives that calls itself
        self._active.add(ref.key)
        try:
            frame = self._frame(ref, function, outer, positional, keywords)
            self.run(function, frame)
        finally:
            self._active.discard(ref.key)
        self._results[known] = frame.returns
        return frame.returns

    def _frame(
        self,
        ref: FunctionRef,
        function: Function,
        outer: Frame | None,
        positional: list[Value],
        keywords: dict[str, Value],
    ) -> Frame:
        me: frozenset[Atom] = frozenset() if ref.me is None else frozenset({ref.me})
        frame = Frame(module=function.module, parent=outer, cls=function.cls, me=me)
        if me and not function.decorated("staticmethod"):
            if function.decorated("classmethod"):
                cls = ref.me.cls if isinstance(ref.me, Instance) else getattr(ref.me, "key", "")
                positional = [frozenset({ClassRef(key=cls)}), *positional]
            elif isinstance(ref.me, Instance):
                positional = [me, *positional]
        frame.variables |= _bound(function.node.args, positional, keywords)
        return frame


def _seen_from(outer: Frame | None) -> tuple[frozenset[tuple[str, Value]], ...]:
    """The variables that a function sees which is defined in another one."""
    seen = []
    while outer is not None:
        seen.append(frozenset(outer.variables.items()))
        outer = outer.parent
    return tuple(seen)


def _document(source: Table) -> Value:
    """What is in the TOML file of this name."""
    if source.path == TRAIN_FILE:
        return table(TRAIN)
    if source.path == (*TRAIN, "dataset") or source.path[:2] == (*TRAIN, "eval_datasets"):
        return table(DATASET)
    return UNKNOWN


def _bound(spec: ast.arguments, positional: list[Value], keywords: dict[str, Value]) -> dict[str, Value]:
    """The parameters of a function and their values."""
    in_order = [*spec.posonlyargs, *spec.args]
    defaults = [None] * (len(in_order) - len(spec.defaults)) + list(spec.defaults)
    parameters = [*zip(in_order, defaults, strict=True), *zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]
    found = {p.arg: UNKNOWN if default is None else literal(default) for p, default in parameters}
    found |= {parameter.arg: value for parameter, value in zip(in_order, positional, strict=False)}
    found |= {name: value for name, value in keywords.items() if name in found}
    if spec.vararg is not None:
        found[spec.vararg.arg] = pack(*positional[len(in_order) :])
    if spec.kwarg is not None:
        rest = tuple((name, value) for name, value in sorted(keywords.items()) if name not in found)
        found[spec.kwarg.arg] = frozenset({Keywords(items=rest)})
    return found
