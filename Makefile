# The only entry points people need; `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
MODULE := $(abspath $(TARGET))/release/libcardea_pkcs11.so
COMMAND := $(abspath $(TARGET))/release/cardea
VENV := $(abspath $(TARGET))/venv

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
DOCDIR ?= $(DATADIR)/doc/cardea
# Where p11-kit looks: for packages, and for what an administrator installs.
P11KITDIR ?= $(if $(filter /usr,$(PREFIX)),/usr/share/p11-kit/modules,/etc/pkcs11/modules)
# Where udev looks: for packages, and for what an administrator installs.
UDEVDIR ?= $(if $(filter /usr,$(PREFIX)),/usr/lib/udev/rules.d,/etc/udev/rules.d)
ZSHDIR ?= $(DATADIR)/zsh/site-functions
# Where the module looks, whatever the prefix.
CONFIGDIR := /etc/cardea

# What the module, the virtual reader and the virtual card are built with, and what the demo calls.
BUILD_PACKAGES := gcc libc6-dev pkg-config libpcsclite-dev
DEMO_PACKAGES := $(BUILD_PACKAGES) clang libclang-dev pcscd openssl opensc
# Other people's programs that the tests put at the module.
TEST_PACKAGES := $(DEMO_PACKAGES) binutils gnupg gnutls-bin libnss3-tools openssh-client p11-kit p11-kit-modules python3 python3-venv
TEST_PACKAGES += procps scdaemon
# … and browsers, and Java.
TEST_PACKAGES += firefox-esr chromium xvfb xdotool imagemagick default-jdk-headless curl git libengine-pkcs11-openssl
TEST_PACKAGES += yubico-piv-tool openvpn iproute2
# … and a VPN's tool for certificates, whose plugins are a package of their own.
TEST_PACKAGES += strongswan-pki libstrongswan-extra-plugins libstrongswan-standard-plugins
TEST_PACKAGES += krb5-user krb5-pkinit
# Servers that the next start of the machine would run are for containers only; without them their tests say so.
ifeq ($(wildcard /run/systemd/system),)
TEST_PACKAGES += openssh-server krb5-kdc krb5-admin-server
endif
# The virtual machine with a USB reader; what it is made of is fetched into the target directory.
VIRTUAL_PACKAGES := $(DEMO_PACKAGES) qemu-system-x86 seabios xz-utils zstd
# … which is x86-64 and Debian, like the machine it runs on; elsewhere make test says that it goes without.
# (By another name than MAKE, which make --dry-run would run.)
SELF := $(MAKE)
MACHINE := $(and $(filter x86_64,$(shell uname -m)),$(shell command -v apt-get))
PYTHON_PACKAGES := PyKCS11==1.5.20 python-pkcs11==0.10.1
# What makes a package of it, and what tries the package in a clean root.
DEB_PACKAGES := $(BUILD_PACKAGES) binutils dpkg-dev lintian xz-utils
DEB_TEST_PACKAGES := $(DEB_PACKAGES) $(DEMO_PACKAGES) mmdebstrap
CARGO_DEB_VERSION := 3.8.0
CARGO_DEB := $(abspath $(TARGET))/tools/cargo-deb-$(CARGO_DEB_VERSION)
STAGE := $(abspath $(TARGET))/release/package

.PHONY: help
help: ## This list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@echo
	@echo "  PREFIX=$(PREFIX) LIBDIR=$(LIBDIR) DESTDIR=$(DESTDIR)"

.PHONY: demo
demo: ## A card at work, step by step: yours if one is inserted, else a virtual one; BROWSER=1: in Firefox, BROWSER=yours: in yours
	@tests/setup $(DEMO_PACKAGES) $(if $(BROWSER),firefox-esr libnss3-tools)
	$(CARGO) build --locked --release --package cardea
	$(CARGO) build --locked --package cardea-harness --package cardea-demo
	@CARDEA_MODULE=$(MODULE) $(TARGET)/debug/cardea-demo $(if $(BROWSER),$(if $(filter yours,$(BROWSER)),--own-browser,--browser))

.PHONY: test
test: lint doc $(VENV)/ready ## Everything; ends with the number of tests
	$(CARGO) build --locked --release --package cardea
	@status=0; \
	$(if $(MACHINE),$(SELF) --no-print-directory hardware-test VIRTUAL=optional || status=$$?; ,\
		echo "skipped: USB readers in a virtual machine, which needs Debian on x86-64"; )\
	CARDEA_MODULE=$(MODULE) CARDEA_PYTHON=$(VENV)/bin/python tests/all && exit "$$status"

.PHONY: bench
bench: ## Card commands and milliseconds, beside OpenSC's
	@tests/setup $(DEMO_PACKAGES)
	$(CARGO) build --locked --release --package cardea
	$(CARGO) build --locked --package cardea-harness --package cardea-demo
	@tests/with-token piv $(TARGET)/debug/cardea-demo --bench
	CARDEA_MODULE=$(MODULE) $(CARGO) test --locked --quiet --package cardea --test cardea budgets::speed -- \
		--ignored --nocapture
	CARDEA_MODULE=$(MODULE) CARDEA_READERS_RATIO=15 $(CARGO) test --locked --quiet --package cardea --test cardea \
		boundary::readers::sixteen -- --nocapture
	$(CARGO) bench --locked --quiet --package cardea --bench sessions

.PHONY: races
races: setup ## Calls that race over the real pcscd, 10,000 rounds of each; and 100,000 orders of threads
	$(CARGO) build --locked --release --package cardea
	ROUNDS=10000 CARDEA_MODULE=$(MODULE) $(CARGO) test --locked --package cardea --test cardea boundary::closing
	SCHEDULES=2000 $(CARGO) test --locked --package cardea --features schedules --test schedules

.PHONY: hardware-test
ifdef VIRTUAL
hardware-test: ## Physical tokens (ALLOW=tokens.toml), or USB readers in a virtual machine (VIRTUAL=1)
	@tests/setup $(VIRTUAL_PACKAGES)
	$(CARGO) build --locked --release --package cardea
	$(CARGO) build --locked --package cardea-guest --package cardea-hardware-tests --package cardea-virtual-hardware
	@$(TARGET)/debug/cardea-virtual-hardware --module $(MODULE) --agent $(TARGET)/debug/cardea-guest \
		--hardware-tests $(TARGET)/debug/cardea-hardware-tests --rules udev/70-cardea.rules \
		--directory $(TARGET)/virtual-hardware $(if $(filter optional,$(VIRTUAL)),--optional) $(if $(ONLY),--only '$(ONLY)') $(foreach text,$(DESCRIPTOR),--descriptor $(text))
else
hardware-test: build
	$(CARGO) run --locked --quiet --package cardea-hardware-tests -- $(if $(ALLOW),--allow $(ALLOW))
endif

# The bans of clippy.toml are for what is shipped.
.PHONY: lint
lint: setup ## rustfmt and clippy without a word
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --package cardea --package cardea-apdu --package cardea-brainpool-p512 --lib --bins -- -D warnings
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings \
		-A clippy::disallowed_methods -A clippy::disallowed_macros
	$(CARGO) clippy --locked --package cardea --features schedules --lib --test schedules -- -D warnings \
		-A clippy::disallowed_methods -A clippy::disallowed_macros

.PHONY: doc
doc: setup ## The documentation of the crates, without a warning
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --package cardea --package cardea-apdu \
		--package cardea-brainpool-p512

.PHONY: setup
setup: ## Install what tests need (Debian; elsewhere: name it)
	@tests/setup $(TEST_PACKAGES)

$(VENV)/ready: Makefile | setup
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --only-binary :all: $(PYTHON_PACKAGES)
	touch $@

.PHONY: build
build: ## The module and the command
	@tests/setup $(BUILD_PACKAGES)
	$(CARGO) build --locked --release --package cardea

.PHONY: install
install: ## The module, the command, their documents and configuration, p11-kit's entry, udev rules (after make build)
	@test -f $(MODULE) -a -f $(COMMAND) || { echo "make build comes first"; exit 1; }
	install -Dm644 $(MODULE) $(DESTDIR)$(LIBDIR)/pkcs11/libcardea_pkcs11.so
	install -d $(DESTDIR)$(P11KITDIR)
	printf '%s\n' '# Cardea: PKCS#11 for smartcards and USB tokens' 'module: $(LIBDIR)/pkcs11/libcardea_pkcs11.so' \
		> $(DESTDIR)$(P11KITDIR)/cardea.module
	install -Dm644 udev/70-cardea.rules $(DESTDIR)$(UDEVDIR)/70-cardea.rules
	install -Dm755 $(COMMAND) $(DESTDIR)$(BINDIR)/cardea
	@test -e $(DESTDIR)$(CONFIGDIR)/cardea.toml || echo install $(DESTDIR)$(CONFIGDIR)/cardea.toml
	@test -e $(DESTDIR)$(CONFIGDIR)/cardea.toml || install -Dm644 packaging/cardea.toml $(DESTDIR)$(CONFIGDIR)/cardea.toml
	install -d $(DESTDIR)$(DATADIR)/cardea/reader-profiles
	install -m644 reader-profiles/README.md reader-profiles/*.toml $(DESTDIR)$(DATADIR)/cardea/reader-profiles
	rm -rf $(abspath $(TARGET))/documents
	$(COMMAND) documents $(abspath $(TARGET))/documents
	install -d $(DESTDIR)$(MANDIR)/man1
	install -m644 $(abspath $(TARGET))/documents/man1/*.1 $(DESTDIR)$(MANDIR)/man1
	install -Dm644 packaging/cardea.toml.5 $(DESTDIR)$(MANDIR)/man5/cardea.toml.5
	install -Dm644 $(abspath $(TARGET))/documents/completions/cardea.bash \
		$(DESTDIR)$(DATADIR)/bash-completion/completions/cardea
	install -Dm644 $(abspath $(TARGET))/documents/completions/_cardea $(DESTDIR)$(ZSHDIR)/_cardea
	install -Dm644 $(abspath $(TARGET))/documents/completions/cardea.fish \
		$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/cardea.fish
	install -d $(DESTDIR)$(DOCDIR)
	install -m644 README.md CHANGELOG.md SECURITY.md LICENSE-APACHE LICENSE-MIT $(DESTDIR)$(DOCDIR)

.PHONY: uninstall
uninstall: ## What install has put there; a configuration that was edited stays
	rm -f $(DESTDIR)$(LIBDIR)/pkcs11/libcardea_pkcs11.so $(DESTDIR)$(P11KITDIR)/cardea.module
	rm -f $(DESTDIR)$(UDEVDIR)/70-cardea.rules $(DESTDIR)$(BINDIR)/cardea
	rm -f $(DESTDIR)$(MANDIR)/man1/cardea.1 $(DESTDIR)$(MANDIR)/man1/cardea-*.1 $(DESTDIR)$(MANDIR)/man5/cardea.toml.5
	rm -f $(DESTDIR)$(DATADIR)/bash-completion/completions/cardea $(DESTDIR)$(ZSHDIR)/_cardea
	rm -f $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/cardea.fish
	rm -rf $(DESTDIR)$(DATADIR)/cardea $(DESTDIR)$(DOCDIR)
	@! cmp -s packaging/cardea.toml $(DESTDIR)$(CONFIGDIR)/cardea.toml || rm -f $(DESTDIR)$(CONFIGDIR)/cardea.toml
	@test ! -e $(DESTDIR)$(CONFIGDIR) || rmdir --ignore-fail-on-non-empty $(DESTDIR)$(CONFIGDIR)

# Stripped, and arranged as Debian wants it; the upstream changelog is called changelog there.
.PHONY: deb
deb: ## A Debian package in target/debian, without an error of lintian's
	@tests/setup $(DEB_PACKAGES)
	$(CARGO) build --locked --release --package cardea
	test -x $(CARGO_DEB)/bin/cargo-deb || CARGO_TARGET_DIR=$(CARGO_DEB)/build \
		$(CARGO) install --locked --no-default-features --root $(CARGO_DEB) --version $(CARGO_DEB_VERSION) cargo-deb
	rm -rf $(CARGO_DEB)/build $(STAGE) $(TARGET)/debian/cardea_*.deb
	umask 022; $(MAKE) --no-print-directory install DESTDIR=$(STAGE) PREFIX=/usr LIBDIR=/usr/lib/$$(gcc -print-multiarch) \
		BINDIR=/usr/bin DATADIR=/usr/share MANDIR=/usr/share/man DOCDIR=/usr/share/doc/cardea \
		P11KITDIR=/usr/share/p11-kit/modules UDEVDIR=/usr/lib/udev/rules.d ZSHDIR=/usr/share/zsh/vendor-completions
	strip --strip-unneeded $(STAGE)/usr/lib/*/pkcs11/libcardea_pkcs11.so $(STAGE)/usr/bin/cardea
	cd $(STAGE)/usr/share/doc/cardea && rm LICENSE-* && mv CHANGELOG.md changelog && gzip -9n changelog
	gzip -9n $(STAGE)/usr/share/man/man*/*
	$(CARGO) tree --locked --package cardea --edges normal --prefix none --format '{p}  {l}' | sed 's/ (.*)//' \
		| LC_ALL=C sort --unique > $(STAGE)/usr/share/doc/cardea/crates
	$(CARGO_DEB)/bin/cargo-deb deb --locked --no-build --no-strip --output $(abspath $(TARGET))/debian/
	lintian --tag-display-limit 0 --fail-on error $(TARGET)/debian/cardea_*.deb

.PHONY: deb-test
deb-test: deb ## The package installed, used and removed again in a clean root (as root; docs/packages.md)
	@tests/setup $(DEB_TEST_PACKAGES)
	packaging/clean-root $(TARGET)/debian/cardea_*.deb $(abspath $(TARGET))/clean-root

.PHONY: clean
clean: ## What building has left
	$(CARGO) clean
