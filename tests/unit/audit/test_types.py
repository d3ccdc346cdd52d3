"""Which model types and optimizers train.py knows, and which keys belong to which model type."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpcompile.audit.reads import Found
from tests.unit.audit.support import found, in_pipeline, keys, readers

CLASSES = """
class A:
    def __init__(self, config):
        config["model"]["key_a"]


class B:
    def __init__(self, config):
        config["model"]["key_b"]
"""

CHOICES = {
    "elif": """
        model_type = config["model"]["type"]
        if model_type == "a":
            from models import two
            model = two.A(config)
        elif "b" == model_type:
            from models.two import B as Bee
            model = Bee(config)
        else:
            raise NotImplementedError(model_type)
    """,
    "in": """
        import models.two
        if config["model"]["type"] in ("a",):
            models.two.A(config)
        if config["model"]["type"] in ["b"]:
            models.two.B(config)
    """,
    "match": """
        from models import two
        match config["model"]["type"]:
            case "a":
                two.A(config)
            case "b":
                two.B(config)
            case _:
                pass
    """,
    "walrus": """
        from models import two
        if (kind := config["model"].get("type")) == "a" and config["x"]:
            two.A(config)
        elif kind == "b":
            two.B(config)
    """,
    "function": """
        def make(config, kind):
            from models import two
            if kind == "a":
                return two.A(config)
            elif kind == "b":
                return two.B(config)
        make(config, config["model"]["type"])
    """,
}


@pytest.mark.parametrize("choice", CHOICES)
def test_each_model_type_has_its_class_and_its_keys(tmp_path: Path, choice: str) -> None:
    result = found(tmp_path, CHOICES[choice], models__two=CLASSES)

    assert {name: kind.cls for name, kind in result.types.items()} == {"a": "A", "b": "B"}
    assert readers(result, "model", "key_a") == {"a"}
    assert readers(result, "model", "key_b") == {"b"}
    assert readers(result, "model", "type") is None


def test_a_model_type_has_the_places_of_its_choice_and_of_its_class(tmp_path: Path) -> None:
    kind = found(tmp_path, CHOICES["elif"], models__two=CLASSES).types["b"]

    assert (kind.place.file, kind.class_place and kind.class_place.file) == ("train.py", "models/two.py")
    assert kind.class_place is not None
    assert kind.class_place.line == 7


@pytest.mark.parametrize("test", ['kind == "a" or kind == "b"', 'kind in ("a", "b")'])
def test_a_class_may_serve_two_model_types(tmp_path: Path, test: str) -> None:
    code = f"""
        from models import two
        kind = config["model"]["type"]
        if {test}:
            two.A(config)
    """
    result = found(tmp_path, code, models__two=CLASSES)

    assert readers(result, "model", "key_a") == {"a", "b"}


def test_a_class_may_ask_which_of_its_model_types_it_serves(tmp_path: Path) -> None:
    pipeline = """
        class Pipeline:
            def __init__(self, config):
                self.model_config = config["model"]
                if self.model_config["type"] == "a":
                    self.model_config["only_a"]
                elif self.model_config["type"] == "c":
                    self.model_config["never"]
    """
    code = """
        from models import one
        if config["model"]["type"] in ("a", "b"):
            one.Pipeline(config)
    """
    result = found(tmp_path, code, models__one=pipeline)

    assert set(result.types) == {"a", "b"}
    assert readers(result, "model", "only_a") == {"a"}
    assert "never" not in keys(result)["model"]


def test_a_type_that_is_only_asked_about_is_not_chosen(tmp_path: Path) -> None:
    assert found(tmp_path, 'if config["model"]["type"] == "a": print("a")').types == {}


def test_a_class_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = found(tmp_path, CHOICES["elif"])

    assert {name: kind.cls for name, kind in result.types.items()} == {"a": None, "b": None}


BASE = """
class Common:
    def __init__(self, config):
        self.config = config
        self.model_config = config["model"]
        self.model_config["of_start"]

    def load(self):
        self.model_config["of_base"]

    def save(self):
        self.config["saved"]


class Base(Common):
    def load(self):
        super().load()
        self.model_config["of_middle"]
"""


def chain(tmp_path: Path, body: str) -> Found:
    toy = f"""
from models.base import Base


class ToyPipeline(Base):
{body}
"""
    code = """
        from models import toy
        if config["model"]["type"] == "toy":
            toy.ToyPipeline(config)
    """
    return found(tmp_path, code, models__toy=toy, models__base=BASE)


def test_what_base_classes_read_counts(tmp_path: Path) -> None:
    result = chain(tmp_path, "    pass")

    assert keys(result) == {"root": {"saved"}, "model": {"of_start", "of_middle", "of_base"}}


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("    def load(self): pass", {"of_start"}),
        ("    def load(self): self.model_config['own']", {"of_start", "own"}),
        ("    def load(self): super().load()", {"of_start", "of_middle", "of_base"}),
        ("    def load(self): super(Base, self).load()", {"of_start", "of_middle", "of_base"}),
        ("    def __init__(self, *args, **kwargs): super().__init__(*args, **kwargs)", None),
        ("    def __init__(self, config): pass", set()),
    ],
)
def test_an_overridden_method_counts_only_when_it_is_called(tmp_path: Path, body: str, read: set[str] | None) -> None:
    every = {"of_start", "of_middle", "of_base"}

    assert keys(chain(tmp_path, body)).get("model", set()) == (every if read is None else read)


def test_a_helper_counts_for_the_types_that_call_it(tmp_path: Path) -> None:
    helpers = "def t_distribution(model_config):\n    return model_config.get('method', 'normal')\n"
    pipelines = """
        from utils.helpers import t_distribution

        class A:
            def __init__(self, config):
                self.model_config = config["model"]
                t_distribution(self.model_config)

        class B:
            def __init__(self, config):
                self.model_config = config["model"]
    """
    result = found(tmp_path, CHOICES["elif"], models__two=pipelines, utils__helpers=helpers)

    assert readers(result, "model", "method") == {"a"}


def test_modules_that_import_each_other_and_classes_that_extend_themselves(tmp_path: Path) -> None:
    result = found(
        tmp_path,
        "from models.one import Thing\nThing(config)",
        models__one="from models.two import Thing\n",
        models__two="from models.one import Thing\nclass Other(Other):\n    pass\n",
    )

    assert result.faults == ()


def test_relative_imports(tmp_path: Path) -> None:
    code = """
        from models.deep import pipe
        if config["model"]["type"] == "toy":
            pipe.P(config)
    """
    pipe = "from . import near\nfrom .near import f\nfrom ..far import g\nclass P:\n    def __init__(self, config):\n"
    pipe += "        f(config), g(config), near.h(config)\n"
    result = found(
        tmp_path,
        code,
        models__deep__pipe=pipe,
        models__deep__near="def f(c):\n    c['f']\ndef h(c):\n    c['h']\n",
        models__far="def g(c):\n    c['g']\n",
    )

    assert keys(result)["root"] == {"f", "g", "h"}


OPTIMIZERS = {
    "elif": 'name = kind.lower()\nif name == "adamw": pass\nelif name == "SGD": pass',
    "in": 'if kind.lower() in ("adamw", "SGD"): pass',
    "nested": 'def get():\n    t = config["optimizer"]["type"]\n    if t == "adamw" or t != "SGD": pass',
}


@pytest.mark.parametrize("code", OPTIMIZERS.values(), ids=list(OPTIMIZERS))
def test_optimizers_are_the_names_that_the_type_is_compared_with(tmp_path: Path, code: str) -> None:
    assert set(found(tmp_path, 'kind = config["optimizer"]["type"]\n' + code).optimizers) == {"adamw", "SGD"}


def test_arguments_of_optimizers_are_not_read(tmp_path: Path) -> None:
    code = """
        optim_config = config["optimizer"]
        kwargs = {k: v for k, v in optim_config.items() if k not in ["type", "gradient_release"]}
        if "betas" in kwargs:
            kwargs["betas"]
    """

    assert keys(in_pipeline(tmp_path, "pass", code))["root"] == {"optimizer"}
    assert "optimizer" not in keys(in_pipeline(tmp_path, "pass", code))
