# Sekisho: each target is a line or two. `make run` and `make test` need Python alone.
# The distribution's own, where it can make a .venv: it is built with optimizations that
# one built from source by default lacks, and a message costs a tenth less with it.
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; assert sys.version_info >= (3, 11)' \
  2>/dev/null && echo /usr/bin/python3 || echo python3)
BIN := .venv/bin
# Tests wait for programs and for time, so one more at once than there are cores.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 1) + 1)
PIN = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-strip-extras --python-version 3.11
# Where the environment forbids it, nothing compiled is kept, and each process begins with
# compiling all: a quarter of what it takes to start.
export PYTHONDONTWRITEBYTECODE :=
PURE := src/sekisho/model/*,src/sekisho/wire/*,src/sekisho/session/*,src/sekisho/policy/*,src/sekisho/report/*

.PHONY: install run demo test check deep mutants bench docs pins clean

install: .venv/installed

.venv/installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

run: install
	@test -e demo/sekisho.toml || $(BIN)/sekisho init demo --demo --yes
	@cat demo/NEXT.txt
	@exec $(BIN)/sekisho serve -c demo/sekisho.toml

demo: install
	@$(BIN)/python tools/demo.py

check: install
	$(BIN)/ruff format --check src tests tools
	$(BIN)/ruff check src tests tools
	$(BIN)/pyright
	$(BIN)/lint-imports

test: install
	bash .ci/peers
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not deep" --cov --cov-report=
	$(BIN)/coverage report --include="$(PURE)" --fail-under=100 --skip-covered
	$(BIN)/coverage report --fail-under=85 --skip-covered --format=total

deep: install
	bash .ci/peers deep
	$(BIN)/pytest -n auto -m deep --timeout=1800
	$(MAKE) mutants

mutants: install
	PYTHONPATH=tools timeout 3600 $(BIN)/python -m mutants

bench: install
	bash .ci/peers
	PYTHONPATH=tools:tests $(BIN)/python -m bench $(if $(QUICK),--quick) \
	  --peers "$(PEERS)" --work "$(WORK)"

docs: install
	$(BIN)/python -m sekisho.config.reference docs/reference/configuration.md
	$(BIN)/python -m sekisho.observe.reference docs/reference
	$(BIN)/python -m sekisho.audit.reference docs/reference
	$(BIN)/python -m sekisho.advisory.reference docs/reference/advisories.md

pins: install
	$(PIN) --group dev pyproject.toml -o requirements.txt
	$(PIN) --constraints requirements.txt pyproject.toml -o packaging/run.txt
	$(PIN) --constraints requirements.txt --group build -o packaging/build.txt
	echo "gssapi>=1.9" | $(PIN) - -o requirements-kerberos.txt

clean:
	rm -rf .venv .cache demo .coverage* .pytest_cache .ruff_cache .hypothesis
