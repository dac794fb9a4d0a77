# What a developer types. `make demo` and `make test` get or ask for everything they need.
.DEFAULT_GOAL := help
SHELL := /usr/bin/env bash
CARGO ?= cargo
# What tests waited for, and how long.
WAITS := $(CURDIR)/target/waits.tsv
# Tests wait most of the time. How many of those that need much run at a time, dev/harness/src/turn.rs says.
TEST_THREADS ?= 8
# Nothing where the system has OpenSSL's headers, else what builds it from source. Looked up when a recipe begins, and so
# after dev/tools, which may have installed them.
FEATURES = $(shell dev/tools features)
# None of these has -p: without it every dependency has the features that the whole workspace asks for, in all of them.
PROGRAMS := --bin kvs-connect --bin kvs-simulator
# What the tests of the package for Python run.
PACKAGE_ENV := KVS_CONNECT_BIN=$(CURDIR)/target/debug/kvs-connect KVS_SIMULATOR_BIN=$(CURDIR)/target/debug/kvs-simulator KVS_KAFKA=$(CURDIR)/dev/kafka/kafka
# Recipes share one build folder, and prerequisites have an order.
.NOTPARALLEL:
.PHONY: help demo stack test test-torch check fuzz bench build clean tools

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

tools: ## Say what is missing on this machine and offer to install it; YES=1 installs without asking
	@dev/tools

# What a target needs, before it begins.
.PHONY: tools-build tools-demo tools-stack tools-test tools-check tools-fuzz tools-bench
tools-build tools-demo tools-stack tools-test tools-check tools-fuzz tools-bench:
	@dev/tools $(@:tools-%=%)

# What is written in C takes longest, and Cargo would begin it when little else is left to build beside it. So it comes
# first, with all cores at it: librdkafka and aws-lc, or, where it has to be built, OpenSSL, which librdkafka waits for.
.PHONY: native
native:
	@[ -e target/debug ] || echo "make: the first build takes some minutes; what it is at is shown below"
	@if [ -z "$(FEATURES)" ]; then $(CARGO) build -p rdkafka-sys -p aws-lc-sys; else \
	  echo "make: no headers of OpenSSL 3: it is built from source first (minutes, once)"; \
	  $(CARGO) build -p kvs-openssl --features vendored; fi

build: tools-build native ## Build the programs
	$(CARGO) build $(PROGRAMS) $(FEATURES)

demo: tools-demo native ## Cameras to Kafka on this machine, with a kill -9 on the way; ARGS=--forever stays up
	$(CARGO) build $(PROGRAMS) --bin kvs-demo $(FEATURES)
	@$(CARGO) run -q --bin kvs-demo $(FEATURES) -- $(ARGS)

stack: tools-stack native ## The services of docker-compose.yml on this machine, until Ctrl-C: two workers, a registry, consumers
	$(CARGO) build $(PROGRAMS) --bin kvs-stack $(FEATURES)
	@python=$$(dev/sdks examples) && exec target/debug/kvs-stack --python "$$python" $(ARGS)

test: tools-test native ## All tests, against a real Kafka and by AWS's SDKs; KVS_RECORDINGS=FOLDER adds those on real recordings
	@mkdir -p target && rm -f $(WAITS) && date +%s >target/test-began
	dev/kafka/kafka fetch >/dev/null
	dev/registry/registry fetch >/dev/null
	for sdk in python node java clients avro-java avro-python registry-java registry-python clickhouse s3 bakdata azurite av client-python examples flink; do dev/sdks $$sdk >/dev/null || exit; done
	RUST_TEST_THREADS=$(TEST_THREADS) KVS_CONNECT_WAITS=$(WAITS) $(CARGO) test --workspace --no-fail-fast --bins --lib --tests $(FEATURES)
	@dev/kafka/kafka sweep
	@dev/registry/registry sweep
	@export $(PACKAGE_ENV); \
	  echo "make test: the package for Python and, beside it, the examples, which wait most of the time (target/examples.log)"; \
	  examples/check "$$(dev/sdks examples)" "$$(dev/sdks clickhouse)" >target/examples.log 2>&1 & examples=$$!; \
	  clients/python/check "$$(dev/sdks client-python)"; package=$$?; \
	  wait $$examples; examples=$$?; cat target/examples.log; [ $$package = 0 ] && [ $$examples = 0 ]
	$(CARGO) test --workspace --doc $(FEATURES)
	dev/fuzz 200000
	@[ -n "$$KVS_RECORDINGS" ] || echo "make test: KVS_RECORDINGS is not set: the tests on real recordings were SKIPPED"
	@echo "make test: the tests with PyTorch were SKIPPED, for it is 2 GB to download: make test-torch"
	@dev/waits $(WAITS) $$(( $$(date +%s) - $$(cat target/test-began) ))

test-torch: tools-test native ## What `make test` leaves out, for PyTorch is 2 GB to download: the tests with it of the package for Python
	dev/kafka/kafka fetch >/dev/null
	$(CARGO) build $(PROGRAMS) $(FEATURES)
	cd clients/python && $(PACKAGE_ENV) PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=src "$$($(CURDIR)/dev/sdks client-torch)" -m pytest -p no:cacheprovider tests/test_torch.py tests/test_readme.py

check: tools-check native ## rustfmt, clippy, arrows between modules, features, documentation, packages, cargo-deny
	$(CARGO) fmt --all --check
	dev/arrows test
	dev/arrows
	dev/features
	$(CARGO) clippy --workspace --all-targets $(FEATURES) -- -D warnings
	CARGO="$(CARGO)" dev/client-features
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet $(FEATURES)
	$(CARGO) package --quiet --no-verify --allow-dirty -p kvs-mkv -p kvs-frames -p kvs-api -p kvs-client
	dev/deny

fuzz: tools-fuzz ## Ten million mutated inputs to the splitter
	dev/fuzz 10000000

bench: tools-bench ## Measure, as ratios to a peer in the same run; writes target/bench.json; ARGS="splitter" runs one part
	dev/kafka/kafka fetch >/dev/null
	$(CARGO) build --release $(PROGRAMS) $(FEATURES)
	$(CARGO) bench --bench bench $(FEATURES) -- $(ARGS)

clean: ## Remove what was built; the cache of Kafka stays
	$(CARGO) clean
