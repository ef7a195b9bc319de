.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast lint crds docs reference recording bench sandbox-down clean
BIN := .venv/bin

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## both Python environments, from the lock file
	@sh scripts/bootstrap.sh

demo: setup ## from nothing to a prediction; leaves the sandbox running
	@$(BIN)/sklearn-operator demo

test: setup ## everything that judges the project; needs no cluster of yours
	@sh scripts/test.sh

test-fast: setup ## its quick part: rules, types, unit tests, scenarios
	@sh scripts/test.sh fast

lint: setup ## ruff, mypy --strict, the rules of the rooms
	@sh scripts/test.sh lint

crds: setup ## write crds/ anew from the models
	$(BIN)/sklearn-operator crds --output crds

docs: setup reference ## the documentation as a site, in site/; a broken link is an error
	@$(BIN)/python -m manual site && echo "site/index.html"

reference: setup ## write docs/reference/ anew from models, settings and command line
	@$(BIN)/python -m manual reference

recording: setup ## type the README's session into the sandbox, and draw it (docs/pictures/session.svg)
	@$(BIN)/sklearn-operator sandbox up >/dev/null && $(BIN)/python -m manual recording

bench: setup ## measure speed, writes, memory and size against the goals; about a quarter of an hour
	@$(BIN)/python -m bench

sandbox-down: ## stop the sandbox (its data stays; `sklearn-operator sandbox down --purge` drops it)
	@if [ -x $(BIN)/sklearn-operator ]; then $(BIN)/sklearn-operator sandbox down; fi

clean: sandbox-down ## drop the environments and everything generated; built binaries stay in the cache
	rm -rf .venv .venv-trainer build dist .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find operator tests -name __pycache__ -type d -prune -exec rm -rf {} +
