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
	protoGRE  = 47     // RFC 2784
	greTypeAt = 2      // RFC 2784 section 2
	typeNHRP  = 0x2001 // the EtherType of NHRP

	ipv4Plain  = 0x45 // RFC 791 section 3.1: version 4, a header without options
	ipv4Len    = 20
	ipv4Proto  = 9
	ipv4DstAt  = 16
	multicast4 = 0xe0 // first byte of 224.0.0.0/4; 240.0.0.0/4 is above
	loopback4  = 0x7f // first byte of 127.0.0.0/8

	ipv6Len    = 40 // RFC 8200 section 3
	ipv6NextAt = 6
	ipv6DstAt  = 24
	multicast6 = 0xff   // first byte of ff00::/8
	discard6   = 0x0100 // first of the four words of 100::/64, RFC 6666, whose others are 0
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
	atAddrLow  = -8
	atAddrHigh = -16
	atKey      = -24 // the index of the device; the address follows
	atValue    = -32
	keySize    = 24
)

// Registers.
const (
	rSkb    = asm.R1
	rPacket = asm.R2
	rEnd    = asm.R3
	rHigh   = asm.R4 // halves of the address
	rLow    = asm.R0
	rTmp    = asm.R5
)

const done = "done"

// network returns v as a load of its bytes in network byte order gives it.
func network(v uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v)))
}

// parse reads a key of the map: the index of a device, and a destination in two halves,
// an IPv4 address as a mapped one (RFC 4291 section 2.5.5.2). Each half is put together
// of loads of two bytes, first come uppermost: the verifier takes packets for aligned
// like Ethernet's, where an address in a header that comes first is not.
func parse(k [keySize / 8]uint64) Use {
	var b [16]byte
	for i := range 4 {
		shift := 48 - 16*i
		binary.NativeEndian.PutUint16(b[2*i:], uint16(k[1]>>shift))
		binary.NativeEndian.PutUint16(b[8+2*i:], uint16(k[2]>>shift))
	}
	return Use{Index: int(k[0]), NBMA: netip.AddrFrom16(b).Unmap()}
}

// gather shifts n words of the packet into a register.
func gather(to asm.Register, at int16, n int) (code asm.Instructions) {
	for i := range int16(n) {
		code = append(code,
			asm.LSh.Imm(to, 16),
			asm.LoadMem(rTmp, rPacket, at+2*i, asm.Half),
			asm.Or.Reg(to, rTmp),
		)
	}
	return code
}

// long goes on with packets of at least so many bytes.
func long(n int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(rTmp, rPacket),
		asm.Add.Imm(rTmp, n),
		asm.JGT.Reg(rTmp, rEnd, done),
	}
}

// data goes on with GRE that is not NHRP.
func data(protoAt, headerLen int16) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(rTmp, rPacket, protoAt, asm.Byte),
		asm.JNE.Imm(rTmp, protoGRE, done),
		asm.LoadMem(rTmp, rPacket, headerLen+greTypeAt, asm.Half),
		asm.JEq.Imm(rTmp, network(typeNHRP), done),
	}
}

// destination goes on with packets for a station, and leaves its address in the
// registers.
func destination() asm.Instructions {
	code := append(long(ipv4Len+greTypeAt+2),
		asm.LoadMem(rTmp, rPacket, 0, asm.Byte),
		asm.JNE.Imm(rTmp, ipv4Plain, "ipv6"))
	code = append(code, data(ipv4Proto, ipv4Len)...)
	code = append(code,
		asm.LoadMem(rTmp, rPacket, ipv4DstAt, asm.Byte),
		asm.JGE.Imm(rTmp, multicast4, done),
		asm.JEq.Imm(rTmp, loopback4, done),
		asm.Mov.Imm(rHigh, 0),
		asm.Mov.Imm(rLow, 0xffff))
	code = append(code, gather(rLow, ipv4DstAt, 2)...)
	code = append(code,
		asm.Ja.Label("note"),
		asm.RSh.Imm(rTmp, 4).WithSymbol("ipv6"),
		asm.JNE.Imm(rTmp, 6, done))
	code = append(code, long(ipv6Len+greTypeAt+2)...)
	code = append(code, data(ipv6NextAt, ipv6Len)...)
	code = append(code,
		asm.LoadMem(rTmp, rPacket, ipv6DstAt, asm.Byte),
		asm.JEq.Imm(rTmp, multicast6, done),
		asm.Mov.Imm(rHigh, 0),
		asm.Mov.Imm(rLow, 0))
	code = append(code, gather(rHigh, ipv6DstAt, 4)...)
	return append(append(code,
		asm.LoadImm(rTmp, int64(network(discard6))<<48, asm.DWord),
		asm.JEq.Reg(rHigh, rTmp, done)),
		gather(rLow, ipv6DstAt+8, 4)...)
}

// programSpec returns the program over its map, by file descriptor. The values mean
// nothing.
func programSpec(notes int) *ebpf.ProgramSpec {
	code := append(asm.Instructions{
		asm.LoadMem(rPacket, rSkb, skbData, asm.Word),
		asm.LoadMem(rEnd, rSkb, skbDataEnd, asm.Word),
	}, destination()...)
	return &ebpf.ProgramSpec{
		Name: "godmvpn_use", Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: append(code,
			asm.StoreMem(asm.RFP, atAddrHigh, rHigh, asm.DWord).WithSymbol("note"),
			asm.StoreMem(asm.RFP, atAddrLow, rLow, asm.DWord),
			asm.LoadMem(rTmp, rSkb, skbIfindex, asm.Word),
			asm.StoreMem(asm.RFP, atKey, rTmp, asm.DWord),
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
		),
	}
}
