package linuxkernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// Options say how a Provider is made. The zero value is good for the namespace
// of the process.
type Options struct {
	// Namespace is the network namespace to work in; nil is that of the
	// process. It must stay open as long as the Provider is.
	Namespace *os.File
	// StateFile keeps, across a crash, the values of sysctls and the attributes
	// of other people's links from before zebra changed them; a file beside it,
	// with ".multicast" at its name's end, keeps where multicast is copied to. ""
	// keeps them in memory only. Another, with ".shapers", keeps who is held down to
	// a rate.
	StateFile string
	// Logger is told of trouble that no result can tell. nil is silence.
	Logger *slog.Logger
}

// Provider is the Linux kernel's data plane. See the package comment.
type Provider struct {
	opt   Options
	caps  dataplane.Caps // but for those below that are found out later
	names *names
	// unclamped tells why MSSClamps cannot be, uncopied why Multicast cannot, blind
	// why Hairpins cannot, unnoted why PeerUse cannot, unshaped why Shapers cannot,
	// landlocked why multipoint tunnels over IPv6 cannot, uncounted why Unmatched
	// cannot; nil if they can. It is found out when it is asked for first, under
	// applyMu, since that means to load a BPF program.
	unclamped, uncopied, blind, unnoted, unshaped, landlocked, uncounted func() error
	// noPolicy and noESP are why Policies and SAs cannot be.
	noPolicy, noESP error

	applyMu sync.Mutex // guards what follows: Apply at work
	w       *writer
	clamps  map[clampProgram]*ebpf.Program
	added   map[dataplane.Key]bool // addresses that this Provider added
	again   []int                  // operations to be tried by themselves
	present []address              // the kernel's addresses, nil if not known

	savedMu sync.Mutex // guards saved.Sysctls, which Dump reads
	saved   *saved

	copyMu  sync.Mutex // guards what follows, which Dump reads
	copiers map[string]*copier
	ledger  *ledger

	shapeMu  sync.Mutex // guards what follows, which Dump and the listener read
	shapings map[string]*shaping
	shapes   *ledger

	noneMu sync.Mutex // guards what follows, which Dump reads
	none   *nomatch   // nil before there is need of one

	hairMu sync.Mutex // guards what follows, which Dump reads
	hair   *detector  // nil before there is need of one

	useMu sync.Mutex // guards what follows, which Dump reads
	use   *usage     // nil before there is need of one

	addedMu sync.Mutex // guards added, which Dump reads

	espMu sync.Mutex // guards what follows, which Dump reads
	espIn map[dataplane.Key]espSocket

	x       *writer // of SAs and policies, under applyMu; nil where the kernel has none
	guardMu sync.Mutex
	guarded map[dataplane.Key]bool // policies of ours that there are; under guardMu

	events  chan dataplane.Event
	told    map[int]dataplane.LinkInfo // listener's: what was last said of each link
	closed  chan struct{}
	once    sync.Once
	subMu   sync.Mutex // guards sub and subX
	sub     *socket
	subX    *socket // nil where the kernel has no SAs and policies
	running sync.WaitGroup
}

var _ dataplane.Provider = (*Provider)(nil)

// New opens the sockets and begins to listen.
func New(opt Options) (*Provider, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	sv, err := openSaved(opt.StateFile)
	if err != nil {
		return nil, err
	}
	ledger, err := opt.ledger("multicast peers", ".multicast")
	if err != nil {
		return nil, err
	}
	shapes, err := opt.ledger("shapers", ".shapers")
	if err != nil {
		return nil, err
	}
	sock, err := openSocket(opt.Namespace)
	if err != nil {
		return nil, err
	}
	p := &Provider{
		opt: opt, names: newNames(), w: newWriter(sock), saved: sv,
		clamps: map[clampProgram]*ebpf.Program{}, added: map[dataplane.Key]bool{},
		copiers: map[string]*copier{}, ledger: ledger, shapings: map[string]*shaping{}, shapes: shapes,
		events: make(chan dataplane.Event, 1024), closed: make(chan struct{}),
		told: map[int]dataplane.LinkInfo{}, guarded: map[dataplane.Key]bool{}, espIn: map[dataplane.Key]espSocket{},
	}
	sub, err := p.subscribe() // before anything can happen that we want to hear of
	if err != nil {
		sock.close()
		return nil, err
	}
	subX := p.openXfrm()
	p.caps = p.probe()
	p.running.Add(1)
	go p.listen(sub)
	if subX != nil {
		p.running.Add(1)
		go p.listenXfrm(subX)
	}
	return p, nil
}

// ledger opens a ledger in a file beside the state's.
func (opt Options) ledger(what, suffix string) (*ledger, error) {
	path := opt.StateFile
	if path != "" {
		path += suffix
	}
	return openLedger(what, path, func(err error) { opt.Logger.Warn(err.Error()) })
}

// Caps implements dataplane.Provider.
func (p *Provider) Caps() dataplane.Caps {
	p.applyMu.Lock()
	defer p.applyMu.Unlock()
	c := p.caps
	c.MSSClamp, c.Multicast, c.Hairpin, c.PeerUse = p.unclamped() == nil, p.uncopied() == nil, p.blind() == nil, p.unnoted() == nil
	c.Shaper, c.IPv6Transport, c.Unmatched = p.unshaped() == nil, p.landlocked() == nil, p.uncounted() == nil
	return c
}

// Counters tell what the provider wrote.
type Counters struct {
	Port   uint32 // netlink port of the writer: the kernel stamps notifications with it
	Writes uint64 // changes of devices, switches, SAs and policies
	Resent uint64 // batches sent again, since answers were lost
}

// Counters returns the present counters. It waits for an Apply at work.
func (p *Provider) Counters() Counters {
	p.applyMu.Lock()
	defer p.applyMu.Unlock()
	c := Counters{Port: p.w.sock.port, Writes: p.w.writes, Resent: p.w.resent}
	if p.x != nil {
		c.Writes += p.x.writes
	}
	return c
}

// Events implements dataplane.Provider.
func (p *Provider) Events() <-chan dataplane.Event { return p.events }

// Close implements dataplane.Provider.
func (p *Provider) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.subMu.Lock()
		if p.sub != nil {
			p.sub.close()
		}
		if p.subX != nil {
			p.subX.close()
		}
		p.subMu.Unlock()
		p.closeDetector()
		p.closeNomatch()
		p.closeUse()
		p.running.Wait()
		close(p.events)
		p.applyMu.Lock()
		p.w.sock.close()
		if p.x != nil {
			p.x.sock.close()
		}
		for _, prog := range p.clamps {
			prog.Close() // what is attached stays
		}
		clear(p.clamps)
		p.applyMu.Unlock()
		p.copyMu.Lock()
		for _, c := range p.copiers {
			if c.r != nil {
				c.r.Close()
			}
		}
		clear(p.copiers)
		p.ledger.close()
		p.copyMu.Unlock()
		p.closeShapings()
		p.closeESPinUDP()
	})
	return nil
}

// Apply implements dataplane.Provider.
func (p *Provider) Apply(ctx context.Context, ops []dataplane.Op) []dataplane.Result {
	p.applyMu.Lock()
	defer p.applyMu.Unlock()
	results := make([]dataplane.Result, len(ops))
	p.again, p.present = p.again[:0], nil
	p.w.verdict = func(i int, err error) { results[i].Err = p.judge(i, ops[i], err) }
	for i := range ops {
		if i%256 == 0 && ctx.Err() != nil {
			for j := i; j < len(ops); j++ {
				results[j].Err = ctx.Err()
			}
			break
		}
		if done, err := p.apply(i, ops[i]); done || err != nil {
			results[i].Err = err
		}
	}
	p.w.flush()
	p.applyAgain(ops, results)
	return results
}

// apply performs an operation, or puts it into the batch: then done is false
// and the verdict comes later.
func (p *Provider) apply(i int, op dataplane.Op) (done bool, err error) {
	if op.IsDelete() {
		return p.remove(i, op.Key)
	}
	switch o := op.Object.(type) {
	case dataplane.Sysctl:
		return true, p.putSysctl(o)
	case dataplane.Policy:
		return true, p.putPolicy(o)
	case dataplane.SA:
		return true, p.putSA(o)
	case dataplane.Link:
		p.present = nil
		return true, p.putLink(o)
	case dataplane.Tunnel:
		p.present = nil
		return true, p.putTunnel(o)
	case dataplane.MSSClamp:
		return true, p.putClamp(o)
	case dataplane.Multicast:
		return true, p.putMulticast(o)
	case dataplane.MulticastPeer:
		return true, p.putPeer(o)
	case dataplane.Hairpin:
		return true, p.putHairpin(o)
	case dataplane.PeerUse:
		return true, p.putUse(o)
	case dataplane.Shaper:
		return true, p.putShaper(o)
	case dataplane.Unmatched:
		p.present = nil
		return true, p.putNomatch(o)
	case dataplane.ESPinUDP:
		return true, p.putESPinUDP(o)
	case dataplane.Addr:
		return p.putAddr(i, o)
	case dataplane.Route:
		return false, p.putRoute(i, o)
	case dataplane.Neighbor:
		return false, p.putNeighbor(i, o)
	}
	return true, fmt.Errorf("%T: %w", op.Object, dataplane.ErrUnsupported)
}

func (p *Provider) remove(i int, k dataplane.Key) (done bool, err error) {
	switch k.Kind {
	case dataplane.KindSysctl:
		return true, p.deleteSysctl(k)
	case dataplane.KindPolicy:
		return true, p.deletePolicy(k)
	case dataplane.KindSA:
		return true, p.deleteSA(k)
	case dataplane.KindLink, dataplane.KindTunnel:
		p.present = nil
		err := p.deleteDevice(k.Name)
		if err == nil && k.Kind == dataplane.KindTunnel {
			err = p.dropCarrier()
		}
		return true, err
	case dataplane.KindMSSClamp:
		return true, p.deleteClamp(k)
	case dataplane.KindMulticast:
		return true, p.deleteMulticast(k)
	case dataplane.KindMulticastPeer:
		return true, p.deletePeer(k)
	case dataplane.KindHairpin:
		return true, p.deleteHairpin(k)
	case dataplane.KindPeerUse:
		return true, p.deleteUse(k)
	case dataplane.KindShaper:
		return true, p.deleteShaper(k)
	case dataplane.KindUnmatched:
		p.present = nil
		return true, p.deleteNomatch(k)
	case dataplane.KindESPinUDP:
		return true, p.deleteESPinUDP(k)
	case dataplane.KindAddr:
		return true, p.deleteAddr(k)
	case dataplane.KindRoute:
		return false, p.deleteRoute(i, k)
	case dataplane.KindNeighbor:
		if err := p.deleteNeighbor(i, k); err != nil {
			return true, ignoreGone(err)
		}
		return false, nil
	}
	return true, fmt.Errorf("%v: %w", k, dataplane.ErrUnsupported)
}

// judge turns the kernel's verdict on a message into that on the operation.
func (p *Provider) judge(i int, op dataplane.Op, err error) error {
	switch {
	case err == nil:
		if op.Key.Kind == dataplane.KindAddr && !op.IsDelete() {
			p.setAdded(op.Key, true)
		}
		return nil
	case op.IsDelete() && (is(err, unix.ESRCH) || is(err, unix.ENOENT)):
		return nil
	case is(err, unix.ENODEV), op.Key.Kind == dataplane.KindAddr && is(err, unix.EEXIST):
		p.again = append(p.again, i)
	}
	return fmt.Errorf("%v: %w", op.Key, err)
}

// applyAgain deals with operations that need a closer look: a device whose
// index was not the one that we remembered, an address that was there.
func (p *Provider) applyAgain(ops []dataplane.Op, results []dataplane.Result) {
	again := append([]int(nil), p.again...)
	for _, i := range again {
		p.present = nil
		for _, name := range devices(ops[i]) {
			if j, ok := p.names.index(name); ok {
				p.names.drop(j)
			}
		}
		results[i].Err = nil // by the verdict, if it is not said now
		if done, err := p.apply(i, ops[i]); done || err != nil {
			results[i].Err = err
		}
		p.w.flush()
	}
}

// devices returns the devices that an operation needs.
func devices(op dataplane.Op) (names []string) {
	if r, ok := op.Object.(dataplane.Route); ok {
		for _, n := range r.NextHops {
			names = append(names, n.Device)
		}
		return names
	}
	return []string{op.Key.Device()}
}

func (p *Provider) setAdded(k dataplane.Key, on bool) {
	p.addedMu.Lock()
	defer p.addedMu.Unlock()
	if on {
		p.added[k] = true
	} else {
		delete(p.added, k)
	}
}

func (p *Provider) isAdded(k dataplane.Key) bool {
	p.addedMu.Lock()
	defer p.addedMu.Unlock()
	return p.added[k]
}

// is reports whether err is the kernel's errno.
func is(err error, errno unix.Errno) bool { return errors.Is(err, errno) }
