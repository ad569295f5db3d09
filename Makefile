# lbd: everything around the code. `make help` lists the targets.
#
# GNU make, POSIX sh. Packages come from Debian; the Swift toolchain does not, see `toolchain`.

PREFIX      ?= /usr/local
DESTDIR     ?=
SYSTEMD_DIR ?= $(PREFIX)/lib/systemd/system
MAN_DIR     ?= $(PREFIX)/share/man
COMPLETIONS ?= $(PREFIX)/share

SWIFT := $(shell command -v swift 2>/dev/null || echo /opt/swift/usr/bin/swift)
# The check makes the layers of docs/architecture.md binding: a target may import what Package.swift lists, no more.
CHECKED_IMPORTS := --explicit-target-dependency-import-check error
# More flags for the release build, e.g. BUILD_FLAGS=--static-swift-stdlib for a binary that needs no Swift runtime.
BUILD_FLAGS ?=
# How often `test-tsan` lets threads race.
RACE_ROUNDS ?= 10
# How long `fuzz` and each part of `fuzz-socket` go on.
FUZZ_SECONDS ?= 60
# More options for the lab, e.g. LAB_FLAGS='--prefix mine-' beside another lab on the same machine.
LAB_FLAGS ?=

# QUICK=1: the benchmarks in under a minute a part, to see that they work; the numbers are rough.
QUICK       ?=
# The processor that the benchmarks' lbd is compiled for, as the reference in C is; empty: any of its architecture.
BENCH_CPU   ?= native
# More options for the benchmarks, e.g. BENCH_FLAGS='--results DIR'.
BENCH_FLAGS ?=

RELEASE := .build/release/lbd
CLIENT  := .build/release/ipvsadm
DEBUG   := .build/debug/lbd
BENCH_BUILD := --package-path Benchmarks $(if $(BENCH_CPU),--scratch-path Benchmarks/.build/$(BENCH_CPU) \
                 -Xswiftc -target-cpu -Xswiftc $(BENCH_CPU))
BENCH   := Benchmarks/.build/$(if $(BENCH_CPU),$(BENCH_CPU)/)release/lbd-bench
BENCH_OPTIONS := $(if $(QUICK),--quick) $(BENCH_FLAGS)
SUDO    := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# g++ brings the C library's headers and start files that linking needs; the second line is what the toolchain's own
# programs are linked with. An nginx that is there already will do for the lab.
BUILD_PACKAGES := g++ git ca-certificates linux-libc-dev libbpf-dev libxdp-dev libpcap-dev libpcre2-dev \
                  'libcurl4|libcurl4t64' libncurses6 libsqlite3-0 libxml2
LAB_PACKAGES   := iproute2 procps ethtool curl wrk tcpdump nftables vsftpd iputils-tracepath $(if $(wildcard /usr/sbin/nginx),,nginx-light)
BENCH_PACKAGES := valgrind
# Servers for checks to look at, and a browser for the status page.
TEST_PACKAGES  := openssl python3-minimal opensmtpd dnsmasq-base chromium
# What lbd is held against in the lab; wrk and nftables are the lab's already.
PEER_PACKAGES  := haproxy iperf3 libnginx-mod-stream

MAN_PAGES := $(wildcard packaging/man/*.[1-9])

.DEFAULT_GOAL := help
.PHONY: help deps deps-build deps-lab deps-test deps-bench deps-peers toolchain build demo test test-tsan fuzz fuzz-frames \
        fuzz-configurations fuzz-checks fuzz-socket fuzz-adverts simulate lab lab-reload lint install uninstall clean bench bench-build bench-pick bench-listing bench-core \
        bench-scale bench-count bench-capture bench-wire bench-peers bench-test
# Two measurements at a time measure each other.
.NOTPARALLEL:

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' Makefile | expand -t 17

# ---- What the machine must have ---------------------------------------------------------------------------------

deps: deps-build deps-lab deps-test deps-bench deps-peers ## install every package that any target needs

deps-build:
	@Scripts/install-packages.sh $(BUILD_PACKAGES)

deps-lab:
	@Scripts/install-packages.sh $(LAB_PACKAGES)

deps-test:
	@Scripts/install-packages.sh $(TEST_PACKAGES)

deps-bench:
	@Scripts/install-packages.sh $(BENCH_PACKAGES)

deps-peers: deps-lab
	@Scripts/install-packages.sh $(PEER_PACKAGES)

# After deps-build where both are needed: the toolchain's programs are dynamically linked.
toolchain: deps-build
	@Scripts/check-toolchain.sh $(SWIFT)

# ---- Building ---------------------------------------------------------------------------------------------------

build: toolchain ## release build, .build/release/lbd and ipvsadm
	$(SWIFT) build -c release $(CHECKED_IMPORTS) $(BUILD_FLAGS)

lab-reload: build deps-lab ## 1,000 reloads under load, in ten minutes, beside a download
	$(SUDO) $(RELEASE) lab reload $(LAB_FLAGS)

demo: build deps-lab ## the four forwarding methods at work, in network namespaces
	$(SUDO) $(RELEASE) lab demo --mode all $(LAB_FLAGS)

clean: ## remove everything that was built
	rm -rf .build Benchmarks/.build

# ---- Testing ----------------------------------------------------------------------------------------------------

test: toolchain deps-lab deps-test deps-bench ## unit tests, examples, and as root the lab in its quick form
	@LAB_FLAGS="$(LAB_FLAGS)" Scripts/run-tests.sh $(SWIFT) $(DEBUG) $(CHECKED_IMPORTS)

# Optimised, or nothing would be seen of what the compiler makes of plain memory accesses.
TSAN_FLAGS := -c release --sanitize=thread -Xswiftc -enable-testing --scratch-path .build/tsan

test-tsan: toolchain ## the shared tables under ThreadSanitizer, with threads racing on them
	LBD_TESTS=tables $(SWIFT) build --build-tests $(TSAN_FLAGS)
	LBD_TESTS=tables LBD_RACE_ROUNDS=$(RACE_ROUNDS) TSAN_OPTIONS=halt_on_error=1 \
	  $(SWIFT) test --skip-build $(TSAN_FLAGS)

lab: build deps-lab ## the whole lab matrix with the release build (long)
	$(SUDO) $(RELEASE) lab test $(LAB_FLAGS)

# Leaks are not looked for: XCTest has some of its own.
ASAN_FLAGS := -c release --sanitize=address -Xswiftc -enable-testing --scratch-path .build/asan

fuzz: fuzz-frames fuzz-configurations fuzz-checks fuzz-socket fuzz-adverts ## hostile frames, configurations, answers to checks, commands and adverts under AddressSanitizer, FUZZ_SECONDS each

fuzz-frames: toolchain
	LBD_TESTS=frames $(SWIFT) build --build-tests $(ASAN_FLAGS)
	LBD_TESTS=frames LBD_FUZZ_SECONDS=$(FUZZ_SECONDS) ASAN_OPTIONS=detect_leaks=0 \
	  $(SWIFT) test --skip-build $(ASAN_FLAGS) --filter FuzzTests

# A folder each, so that they need not be built anew in turn.
fuzz-configurations: toolchain
	LBD_TESTS=configurations $(SWIFT) build --build-tests $(ASAN_FLAGS)-configurations
	LBD_TESTS=configurations LBD_FUZZ_SECONDS=$(FUZZ_SECONDS) ASAN_OPTIONS=detect_leaks=0 \
	  $(SWIFT) test --skip-build $(ASAN_FLAGS)-configurations --filter FuzzTests

fuzz-checks: toolchain
	LBD_TESTS=checks $(SWIFT) build --build-tests $(ASAN_FLAGS)-checks
	LBD_TESTS=checks LBD_FUZZ_SECONDS=$(FUZZ_SECONDS) ASAN_OPTIONS=detect_leaks=0 \
	  $(SWIFT) test --skip-build $(ASAN_FLAGS)-checks --filter HealthCheckTests.FuzzTests

fuzz-socket: toolchain
	LBD_TESTS=socket $(SWIFT) build --build-tests $(ASAN_FLAGS)-socket
	LBD_TESTS=socket LBD_FUZZ_SECONDS=$(FUZZ_SECONDS) ASAN_OPTIONS=detect_leaks=0 \
	  $(SWIFT) test --skip-build $(ASAN_FLAGS)-socket --filter AdminFuzzTests

fuzz-adverts: toolchain
	LBD_TESTS=vrrp $(SWIFT) build --build-tests $(ASAN_FLAGS)-adverts
	LBD_TESTS=vrrp LBD_FUZZ_SECONDS=$(FUZZ_SECONDS) ASAN_OPTIONS=detect_leaks=0 \
	  $(SWIFT) test --skip-build $(ASAN_FLAGS)-adverts --filter AdvertFuzzTests

# How many histories of directors `simulate` goes through.
HISTORIES ?= 10000
SIMULATION_FLAGS := -c release -Xswiftc -enable-testing --scratch-path .build/simulation

simulate: toolchain ## VRRP: HISTORIES of directors, a bad network and failures, on a virtual clock
	LBD_TESTS=vrrp $(SWIFT) build --build-tests $(SIMULATION_FLAGS)
	LBD_TESTS=vrrp LBD_VRRP_HISTORIES=$(HISTORIES) $(SWIFT) test --skip-build $(SIMULATION_FLAGS) --filter SimulationTests

lint: toolchain ## format, layering, sizes, shell scripts
	$(SWIFT) format lint --strict --parallel --recursive Sources Tests Plugins Package.swift \
	  Benchmarks/Sources Benchmarks/Tests Benchmarks/Package.swift
	@Scripts/check-layering.sh
	@Scripts/check-scripts.sh
	@echo "lint: clean"

# ---- Measuring --------------------------------------------------------------------------------------------------
# Benchmarks/README.md says what each part measures. Results go to Benchmarks/results.

bench: bench-core bench-scale bench-count bench-capture bench-wire bench-peers ## every part; QUICK=1 for a short run

bench-build: toolchain
	$(SWIFT) build -c release $(BENCH_BUILD) $(BUILD_FLAGS)

bench-core: bench-build ## the loop alone, beside the same loop in C
	$(BENCH) core $(BENCH_OPTIONS)

bench-pick: bench-build ## what a pick among 1,000 servers costs, for every scheduler
	$(BENCH) pick

bench-listing: build bench-build ## the worker's rate while 10 million connections are listed, and the memory that takes
	$(BENCH) listing --ipvsadm $(CLIENT)

bench-scale: bench-build ## the loop on one worker and on two
	$(BENCH) scale $(BENCH_OPTIONS)

# Compiled for any processor: so the count is the same everywhere, and valgrind knows the instructions.
bench-count: toolchain deps-bench ## instructions per packet, counted by valgrind
	$(SWIFT) build -c release --package-path Benchmarks
	Benchmarks/count-instructions.sh

bench-capture: bench-build ## captures through the loop
	$(BENCH) capture $(BENCH_OPTIONS)

# A part that cannot be run here (no privilege) says so and ends with 77: that is no failure of the others.
bench-wire: build bench-build deps-lab ## over veth, beside a forwarder that does nothing
	$(SUDO) $(BENCH) wire --lbd $(RELEASE) $(BENCH_OPTIONS) || [ $$? = 77 ]

bench-peers: build bench-build deps-peers ## in the lab, beside nftables, haproxy, nginx
	$(SUDO) $(BENCH) peers --lbd $(RELEASE) $(BENCH_OPTIONS) || [ $$? = 77 ]

bench-test: toolchain ## unit tests of the benchmarks themselves
	$(SWIFT) test --package-path Benchmarks

# ---- Installing -------------------------------------------------------------------------------------------------

# Without dependencies on purpose: what is installed is what was built, and root need not have a toolchain.
install: ## install what `make build` has built, under PREFIX (/usr/local) and DESTDIR
	@[ -x $(RELEASE) ] || { echo "install: there is no $(RELEASE); run \`make build\` first" >&2; exit 1; }
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(SYSTEMD_DIR)
	install -m 755 $(RELEASE) $(DESTDIR)$(PREFIX)/bin/lbd
	install -m 755 $(CLIENT) packaging/ipvsadm-save packaging/ipvsadm-restore $(DESTDIR)$(PREFIX)/sbin/
	ln -sf ../bin/lbd $(DESTDIR)$(PREFIX)/sbin/keepalived
	ln -sf lbd $(DESTDIR)$(PREFIX)/bin/genhash
	install -d $(DESTDIR)$(COMPLETIONS)/bash-completion/completions $(DESTDIR)$(COMPLETIONS)/zsh/site-functions \
	  $(DESTDIR)$(COMPLETIONS)/fish/vendor_completions.d
	install -m 644 packaging/completions/ipvsadm.bash \
	  $(DESTDIR)$(COMPLETIONS)/bash-completion/completions/ipvsadm
	install -m 644 packaging/completions/lbd.bash $(DESTDIR)$(COMPLETIONS)/bash-completion/completions/lbd
	install -m 644 packaging/completions/_lbd $(DESTDIR)$(COMPLETIONS)/zsh/site-functions/
	install -m 644 packaging/completions/lbd.fish $(DESTDIR)$(COMPLETIONS)/fish/vendor_completions.d/
	install -m 644 packaging/completions/_ipvsadm $(DESTDIR)$(COMPLETIONS)/zsh/site-functions/
	install -m 644 packaging/completions/ipvsadm.fish $(DESTDIR)$(COMPLETIONS)/fish/vendor_completions.d/
	sed 's|/usr/local/bin/|$(PREFIX)/bin/|' packaging/lbd.service > $(DESTDIR)$(SYSTEMD_DIR)/lbd.service
	chmod 644 $(DESTDIR)$(SYSTEMD_DIR)/lbd.service
	@for page in $(MAN_PAGES); do \
	  section=$(DESTDIR)$(MAN_DIR)/man$${page##*.}; \
	  install -d $$section && install -m 644 $$page $$section/ || exit 1; \
	done
	@echo "installed to $(DESTDIR)$(PREFIX); enable with: systemctl daemon-reload && systemctl enable --now lbd"

uninstall: ## remove what `install` put there
	rm -f $(DESTDIR)$(PREFIX)/bin/lbd $(DESTDIR)$(SYSTEMD_DIR)/lbd.service
	cd $(DESTDIR)$(PREFIX)/sbin && rm -f ipvsadm ipvsadm-save ipvsadm-restore keepalived
	rm -f $(DESTDIR)$(PREFIX)/bin/genhash
	cd $(DESTDIR)$(COMPLETIONS) && rm -f bash-completion/completions/ipvsadm bash-completion/completions/lbd \
	  zsh/site-functions/_ipvsadm zsh/site-functions/_lbd \
	  fish/vendor_completions.d/ipvsadm.fish fish/vendor_completions.d/lbd.fish
	@for page in $(MAN_PAGES); do rm -f $(DESTDIR)$(MAN_DIR)/man$${page##*.}/$${page##*/}; done
