# The front door. `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help run fleet test check-deploy drills score bench lint format build clean
SHELL := /usr/bin/env bash
PYTHON := .venv/bin/python

SWIFT := swift

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 16

run: ## build, fill an empty shop with 10,000 demo products, serve it: http://127.0.0.1:8080
	@scripts/setup run
	@scripts/build
	@scripts/run

fleet: ## the same as seven roles on PostgreSQL, Redis and S3 behind HAProxy; Ctrl-C stops it
	@scripts/setup fleet
	@scripts/build
	@$(PYTHON) scripts/fleet up --demo 1000

test: ## everything: unit, property and contract tests, then a real browser, crashes and the real orders
	@scripts/setup test
	@scripts/build
	@$(SWIFT) build --build-tests
	@$(SWIFT) test --skip-build --disable-xctest
	@$(PYTHON) -m pytest Tests/EndToEnd -m "not alone" --numprocesses 2 --dist loadfile --no-loadscope-reorder
	@$(PYTHON) -m pytest Tests/EndToEnd -m alone
	@$(PYTHON) -m pytest Tests/EndToEnd --fleet
	@$(MAKE) --no-print-directory check-deploy

check-deploy: ## the deployment by the tools of those who use it, and a planted mistake of each kind
	@scripts/setup deploy
	@scripts/build
	@$(PYTHON) -m pytest Tests/Deployment

drills: ## restart a fleet under load, and kill 100 times; writes docs/drills.md
	@scripts/setup fleet
	@scripts/build
	@$(PYTHON) scripts/fleet drill all

score: ## break a fleet in every way, restore shops, and score how it held; writes var/evidence, about 15 minutes
	@scripts/setup fleet
	@scripts/setup deploy
	@scripts/build
	@$(PYTHON) scripts/fleet drill score --own

bench: ## measure this machine and write docs/benchmarks.md
	@scripts/setup bench
	@scripts/build
	@$(PYTHON) Benchmarks/run.py

lint: ## check the style of Swift, shell and Python
	@scripts/setup lint
	@$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests
	@.venv/bin/shellcheck scripts/setup scripts/build scripts/run deploy/fleet/secrets deploy/image/collect .ci/run
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --check .
	@echo "lint: clean"

format: ## rewrite Swift and Python in that style
	@scripts/setup lint
	@$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests
	@.venv/bin/ruff format --quiet .

build: ## build the souk binary: .build/release/souk
	@scripts/setup run
	@scripts/build

clean: ## remove what was built and downloaded; var/, the shop's data, stays
	@rm -rf .build .venv
