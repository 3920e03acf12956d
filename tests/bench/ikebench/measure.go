package main

import (
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Addresses of the two ends of the link.
const (
	here  = "192.0.2.1"
	there = "192.0.2.2"
)

// startLimit is how long a responder may take to start and to be at rest.
const startLimit = time.Minute

// group is a key exchange that is measured.
type group struct {
	name string
	packet.Group
	// part of the IKE SAs of a run: 1 of so many, where each costs much more.
	part int
}

var allGroups = []group{
	{"X25519", packet.Curve25519, 1}, {"P-256", packet.ECP256, 1}, {"P-384", packet.ECP384, 4}, {"MODP-2048", packet.MODP2048, 4},
}

// bench is a node with a responder and one with its peers.
type bench struct {
	harness.TB
	tp             *harness.Topology
	peers, node    *harness.Node
	load           *generator
	asked          asked
	made           int // IKE SAs
	daemon, others *harness.Usage
}

// newBench starts a responder.
func newBench(t harness.TB, r responder, guards bool) *bench {
	b := &bench{TB: t, tp: harness.New(t)}
	b.peers, b.node = b.tp.Node("peers"), b.tp.Node("responder")
	b.tp.Link(b.peers, "eth0", here+"/24", b.node, "eth0", there+"/24")
	// All of 10.0.0.0/8 is here, 11.0.0.0/8 is nobody's.
	if _, err := b.peers.Run("ip", "route", "add", "local", "10.0.0.0/8", "dev", "lo"); err != nil {
		t.Fatalf("%v", err)
	}
	b.node.Route("10.0.0.0/8", here)
	b.node.Route("11.0.0.0/8", here)
	b.asked = r.start(b.node, guards)
	b.daemon, b.others = b.node.Usage(r.daemon), b.node.Usage(r.others...)
	b.load = newGenerator(t, b.peers)
	b.run(packet.Curve25519, 10, 1) // it is there, and warm
	b.rest()
	return b
}

// run makes IKE SAs, so many at once.
func (b *bench) run(g packet.Group, sas, atOnce int) []*peer {
	b.Helper()
	done, err := b.load.run(g, sas, atOnce)
	if err != nil {
		b.Fatalf("%v", err)
	}
	b.made += len(done)
	return done
}

// close ends the responder, if it has all IKE SAs that its peers have.
func (b *bench) close() {
	b.Helper()
	if n, err := b.asked(); err != nil || n != b.made {
		b.Fatalf("%s: %d IKE SAs were made, it has %d, %v", b.node.Name(), b.made, n, err)
	}
	b.tp.Close()
}

func (b *bench) rest() { harness.WaitIdle(b.TB, startLimit, b.daemon, b.others) }

// rate is what making IKE SAs cost.
type rate struct {
	sas                int
	took, cpu, cpuElse time.Duration
	resent             int
}

// perCPU is the number of IKE SAs for each second of processor time.
func (r rate) perCPU() float64 { return float64(r.sas) / (r.cpu + r.cpuElse).Seconds() }

// make makes IKE SAs.
func (b *bench) make(g packet.Group, sas int) rate {
	cpu, cpuElse, begin := b.daemon.CPU(), b.others.CPU(), time.Now()
	done := b.run(g, sas, window)
	took := time.Since(begin)
	b.rest()
	r := rate{sas: sas, took: took, cpu: b.daemon.CPU() - cpu, cpuElse: b.others.CPU() - cpuElse}
	for _, p := range done {
		r.resent += p.resent
	}
	return r
}

// rates makes IKE SAs with all groups, one after the other.
func rates(t harness.TB, r responder, sas int) (out []rate) {
	b := newBench(t, r, false)
	for _, g := range allGroups {
		out = append(out, b.make(g.Group, max(sas/g.part, 1)))
	}
	b.close()
	return out
}

// memory makes many IKE SAs and returns octets for each, and what the making cost.
func memory(t harness.TB, r responder, sas int) (float64, rate) {
	b := newBench(t, r, false)
	before := b.daemon.Memory()
	made := b.make(packet.Curve25519, sas)
	per := float64(b.daemon.Memory()-before) / float64(sas)
	b.close()
	return per, made
}

// entry is what peers met during a flood.
type entry struct {
	first, median, worst time.Duration
	cookies, resent      int // most of one peer
	peers                int
	failure              error

	packets int
	rate    float64 // packets a second
	cpu     float64 // of one processor
	memory  int     // octets more than before
}

// flood has peers come in, one after the other, while nobody's requests arrive.
func flood(t harness.TB, r responder, rate int, last time.Duration) (e entry) {
	b := newBench(t, r, true)
	before, cpu := b.daemon.Memory(), b.daemon.CPU()
	f := b.flood(rate, last)
	time.Sleep(last / 5) // by then it is felt
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < last/5*3; time.Sleep(last / 50) {
		done, err := b.load.run(packet.Curve25519, 1, 1)
		if err != nil {
			e.failure = err
			break
		}
		b.made++
		p := done[0]
		took = append(took, p.sent.Sub(p.began))
		e.cookies, e.resent = max(e.cookies, p.cookies), max(e.resent, p.resent)
	}
	sent, lasted := f.wait()
	e.memory = b.daemon.Memory() - before
	b.rest()
	e.packets, e.rate, e.cpu = sent, float64(sent)/lasted.Seconds(), (b.daemon.CPU()-cpu).Seconds()/lasted.Seconds()
	if e.peers = len(took); e.peers > 0 {
		e.first = took[0]
		slices.Sort(took)
		e.median, e.worst = took[len(took)/2], took[len(took)-1]
	}
	b.close()
	return e
}
