# SPDX-License-Identifier: Apache-2.0
# make demo    see depth: a synthetic drive through real ROS 2 processes, report in out/demo
# make test    set up, lint, type-check and test everything
# make setup   the environment alone; called by the others, done once
# make benchmark  latency and throughput on this machine, and on its GPU, in out/benchmark
# make soak    random faults against the running node for MINUTES=20, report in out/soak
# make newcomer  README's commands in a fresh Debian 12 (needs root and debootstrap)
# make compat  the tests that need no ROS, with the versions of Ubuntu 22.04 and 24.04
# make docs     the documentation site, in out/site
# make audit   known vulnerabilities among the pinned packages; asks PyPI
SHELL := /bin/bash
OUT ?= out
MINUTES ?= 20
SEED ?= 1
# With ROS 2 sourced, the workspace stands in install/; without, in .venv itself.
ENTER := . .venv/bin/activate $(if $(ROS_DISTRO),&& . install/setup.bash,)
ifeq ($(ROS_DISTRO),humble)
export ROS_LOCALHOST_ONLY ?= 1
else
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST
endif

.PHONY: help setup test lint unit demo benchmark soak newcomer compat docs audit clean

help:
	@sed -n '/^# make/s/^# //p' Makefile

setup:
	@tools/setup.sh

lint: setup
	@$(ENTER) && ruff check . && ruff format --check . && mypy && lint-imports && codespell

unit: setup
	@$(ENTER) && python -m pytest test
	@$(ENTER) && python -m pytest pypi_ros/test

# Types and style are judged by the pinned tools and libraries, which a sourced ROS has not.
test: $(if $(ROS_DISTRO),,lint) unit

demo: setup
	@$(ENTER) && xd-rcdepth demo --out $(OUT)/demo $(if $(DATA),--data $(DATA),)

benchmark: setup
	@$(ENTER) && xd-rcdepth benchmark --json $(OUT)/benchmark/report.json --report $(OUT)/benchmark
	@$(ENTER) && if python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then \
	    xd-rcdepth benchmark --device cuda --json $(OUT)/benchmark/gpu.json --report $(OUT)/benchmark/gpu; \
	else echo "PyTorch sees no CUDA device: nothing was measured on a GPU"; fi

soak: setup
	@$(ENTER) && python test/faults/soak.py --minutes $(MINUTES) --seed $(SEED) --out $(OUT)/soak

newcomer:
	@tools/newcomer.sh

compat:
	@tools/compat.sh

docs:
	@OUT=$(OUT)/site tools/docs.sh

audit:
	@tools/audit.sh

clean:
	rm -rf .venv build install log $(OUT)
