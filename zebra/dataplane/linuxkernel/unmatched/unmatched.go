package unmatched

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Revision is counted up whenever the program or the layout of its map changes, so
// that a program which an earlier version left in the kernel is known.
const Revision = 1

// MaxRows is how many combinations of source, destination and key are counted.
const MaxRows = 1024

// Verdict is what the program returns for every packet: TC_ACT_SHOT (linux/pkt_cls.h).
const Verdict = 2

// Protocol constants (RFC 791 section 3.1, RFC 2784 section 2, RFC 2890 section 2).
const (
	ipMinLen   = 20
	protocolAt = 9
	saddrAt    = 12 // the destination follows
	protoGRE   = 47
	greLen     = 4
	checksum   = 0x80 // of the first byte of the GRE header
	keyed      = 0x20
	fieldLen   = 4 // of the checksum field, and of the key
)

// The program's stack, below the frame pointer. What goes into the key of the map is
// written in pieces of eight bytes, since verifiers before Linux 6.3 take a shorter value
// in the place of another for an attack, unless there is CAP_PERFMON.
const (
	atHeader = -28 // so that the addresses can be read as eight bytes
	atGRE    = -32
	atField  = -36
	atKey    = -56 // addresses, then the GRE key and whether there is one
	atValue  = -64
	keySize  = 16
)

// Row counts the packets of one combination.
type Row struct {
	Source, Destination netip.Addr
	Key                 uint32
	HasKey              bool
	Packets             uint64
}

// ErrClosed is what Read returns after Close.
var ErrClosed = errors.New("closed")

// Counter is the program with its rows. Its methods may be called by any goroutine.
type Counter struct {
	prog *ebpf.Program

	mu     sync.Mutex // guards what follows
	rows   *ebpf.Map
	closed bool
}

// New loads the program.
func New() (c *Counter, err error) {
	c = &Counter{}
	defer func() {
		if err != nil {
			c.Close()
			c, err = nil, fmt.Errorf("loading the BPF program that counts GRE for no tunnel: %w", err)
		}
	}()
	c.rows, err = ebpf.NewMap(&ebpf.MapSpec{Name: "godmvpn_nomatch", Type: ebpf.LRUHash, KeySize: keySize, ValueSize: 8, MaxEntries: MaxRows})
	if err != nil {
		return c, err
	}
	c.prog, err = ebpf.NewProgram(programSpec(c.rows.FD()))
	return c, err
}

// load leaves size bytes of the packet, from the offset in R7 on, on the stack.
func load(at int32, size int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, at),
		asm.Mov.Imm(asm.R4, size),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, "drop"),
	}
}

// programSpec returns the program over a map, by its file descriptor.
func programSpec(rows int) *ebpf.ProgramSpec {
	code := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1), asm.Mov.Imm(asm.R7, 0)}
	code = append(code, load(atHeader, ipMinLen)...)
	code = append(code,
		asm.LoadMem(asm.R1, asm.RFP, atHeader+protocolAt, asm.Byte),
		asm.JNE.Imm(asm.R1, protoGRE, "drop"),
		asm.LoadMem(asm.R7, asm.RFP, atHeader, asm.Byte), // version and length of the header
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.RSh.Imm(asm.R1, 4),
		asm.JNE.Imm(asm.R1, 4, "drop"),
		asm.And.Imm(asm.R7, 0xf),
		asm.LSh.Imm(asm.R7, 2),
	)
	code = append(code, load(atGRE, greLen)...)
	code = append(code,
		asm.Mov.Imm(asm.R8, 0), // the key, and above it whether there is one
		asm.LoadMem(asm.R9, asm.RFP, atGRE, asm.Byte),
		asm.Mov.Reg(asm.R1, asm.R9),
		asm.And.Imm(asm.R1, keyed),
		asm.JEq.Imm(asm.R1, 0, "count"),
		asm.Add.Imm(asm.R7, greLen),
		asm.And.Imm(asm.R9, checksum),
		asm.JEq.Imm(asm.R9, 0, "key"),
		asm.Add.Imm(asm.R7, fieldLen),
		asm.Mov.Imm(asm.R1, 0).WithSymbol("key"), // a place to jump to
	)
	code = append(code, load(atField, fieldLen)...)
	code = append(code,
		asm.LoadMem(asm.R8, asm.RFP, atField, asm.Word),
		asm.HostTo(asm.BE, asm.R8, asm.Word),
		asm.Mov.Imm(asm.R1, 1),
		asm.LSh.Imm(asm.R1, 32),
		asm.Or.Reg(asm.R8, asm.R1),
		asm.LoadMem(asm.R1, asm.RFP, atHeader+saddrAt, asm.DWord).WithSymbol("count"),
		asm.StoreMem(asm.RFP, atKey, asm.R1, asm.DWord),
		asm.StoreMem(asm.RFP, atKey+8, asm.R8, asm.DWord),
		asm.LoadMapPtr(asm.R1, rows),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atKey),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "new"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Ja.Label("drop"),
		asm.Mov.Imm(asm.R1, 1).WithSymbol("new"),
		asm.StoreMem(asm.RFP, atValue, asm.R1, asm.DWord),
		asm.LoadMapPtr(asm.R1, rows),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atKey),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, atValue),
		asm.Mov.Imm(asm.R4, 0), // BPF_ANY
		asm.FnMapUpdateElem.Call(),
		asm.Mov.Imm(asm.R0, Verdict).WithSymbol("drop"),
		asm.Return(),
	)
	return &ebpf.ProgramSpec{Name: "godmvpn_nomatch", Type: ebpf.SchedCLS, License: "Apache-2.0", Instructions: code}
}

// FD returns the file descriptor of the program.
func (c *Counter) FD() int { return c.prog.FD() }

// ID returns the kernel's number for the program, which it does not use again.
func (c *Counter) ID() (uint32, error) {
	info, err := c.prog.Info()
	if err != nil {
		return 0, err
	}
	id, ok := info.ID()
	if !ok {
		return 0, errors.New("the kernel does not number BPF programs")
	}
	return uint32(id), nil
}

// Read returns the rows, by source, destination and key.
func (c *Counter) Read() (all []Row, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	var key [keySize]byte
	var packets uint64
	it := c.rows.Iterate()
	for it.Next(&key, &packets) {
		all = append(all, parse(key, packets))
	}
	// A row that went while it was looked at: the others are told of next time.
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("reading what came for no tunnel: %w", err)
	}
	slices.SortFunc(all, func(a, b Row) int {
		return cmp.Or(a.Source.Compare(b.Source), a.Destination.Compare(b.Destination), cmp.Compare(a.Key, b.Key))
	})
	return all, nil
}

func parse(key [keySize]byte, packets uint64) Row {
	word := binary.NativeEndian.Uint64(key[8:])
	return Row{
		Source: netip.AddrFrom4([4]byte(key[:4])), Destination: netip.AddrFrom4([4]byte(key[4:8])),
		Key: uint32(word), HasKey: word>>32 != 0, Packets: packets,
	}
}

// Close gives up the program and its rows. A filter that uses them keeps them.
func (c *Counter) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var errs []error
	if c.prog != nil {
		errs = append(errs, c.prog.Close())
	}
	if c.rows != nil {
		errs = append(errs, c.rows.Close())
	}
	return errors.Join(errs...)
}
