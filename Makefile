# make test    builds, and passes every test; as root it first installs the
#              Debian packages they need
# make build   builds ./sshtay
# make bench   the figures, beside today's way, in one run
# make fuzz    each fuzz target for FUZZTIME
GO          ?= go
FUZZTIME    ?= 20s
TOOLS       := $(CURDIR)/.cache/bin
STATICCHECK := $(TOOLS)/staticcheck
GOVULNCHECK := $(TOOLS)/govulncheck
PACKAGES    := openssh-client openssh-server sudo nftables iproute2 procps iputils-ping debootstrap \
               tshark dropbear-bin tinysshd socat busybox dash fish csh tcsh zsh systemd passwd util-linux gcc libc6-dev \
               acl attr e2fsprogs fail2ban iptables bsdutils systemd-journal-remote

.PHONY: test deps build vet unit lab cross vuln bench fuzz clean

test: deps build vet unit lab cross vuln

# Without root, or where there is no apt-get, the tests themselves say what is
# missing; in CI they then fail.
deps:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null | grep -q '^install ok installed' || echo $$p; done); \
		if [ -n "$$missing" ]; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
		fi; \
	else echo "make deps: not root, or no apt-get: nothing installed (wanted: $(PACKAGES))"; fi

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o sshtay .

vet: $(STATICCHECK)
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'ed:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...

# The race detector needs a C compiler; the program itself never does. One
# package at a time: some tests hold real servers to be healthy, which they are
# not on a machine that others keep busy. The scenarios run by themselves,
# against the program as it is built.
unit:
	CGO_ENABLED=1 $(GO) test -race -p 1 -parallel 4 -timeout 15m -skip '^TestScenarios$$' ./...

lab: build
	SSHTAY=$(CURDIR)/sshtay $(GO) test -count 1 -timeout 40m -run '^TestScenarios$$' -v ./internal/lab

cross:
	for target in darwin/arm64 freebsd/amd64 linux/arm64 windows/amd64; do \
		echo "build for $$target"; GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 $(GO) build -o /dev/null . || exit 1; done

# govulncheck reads its data from the network; where that is closed it says so
# and the rest of the run stands.
vuln: $(GOVULNCHECK)
	@out=$$($(GOVULNCHECK) ./... 2>&1); code=$$?; echo "$$out"; \
	if [ $$code != 0 ] && echo "$$out" | grep -qE 'fetching vulnerabilities|dial tcp|no such host|lookup '; then \
		echo "make vuln: the vulnerability data could not be fetched; NOTHING WAS CHECKED"; \
	else exit $$code; fi

# As root: the checks and the commands of today run in the same worlds.
bench: deps build
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get install -y -qq --no-install-recommends mtr-tiny traceroute fping nmap iputils-tracepath ssh-audit time fail2ban logwatch lnav >/dev/null; fi
	SSHTAY=$(CURDIR)/sshtay $(GO) test -run '^$$' -bench 'Start|Check|Fix|Pump' -benchtime 5x ./internal/lab
	SSHTAY=$(CURDIR)/sshtay $(GO) test -run '^$$' -bench 'ByHand|Loss|Hole|Trace' -benchtime 1x -timeout 20m ./internal/lab
	SSHTAY=$(CURDIR)/sshtay $(GO) test -run '^$$' -bench 'Logs' -benchtime 2x -timeout 20m ./internal/sshlog
	SSHTAY=$(CURDIR)/sshtay $(GO) test -run '^$$' -bench 'Idle' -benchtime 1x -timeout 30m ./internal/lab
	$(GO) test -run '^$$' -bench . -benchtime 200ms $$($(GO) list ./internal/... | grep -v internal/lab)

fuzz:
	@for pkg in $$($(GO) list ./internal/...); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep ^Fuzz); do \
			$(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; done; done

clean:
	rm -rf sshtay .cache

$(STATICCHECK):
	GOBIN=$(TOOLS) $(GO) install honnef.co/go/tools/cmd/staticcheck@v0.8.2

$(GOVULNCHECK):
	GOBIN=$(TOOLS) $(GO) install golang.org/x/vuln/cmd/govulncheck@v1.8.0
