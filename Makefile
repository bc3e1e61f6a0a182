# Two commands: `make demo` runs the main job, `make test` passes the tests. Both set up what they need.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
LINK := $(VENV)/collections/ansible_collections/vellaric/postgres
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PYTHON ?= python3
# No command is silent for long.
PROGRESS = $(PYTHON) tests/progress.py
# Tests wait more than they work: a few files of them at a time.
WORKERS ?= 3
# Which of them `make integration` and `make test` run on the engine.
TESTS ?= tests/integration
# Which scenarios `make molecule` runs.
SCENARIOS ?= $(notdir $(patsubst %/molecule.yml,%,$(wildcard extensions/molecule/*/molecule.yml)))
SCENARIOS_AT_ONCE ?= 2
# As root, as the modules run on a host. Sudo is told to keep nothing of the rest.
ROOT = $(if $(SUDO),$(SUDO) env "PATH=$$PATH" PYTHONDONTWRITEBYTECODE=1)
INTEGRATION = $(PROGRESS) $(ROOT) pytest -q --durations=15 -n $(WORKERS) --dist loadfile $(TESTS)
# The database of the demo, and more arguments for its playbooks (such as -e database_memory=1g).
DEMO_NAME ?= my-database
DEMO_ARGUMENTS ?=
DEMO = -e database_name=$(DEMO_NAME) -e database_environment=production $(DEMO_ARGUMENTS)
# What the commands need that the demo says to try next.
DEMO_NEXT = $(if $(BECOME),-e demo_options=$(BECOME))
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Sudo asks for a password once, not in the middle.
BECOME := $(shell [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null || echo --ask-become-pass)

.PHONY: help demo demo-clean test unit lint sanity docs lab molecule integration matrix dump-matrix cores clean

help: ## Show what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/.demo .vault-password ## Create a database on this machine and use it over TLS
	$(PROGRESS) --tasks ansible-playbook $(BECOME) vellaric.postgres.prepare vellaric.postgres.create tests/demo/query.yml $(DEMO) \
		$(DEMO_NEXT)

demo-clean: $(VENV)/.demo .vault-password ## Take away everything that the demo brought
	$(PROGRESS) --tasks ansible-playbook $(BECOME) tests/demo/clean.yml $(DEMO)
	rm -rf .vault-password inventory/local/host_vars $(VENV) .ansible
	@find . -name __pycache__ -prune -exec rm -rf {} +
	@tests/demo/python-venv remove

# What needs no engine, and what the engine's tests need, at the same time: then those, which use all processors.
test: $(VENV)/.test .vault-password ## Pass all tests
	@echo "Testing the pure logic, the style and the documentation, and bringing up the lab (about four minutes) ..."
	@$(SUDO) true
	@$(PROGRESS) --each $(foreach part,unit lint sanity lab,'$(part)=$(MAKE) --no-print-directory $(part)')
	$(INTEGRATION)

unit: $(VENV)/.test ## Test the pure logic
	pytest -q -n $(WORKERS) tests/unit

lint: $(VENV)/.test $(VENV)/.tools .vault-password ## Check the types and the style of the Python, the YAML, and the reference
	ruff check .
	ruff format --check .
	$(PROGRESS) mypy
	ansible-lint
	antsibull-changelog lint
	tests/changelog
	tests/docsite/build lint

docs: $(VENV)/.tools .vault-password ## Build this collection's part of a documentation site, in .venv/site
	$(PYTHON) tests/docsite/guides.py
	$(PROGRESS) tests/docsite/build

sanity: $(VENV)/.test ## Run ansible-test's sanity tests
	tests/run-sanity

lab: $(VENV)/.test .vault-password ## Bring up the engine and the images that the integration tests need
	@$(SUDO) true
	$(PROGRESS) --tasks $(ROOT) tests/lab/up

# Scenarios wait, too: for packages, and for what is started.
molecule: lab $(VENV)/.tools ## Run the scenarios of extensions/molecule on lab hosts
	@export PATH="$$PATH:$(CURDIR)/$(VENV)/tools/bin"; \
		$(PROGRESS) --each -j $(SCENARIOS_AT_ONCE) $(foreach name,$(SCENARIOS),'$(name)=$(ROOT) molecule test -s $(name)')

integration: lab $(VENV)/.tools ## Test modules, roles and playbooks on the real engine
	$(INTEGRATION)

matrix: $(VENV)/.test ## Run `make demo` and `make test` on bare machines, as the README has them
	tests/run-matrix

dump-matrix: lab ## Import what real pg_dumps write, in each combination of two choices
	$(ROOT) env VELLARIC_TEST_THOROUGH=1 pytest -q tests/integration/restore/test_dump_matrix.py

cores: ## Test the controller's half with each supported release of ansible-core (needs their Pythons)
	tests/run-cores

clean: ## Remove what was made in this directory
	rm -rf $(VENV) .ansible .pytest_cache .ruff_cache .hypothesis

# What the demo needs; the tests need more.
$(VENV)/.demo: requirements.txt
	@echo "Making a virtual environment with Ansible (about a minute) ..."
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(PROGRESS) $(SUDO) tests/demo/python-venv install
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV)
	$(PROGRESS) $(BIN)/pip install -q --disable-pip-version-check -r requirements.txt
	@mkdir -p $(dir $(LINK)) && ln -sfn ../../../.. $(LINK)
	@touch $@

$(VENV)/.test: $(VENV)/.demo tests/requirements.txt
	@echo "Installing what the tests need (about a minute and a half) ..."
	$(PROGRESS) $(BIN)/pip install -q --disable-pip-version-check -r tests/requirements.txt
	@touch $@

$(VENV)/.tools: $(VENV)/.demo tests/requirements-tools.txt
	@echo "Installing Molecule, and what checks the documentation (about a minute) ..."
	@[ -x $(VENV)/tools/bin/pip ] || $(BIN)/python -m venv $(VENV)/tools
	$(PROGRESS) $(VENV)/tools/bin/pip install -q --disable-pip-version-check -r tests/requirements-tools.txt
	@touch $@

# The quick start's own vault password. Yours is in your keyring or your AWX credential.
.vault-password:
	@(umask 077 && head -c 24 /dev/urandom | base64 >$@)
