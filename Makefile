# Two commands for people: `make lab` to learn, `make test` to prove that every cell still does what it shows.
# They need Python 3.10 or newer and nothing else; everything is installed into .venv, nothing outside.
#   PYTHON=python3.12   which Python builds .venv        LAB_ARGS=--no-browser   handed on to JupyterLab
#   TEST_ARGS="-k udp"  handed on to pytest              NOTEBOOKS=…             what `make record` records
#   BENCH_ARGS=…        handed on to the benchmark
# Without make (Windows): the README has the same commands spelled out.

PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
NOTEBOOKS ?=
# A stamp per interpreter asked for, so that a changed PYTHON= is noticed; tools/setup decides what to do.
ASKED := $(subst /,_,$(if $(PYTHON),$(PYTHON),any))
LAB_STAMP := $(VENV)/.lab-$(ASKED)
TEST_STAMP := $(VENV)/.test-$(ASKED)

.PHONY: help lab test record bench lint clean
.DEFAULT_GOAL := help

help:
	@echo "make lab      open the course in JupyterLab"
	@echo "make test     run every test, all notebooks included"
	@echo "make record   execute the notebooks and store what they show (NOTEBOOKS=notebooks/03_server.ipynb)"
	@echo "make bench    measure the loopback servers against others"
	@echo "make lint     ruff and mypy"
	@echo "make clean    remove .venv and what tools left behind"

$(LAB_STAMP): requirements.txt pyproject.toml tools/setup
	@sh tools/setup "$(VENV)" "$(PYTHON)" requirements.txt
	@touch $@

$(TEST_STAMP): requirements.txt requirements-dev.txt pyproject.toml tools/setup
	@sh tools/setup "$(VENV)" "$(PYTHON)" requirements-dev.txt
	@touch $@ $(LAB_STAMP)

lab: $(LAB_STAMP)
	$(BIN)/python -m tools.lab $(LAB_ARGS)

# One notebook stays on one worker (loadscope): its cells share a kernel.
test: $(TEST_STAMP)
	SOCKETLAB_QUIET=1 $(BIN)/python -m pytest --nbval -n 2 --dist loadscope $(TEST_ARGS)

record: $(LAB_STAMP)
	$(BIN)/python tools/record.py $(RECORD_ARGS) $(NOTEBOOKS)

bench: $(TEST_STAMP)
	$(BIN)/python -m bench $(BENCH_ARGS)

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find socketlab tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +
