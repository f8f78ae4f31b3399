# Daily verbs. `make help` lists them.

CARGO ?= cargo
PYTHON ?= python3
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR ?=

REAL := libnanomsg.so.6.0.1
LIB := target/lib
VENV := target/venv

.PHONY: help build header check-header test unit ctest compat pytest lint loom bench bench-quick demo install clean deps

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## build         the library, under all its names, in target/lib
build:
	$(CARGO) build --release --lib
	@mkdir -p $(LIB)
	@cp -f target/release/libnanomsg.so $(LIB)/.new && mv -f $(LIB)/.new $(LIB)/$(REAL)
	@cp -f target/release/libnanomsg.a $(LIB)/
	@for name in libnanomsg.so.6 libnanomsg.so.5 libnanomsg.so; do ln -sf $(REAL) $(LIB)/$$name; done
