package mss

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Revision is counted up whenever the program changes, so that a program which
// an earlier version left in the kernel is known and replaced.
const Revision = 1

// Header is what packets on a device begin with.
type Header uint8

// The kinds of headers.
const (
	Ethernet Header = iota // Ethernet, perhaps with a VLAN tag
	Network                // IPv4, or outer headers of a tunnel and then IPv4
)

// Verdict is what the program returns for every packet: TC_ACT_UNSPEC, go on
// with the next filter (linux/pkt_cls.h).
const Verdict = -1

// Protocol constants.
const (
	typeIPv4 = 0x0800 // IEEE 802 EtherTypes
	typeVLAN = 0x8100
	typeQinQ = 0x88a8

	etherLen = 14
	tagLen   = 4

	protoTCP     = 6
	fragmentMask = 0x1fff // fragment offset, RFC 791 section 3.1
	ipMinLen     = 20
	vlanIDMask   = 0x0fff // IEEE 802.1Q

	tcpMinLen   = 20 // RFC 9293 section 3.1
	tcpOffsetAt = 12
	tcpSumAt    = 16
	tcpSYN      = 0x02
	optionsMax  = 40 // bytes

	optEnd, optNOP, optMSS = 0, 1, 2 // RFC 9293 section 3.1
	optMSSLen              = 4
)

// Offsets in struct __sk_buff (linux/bpf.h).
const (
	skbLen         = 0
	skbProtocol    = 16
	skbVLANPresent = 20
	skbVLANTCI     = 24
)

const netHeader = 1 // BPF_HDR_START_NET, linux/bpf.h

// The program's stack, below the frame pointer.
const (
	atOption = -8       // four bytes of an option, or two of another field
	atLimit  = -16      // the limit in network byte order
	atIP     = -40      // the fixed part of the IPv4 header
	atType   = atIP - 2 // the EtherType before it
)

// Registers that outlive calls.
const (
	rSkb = asm.R6
	rAt  = asm.R7 // offset of the IP header, then of the option at hand
	rTCP = asm.R8 // offset of the TCP header
	rEnd = asm.R9 // end of the IP packet, then of the TCP header
)

const done = "done"

// Spec returns the program for a limit in bytes.
func Spec(limit uint16, h Header) *ebpf.ProgramSpec {
	var code asm.Instructions
	code = append(code, asm.Mov.Reg(rSkb, asm.R1))
	if h == Ethernet {
		code = append(code, findEthernet()...)
	} else {
		code = append(code, findNetwork()...)
	}
	code = append(code, checkIP()...)
	code = append(code, checkTCP()...)
	code = append(code, walk(limit)...)
	return &ebpf.ProgramSpec{
		Name: "godmvpn_mss", Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: append(code, asm.Mov.Imm(asm.R0, Verdict).WithSymbol(done), asm.Return()),
	}
}

// Load loads the program into the kernel. The caller closes it; filters that use
// it keep it.
func Load(limit uint16, h Header) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(Spec(limit, h))
	if err != nil {
		return nil, fmt.Errorf("loading the BPF program that adjusts the MSS: %w", err)
	}
	return p, nil
}

// network returns v as a load of two bytes in network byte order gives it.
func network(v uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v)))
}

// read copies n bytes at offset from of the packet to the stack.
func read(from asm.Register, add int32, to int32, n int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, rSkb),
		asm.Mov.Reg(asm.R2, from),
		asm.Add.Imm(asm.R2, add),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, to),
		asm.Mov.Imm(asm.R4, n),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, done),
	}
}

// findEthernet leaves the offset of the IPv4 header in rAt and the header's
// fixed part on the stack.
func findEthernet() asm.Instructions {
	code := asm.Instructions{asm.Mov.Imm(rAt, etherLen)}
	code = append(code, read(rAt, -2, atType, 2+ipMinLen)...)
	code = append(code,
		asm.LoadMem(asm.R1, asm.RFP, atType, asm.Half),
		asm.JEq.Imm(asm.R1, network(typeIPv4), "found"),
		asm.JEq.Imm(asm.R1, network(typeVLAN), "tagged"),
		asm.JNE.Imm(asm.R1, network(typeQinQ), done),
		asm.Mov.Imm(rAt, etherLen+tagLen).WithSymbol("tagged"),
	)
	code = append(code, read(rAt, -2, atType, 2+ipMinLen)...)
	return append(code,
		asm.LoadMem(asm.R1, asm.RFP, atType, asm.Half),
		asm.JNE.Imm(asm.R1, network(typeIPv4), done),
		// A tag beside the packet, other than a priority, is of another device.
		asm.LoadMem(asm.R1, rSkb, skbVLANPresent, asm.Word).WithSymbol("found"),
		asm.JEq.Imm(asm.R1, 0, "own"),
		asm.LoadMem(asm.R1, rSkb, skbVLANTCI, asm.Word),
		asm.And.Imm(asm.R1, vlanIDMask),
		asm.JNE.Imm(asm.R1, 0, done),
		// What the verifier knows of the offset it would follow through all
		// options, thirty times as long as without. It takes the length for any
		// number.
		asm.LoadMem(asm.R1, rSkb, skbLen, asm.Word).WithSymbol("own"),
		asm.Add.Reg(rAt, asm.R1),
		asm.Sub.Reg(rAt, asm.R1),
	)
}

// findNetwork is findEthernet for devices without Ethernet headers.
func findNetwork() asm.Instructions {
	code := asm.Instructions{
		asm.LoadMem(asm.R1, rSkb, skbProtocol, asm.Word),
		asm.JNE.Imm(asm.R1, network(typeIPv4), done),
		asm.Mov.Reg(asm.R1, rSkb),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, atOption),
		asm.Mov.Imm(asm.R4, 4),
		asm.Mov.Imm(asm.R5, netHeader),
		asm.FnSkbLoadBytesRelative.Call(),
		asm.JNE.Imm(asm.R0, 0, done),
		asm.LoadMem(asm.R1, asm.RFP, atOption+2, asm.Half), // total length
		asm.HostTo(asm.BE, asm.R1, asm.Half),
		asm.LoadMem(rAt, rSkb, skbLen, asm.Word),
		asm.JGT.Reg(asm.R1, rAt, done),
		asm.Sub.Reg(rAt, asm.R1),
		asm.Mov.Reg(asm.R1, rAt),
		asm.And.Imm(asm.R1, 1),
		asm.JNE.Imm(asm.R1, 0, done), // no header of a tunnel is odd, and the checksum's helper wants it even
	}
	code = append(code, read(rAt, 0, atIP, ipMinLen)...)
	return append(code,
		asm.LoadMem(asm.R1, asm.RFP, atOption, asm.Word),
		asm.LoadMem(asm.R2, asm.RFP, atIP, asm.Word),
		asm.JNE.Reg(asm.R1, asm.R2, done), // not where the kernel sees it
	)
}

// checkIP goes on with TCP in IPv4 that is not a later fragment. It leaves the
// offset of the TCP header in rTCP and the end of the IP packet in rEnd.
func checkIP() asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.RFP, atIP+9, asm.Byte),
		asm.JNE.Imm(asm.R1, protoTCP, done),
		asm.LoadMem(asm.R1, asm.RFP, atIP+6, asm.Half),
		asm.And.Imm(asm.R1, network(fragmentMask)),
		asm.JNE.Imm(asm.R1, 0, done),
		asm.LoadMem(asm.R1, asm.RFP, atIP, asm.Byte), // version and header length
		asm.Mov.Reg(rTCP, asm.R1),
		asm.RSh.Imm(asm.R1, 4),
		asm.JNE.Imm(asm.R1, 4, done),
		asm.And.Imm(rTCP, 15),
		asm.LSh.Imm(rTCP, 2),
		asm.JLT.Imm(rTCP, ipMinLen, done),
		asm.Add.Reg(rTCP, rAt),
		asm.LoadMem(rEnd, asm.RFP, atIP+2, asm.Half), // total length
		asm.HostTo(asm.BE, rEnd, asm.Half),
		asm.Add.Reg(rEnd, rAt),
	}
}

// checkTCP goes on with SYNs whose TCP header is within the IP packet. It leaves
// the offset of the first option in rAt and their end in rEnd, which is before it
// where the data offset is less than any header has.
func checkTCP() asm.Instructions {
	code := read(rTCP, tcpOffsetAt, atOption, 2)
	return append(code,
		asm.LoadMem(asm.R1, asm.RFP, atOption+1, asm.Byte), // flags
		asm.And.Imm(asm.R1, tcpSYN),
		asm.JEq.Imm(asm.R1, 0, done),
		asm.LoadMem(asm.R1, asm.RFP, atOption, asm.Byte), // data offset
		asm.RSh.Imm(asm.R1, 4),
		asm.LSh.Imm(asm.R1, 2),
		asm.Add.Reg(asm.R1, rTCP),
		asm.JGT.Reg(asm.R1, rEnd, done),
		asm.Mov.Reg(rEnd, asm.R1),
		asm.Mov.Reg(rAt, rTCP),
		asm.Add.Imm(rAt, tcpMinLen),
	)
}

// walk goes over the options and lowers what is above the limit. The loop is
// unrolled: the verifier, where it follows what a processor may do by speculation,
// finds no end of one.
func walk(limit uint16) asm.Instructions {
	code := asm.Instructions{asm.StoreImm(asm.RFP, atLimit, int64(network(limit)), asm.Half)}
	for n := range optionsMax - optMSSLen + 1 {
		code = append(code, look(limit, n)...)
	}
	return code
}

// look looks at the nth option, at rAt, and leaves the offset of the next there.
func look(limit uint16, n int) asm.Instructions {
	here := func(label string) string { return fmt.Sprint(label, n) }
	code := asm.Instructions{
		asm.Mov.Reg(asm.R1, rAt).WithSymbol(here("option")),
		asm.Add.Imm(asm.R1, optMSSLen),
		asm.JGT.Reg(asm.R1, rEnd, done), // no room for an MSS option any more
	}
	code = append(code, read(rAt, 0, atOption, optMSSLen)...)
	code = append(code,
		asm.LoadMem(asm.R1, asm.RFP, atOption, asm.Byte), // kind
		asm.JEq.Imm(asm.R1, optEnd, done),
		asm.Mov.Imm(asm.R2, 1),
		asm.JEq.Imm(asm.R1, optNOP, here("next")),
		asm.LoadMem(asm.R2, asm.RFP, atOption+1, asm.Byte), // length
		asm.JLT.Imm(asm.R2, 2, done),
		asm.JNE.Imm(asm.R1, optMSS, here("next")),
		asm.JNE.Imm(asm.R2, optMSSLen, here("next")),
		asm.LoadMem(asm.R3, asm.RFP, atOption+2, asm.Half), // what is announced
		asm.HostTo(asm.BE, asm.R3, asm.Half),
		asm.JLE.Imm(asm.R3, int32(limit), here("next")),
	)
	code = append(code, rewrite(limit, here("even"))...)
	return append(code,
		asm.Mov.Imm(asm.R2, optMSSLen),
		asm.Add.Reg(rAt, asm.R2).WithSymbol(here("next")),
	)
}

// rewrite puts the limit into the option at rAt and corrects the checksum. The
// option goes first: what is behind the checksum being writable, the checksum
// is, so that there cannot be one without the other.
func rewrite(limit uint16, even string) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, rSkb),
		asm.Mov.Reg(asm.R2, rAt),
		asm.Add.Imm(asm.R2, 2),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, atLimit),
		asm.Mov.Imm(asm.R4, 2),
		asm.Mov.Imm(asm.R5, 0),
		asm.FnSkbStoreBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, done),
		asm.LoadMem(asm.R3, asm.RFP, atOption+2, asm.Half),
		asm.Mov.Imm(asm.R4, network(limit)),
		// At an odd offset the two bytes are halves of different words of the
		// checksum: the same as one word with its bytes swapped (RFC 1071 section 2).
		asm.Mov.Reg(asm.R1, rAt),
		asm.Sub.Reg(asm.R1, rTCP),
		asm.And.Imm(asm.R1, 1),
		asm.JEq.Imm(asm.R1, 0, even),
		swap(asm.R3),
		swap(asm.R4),
		asm.Mov.Reg(asm.R1, rSkb).WithSymbol(even),
		asm.Mov.Reg(asm.R2, rTCP),
		asm.Add.Imm(asm.R2, tcpSumAt),
		asm.Mov.Imm(asm.R5, 2), // size of the field; no part of the pseudo-header
		asm.FnL4CsumReplace.Call(),
	}
}

// swap exchanges the two bytes of a register.
func swap(r asm.Register) asm.Instruction {
	if network(1) == 1 {
		return asm.HostTo(asm.LE, r, asm.Half)
	}
	return asm.HostTo(asm.BE, r, asm.Half)
}
