# Works with GNU Make 3.81 (macOS) and later.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CODE := $(wildcard dpcompile worker tests benchmarks)

# More arguments for pytest: make unit PYTEST_ARGS="-x -k toml"
PYTEST_ARGS ?=
# -n auto: one process per core. loadfile: the tests of one file stay together, for what they share is costly.
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile

INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo test unit lint format test-deep bench venv clean distclean

help:
	@echo "make demo       compile example jobs, broken ones too, and rehearse a whole one"
	@echo "make test       lint, then all tests"
	@echo "make unit       the fast tests alone"
	@echo "make lint       ruff, mypy, import-linter"
	@echo "make format     let ruff put the code in order"
	@echo "make test-deep  100,000 made-up values through the TOML encoder (minutes)"
	@echo "make bench      how fast it is"
	@echo "make clean      remove what was built; distclean: $(VENV) too"

demo: $(INSTALLED)
	PATH="$(abspath $(BIN)):$$PATH" bash demo/run.sh

test: lint
	$(PYTEST) $(PYTEST_ARGS)

unit: $(INSTALLED_DEV)
	$(PYTEST) tests/unit $(PYTEST_ARGS)

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED_DEV)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

test-deep: $(INSTALLED_DEV)
	HYPOTHESIS_PROFILE=deep $(PYTEST) tests/unit/test_tomlvalue.py $(PYTEST_ARGS)

bench: $(INSTALLED_DEV)
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

venv: $(INSTALLED_DEV)

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

# Installed again only when what is to be installed changes.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[inspect,worker]'
	@touch $@

$(INSTALLED_DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(INSTALLED) $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "dpcompile needs Python 3.11 or newer, and '$(PYTHON)' is not that." >&2; \
		echo "Name one that is: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
