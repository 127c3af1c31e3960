# Two commands for a fresh machine: `make run` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Images set it. Each of the hundreds of processes that the tests start would then compile Nod anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test coverage check format docs screenshots bench lock clean

help: ## what each command does
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.server: requirements/server.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Nod needs Python 3.11 or newer; try: make PYTHON=python3.12 run"; exit 1; }
	@echo "Setting up .venv (once, about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/server.txt
	@$(PIP) install --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.server
	@echo "Adding what the tests need ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@PYTHONPATH=tests $(BIN)/python -m support.chromium
	@touch $@

run: $(VENV)/.server ## a server, an agent that really works, a task each minute
	@$(BIN)/nod demo

test: $(VENV)/.dev ## every check and every test
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest -n 3

coverage: $(VENV)/.dev ## branches covered in domain, engine and delivery, which must be all
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m coverage run -m pytest -n 2 -q
	@$(BIN)/python -m coverage combine -q
	@$(BIN)/python -m coverage report --skip-covered --show-missing --fail-under=100 \
	  --include='src/nod/domain/*,src/nod/engine/*,src/nod/delivery/*'

check: $(VENV)/.dev ## format, lint, strict types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## put the code in form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## the documentation as a site, in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "open site/index.html"

screenshots: $(VENV)/.dev ## pictures of every page, in screenshots/ or where TO= says
	@PYTHONPATH=tests $(BIN)/python -m docs.screenshots $(or $(TO),screenshots) $(PAGES)

$(VENV)-bench/.bench: requirements/bench.txt pyproject.toml
	@echo "Setting up .venv-bench with Nod and its peers (once, about a minute) ..."
	@test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	@$(VENV)-bench/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/bench.txt
	@$(VENV)-bench/bin/python -m pip --disable-pip-version-check --quiet install --no-deps -e .
	@touch $@

bench: $(VENV)-bench/.bench ## the figures, side by side with peers (about ten minutes)
	@$(VENV)-bench/bin/python -m bench $(BENCH)

lock: ## write the lock files anew from pyproject.toml
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip -q install uv
	@for set in "server:pyproject.toml --extra server --extra mcp --extra nats --extra otel" "build:--group build" \
	  "dev:pyproject.toml --extra server --extra mcp --extra nats --extra otel --group dev" "bench:pyproject.toml --extra server --extra nats --group bench"; do \
	  $(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 \
	    $${set#*:} -o requirements/$${set%%:*}.txt; done
	@rm -rf $(VENV)-lock

clean: ## remove what the other commands made
	@rm -rf $(VENV) $(VENV)-bench screenshots site .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* htmlcov
