# What a developer types. `make demo` and `make test` get or ask for everything they need.
.DEFAULT_GOAL := help
SHELL := /usr/bin/env bash
CARGO ?= cargo
# What tests waited for, and how long.
WAITS := $(CURDIR)/target/waits.tsv
.PHONY: help demo test check fuzz bench build clean tools

help: ## Say what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

tools: ## Say what is missing on this machine, and how to get it
	@dev/tools

build: tools ## Build everything
	$(CARGO) build --workspace --bins

demo: tools ## Cameras to Kafka on this machine, with a kill -9 on the way; ARGS=--forever stays up
	$(CARGO) build --workspace --bins
	$(CARGO) run -q -p kvs-demo -- $(ARGS)

test: tools ## All tests, against a real Kafka and by AWS's SDKs; KVS_RECORDINGS=FOLDER adds those on real recordings
	@mkdir -p target && rm -f $(WAITS) && date +%s >target/test-began
	dev/kafka/kafka fetch >/dev/null
	for sdk in python node java clients avro-java avro-python; do dev/sdks $$sdk >/dev/null || exit; done
	KVS_CONNECT_WAITS=$(WAITS) $(CARGO) test --workspace --no-fail-fast --bins --lib --tests
	@dev/kafka/kafka sweep
	$(CARGO) test --workspace --doc
	dev/fuzz 200000
	@[ -n "$$KVS_RECORDINGS" ] || echo "make test: KVS_RECORDINGS is not set: the tests on real recordings were SKIPPED"
	@dev/waits $(WAITS) $$(( $$(date +%s) - $$(cat target/test-began) ))

check: tools ## rustfmt, clippy without warnings, cargo-deny
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	dev/deny

fuzz: tools ## Ten million mutated inputs to the splitter
	dev/fuzz 10000000

bench: tools ## Measure, as ratios to a peer in the same run; writes target/bench.json; ARGS="splitter" runs one part
	dev/kafka/kafka fetch >/dev/null
	$(CARGO) build --release --workspace --bins
	$(CARGO) bench --bench bench -- $(ARGS)

clean: ## Remove what was built; the cache of Kafka stays
	$(CARGO) clean
