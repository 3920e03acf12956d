package peeruse

import (
	"encoding/binary"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Revision is counted up whenever the program or the layout of its map changes, so
// that a program which an earlier version left in the kernel is known.
const Revision = 1

// Verdict is what the program returns for every packet: TC_ACT_UNSPEC, go on
// with the next filter (linux/pkt_cls.h).
const Verdict = -1

// MaxNotes is how many peers of all tunnels can be noted between two readings.
const MaxNotes = 16384

// Protocol constants.
const (
	ipPlain    = 0x45 // RFC 791 section 3.1: version 4, a header without options
	protocolAt = 9
	daddrAt    = 16
	ipMinLen   = 20
	protoGRE   = 47     // RFC 2784
	greTypeAt  = 2      // RFC 2784 section 2
	typeNHRP   = 0x2001 // RFC 2332 section 5.1
	multicast  = 0xe0   // first byte of 224.0.0.0/4; 240.0.0.0/4 is above
	loopback   = 0x7f   // first byte of 127.0.0.0/8
	// headerLen is what is looked at of a packet: up to the type of what is inside.
	headerLen = ipMinLen + greTypeAt + 2
)

// Offsets in struct __sk_buff (linux/bpf.h).
const (
	skbIfindex = 40
	skbData    = 76
	skbDataEnd = 80
)

// The program's stack, below the frame pointer. Eight bytes for each, since verifiers
// before Linux 6.3 take a shorter value in the place of another for an attack, unless
// there is CAP_PERFMON.
const (
	atKey   = -8
	atValue = -16
)

const done = "done"

// network returns v as a load of its bytes in network byte order gives it.
func network(v uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v)))
}

// A key of the map is the index of a device, and the two halves of an IPv4 address as
// loads of two bytes give them: the verifier takes packets for aligned like Ethernet's,
// where an address in an IPv4 header that comes first is not. A value means nothing.
func parse(key uint64) Use {
	var nbma [4]byte
	binary.NativeEndian.PutUint16(nbma[:], uint16(key>>16))
	binary.NativeEndian.PutUint16(nbma[2:], uint16(key))
	return Use{Index: int(key >> 32), NBMA: netip.AddrFrom4(nbma)}
}

// programSpec returns the program over its map, by file descriptor.
func programSpec(notes int) *ebpf.ProgramSpec {
	const packet, end, key = asm.R2, asm.R3, asm.R4
	return &ebpf.ProgramSpec{
		Name: "godmvpn_use", Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: asm.Instructions{
			asm.LoadMem(packet, asm.R1, skbData, asm.Word),
			asm.LoadMem(end, asm.R1, skbDataEnd, asm.Word),
			asm.Mov.Reg(asm.R5, packet),
			asm.Add.Imm(asm.R5, headerLen),
			asm.JGT.Reg(asm.R5, end, done),
			asm.LoadMem(asm.R5, packet, 0, asm.Byte),
			asm.JNE.Imm(asm.R5, ipPlain, done),
			asm.LoadMem(asm.R5, packet, protocolAt, asm.Byte),
			asm.JNE.Imm(asm.R5, protoGRE, done),
			asm.LoadMem(asm.R5, packet, ipMinLen+greTypeAt, asm.Half),
			asm.JEq.Imm(asm.R5, network(typeNHRP), done),
			asm.LoadMem(asm.R5, packet, daddrAt, asm.Byte),
			asm.JGE.Imm(asm.R5, multicast, done),
			asm.JEq.Imm(asm.R5, loopback, done),
			asm.LoadMem(key, asm.R1, skbIfindex, asm.Word),
			asm.LSh.Imm(key, 16),
			asm.LoadMem(asm.R5, packet, daddrAt, asm.Half),
			asm.Or.Reg(key, asm.R5),
			asm.LSh.Imm(key, 16),
			asm.LoadMem(asm.R5, packet, daddrAt+2, asm.Half),
			asm.Or.Reg(key, asm.R5),
			asm.StoreMem(asm.RFP, atKey, key, asm.DWord),
			asm.LoadMapPtr(asm.R1, notes),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, atKey),
			asm.FnMapLookupElem.Call(),
			asm.JNE.Imm(asm.R0, 0, done),
			asm.Mov.Imm(asm.R1, 0),
			asm.StoreMem(asm.RFP, atValue, asm.R1, asm.DWord),
			asm.LoadMapPtr(asm.R1, notes),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, atKey),
			asm.Mov.Reg(asm.R3, asm.RFP),
			asm.Add.Imm(asm.R3, atValue),
			asm.Mov.Imm(asm.R4, 0),
			asm.FnMapUpdateElem.Call(),
			asm.Mov.Imm(asm.R0, Verdict).WithSymbol(done),
			asm.Return(),
		},
	}
}
