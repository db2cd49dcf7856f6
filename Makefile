# SPDX-License-Identifier: Apache-2.0
# make demo    see depth: a synthetic drive through real ROS 2 processes, report in out/demo
# make test    set up, lint, type-check and test everything
# make setup   the environment alone; called by the others, done once
SHELL := /bin/bash
OUT ?= out
# With ROS 2 sourced, the workspace stands in install/; without, in .venv itself.
ENTER := . .venv/bin/activate $(if $(ROS_DISTRO),&& . install/setup.bash,)
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

.PHONY: help setup test lint unit demo clean

help:
	@sed -n '2,4s/^# //p' Makefile

setup:
	@tools/setup.sh

lint: setup
	@$(ENTER) && ruff check . && ruff format --check . && mypy && lint-imports

unit: setup
	@$(ENTER) && python -m pytest test
	@$(ENTER) && python -m pytest pypi_ros/test

test: lint unit

demo: setup
	@$(ENTER) && xd-rcdepth demo --out $(OUT)/demo $(if $(DATA),--data $(DATA),)

clean:
	rm -rf .venv build install log $(OUT)
