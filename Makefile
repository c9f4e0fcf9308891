# The two commands: `make run` floats the shop, `make test` proves it. Each sets itself up from nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# How long `make torture` goes on (1: about forty minutes), and what of.
SAMPAN_TORTURE ?= 1
TESTS ?= tests
# Two processes; in the order of the files, for those with few tests are the longest and not to be left to the end.
SIDE_BY_SIDE = -n 2 --dist loadgroup --no-loadscope-reorder

.PHONY: run test torture check bench lock rules clean

run: $(VENV)/run.done
	@$(BIN)/sampan run

test: $(VENV)/dev.done
	@$(BIN)/python tools/system_packages.py
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

# The same tests in their long form: every point a process can die at, larger crowds, longer stories.
# SAMPAN_SEED=<number> replays what a run left to chance; SAMPAN_TORTURE=10 takes ten times as long; TESTS=tests/faults …
torture: $(VENV)/dev.done
	SAMPAN_TORTURE=$(SAMPAN_TORTURE) $(BIN)/python -m pytest $(SIDE_BY_SIDE) $(TESTS)

# The whole shop on this machine, about ten minutes; options: make bench OPTIONS="--quick --only checkout".
bench: $(VENV)/dev.done
	$(BIN)/python -m bench $(OPTIONS)

check: $(VENV)/dev.done
	$(BIN)/ruff format --check src tests tools bench
	$(BIN)/ruff check src tests tools bench
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.check

# The lock carries hashes and no address of any registry.
lock: $(VENV)/dev.done
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header -q -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header -q -c requirements-dev.lock -o requirements.lock

rules: $(VENV)/dev.done
	$(BIN)/sampan rules > docs/rules.md

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Sampan needs Python 3.11 or newer; try: make PYTHON=python3.12 …") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); sh tools/venv.sh $(PYTHON) $(VENV); }

$(VENV)/run.done: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the shop needs (once) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python tools/link.py
	@touch $@

$(VENV)/dev.done: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the tests need (once) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python tools/link.py
	@touch $@ $(VENV)/run.done

# Never the data folder: it is somebody's shop.
clean:
	rm -rf $(VENV)
