# "make" lists what there is. Every target is one command that also works without make; see CONTRIBUTING.md.

# What "cachectl version" says: the tag, or the commit, or "devel" where git knows neither.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
FUZZTIME ?= 20s
# make bench-engine SHORT=1
short := $(if $(filter 1 true yes,$(SHORT)),-short)

.DEFAULT_GOAL := help
.PHONY: help build run test lint fuzz bench-engine bench-gateway ci clean print-version

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# -buildvcs=false: the version comes from -X, so that a build works the same with and without a usable git.
build: ## one static binary: bin/cachectl
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X stagecache/cli.version=$(VERSION)' -o bin/cachectl ./cli/cachectl

run: build ## the gateway with an embedded demo backend and a temporary store
	./bin/cachectl serve --demo

test: ## all tests
	go test ./...

lint: ## formatting, vet, staticcheck, known vulnerabilities
	.ci/run format vet staticcheck vulnerabilities

fuzz: ## every fuzz target for FUZZTIME (20s)
	FUZZTIME=$(FUZZTIME) .ci/run fuzz

# Short: without C, which takes longer to compile than all the rest. Only Pebble has any, and the short run is without it.
bench-engine: ## the engine's figures, beside its rivals' (SHORT=1: under 3 minutes)
	@set -e; sheet=$$(mktemp); trap 'rm -f "$$sheet"' EXIT; \
	go run ./bench/engine $(short) -sheet "$$sheet"; \
	(cd bench/peers && $(if $(short),CGO_ENABLED=0) go run . $(short) -sheet "$$sheet" $(if $(short),disk)); \
	printf '\nall figures of both programs:\n'; cat "$$sheet"

bench-gateway: ## the gateway's figures, beside its rivals' (SHORT=1: under 3 minutes)
	go run ./bench/gateway $(short)

ci: ## everything that must hold before a change goes in
	.ci/run

clean: ## removes what build made
	rm -rf bin

print-version:
	@echo '$(VERSION)'
