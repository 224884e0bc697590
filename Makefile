# Two commands matter: `make demo` shows the agent at work, `make test` proves it. Both start from nothing but Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -q -n auto --maxprocesses 4

.PHONY: demo test check test-long format schemas bench clean

demo: $(VENV)/installed
	@$(BIN)/python examples/demo.py

# The fast part: what every commit passes.
check: $(VENV)/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -m "not e2e and not long"

test: check
	$(PYTEST) -m "e2e and not long"

test-long: $(VENV)/installed
	$(PYTEST)

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Rewrite protocol/schemas from the types.
schemas: $(VENV)/installed
	$(BIN)/python -m acp_agent.cli.schemas protocol/schemas

bench: $(VENV)/installed
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt "pip>=25.1"
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e . --group dev
	@touch $@
