package classify

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Revision is counted up whenever the program or the layout of its map changes, so
// that a program which an earlier version left in the kernel is known.
const Revision = 1

// MaxPeers is how many peers of a tunnel can have a class.
const MaxPeers = 8192

// Protocol constants (RFC 791 section 3.1, RFC 2784).
const (
	ipMinLen   = 20
	ipPlain    = 0x45 // version 4, a header without options
	protocolAt = 9
	protoGRE   = 47
	daddrAt    = 16
)

// noClass is the verdict about a packet that is in no class.
const noClass = 0

// atHeader is where the program has the outer header, below the frame pointer.
const atHeader = -ipMinLen - 4

// Classifier is a program with its table. It belongs to one device. Its methods may be
// called by one goroutine at a time.
type Classifier struct {
	classes *ebpf.Map
	prog    *ebpf.Program
}

// New loads a program with an empty table.
func New() (c *Classifier, err error) {
	c = &Classifier{}
	defer func() {
		if err != nil {
			c.Close()
			c, err = nil, fmt.Errorf("loading the BPF program that tells peers apart: %w", err)
		}
	}()
	c.classes, err = ebpf.NewMap(&ebpf.MapSpec{Name: "godmvpn_classes", Type: ebpf.Hash, KeySize: 4, ValueSize: 4, MaxEntries: MaxPeers})
	if err != nil {
		return c, err
	}
	c.prog, err = ebpf.NewProgram(programSpec(c.classes.FD()))
	return c, err
}

// programSpec returns the program over a map, by its file descriptor.
func programSpec(classes int) *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{
		Name: "godmvpn_class", Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R2, 0),
			asm.Mov.Reg(asm.R3, asm.RFP),
			asm.Add.Imm(asm.R3, atHeader),
			asm.Mov.Imm(asm.R4, ipMinLen),
			asm.FnSkbLoadBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, "none"),
			asm.LoadMem(asm.R1, asm.RFP, atHeader, asm.Byte),
			asm.JNE.Imm(asm.R1, ipPlain, "none"),
			asm.LoadMem(asm.R1, asm.RFP, atHeader+protocolAt, asm.Byte),
			asm.JNE.Imm(asm.R1, protoGRE, "none"),
			asm.LoadMapPtr(asm.R1, classes),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, atHeader+daddrAt),
			asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "none"),
			asm.LoadMem(asm.R0, asm.R0, 0, asm.Word),
			asm.Return(),
			asm.Mov.Imm(asm.R0, noClass).WithSymbol("none"),
			asm.Return(),
		},
	}
}

// FD returns the file descriptor of the program.
func (c *Classifier) FD() int { return c.prog.FD() }

// ID returns the kernel's number for the program, which it does not use again.
func (c *Classifier) ID() (uint32, error) {
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

// Close gives up the program and its table. A filter that uses them keeps them.
func (c *Classifier) Close() error {
	var errs []error
	if c.prog != nil {
		errs = append(errs, c.prog.Close())
	}
	if c.classes != nil {
		errs = append(errs, c.classes.Close())
	}
	return errors.Join(errs...)
}

// Put has packets for an NBMA address be in a class, given as in linux/pkt_sched.h:
// the queueing discipline's number and the class's, 16 bits each.
func (c *Classifier) Put(nbma netip.Addr, class uint32) error {
	return c.classes.Put(nbma.As4(), class)
}

// Remove has packets for an NBMA address be in no class.
func (c *Classifier) Remove(nbma netip.Addr) error {
	if err := c.classes.Delete(nbma.As4()); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return err
	}
	return nil
}
