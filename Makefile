# Brume. 'make up' builds, starts the cloud and ends in an instance you can log in to; 'make test' runs every test.
BRUME_HOME ?= /var/lib/brume
PREFIX ?= /usr/local
export BRUME_HOME
build := build/release

.PHONY: help up down build install test bench clock-test clean coverage format tidy

help:  ## What there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

up: build  ## Build, start the cloud, the starter images and an instance; wait until SSH answers
	@tools/install-packages run images
	@$(build)/bin/brume up

down:  ## Stop the instances and the cloud; what is stored stays
	@test -x $(build)/bin/brume || { echo "nothing was built here, so nothing runs"; exit 0; }; $(build)/bin/brume down

build:  ## Build brumed and brume into build/release/bin
	@tools/install-packages build
	@tools/build release brumed brume

install: build  ## Put brume, brumed, the image recipes and the man pages below PREFIX (/usr/local)
	@tools/install-packages install
	@tools/install $(DESTDIR)$(PREFIX)

test:  ## Build and run every test, real machines included
	@tools/install-packages build run images install test
	@tests/run

bench:  ## Measure what docs/speed.md promises; writes build/bench.json
	@tools/install-packages build run images test
	@tools/build release
	@bench/run

clock-test:  ## Boot 24 bare machines on busy processors and look whether their clocks keep time
	@tools/install-packages images run
	@tests/system/build_images tiny
	@images/clock-test build/test-images/tiny --guests 24 --busy $$(nproc)

coverage:  ## Write docs/coverage.md anew
	@python3 models/coverage.py

format:  ## Put the sources into the project's form
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format -i

tidy:  ## clang-tidy over what changed since main, or all: make tidy ALL=1
	@tools/tidy $(if $(ALL),--all)

clean:
	@rm -rf build
