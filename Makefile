# make demo   set up and run the main job on fixtures/      make test      set up and run the tests
# make check  format, lint, types, layers, spelling         make test-all  every test, the slow ones too
# make bench  side-by-side timings against other tools
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
OUT ?= out/demo
CORPUS ?=
BIN := $(VENV)/bin

.PHONY: demo test test-all check bench clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp file per set of dependencies: changed requirements install again, nothing else does.
$(VENV)/.core: $(BIN)/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[dev,trafilatura,peers]"
	touch $@

# The language model is fetched once into the user's model folder; tests that need it skip where it is absent.
$(VENV)/.model: | $(BIN)/tamis
	$(BIN)/tamis models fetch lid.176
	touch $@

$(BIN)/tamis: | $(VENV)/.core

demo: $(VENV)/.core $(VENV)/.model
	$(BIN)/tamis curate run fixtures/recipes/crawl.yaml -o $(OUT)
	$(BIN)/tamis curate report $(OUT) --html $(OUT).html --quiet > /dev/null
	@echo "corpus in $(OUT), report in $(OUT).html"

test: $(VENV)/.dev $(VENV)/.model
	$(BIN)/python -m pytest -q -n $(JOBS) --slow sample

test-all: $(VENV)/.dev $(VENV)/.model
	$(BIN)/python -m pytest -q -n $(JOBS) --slow all

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/run.py $(CORPUS)

clean:
	rm -rf $(VENV) out build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
