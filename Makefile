# godmvpn: everything a person or CI runs. `make help` lists it.

SHELL   := /bin/bash
RESULTS := build/results
TOOLS   := $(CURDIR)/build/tools
TESTSUM := build/testsum
RUN     := $(TESTSUM) run -results $(RESULTS)

# Seconds for all fuzz targets together; FUZZTIME=20s gives each its own time instead.
FUZZTOTAL ?= 90
FUZZTIME  ?=
FUZZJOBS  ?= $(shell nproc)
N        ?= 10000
# Simulations: seeds of clouds of NHRP and of graphs of RIP, routers of those, spokes of a RIP hub,
# seeds of graphs of DUAL. SIMFIRST: the first seed of the graphs of OSPF of 1,000 routers.
SIMSEEDS   ?= 100
SIMFIRST   ?= 1
SIMROUTERS ?= 500
SIMSPOKES  ?= 5000
DUALSEEDS  ?= 1000
# Three topology packages side by side, each in a User-Mode Linux of its own, which waits
# for timers most of the time.
TOPOJOBS ?= 3
TOPOTIME ?= 10m
ROUTER   ?= hub

# Packages whose tests wait for real sessions over TCP, for minutes: they run beside the
# topologies, and without the race detector, since GoBGP keeps its path
# selection in variables of a package, which each of several speakers in a process sets.
SESSIONS = ./bgpd ./bgpd/speaker
# All packages but those, and those that need a kernel of their own.
UNIT = $$(go list ./... | grep -v '/tests/topotests\|/bgpd$$\|/bgpd/speaker$$')
# Of those, the cores: lib/archtest sees that they have no goroutine and nothing to lock, so
# the race detector, with which they take ten times as long, finds nothing in them. With
# goroutines around them they run in the tests of their daemons.
CORES = $$(go list ./... | grep '/core\(/\|$$\)\|/zebra/rib$$\|/lib/policy$$')
RACED = $$(go list ./... | grep -v '/tests/topotests\|/bgpd$$\|/bgpd/speaker$$\|/core\(/\|$$\)\|/zebra/rib$$\|/lib/policy$$')
# Topologies that wait for timers nearly all of the time, outside of a User-Mode Linux where there
# are veth devices and bridges: they have no place among TOPOJOBS.
WAITING = $(addprefix ./tests/topotests/,interop/ike interop/rip interop/rippeers interop/ospf ospf rip eigrp eigrpstub bgp interop/bgp bgphub)
# The longest first, so that none of them is left alone at the end.
TOPO = $(addprefix ./tests/topotests/,many interop/ospfmgre ipsecdmvpn dataplane interop/frr ipsec ipsecphase3 faults vtysh phase3 \
	multicast demo phase2 ripdmvpn eigrpdmvpn ospfdmvpn bgpdmvpn lab1 interop/ipsec) \
	$$(go list ./tests/topotests/... | grep -vxF "$$(go list $(WAITING))")
TOPOTEST = go test -vet=off -json -count=1 -timeout $(TOPOTIME)
# Packages whose unit tests want GRE devices, or a build without cgo.
KERNEL = ./lib/rawsock ./lib/privilege

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 \t/p' Makefile | expand -t 14

.PHONY: go
go:
	@tools/check-go.sh

.PHONY: build
build: go ## bin/godmvpn and the links zebra, nhrpd, vtysh …
	@mkdir -p bin; echo "building bin/godmvpn"
	@CGO_ENABLED=0 go build -ldflags '-s -w' -o bin/godmvpn ./cmd/godmvpn
	@for name in $$(bin/godmvpn --list); do ln -sfn godmvpn bin/$$name; done

$(TESTSUM): go
	@go build -o $@ ./tests/testsum

.PHONY: tools
tools: go
	@mkdir -p $(TOOLS)
	@go build -C tools -o $(TOOLS)/ tool

.PHONY: check
check: $(TESTSUM) tools ## gofmt, vet, staticcheck, unit tests, but those of cores with the race detector
	@status=0; \
	$(RUN) -name 'check gofmt' bash -c 'bad=$$(gofmt -l $$(git ls-files "*.go")); [ -z "$$bad" ] || { echo "not formatted: $$bad"; exit 1; }' || status=1; \
	$(RUN) -name 'check vet' go vet ./... || status=1; \
	$(RUN) -name 'check staticcheck' $(TOOLS)/staticcheck ./... || status=1; \
	$(RUN) -json -name 'check unit' env CGO_ENABLED=1 go test -vet=off -race -json $(RACED) || status=1; \
	$(RUN) -json -name 'check cores' go test -vet=off -json $(CORES) || status=1; \
	exit $$status

.PHONY: fuzz
fuzz: $(TESTSUM) ## every fuzz target, a minute and a half in all; FUZZTIME=20s: so long each
	@tools/fuzz.sh $(or $(FUZZTIME),$(FUZZTOTAL)) $(FUZZJOBS) $(RUN)

.PHONY: sim
sim: go ## N=10000 spokes and a hub or two, SIMSEEDS times; RIP on 100 graphs and a hub, in simulated time; DUAL in all orders of events; EIGRP's transport on bad networks; EIGRP on graphs, a hub, 100,000 prefixes; OSPF on graphs of 40 and 1,000 routers in areas
	go test -count=1 -v -timeout 3h -run '^TestSim' ./nhrpd/core -sim-spokes $(N) -sim-seeds $(SIMSEEDS)
	go test -count=1 -v -timeout 3h -run '^TestSim' ./ripd/core -sim-seeds $(SIMSEEDS) -sim-routers $(SIMROUTERS) -sim-spokes $(SIMSPOKES)
	go test -count=1 -v -timeout 3h -run '^Test(Sim|Explore)' ./eigrpd/core/dual -sim-seeds $(DUALSEEDS) -sim-routers 200 -explore-states 3000000 -explore-seeds 3000
	go test -count=1 -v -timeout 3h -run '^TestSim' ./eigrpd/core/rtp -sim-seeds $(DUALSEEDS) -sim-spokes $(SIMSPOKES)
	go test -count=1 -v -timeout 3h -run '^TestSim' ./eigrpd/core -sim-seeds 60 -sim-spokes $(SIMSPOKES) -sim-prefixes 100000
	go test -count=1 -v -timeout 3h -run '^Test(Sim|Hub|ManyLSAs)' ./ospfd/core -sim-seeds $(SIMSEEDS) -sim-routers 40 -hub-spokes 500 -exchange-lsas 50000
	GOGC=300 go test -count=1 -v -timeout 8h -run '^TestSimCore$$' ./ospfd/core -sim-seeds $(SIMSEEDS) -sim-first $(SIMFIRST) -sim-routers 1000

.PHONY: topo
topo: $(TESTSUM) build ## topologies of real binaries on a real kernel; BGP sessions over TCP
	@go build -o build/umlrun ./tests/topotests/uml/umlrun
	@status=0; \
	export CGO_ENABLED=0; \
	$(RUN) -json -name 'topo that waits' $(TOPOTEST) -p 2 $(SESSIONS) $(WAITING) & waits=$$!; \
	$(RUN) -json -name topo $(TOPOTEST) -p $(TOPOJOBS) $(TOPO) || status=1; \
	$(RUN) -json -name 'unit tests that need the kernel' $(TOPOTEST) -p $(TOPOJOBS) -exec $(CURDIR)/build/umlrun $(KERNEL) || status=1; \
	wait $$waits || status=1; \
	exit $$status

.PHONY: test
test: go ## installs what is missing, then check, fuzz and topo
	@tools/install-debian.sh test
	@rm -rf $(RESULTS)
	@status=0; \
	for step in check fuzz topo; do \
		$(MAKE) --no-print-directory $$step || { status=1; steps="$$steps $$step"; }; \
	done; \
	[ $$status -eq 0 ] || echo "failed:$$steps"; \
	$(TESTSUM) total -results $(RESULTS) || status=1; \
	exit $$status

.PHONY: bench
bench: build ## every benchmark
	@tools/install-debian.sh test
	go test -run '^$$' -bench . -benchmem $(UNIT) $(SESSIONS)
	go build -o build/fibbench ./tests/bench/fibbench
	build/fibbench -n 100000 -runs 5
	go build -o build/ripbench ./tests/bench/ripbench
	build/ripbench -n 10000 -runs 3
	go build -o build/eigrpbench ./tests/bench/eigrpbench
	build/eigrpbench -runs 3
	go build -o build/ospfbench ./tests/bench/ospfbench
	build/ospfbench
	go build -o build/bgpbench ./tests/bench/bgpbench
	build/bgpbench -n 1000000
	CGO_ENABLED=0 go build -o build/nhrpbench ./tests/bench/nhrpbench
	build/nhrpbench -spokes 1000,5000 -restart 1000 -runs 3
	CGO_ENABLED=0 go build -o build/ikebench ./tests/bench/ikebench
	build/ikebench -runs 3

.PHONY: generate
generate: tools ## protobuf code
	@tools/install-debian.sh generate
	PATH="$(TOOLS):$$PATH" protoc -I lib/pb --go_out=lib/pb --go_opt=paths=source_relative \
		--go-grpc_out=lib/pb --go-grpc_opt=paths=source_relative lib/pb/*.proto

.PHONY: demo demo-shell demo-down
demo: go ## a hub and two spokes that stay up
	@tools/install-debian.sh demo
	@$(MAKE) --no-print-directory build
	@CGO_ENABLED=0 go build -o build/demo ./tests/demo
	@build/demo up

demo-shell: ## a vtysh on ROUTER=hub of the demo
	@build/demo shell $(ROUTER)

demo-down: ## ends the demo
	@build/demo down

.PHONY: clean
clean: ## removes what was built
	rm -rf bin build
