# What can be done in this checkout. `make help` lists it. Nothing is needed but python >= 3.11 and make.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
PYTHON ?=
export PYTHON
BIN := .venv/bin
SET_UP = python=$$(sh scripts/find_python.sh) && "$$python" scripts/set_up.py
LOCK_FLAGS ?=
RELEASE ?=
CAMPAIGN ?=
COMPILE = pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
	--custom-compile-command "make lock" $(LOCK_FLAGS)
later = @echo "make $@ has nothing to run yet: $(1)." >&2; exit 1

.PHONY: help setup ready run dev fmt lint test test-pythons test-peers test-faults campaign test-breaks test-browser mutants bench docs schema lock release check

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-13s %s\n", $$1, $$2}' Makefile

setup: ## Make .venv with everything that the lock names, and .venv/bin/keyturn
	@$(SET_UP)

ready:
	@$(SET_UP) --quiet

run: ready ## Set up, then start keyturn with an example provider beside it
	@exec $(BIN)/keyturn dev

dev: run ## The same as run

fmt: ready ## Lay the code out and mend what can be mended by itself
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

lint: ready ## ruff, mypy and the import contracts
	@$(BIN)/python scripts/run_stages.py lint

test: ready ## Lint, then all tests that need nothing but this machine (about four minutes on two cores)
	@$(BIN)/python scripts/run_stages.py lint test

test-pythons: ready ## All tests on each Python of this machine, one after another; PYTHONS="3.12 3.13" picks some
	@$(BIN)/python scripts/run_pythons.py $(PYTHONS)

test-peers: ready ## Live beside five servers that others wrote; the first run installs them into .cache/peers
	@$(BIN)/pytest -m slow -n 2 --dist loadfile tests/peers

test-faults: ready ## Kill, cut and delay things while connections are renewed (brings in strace); FAULTS="--fault-seed N" replays a run
	@$(BIN)/python scripts/set_up_strace.py
	@$(BIN)/pytest -m 'slow or short' -n 2 --dist loadgroup tests/faults tests/security $(FAULTS)

campaign: ready ## Play 260 random fault runs and write their table into docs/reliability.md; goes on where it stopped
	@$(BIN)/python -m scripts.run_campaign $(CAMPAIGN)

test-breaks: ready ## Break the engine on purpose and write into docs/reliability.md which random runs notice
	@$(BIN)/python -m scripts.break_engine

test-browser: ready ## Drive the pages in a real Chromium, and hold them to axe (brings in the driver and the browser)
	@$(BIN)/python scripts/set_up_browser.py
	@$(BIN)/pytest -m slow tests/browser

mutants: ready ## Break the core on purpose and see which breaks its tests do not notice (most of an hour)
	@$(BIN)/mutmut run && $(BIN)/mutmut results

bench: ready ## Measure what the documents claim: renewals (five minutes), then calls (those need nginx)
	@$(BIN)/python bench/renewals.py --write docs/performance.md
	@$(BIN)/python bench/run.py

docs: ## Build the documentation
	$(call later,the documents are read as they lie in docs/ until a later issue builds pages of them)

schema: ready ## Write the JSON Schema of the connector file to docs/reference/connector.schema.json
	@mkdir -p docs/reference
	@$(BIN)/keyturn connector schema > docs/reference/connector.schema.json.new \
		&& mv docs/reference/connector.schema.json.new docs/reference/connector.schema.json \
		|| { rm -f docs/reference/connector.schema.json.new; exit 1; }

lock: ## Write requirements/*.txt anew; LOCK_FLAGS=--upgrade takes newer releases
	@python=$$(sh scripts/find_python.sh) && uv=$$("$$python" scripts/set_up.py --print-uv | tail -n 1) \
		&& "$$uv" $(COMPILE) pyproject.toml --output-file requirements/runtime.txt \
		&& "$$uv" $(COMPILE) pyproject.toml --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt \
		&& "$$uv" $(COMPILE) requirements/browser.in --output-file requirements/browser.txt \
		&& "$$uv" $(COMPILE) requirements/uv.in --output-file requirements/uv.txt

release: ready ## Ask for advisories, then write wheel, source archive, bill of materials and sums to dist/
	@$(BIN)/python -m scripts.write_release $(RELEASE)

check: ready ## All of it, as before a release: tests, faults, and that the written schema is the code's
	@$(MAKE) test
	@$(MAKE) test-faults
	@$(MAKE) schema
	@git diff --exit-code -- docs/reference/connector.schema.json
