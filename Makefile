# lbd: everything around the code. `make help` lists the targets.
#
# GNU make, POSIX sh. Packages come from Debian; the Swift toolchain does not, see `toolchain`.

PREFIX      ?= /usr/local
DESTDIR     ?=
SYSTEMD_DIR ?= $(PREFIX)/lib/systemd/system
MAN_DIR     ?= $(PREFIX)/share/man

SWIFT := $(shell command -v swift 2>/dev/null || echo /opt/swift/usr/bin/swift)
# The check makes the layers of docs/architecture.md binding: a target may import what Package.swift lists, no more.
CHECKED_IMPORTS := --explicit-target-dependency-import-check error
# More flags for the release build, e.g. BUILD_FLAGS=--static-swift-stdlib for a binary that needs no Swift runtime.
BUILD_FLAGS ?=
# More options for the lab, e.g. LAB_FLAGS='--prefix mine-' beside another lab on the same machine.
LAB_FLAGS ?=

RELEASE := .build/release/lbd
DEBUG   := .build/debug/lbd
SUDO    := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# g++ brings the C library's headers and start files that linking needs; the second line is what the toolchain's own
# programs are linked with. An nginx that is there already will do for the lab.
BUILD_PACKAGES := g++ git ca-certificates linux-libc-dev libbpf-dev libxdp-dev libpcap-dev \
                  'libcurl4|libcurl4t64' libncurses6 libsqlite3-0 libxml2
LAB_PACKAGES   := iproute2 procps ethtool curl wrk tcpdump nftables $(if $(wildcard /usr/sbin/nginx),,nginx-light)
BENCH_PACKAGES := valgrind haproxy iperf3 libnginx-mod-stream nftables wrk curl ethtool iproute2 procps

MAN_PAGES := $(wildcard packaging/man/*.[1-9])

.DEFAULT_GOAL := help
.PHONY: help deps deps-build deps-lab deps-bench toolchain build demo test lab lint bench install uninstall clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

# ---- What the machine must have ---------------------------------------------------------------------------------

deps: deps-build deps-lab deps-bench ## install every package that any target needs

deps-build:
	@Scripts/install-packages.sh $(BUILD_PACKAGES)

deps-lab:
	@Scripts/install-packages.sh $(LAB_PACKAGES)

deps-bench:
	@Scripts/install-packages.sh $(BENCH_PACKAGES)

# After deps-build where both are needed: the toolchain's programs are dynamically linked.
toolchain: deps-build
	@Scripts/check-toolchain.sh $(SWIFT)

# ---- Building ---------------------------------------------------------------------------------------------------

build: toolchain ## release build, .build/release/lbd
	$(SWIFT) build -c release $(CHECKED_IMPORTS) $(BUILD_FLAGS)

demo: build deps-lab ## the four forwarding methods at work, in network namespaces
	$(SUDO) $(RELEASE) lab demo --mode all $(LAB_FLAGS)

clean: ## remove everything that was built
	rm -rf .build

# ---- Testing ----------------------------------------------------------------------------------------------------

test: toolchain deps-lab ## unit tests, examples, and as root the lab in its quick form
	@LAB_FLAGS="$(LAB_FLAGS)" Scripts/run-tests.sh $(SWIFT) $(DEBUG) $(CHECKED_IMPORTS)

lab: build deps-lab ## the whole lab matrix with the release build (long)
	$(SUDO) $(RELEASE) lab test $(LAB_FLAGS)

lint: toolchain ## format, layering, sizes, shell scripts
	$(SWIFT) format lint --strict --parallel --recursive Sources Tests Plugins Package.swift
	@Scripts/check-layering.sh
	@Scripts/check-scripts.sh
	@echo "lint: clean"

bench: build deps-bench ## instructions per packet, counted by valgrind
	Benchmarks/instructions.sh

# ---- Installing -------------------------------------------------------------------------------------------------

# Without dependencies on purpose: what is installed is what was built, and root need not have a toolchain.
install: ## install what `make build` has built, under PREFIX (/usr/local) and DESTDIR
	@[ -x $(RELEASE) ] || { echo "install: there is no $(RELEASE); run \`make build\` first" >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(SYSTEMD_DIR)
	install -m 755 $(RELEASE) $(DESTDIR)$(PREFIX)/bin/lbd
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' packaging/lbd.service > $(DESTDIR)$(SYSTEMD_DIR)/lbd.service
	chmod 644 $(DESTDIR)$(SYSTEMD_DIR)/lbd.service
	@for page in $(MAN_PAGES); do \
	  section=$(DESTDIR)$(MAN_DIR)/man$${page##*.}; \
	  install -d $$section && install -m 644 $$page $$section/ || exit 1; \
	done
	@echo "installed to $(DESTDIR)$(PREFIX); enable with: systemctl daemon-reload && systemctl enable --now lbd"

uninstall: ## remove what `install` put there
	rm -f $(DESTDIR)$(PREFIX)/bin/lbd $(DESTDIR)$(SYSTEMD_DIR)/lbd.service
	@for page in $(MAN_PAGES); do rm -f $(DESTDIR)$(MAN_DIR)/man$${page##*.}/$${page##*/}; done
