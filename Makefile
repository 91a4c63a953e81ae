# The few commands people type. Each installs what is missing first.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# In CI the clone is new each time: keep what was built outside it.
ifdef CI
export CARGO_TARGET_DIR ?= $(HOME)/.cache/swath/target
endif

DEMO_DIR ?= demo
CARGO_BIN ?= $(or $(CARGO_HOME),$(HOME)/.cargo)/bin
# Python with the packages of crates/swath-bench/python/requirements.txt; used by `bench` alone.
PYTHON ?= python3

.PHONY: help deps deps-deny demo test check bench smoke install

help: ## list these commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

deps: ## install GDAL's headers where they are missing
	@bash scripts/install-gdal.sh

deps-deny:
	@command -v cargo-deny >/dev/null || cargo install --locked --version 0.20.2 cargo-deny

demo: deps ## train, predict, evaluate and vectorize on the data that the repository carries
	cargo run --bin swath -- demo --dir "$(DEMO_DIR)" --overwrite

test: deps ## run every test
	cargo test --workspace --no-fail-fast

check: deps deps-deny ## format, lints, documentation, licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	cargo deny --all-features check licenses bans sources

smoke: deps ## a few steps of every recipe
	cargo build --bin swath
	bash scripts/smoke-recipes.sh

bench: deps ## measure, beside Python where PYTHON has the packages
	PYTHON="$(PYTHON)" cargo run -p swath-bench

install: deps ## put an optimized `swath` on the PATH, with manual pages and bash completions
	cargo install --locked --path crates/swath-cli
	"$(CARGO_BIN)/swath" man --dir "$(HOME)/.local/share/man/man1"
	mkdir -p "$(HOME)/.local/share/bash-completion/completions"
	"$(CARGO_BIN)/swath" completions bash > "$(HOME)/.local/share/bash-completion/completions/swath"
