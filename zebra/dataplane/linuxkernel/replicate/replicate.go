package replicate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
)

// Broadcast is the link-layer broadcast address that a multipoint tunnel must
// have. The kernel then addresses to it whatever has no one station as its next
// hop: IPv4 and IPv6 multicast, 255.255.255.255, and the broadcast address of the
// tunnel's subnet. It is a loopback address (RFC 1122 section 3.2.1.3) that nobody
// uses: a packet that meets no replicator ends on this machine, where no tunnel has
// that address. (Linux would send packets for 0.0.0.0/8 to a default route.)
var Broadcast = netip.AddrFrom4([4]byte{127, 'G', 'R', 'E'})

// Broadcast6 is Broadcast for a tunnel over IPv6. It is of the prefix for what is to
// be discarded (RFC 6666), of which there is no interface.
var Broadcast6 = netip.MustParseAddr("100::47:5245")

// ErrFull says that a replicator has MaxPeers peers.
var ErrFull = fmt.Errorf("a tunnel has room for %d multicast peers", MaxPeers)

// Replicator is a program with its table of peers. It belongs to one device. Its
// methods may be called by one goroutine at a time.
type Replicator struct {
	transport
	state, peers *ebpf.Map
	prog         *ebpf.Program
	slots        map[netip.Addr]uint32
	free         []bool // by slot: nobody is in it
	extent       uint32 // slots in use, holes among them
	low          uint32 // no slot below is free
}

// New loads a program with an empty table, for a tunnel over IPv4 or over IPv6. It
// needs Linux 5.2 and CAP_BPF (before 5.8 CAP_SYS_ADMIN) and CAP_NET_ADMIN.
func New(ipv6 bool) (r *Replicator, err error) {
	r = &Replicator{transport: over4, slots: map[netip.Addr]uint32{}}
	if ipv6 {
		r.transport = over6
	}
	defer func() {
		if err != nil {
			r.Close()
			r, err = nil, fmt.Errorf("loading the BPF program that copies multicast: %w", err)
		}
	}()
	r.state, err = ebpf.NewMap(&ebpf.MapSpec{Name: "godmvpn_state", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: r.stateSize(), MaxEntries: 1})
	if err != nil {
		return r, err
	}
	r.peers, err = ebpf.NewMap(&ebpf.MapSpec{Name: "godmvpn_peers", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(r.addrLen), MaxEntries: 1 + MaxPeers})
	if err != nil {
		return r, err
	}
	r.prog, err = ebpf.NewProgram(r.programSpec(r.state.FD(), r.peers.FD()))
	return r, err
}

// FD returns the file descriptor of the program.
func (r *Replicator) FD() int { return r.prog.FD() }

// ID returns the kernel's number for the program, which it does not use again.
func (r *Replicator) ID() (uint32, error) {
	info, err := r.prog.Info()
	if err != nil {
		return 0, err
	}
	id, ok := info.ID()
	if !ok {
		return 0, errors.New("the kernel does not number BPF programs")
	}
	return uint32(id), nil
}

// Close gives up the program and its table. A filter that uses them keeps them.
func (r *Replicator) Close() error {
	var errs []error
	if r.prog != nil {
		errs = append(errs, r.prog.Close())
	}
	for _, m := range []*ebpf.Map{r.state, r.peers} {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}

// Len returns the number of peers.
func (r *Replicator) Len() int { return len(r.slots) }

// Has reports whether a peer is in the table.
func (r *Replicator) Has(nbma netip.Addr) bool { _, ok := r.slots[nbma]; return ok }

// Add puts a peer into the table. A packet that is being copied may or may not go
// to it; to all others it goes once.
func (r *Replicator) Add(nbma netip.Addr) error {
	if r.Has(nbma) {
		return nil
	}
	if nbma.BitLen() != 8*int(r.addrLen) {
		return fmt.Errorf("%v is not of the family of the tunnel's transport", nbma)
	}
	slot := r.extent
	for s := r.low; s < r.extent; s++ {
		if r.free[s] {
			slot = s
			break
		}
	}
	if slot == MaxPeers {
		return ErrFull
	}
	if err := r.peers.Put(slot+1, nbma.AsSlice()); err != nil {
		return err
	}
	if slot == r.extent {
		if err := r.peers.Put(uint32(extentKey), r.number(slot+1)); err != nil {
			return err
		}
		r.free, r.extent = append(r.free, false), slot+1
	}
	r.free[slot], r.slots[nbma], r.low = false, slot, slot+1
	return nil
}

// number is a value of the table that begins with a number.
func (r *Replicator) number(n uint32) []byte {
	b := make([]byte, r.addrLen)
	binary.NativeEndian.PutUint32(b, n)
	return b
}

// Remove takes a peer out of the table. Nobody moves to another place, so that a
// packet that is being copied goes to all others, once.
func (r *Replicator) Remove(nbma netip.Addr) error {
	slot, ok := r.slots[nbma]
	if !ok {
		return nil
	}
	if err := r.peers.Put(slot+1, r.number(0)); err != nil {
		return err
	}
	delete(r.slots, nbma)
	r.free[slot], r.low = true, min(r.low, slot)
	extent := r.extent
	for extent > 0 && r.free[extent-1] {
		extent--
	}
	if extent == r.extent {
		return nil
	}
	if err := r.peers.Put(uint32(extentKey), r.number(extent)); err != nil {
		return err
	}
	r.extent, r.free, r.low = extent, r.free[:extent], min(r.low, extent)
	return nil
}
