# `make build`, `make demo` and `make test` need Go and nothing else. The other targets install the tools they name, pinned, into .tools.

GO ?= go
TOOLS := $(CURDIR)/.tools
DEMO ?= demo-data
DATA ?=
PACKAGES ?=
FUZZTIME ?= 30s

BUF_VERSION := v1.75.0
PROTOC_GEN_GO_VERSION := v1.36.12
PROTOC_GEN_GO_GRPC_VERSION := v1.6.2
GRPC_GATEWAY_VERSION := v2.33.0
GOFUMPT_VERSION := v0.12.0
GOLANGCI_LINT_VERSION := v2.15.0

.DEFAULT_GOAL := help
.PHONY: help build demo test race generate lint format fuzz soak evaluate rest validate bench cover clean

help: ## print the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | expand -t 12

build: ## build ./spoor and ./spoor-verify
	$(GO) build -o spoor ./cmd/spoor
	$(GO) build -o spoor-verify ./cmd/spoor-verify

demo: build ## trace three real payments of the bundled data, in a fresh demo-data
	@rm -rf $(DEMO)
	./spoor demo --data $(DEMO)

test: ## vet and run every test
	$(GO) vet ./...
	$(GO) test ./...

race: ## run the tests of the packages that start goroutines under the race detector
	.ci/race

generate: $(TOOLS)/buf-$(BUF_VERSION) $(TOOLS)/plugins ## regenerate the Go code of proto/ and check it
	PATH=$(TOOLS)/bin:$$PATH buf lint
	PATH=$(TOOLS)/bin:$$PATH buf generate
	cd chains/tron/proto && PATH=$(TOOLS)/bin:$$PATH buf lint && PATH=$(TOOLS)/bin:$$PATH buf generate

lint: $(TOOLS)/gofumpt-$(GOFUMPT_VERSION) $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION) ## check the format and lint
	@out=$$(.ci/format -l); test -z "$$out" || { echo "not gofumpt-clean, run make format:"; echo "$$out"; exit 1; }
	$(TOOLS)/bin/golangci-lint run --allow-serial-runners

format: $(TOOLS)/gofumpt-$(GOFUMPT_VERSION) ## format every Go file
	.ci/format -w

fuzz: ## run each fuzz target for FUZZTIME (30s)
	.ci/fuzz $(FUZZTIME)

soak: ## run the crash and damage tests in full, 1000 trials each
	.ci/soak

evaluate: build ## measure every heuristic on real data: DATA=DIR (docs/method.md, Error rates)
	./spoor evaluate --from $(DATA)

rest: ## let others judge the JSON interface: a generated client and schemathesis
	.ci/rest

validate: ## let others judge evidence packages: PACKAGES="a.zip b.zip"
	.ci/validate $(PACKAGES)

bench: ## measure, beside peers where there are any: TXS=, SLOPE=, ROWS= sizes, DATA=DIR of your own (docs/performance.md)
	DATA=$(DATA) .ci/bench

cover: ## print the test coverage by package and write cover.html
	$(GO) test -coverprofile cover.out ./...
	$(GO) tool cover -html cover.out -o cover.html

clean: ## remove what make made, the tools too
	rm -rf spoor spoor-verify $(DEMO) $(TOOLS) cover.out cover.html

# A stamp per version: another pin installs again.
$(TOOLS)/gofumpt-%:
	GOBIN=$(TOOLS)/bin $(GO) install mvdan.cc/gofumpt@$*
	@touch $@

$(TOOLS)/golangci-lint-%:
	GOBIN=$(TOOLS)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$*
	@touch $@

$(TOOLS)/plugins: Makefile
	GOBIN=$(TOOLS)/bin $(GO) install google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO_VERSION)
	GOBIN=$(TOOLS)/bin $(GO) install google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC_VERSION)
	GOBIN=$(TOOLS)/bin $(GO) install github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@$(GRPC_GATEWAY_VERSION)
	GOBIN=$(TOOLS)/bin $(GO) install github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2@$(GRPC_GATEWAY_VERSION)
	@touch $@

# npm has buf ready-made; without npm it is compiled, which takes a minute.
$(TOOLS)/buf-%:
	@mkdir -p $(TOOLS)/bin
	if command -v npm >/dev/null && npm install --no-save --prefix $(TOOLS)/npm @bufbuild/buf@$(patsubst v%,%,$*) && $(TOOLS)/npm/node_modules/.bin/buf --version; \
	then ln -sf $(TOOLS)/npm/node_modules/.bin/buf $(TOOLS)/bin/buf; \
	else GOBIN=$(TOOLS)/bin $(GO) install github.com/bufbuild/buf/cmd/buf@$*; fi
	@touch $@
