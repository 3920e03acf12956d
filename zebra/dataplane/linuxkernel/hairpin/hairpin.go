package hairpin

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

const (
	maxDevices = 4096
	ringSize   = 1 << 16 // bytes: some 400 samples
)

// Sample is a packet that was found.
type Sample struct {
	In, Out int    // indexes of the devices
	Packet  []byte // its beginning, from the IP header on; at most MaxPacket bytes
}

// Detector is the program with its tables and its ring. Add, Remove and the methods
// that tell of the program may be called by one goroutine at a time, Read by
// another one, and Close by any.
type Detector struct {
	devices, pairs, all, ring *ebpf.Map
	note, detect              *ebpf.Program
	reader                    *ringbuf.Reader
	record                    ringbuf.Record
}

// New loads the program. It needs Linux 5.8, CAP_BPF and CAP_NET_ADMIN.
func New() (d *Detector, err error) {
	d = &Detector{}
	defer func() {
		if err != nil {
			d.Close()
			d, err = nil, fmt.Errorf("loading the BPF program that finds hairpins: %w", err)
		}
	}()
	for _, m := range []struct {
		to   **ebpf.Map
		spec ebpf.MapSpec
	}{
		{&d.devices, ebpf.MapSpec{Name: "godmvpn_devices", Type: ebpf.Hash, KeySize: 8, ValueSize: 8, MaxEntries: maxDevices}},
		{&d.pairs, ebpf.MapSpec{Name: "godmvpn_pairs", Type: ebpf.LRUHash, KeySize: 32, ValueSize: 8, MaxEntries: MaxPairs}},
		{&d.all, ebpf.MapSpec{Name: "godmvpn_all", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}},
		{&d.ring, ebpf.MapSpec{Name: "godmvpn_ring", Type: ebpf.RingBuf, MaxEntries: ringSize}},
	} {
		if *m.to, err = ebpf.NewMap(&m.spec); err != nil {
			return d, err
		}
	}
	if d.note, err = ebpf.NewProgram(noteSpec()); err != nil {
		return d, err
	}
	d.detect, err = ebpf.NewProgram(detectSpec(maps{d.devices.FD(), d.pairs.FD(), d.all.FD(), d.ring.FD()}))
	if err != nil {
		return d, err
	}
	d.reader, err = ringbuf.NewReader(d.ring)
	return d, err
}

// Programs returns the programs for packets that come in and for those that leave.
func (d *Detector) Programs() (in, out *ebpf.Program) { return d.note, d.detect }

// Add puts a device into a group, and out of the one that it was in. Group 0 is
// the device by itself.
func (d *Detector) Add(index int, group uint32) error {
	value := uint64(group)
	if group == 0 {
		value = 1<<32 | uint64(index)
	}
	return d.devices.Put(uint64(index), value)
}

// Remove takes a device out of its group.
func (d *Detector) Remove(index int) error {
	err := d.devices.Delete(uint64(index))
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil
	}
	return err
}

// ErrClosed is what Read returns after Close.
var ErrClosed = ringbuf.ErrClosed

// Read waits for a sample.
func (d *Detector) Read() (Sample, error) {
	for {
		if err := d.reader.ReadInto(&d.record); err != nil {
			return Sample{}, err
		}
		if s, ok := parse(d.record.RawSample); ok {
			return s, nil
		}
	}
}

func parse(b []byte) (s Sample, ok bool) {
	if len(b) < sampleSize {
		return s, false
	}
	n := binary.NativeEndian.Uint64(b[sampleLen:])
	if n > MaxPacket {
		return s, false
	}
	s.In, s.Out = int(binary.NativeEndian.Uint64(b[sampleIn:])), int(binary.NativeEndian.Uint64(b[sampleOut:]))
	s.Packet = append([]byte(nil), b[samplePacket:samplePacket+n]...)
	return s, true
}

// Close gives up the program and its tables, and ends Read. A filter that uses them
// keeps them.
func (d *Detector) Close() error {
	var errs []error
	if d.reader != nil {
		errs = append(errs, d.reader.Close())
	}
	for _, p := range []*ebpf.Program{d.note, d.detect} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	for _, m := range []*ebpf.Map{d.devices, d.pairs, d.all, d.ring} {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}
