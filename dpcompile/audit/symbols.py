"""What the names in the trainer's modules stand for: imports, functions, classes and their methods."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from dpcompile.audit.checkout import Module
from dpcompile.audit.values import (
    UNKNOWN,
    Atom,
    ClassRef,
    FunctionRef,
    ModuleRef,
    Value,
    literal,
    statements,
)

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function or method, and the module and class in which it is defined."""

    key: str
    module: str
    node: FunctionNode
    cls: str | None = None

    def decorated(self, name: str) -> bool:
        """Whether it has the decorator `name`, as `@name` or `@somewhere.name`."""
        last = (d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "") for d in self.node.decorator_list)
        return name in last


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """A class: its own methods and constants, and what its bases are called."""

    key: str
    module: str
    node: ast.ClassDef
    methods: Mapping[str, Function]
    constants: Mapping[str, Value]


class Symbols:
    """All names of all modules. What is not the trainer's own is unknown."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self.modules = modules
        self.functions: dict[str, Function] = {}
        self.classes: dict[str, Class] = {}
        self._names: dict[str, dict[str, ast.stmt]] = {name: _defined(m.tree) for name, m in modules.items()}
        self._packages = {p for name in modules for p in _parents(name)}
        for name, module in modules.items():
            self._collect(name, module.tree)

    def _collect(self, module: str, tree: ast.Module) -> None:
        for node in _top(tree):
            if isinstance(node, _FUNCTIONS):
                key = f"{module}:{node.name}"
                self.functions[key] = Function(key=key, module=module, node=node)
            elif isinstance(node, ast.ClassDef):
                self.add_class(module, node)

    def add_class(self, module: str, node: ast.ClassDef) -> str:
        """Takes a class in, and gives its key."""
        key = f"{module}:{node.name}"
        methods: dict[str, Function] = {}
        constants: dict[str, Value] = {}
        for entry in statements(node.body):
            if isinstance(entry, _FUNCTIONS):
                below = f"{key}.{entry.name}"
                methods[entry.name] = Function(key=below, module=module, node=entry, cls=key)
                self.functions[below] = methods[entry.name]
            else:
                constants |= {name: literal(value) for name, value in _assigned(entry)}
        self.classes[key] = Class(key=key, module=module, node=node, methods=methods, constants=constants)
        return key

    def name(self, module: str, name: str, _seen: frozenset[tuple[str, str]] = frozenset()) -> Value:
        """What a name stands for at the top of a module."""
        node = self._names.get(module, {}).get(name)
        # Two modules may import a name from each other.
        if node is None or (module, name) in _seen:
            return UNKNOWN
        if isinstance(node, _FUNCTIONS):
            return frozenset({FunctionRef(key=f"{module}:{name}")})
        if isinstance(node, ast.ClassDef):
            return frozenset({ClassRef(key=f"{module}:{name}")})
        if isinstance(node, ast.Import | ast.ImportFrom):
            return dict(self.imported(node, module, _seen | {(module, name)})).get(name, UNKNOWN)
        return next((literal(value) for target, value in _assigned(node) if target == name), UNKNOWN)

    def imported(
        self, node: ast.Import | ast.ImportFrom, module: str, _seen: frozenset[tuple[str, str]] = frozenset()
    ) -> Iterator[tuple[str, Value]]:
        """The names that an import statement makes, and what they stand for."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or whole, self._module(whole)
            return
        source = self._source(node, module)
        for alias in node.names:
            yield alias.asname or alias.name, self.member(source, alias.name, _seen)

    def _source(self, node: ast.ImportFrom, module: str) -> str:
        if not node.level:
            return node.module or ""
        package = self.modules[module].package.split(".")
        package = package[: len(package) - node.level + 1]
        return ".".join([*package, *([node.module] if node.module else [])])

    def _module(self, name: str) -> Value:
        return frozenset({ModuleRef(name=name)}) if name in self.modules or name in self._packages else UNKNOWN

    def member(self, module: str, name: str, _seen: frozenset[tuple[str, str]] = frozenset()) -> Value:
        """What `module.name` stands for: a module in a package, or a name in a module."""
        return self._module(f"{module}.{name}") or self.name(module, name, _seen)

    def mro(self, cls: str, _seen: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A class and its bases, as far as they are the trainer's own, in the order in which methods are looked for."""
        if cls not in self.classes or cls in _seen:
            return ()
        found = [cls]
        for base in self.classes[cls].node.bases:
            for ref in self._base(base, self.classes[cls].module):
                found += [key for key in self.mro(ref, (*_seen, cls)) if key not in found]
        return tuple(found)

    def _base(self, node: ast.expr, module: str) -> Iterator[str]:
        for atom in self._static(node, module):
            if isinstance(atom, ClassRef):
                yield atom.key

    def _static(self, node: ast.expr, module: str) -> frozenset[Atom]:
        if isinstance(node, ast.Name):
            return self.name(module, node.id)
        if isinstance(node, ast.Attribute):
            held = self._static(node.value, module)
            return frozenset().union(*(self.member(a.name, node.attr) for a in held if isinstance(a, ModuleRef)))
        return UNKNOWN

    def method(self, cls: str, name: str, *, after: str | None = None) -> Function | None:
        """The method that an object of this class has; with `after`, what `super()` finds in that class."""
        chain = self.mro(cls)
        if after is not None:
            chain = chain[chain.index(after) + 1 :] if after in chain else ()
        return next((self.classes[key].methods[name] for key in chain if name in self.classes[key].methods), None)

    def methods(self, cls: str) -> dict[str, Function]:
        """All methods of an object of this class; those that another one takes the place of are not among them."""
        found: dict[str, Function] = {}
        for key in reversed(self.mro(cls)):
            found |= self.classes[key].methods
        return found

    def constant(self, cls: str, name: str) -> Value:
        """A constant of a class or of its bases."""
        chain = (self.classes[key].constants for key in self.mro(cls))
        return next((constants[name] for constants in chain if name in constants), UNKNOWN)


def _parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:n]) for n in range(1, len(parts)))


def _top(tree: ast.Module) -> Iterator[ast.stmt]:
    """What a module defines when it is imported: not what it does when it is started."""
    guards = {id(n) for node in tree.body if is_guard(node) for n in statements([node])}
    yield from (node for node in statements(tree.body) if id(node) not in guards)


def is_guard(node: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__"`."""
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def _defined(tree: ast.Module) -> dict[str, ast.stmt]:
    """Each name at the top of a module, and the statement that makes it; a later one wins."""
    names: dict[str, ast.stmt] = {}
    for node in _top(tree):
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            names[node.name] = node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0]: node for alias in node.names}
        else:
            names |= {name: node for name, _ in _assigned(node)}
    return names


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
        yield node.target.id, node.value
