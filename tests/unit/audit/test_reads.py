"""Which keys are found, in which scope."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.audit.support import found, in_pipeline, keys, readers

READS = [
    'config["key"]',
    'config["key"]["below"]["further"]',
    'config.get("key")',
    'config.get("key", 1)',
    'config.pop("key", None)',
    'config.setdefault("key", 1)',
    'x = "key" in config',
    'x = "key" not in config',
    'assert "key" in config or "key" in config',
    'if y := config.get("key"): pass',
    "print(f\"{config['key']}\")",
    'x = [config["key"] for _ in range(3)]',
    'x = {"a": config.get("key")}',
    'x = 1 if config.get("key") else 2',
    'x = lambda: config["key"]',
    'config["key"] += 1',
    'while not config["key"]: pass',
    'for name in ("key",): config[name]',
    'for name in ["key"]:\n    if name in config: pass',
    'x = [config.get(name) for name in {"key"}]',
    'NAME = "key"\nconfig[NAME]',
    'for _, name in enumerate(["key"]): config[name]',
    'try:\n    pass\nexcept KeyError:\n    config["key"]',
    'try:\n    pass\nfinally:\n    config["key"]',
    'with config["key"] as x: pass',
    'match config["key"]:\n    case 1: pass',
    'match 1:\n    case 1 if config["key"]: pass',
    "import json\nconfig = json.loads(json.dumps(config))\nconfig['key']",
    "import copy\ncopy.deepcopy(config)['key']",
    "config = {**config, 'more': 1}\nconfig['key']",
    "config = config | {'more': 1}\nconfig['key']",
    "other = config\nother['key']",
    "a, b = 1, config\nb['key']",
    "if 1:\n    other = config\nelse:\n    other = {}\nother['key']",
    "getattr(args, 'x'), config['key']",
    "def inner():\n    return config['key']",
    "def inner(table):\n    table['key']\ninner(config)",
    (
        "def inner(*tables, **named):\n    deeper(*tables, **named)\n"
        "def deeper(first, table):\n    table['key']\ninner(1, table=config)"
    ),
    "def give():\n    return config\ngive()['key']",
    "from functools import partial\ndef inner(table):\n    table['key']\npartial(inner, config)",
    "def inner(table, name='key'):\n    table[name]\ninner(config)",
    (
        "class Holder:\n    def __init__(self, table):\n        self.table = table\n"
        "    def later(self):\n        self.table['key']\nHolder(config)"
    ),
    "yes = dict(config)\nyes['key']",
]


@pytest.mark.parametrize("code", READS)
def test_a_read_of_a_key_is_found(tmp_path: Path, code: str) -> None:
    assert "key" in keys(found(tmp_path, code))["root"]


def test_a_constant_of_a_module_may_name_the_key(tmp_path: Path) -> None:
    code = "from utils import names\nfrom utils.names import KEY\nconfig[KEY], config[names.OTHER]"

    assert keys(found(tmp_path, code, utils__names='KEY = "key"\nOTHER: str = "other"\n')) == {"root": {"key", "other"}}


@pytest.mark.parametrize(
    "code",
    [
        'config["key"] = 1',
        'config[f"k{1}"]',
        'other = {}\nother["key"]',
        'config = {}\nconfig["key"]',
        'x = {"key": 1}["key"]',
        'x = "key" in ["key"]',
        'config.values("key")',
        'config["n"] = 1\nconfig["n"]',
        'def f(config):\n    config["key"]\nf({})',
        'x = lambda config: config["key"]',
        '# config["key"]',
        'import json\nconfig = json.load(open("other.json"))\nconfig["key"]',
    ],
)
def test_what_is_no_read_of_a_key_is_not_found(tmp_path: Path, code: str) -> None:
    assert keys(found(tmp_path, code)) == {}


def test_text_looked_for_in_a_value_is_no_key(tmp_path: Path) -> None:
    result = found(tmp_path, 'path = config["path"]\nx = ".safetensors" in path\ny = "a" in config["names"]')

    assert keys(result) == {"root": {"path", "names"}}


def test_a_key_that_the_code_sets_itself_is_not_the_users(tmp_path: Path) -> None:
    code = """
        config["own"] = 1
        config["own"], config.get("own")
        if config["maybe"]:
            config["set_maybe"] = 1
        config["set_maybe"]
        config["filled"] = config.get("filled", 2)
        for x in range(3):
            config["in_loop"] = 1
        config["in_loop"]
        if 1:
            config["both"] = 1
        else:
            config["both"] = 2
        config["both"]
    """

    assert keys(found(tmp_path, code)) == {"root": {"maybe", "set_maybe", "filled", "in_loop"}}


def test_each_table_is_a_scope(tmp_path: Path) -> None:
    code = """
        config["top"]
        model_config = config["model"]
        model_config["vae"]
        if adapter_config := config.get("adapter", None):
            adapter_config["rank"]
        config.get("monitoring", {}).get("enable")
        monitoring = config.get("monitoring") or {}
        monitoring["key"]
        optim_config = config["optimizer"]
        optim_config.pop("half_life", None)
        config["lora"]["dtype"]
    """

    assert keys(found(tmp_path, code)) == {
        "root": {"top", "adapter", "monitoring", "optimizer", "lora"},
        "model": {"vae"},
        "adapter": {"rank"},
        "monitoring": {"enable", "key"},
        "optimizer": {"half_life"},
        "lora": {"dtype"},
    }


def test_tables_in_lists_are_scopes(tmp_path: Path) -> None:
    code = """
        for entry in config["model"]["text_encoders"]:
            if "paths" in entry:
                entry["paths"]
        for i, entry in enumerate(config["eval_datasets"]):
            entry["name"]
        config["adapter"]["fuse_adapters"][0].get("weight")
        first, second = config["adapter"]["fuse_adapters"]
        second["path"]
        [entry["kind"] for entry in sorted(config["eval_datasets"])[1:]]
    """

    scopes = keys(found(tmp_path, code))

    assert scopes["model.text_encoders[]"] == {"paths"}
    assert scopes["eval_datasets[]"] == {"name", "kind"}
    assert scopes["adapter.fuse_adapters[]"] == {"weight", "path"}


@pytest.mark.parametrize(
    "code",
    [
        'with open(config["dataset"]) as f:\n    dataset_config = toml.load(f)',
        'dataset_config = toml.load(config["dataset"])',
        'dataset_config = toml.loads(open(config["dataset"]).read())',
        'from pathlib import Path\ndataset_config = toml.loads(Path(config["dataset"]).read_text())',
        'import tomllib\nwith open(config["dataset"], "rb") as f:\n    dataset_config = tomllib.load(f)',
        (
            "def load(path):\n    with open(path) as f:\n        return toml.load(f)\n"
            'dataset_config = load(config["dataset"])\nload(args.config)["top"]'
        ),
        (
            'for e in config["eval_datasets"]:\n    path = e if type(e) == str else e["config"]\n'
            "    dataset_config = toml.load(open(path))"
        ),
    ],
)
def test_the_dataset_file_is_another_document(tmp_path: Path, code: str) -> None:
    more = """
dataset_config["resolutions"]
for directory_config in dataset_config["directory"]:
    directory_config.get("path", dataset_config.get("default"))
"""
    scopes = keys(found(tmp_path, code + more))

    assert scopes["dataset"] == {"resolutions", "directory", "default"}
    assert scopes["directory"] == {"path"}
    assert "resolutions" not in scopes["root"]


def test_a_main_function_is_followed(tmp_path: Path) -> None:
    code = "def main(path):\n    c = toml.load(path)\n    use(c)\ndef use(c):\n    c['key']\nmain(args.config)"

    assert keys(found(tmp_path, code)) == {"root": {"key"}}


def test_a_function_in_another_module_is_followed_with_what_it_is_given(tmp_path: Path) -> None:
    helpers = """
        def helper(config, other):
            config["key"]
            other["not_ours"]

        def never_called(config):
            config["not_ours"]

        def called_with_another(config):
            config["not_ours"]
    """
    code = """
        from utils import helpers as h
        from utils.helpers import called_with_another
        h.helper(config["model"], {})
        called_with_another({})
    """

    assert keys(found(tmp_path, code, utils__helpers=helpers)) == {"model": {"key"}}


def test_a_function_that_calls_itself_comes_to_an_end(tmp_path: Path) -> None:
    code = """
        def walk(value):
            walk(value["child"])
            for entry in value["list"]:
                walk(entry)
            return walk(value)
        walk(config)
    """
    result = found(tmp_path, code)

    assert result.faults == ()
    assert keys(result)["root"] == {"child", "list"}


def test_methods_that_nothing_calls_are_followed(tmp_path: Path) -> None:
    methods = """
        def get_loss_fn(self):
            def loss_fn(output):
                return self.config["delta"]
            return loss_fn

        @property
        def speed(self):
            return self.model_config["speed"]

        @staticmethod
        def free(config):
            return config["not_ours"]

        @classmethod
        def make(cls, config):
            return config["made"]

        def use(self):
            self.make(self.config)
    """
    result = in_pipeline(tmp_path, methods)

    assert keys(result) == {"root": {"delta", "made"}, "model": {"speed"}}


def test_what_train_py_gives_to_a_method_is_followed(tmp_path: Path) -> None:
    methods = """
        def configure_adapter(self, adapter_config):
            self._add(adapter_config, 3)

        def _add(self, table, n):
            table["rank"]
    """
    result = in_pipeline(tmp_path, methods, 'model.configure_adapter(config["adapter"])')

    assert keys(result)["adapter"] == {"rank"}
    assert readers(result, "adapter", "rank") == {"toy"}


def test_an_object_may_be_given_to_another_one(tmp_path: Path) -> None:
    dataset = """
        class Dataset:
            def __init__(self, dataset_config, model):
                self.dataset_config = dataset_config
                self.model = model

            def check(self):
                self.model.validate(self.dataset_config)
    """
    methods = """
        def validate(self, dataset_config):
            dataset_config["checked"]
    """
    main = 'from utils import dataset\ndataset.Dataset(toml.load(config["dataset"]), model)'

    assert keys(in_pipeline(tmp_path, methods, main, utils__dataset=dataset))["dataset"] == {"checked"}


def test_a_key_that_train_py_sets_is_not_the_users_in_a_class_either(tmp_path: Path) -> None:
    main = 'config["own"] = 1\nconfig["model"]["dtype"] = str(config["model"]["dtype"])\n'
    methods = """
        def load(self):
            return self.config["own"], self.model_config["dtype"], self.config["user"]
    """
    result = in_pipeline(tmp_path, methods, before=main)

    assert keys(result) == {"root": {"user"}, "model": {"dtype"}}
    assert readers(result, "model", "dtype") is None
