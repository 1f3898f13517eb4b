# SPDX-License-Identifier: Apache-2.0
# The loop around CMake; `make help` lists it.

JOBS ?= $(shell nproc)
BUILD ?= build
PREFIX ?= /usr/local
SEED ?=

# What building, running and testing needs, and what only the gates need, on Debian 12.
BUILD_PACKAGES := cmake ninja-build g++ pkg-config ccache python3 \
  librocksdb-dev libspdlog-dev libcli11-dev libgtest-dev libboost-dev libssl-dev libsnappy-dev \
  zlib1g-dev nlohmann-json3-dev
PROCESS_PACKAGES := ca-certificates iproute2 nftables $(if $(shell command -v go),,golang)
GATE_PACKAGES := clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev $(PROCESS_PACKAGES)

# One-line recipes below: configure a build folder; build in it; test it.
cmake = cmake -G Ninja -S . -B $(1) $(2) >/dev/null
ninja = ninja -j$(JOBS) -C $(1) $(2)
ctest = $(call run_tests,$(1),--no-tests=error,$(SKIP_LABELS) $(RETRY_LABELS)) $(if $(RETRY_LABELS), \
  && $(call run_tests,$(1),--no-tests=ignore --repeat until-pass:2 -L '$(RETRY_LABELS)',$(SKIP_LABELS)))
run_tests = ctest --test-dir $(1) -j$(JOBS) --output-on-failure $(CTEST_FLAGS) $(2) \
  $(if $(strip $(3)),-LE '$(subst $(space),|,$(strip $(3)))')

# $(call filtered,PROGRAM,FILTER): the tests that the filter names; to find none is a failure.
filtered = $(1) --gtest_filter='$(2)' --gtest_list_tests | grep -q '^  ' \
  || { echo no tests are called '$(2)' >&2; exit 1; }; $(1) --gtest_filter='$(2)' --gtest_brief=1

SOURCES = $(shell find include src tests -name '*.h' -o -name '*.cc')
# Labels of tests to leave out, as a regular expression: each test has that of its folder.
SKIP_LABELS ?=
# Labels, the same way, of tests that run last, apart from the others, and may have a second try.
RETRY_LABELS ?=

.DEFAULT_GOAL := all
.PHONY: help deps build-deps all helloworld run test check format tidy fix asan tsan install clean
.NOTPARALLEL:

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

deps: build-deps ## Install every Debian package that is missing, also those of the gates.
	@$(call install_missing,$(GATE_PACKAGES))

build-deps:
	@$(call install_missing,$(BUILD_PACKAGES))

# Says what it does; says and does nothing when nothing is missing.
define install_missing
missing=; for package in $(1); do \
  [ "$$(dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null)" = installed ] \
    || missing="$$missing $$package"; done; \
[ -z "$$missing" ] || { \
  command -v apt-get >/dev/null \
    || { echo "not a Debian system: please install the likes of$$missing" >&2; exit 1; }; \
  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
  echo "installing$$missing"; \
  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends --no-remove $$missing; }
endef

$(BUILD)/build.ninja: | build-deps
	@$(call cmake,$(BUILD))

all: $(BUILD)/build.ninja ## Build everything (the default).
	@$(call ninja,$(BUILD))

helloworld: $(BUILD)/build.ninja ## Build ./example-helloworld.
	@$(call ninja,$(BUILD),example-helloworld)
	@cp -f $(BUILD)/src/examples/helloworld/example-helloworld .example-helloworld.new
	@mv -f .example-helloworld.new example-helloworld

run: build-deps helloworld ## Run a three-replica group in this terminal.
	@python3 src/examples/helloworld/run_three.py ./example-helloworld

test: build-deps all ## Build and run the tests.
	@$(call ctest,$(BUILD))

check: deps format tidy test asan tsan ## The gate; writes nothing to the sources.

format: | deps ## Say which files are not formatted.
	@clang-format-19 --dry-run --Werror $(SOURCES)

# Without what names Request<std::any>: clang cannot compile libstdc++ 12's std::expected of it.
tidy: $(BUILD)/build.ninja | deps ## Run clang-tidy.
	@run-clang-tidy-19 -quiet -j $(JOBS) -p $(BUILD) $$(grep -rL --include='*.cc' \
	  -e 'node_host\.h"' -e 'node_host_client\.h"' -e 'pending_reads\.h"' src | sed 's|^|/|; s|$$|$$|') 2>/dev/null

fix: | deps ## Format the sources.
	@clang-format-19 -i $(SOURCES)

asan: build-deps ## Run the tests with the address and undefined-behaviour sanitizers.
	@$(call cmake,build-asan,-DDRUMBEAT_SANITIZE=address$(comma)undefined $(skipped))
	@$(call ninja,build-asan)
	@$(call ctest,build-asan)

tsan: build-deps ## Run the tests with the thread sanitizer.
	@$(call cmake,build-tsan,-DDRUMBEAT_SANITIZE=thread $(skipped))
	@$(call ninja,build-tsan)
	@export TSAN_OPTIONS='ignore_noninstrumented_modules=1 suppressions="$(CURDIR)/tests/tsan.supp"'; \
	  $(call ctest,build-tsan)

comma := ,
space := $(subst ,, )
skipped = -DDRUMBEAT_SKIP_TESTS='$(subst |,;,$(SKIP_LABELS))'  # nor are they built

install: $(BUILD)/build.ninja ## Install the library below PREFIX (/usr/local).
	@$(call ninja,$(BUILD),drumbeat)
	cmake --install $(BUILD) --prefix '$(PREFIX)'

clean: ## Remove what was built; data of the example stays.
	rm -rf $(BUILD) build-asan build-tsan build-fuzz example-helloworld

# The folders with targets of their own: bench, interop, sim, fuzz.
-include tests/*/targets.mk
