# The front door. Every target sets up what it needs; nothing is installed outside this folder.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKS  := requirements

.PHONY: demo setup run test check bench lock clean help

help:
	@echo "make demo    the whole story on this machine, without a Discord token (PLAY=1 plays it by itself)"
	@echo "make setup   the environment alone: then . $(BIN)/activate, and slipway --help"
	@echo "make run     the bot against real Discord, from .env"
	@echo "make test    all tests, with coverage"
	@echo "make check   format, lint, types, layers, migrations, container files"
	@echo "make bench   the measured claims, each beside what it is compared with"
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
	@printf '#!/bin/sh\nexec "%s/python" -m bot "$$@"\n' "$(CURDIR)/$(BIN)" > $(BIN)/slipway && chmod +x $(BIN)/slipway
	@touch $@

demo: $(VENV)/demo.stamp
	@$(BIN)/python -m demo $(if $(PLAY),--play)

setup: $(VENV)/demo.stamp

run: $(VENV)/demo.stamp
	@$(BIN)/python -m bot run

test: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.run

check: $(VENV)/dev.stamp
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.check_migrations
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml config/examples/github-*.yml

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m benchmarks

UVC := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml
lock: | $(BIN)/python
	@$(BIN)/python -m pip install -q uv
	@$(UVC) --extra embedded --extra dev -o $(LOCKS)/dev.txt
	@$(UVC) --extra embedded -c $(LOCKS)/dev.txt -o $(LOCKS)/demo.txt
	@$(UVC) -c $(LOCKS)/dev.txt -o $(LOCKS)/run.txt

clean:
	rm -rf $(VENV) .slipway .coverage .coverage.*
