package peeruse

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
)

// batch is how many notes are read at a time: more than ever share a bucket of the
// map, which are read together.
const batch = 1024

// Use says that a data packet was sent to a peer.
type Use struct {
	Index int // of the device
	NBMA  netip.Addr
}

// ErrClosed is what Read returns after Close.
var ErrClosed = errors.New("closed")

// Watch is the program with its notes. Its methods may be called by any goroutine.
type Watch struct {
	prog *ebpf.Program

	mu     sync.Mutex // guards what follows
	notes  *ebpf.Map
	closed bool
	keys   [batch][keySize / 8]uint64
	values [batch]uint64
}

// New loads the program. It needs Linux 5.6, CAP_BPF (before 5.8 CAP_SYS_ADMIN) and
// CAP_NET_ADMIN.
func New() (w *Watch, err error) {
	w = &Watch{}
	defer func() {
		if err != nil {
			w.Close()
			w, err = nil, fmt.Errorf("loading the BPF program that notes the use of peers: %w", err)
		}
	}()
	w.notes, err = ebpf.NewMap(&ebpf.MapSpec{Name: "godmvpn_notes", Type: ebpf.Hash, KeySize: keySize, ValueSize: 8, MaxEntries: MaxNotes})
	if err != nil {
		return w, err
	}
	if w.prog, err = ebpf.NewProgram(programSpec(w.notes.FD())); err != nil {
		return w, err
	}
	_, err = w.Read() // older kernels do not know how
	return w, err
}

// FD returns the file descriptor of the program.
func (w *Watch) FD() int { return w.prog.FD() }

// ID returns the kernel's number for the program, which it does not use again.
func (w *Watch) ID() (uint32, error) {
	info, err := w.prog.Info()
	if err != nil {
		return 0, err
	}
	id, ok := info.ID()
	if !ok {
		return 0, errors.New("the kernel does not number BPF programs")
	}
	return uint32(id), nil
}

// Read returns the peers to which data was sent since the last Read, by device and
// address.
func (w *Watch) Read() (all []Use, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, ErrClosed
	}
	var at ebpf.MapBatchCursor
	for err == nil {
		var n int
		n, err = w.notes.BatchLookupAndDelete(&at, w.keys[:], w.values[:], nil)
		for _, k := range w.keys[:n] {
			all = append(all, parse(k))
		}
	}
	if !errors.Is(err, ebpf.ErrKeyNotExist) { // the end
		return nil, fmt.Errorf("reading the use of peers: %w", err)
	}
	slices.SortFunc(all, func(a, b Use) int {
		if a.Index != b.Index {
			return a.Index - b.Index
		}
		return a.NBMA.Compare(b.NBMA)
	})
	return all, nil
}

// Close gives up the program and its notes. A filter that uses them keeps them.
func (w *Watch) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	var errs []error
	if w.prog != nil {
		errs = append(errs, w.prog.Close())
	}
	if w.notes != nil {
		errs = append(errs, w.notes.Close())
	}
	return errors.Join(errs...)
}
