# What a person working on or with ccproxy does. `make run` and `make test` need nothing but a Python >= 3.13 (or uv):
# they make the environment in .venv first, and again whenever the lock files change. GNU make 3.81 and later.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help clients e2e run test lint fmt types contracts unit bench bench-smoke docs lock env dev-env clean

BIN := .venv/bin
ARGS ?=

help: ## this list
	@echo "make TARGET [ARGS='options for the command']"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

run: env ## start ccproxy, with a first configuration if there is none (ARGS="--port 4001")
	@sh tools/run.sh $(ARGS)

test: dev-env lint types contracts unit ## everything that must hold: lint, types, import contracts, tests

lint: dev-env ## ruff: rules and format
	@echo "== ruff check"
	@$(BIN)/ruff check .
	@echo "== ruff format --check"
	@$(BIN)/ruff format --check .

types: dev-env ## mypy, strict
	@echo "== mypy"
	@$(BIN)/mypy

contracts: dev-env ## import-linter: the layers of the packages
	@echo "== lint-imports"
	@$(BIN)/lint-imports

unit: dev-env ## the tests alone (ARGS="tests/flows -k name")
	@echo "== pytest"
	@$(BIN)/python -m pytest $(ARGS)

fmt: dev-env ## bring the source into format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --select I .

bench: dev-env ## the table of the budgets, measured (ARGS="--only small --quick")
	@$(BIN)/python -m bench $(ARGS)

bench-smoke: dev-env ## every measurement once and tiny: that they work, not what they say
	@$(BIN)/python -m bench --smoke

clients: ## the real clients for `make e2e`, from npm (about 1.4 GB)
	@cd e2e && npm install --no-save --ignore-scripts && npm rebuild @anthropic-ai/claude-code opencode-ai

e2e: dev-env ## real clients through the proxy, on loopback with dummy keys (ARGS="claude --turns")
	@$(BIN)/python e2e/run.py $(ARGS)

docs: dev-env ## write the generated pages of docs/ again
	@set -e; for generator in tools/gen_*.py; do $(BIN)/python "$$generator"; done

lock: ## resolve the lock files from pyproject.toml, with uv (ARGS="--upgrade")
	@sh tools/lock.sh $(ARGS)

env: ## .venv with what ccproxy needs
	@sh tools/setup.sh run

dev-env: ## .venv with what development needs too
	@sh tools/setup.sh dev

clean: ## remove the environment and everything that tools left behind
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist .coverage
	find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +
