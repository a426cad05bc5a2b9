# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
#
# `make` lists the targets. Each does its own set-up, on a fresh Debian 12 as root and on a laptop with docker or podman.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

HOSTS ?= debian11 debian12 debian13
VENV := .venv
READY := $(VENV)/.ready
LINK := .ansible/collections/ansible_collections/fleetmfa/ssh

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.ansible/collections
export ANSIBLE_HOME := $(CURDIR)/.ansible
export MOLECULE_GLOB := molecule/*/molecule.yml
# Hundreds of processes are started: compiled once, and nothing written beside the sources.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/pycache

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set-up ---------------------------------------------------------------------------------------------------------

.PHONY: deps
deps: $(READY) $(LINK) ## Install what development and tests need (apt on Debian as root, else only the virtual environment)

$(READY): requirements-dev.txt dev/system_packages
	@dev/system_packages
	@python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# Playbooks find the checkout as fleetmfa.ssh.
$(LINK):
	@mkdir -p $(dir $@)
	@ln -sfn ../../../.. $@

# --- the main job ---------------------------------------------------------------------------------------------------

.PHONY: demo demo-down lab lab-down
demo: deps ## Real SSH hosts, the site playbook, and a table of real logins
	@python3 -m demo $(HOSTS)

demo-down: ## Remove the hosts of `make demo`
	@python3 -m lab down --instance demo

lab: deps ## Start SSH hosts, inventory in .lab/inventory.yml; HOSTS="debian12 debian13:3"
	@python3 -m lab up --hosts "$(HOSTS)"

lab-down: ## Remove the hosts of `make lab`
	@python3 -m lab down

.PHONY: screens
screens: deps ## Render docs/screens from a real enrollment
	@python3 dev/make_screens

.PHONY: docs
docs: deps ## The docs site in .cache/docs/html; a warning is an error
	@dev/docs

# --- tests ----------------------------------------------------------------------------------------------------------

.PHONY: measure
measure: deps ## What a run costs, with few users and with many, what the guard and a claim in etcd cost a login, a fleet, the key store, and an audit's page
	@python3 tests/measure/cost.py
	@python3 tests/measure/fleet.py
	@python3 tests/measure/guard.py
	@python3 tests/measure/claims.py
	@python3 tests/measure/store.py
	@python3 tests/measure/report.py

.PHONY: test unit docs-test lint sanity molecule build check-release
test: deps ## What CI runs: unit, docs, lint, sanity, build, molecule (SCENARIOS="default rollback"; default: all)
	@dev/run_tests

unit: deps ## Unit tests, with the real libpam and sshd
	@pytest tests/unit tests/differential -n 2

docs-test: deps ## Docs against specs
	@pytest tests/docs

lint: deps ## ruff, mypy, ansible-lint (production profile), antsibull-docs and -changelog, reuse, shellcheck
	@ruff check . && ruff format --check .
	@dev/types
	@reuse lint --lines
	@antsibull-changelog lint
	@cd $(LINK)/ && antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=all --skip-rstcheck .
	@ansible-lint --offline
	@dev/shellcheck

sanity: deps ## ansible-test sanity
	@dev/sanity

molecule: deps ## Real logins on container hosts; SCENARIO=default for one of them
	@dev/molecule $(SCENARIO)

check-release: deps ## What a release needs beside `make test`: ansible-test on two cores, galaxy-importer, the upgrade
	@dev/check_release

build: deps ## Build the collection, install the archive and use it by FQCN
	@dev/build
