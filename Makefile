# Everything here runs through uv. A machine without it gets one in .uv/ of this clone; nothing is put into the system.
.DEFAULT_GOAL := help
.PHONY: help setup servers demo test check contracts format bench chaos clean

UV := $(shell if uv --version >/dev/null 2>&1; then echo uv; else echo .uv/bin/uv; fi)
UV_NEEDED := $(filter .uv/bin/uv,$(UV))
# `make setup` has synced already; uv must not do it again before each command.
RUN := $(UV) run --no-sync --quiet
MEMBERS := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml gateway/pyproject.toml cli/pyproject.toml)
ARGS ?=

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1 ~\2/p' $(MAKEFILE_LIST) | column -t -s '~' 2>/dev/null \
	  || sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1: \2/p' $(MAKEFILE_LIST)

setup: .venv/synced ## install what is locked into .venv

servers: setup ## find NATS, Redis, LiveKit and PostgreSQL, or build them once
	@$(RUN) python -m roomscribe_common.servers

demo: setup ## hold a scripted meeting and show what comes out of it (ARGS="--keep" leaves it running)
	@$(RUN) roomscribe demo $(ARGS)

test: servers ## every test, on real servers (ARGS="-k words" for some)
	@tools/test.sh $(UV) $(ARGS)

check: setup ## format, lint, types, imports, contracts
	@$(RUN) ruff format --check
	@$(RUN) ruff check
	@$(RUN) pyright
	@$(RUN) lint-imports
	@$(RUN) python -m roomscribe_common.golden check --docs docs

contracts: setup ## write the schemas, examples and docs of the messages anew, after a compatible change
	@$(RUN) python -m roomscribe_common.golden write --docs docs

format: setup ## put the code into shape
	@$(RUN) ruff check --fix
	@$(RUN) ruff format

bench: servers ## measure what is published, into benchmarks/results/
	@$(RUN) python -m benchmarks $(ARGS)
	@$(RUN) python -m benchmarks.capacity --docs docs/capacity.md

chaos: servers ## kill anything at random in real meetings (SECONDS=900 for how long, SEED=7 to play a round again)
	@$(RUN) python -m tests.chaos --seconds $(or $(SECONDS),120) $(if $(SEED),--seed $(SEED))

clean: ## remove what make put here
	rm -rf .venv .uv

# Our own code is compiled too, so that the first start of eight processes does not have to.
.venv/synced: $(UV_NEEDED) pyproject.toml uv.lock $(MEMBERS)
	@$(UV) sync --locked --all-packages
	@$(RUN) python -m compileall -q libs services gateway cli
	@touch $@

.uv/bin/uv:
	@sh tools/get-uv.sh .uv
