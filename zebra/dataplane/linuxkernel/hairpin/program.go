package hairpin

import (
	"encoding/binary"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Revision is counted up whenever the program or the layout of its maps changes,
// so that a program which an earlier version left in the kernel is known.
const Revision = 1

// Verdict is what the program returns for every packet: TC_ACT_UNSPEC, go on
// with the next filter (linux/pkt_cls.h).
const Verdict = -1

// The limits of sampling; see the package comment.
const (
	PairInterval = 8 * time.Second
	PairBurst    = 2
	Interval     = 10 * time.Millisecond
	Burst        = 100
	MaxPairs     = 16384
)

// MaxPacket is how many bytes of a packet a sample has at most, from its IP header
// on: two IPv6 headers and what TCP and UDP begin with, or the 64 bytes and more of
// an IPv4 packet that an answer shows.
const MaxPacket = 128

// Protocol constants.
const (
	typeIPv4 = 0x0800 // IEEE 802 EtherTypes
	typeIPv6 = 0x86dd

	ipv4Len     = 20 // RFC 791 section 3.1
	ipv4TotalAt = 2
	ipv4SrcAt   = 12
	ipv4DstAt   = 16
	ipv6Len     = 40 // RFC 8200 section 3
	ipv6SizeAt  = 4
	ipv6SrcAt   = 8
	ipv6DstAt   = 24

	multicast4 = 0xe0   // first byte of 224.0.0.0/4; 240.0.0.0/4 is above
	linkLocal4 = 0xa9fe // 169.254.0.0/16, RFC 3927
	multicast6 = 0xff   // first byte of ff00::/8
	linkLocal6 = 0xfe80 // fe80::/10, RFC 4291 section 2.5.6
	linkMask6  = 0xffc0 // ten bits
)

// Offsets in struct __sk_buff (linux/bpf.h).
const (
	skbProtocol = 16
	skbIngress  = 36
	skbIfindex  = 40
	skbTCIndex  = 44
)

const netHeader = 1 // BPF_HDR_START_NET, linux/bpf.h

// A sample in the ring: two indexes of devices, the number of bytes of the packet,
// and the packet. The numbers have eight bytes each, as all that the program puts
// on its stack: verifiers before Linux 6.3 take a shorter one in the place of another
// for an attack, unless there is CAP_PERFMON.
const (
	sampleIn     = 0
	sampleOut    = 8
	sampleLen    = 16
	samplePacket = 24
	sampleSize   = samplePacket + MaxPacket
)

// The program's stack, below the frame pointer.
const (
	atKey    = -8          // of the devices' map
	atAll    = -16         // key of the map for all pairs
	atNew    = -24         // the value of a new pair
	atPair   = atNew - 32  // source and destination, IPv4 addresses as mapped ones
	atHeader = atPair - 40 // the IP header
	atSample = atHeader - sampleSize
)

// Registers that outlive calls.
const (
	rSkb = asm.R6
	rIn  = asm.R7 // index of the device by which the packet came in, then the sample's length
	rNow = asm.R8
)

const done = "done"

// maps are the file descriptors of the program's maps.
type maps struct{ devices, pairs, all, ring int }

// network returns v as a load of its bytes in network byte order gives it.
func network(v uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v)))
}

// finish makes a program of code that goes to done.
func finish(name string, code asm.Instructions) *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{
		Name: name, Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: append(code, asm.Mov.Imm(asm.R0, Verdict).WithSymbol(done), asm.Return()),
	}
}

// noteSpec returns the program for packets that come in. An index that does not fit
// is not noted.
func noteSpec() *ebpf.ProgramSpec {
	return finish("godmvpn_note", asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, skbIfindex, asm.Word),
		asm.JGT.Imm(asm.R2, 0xffff, done),
		asm.StoreMem(asm.R1, skbTCIndex, asm.R2, asm.Word),
	})
}

// detectSpec returns the program for packets that leave.
func detectSpec(m maps) *ebpf.ProgramSpec {
	code := asm.Instructions{asm.Mov.Reg(rSkb, asm.R1)}
	code = append(code, sameGroup(m)...)
	code = append(code, header()...)
	code = append(code, limit(m)...)
	code = append(code, sample(m)...)
	return finish("godmvpn_hairpin", code)
}

// find leaves a pointer to the value of a key on the stack in R0, or 0.
func find(m int, key int32) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, m),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, key),
		asm.FnMapLookupElem.Call(),
	}
}

// findDevice is find for the device whose index is in R1.
func findDevice(m maps) asm.Instructions {
	return append(asm.Instructions{asm.StoreMem(asm.RFP, atKey, asm.R1, asm.DWord)}, find(m.devices, atKey)...)
}

// sameGroup goes on with packets that came in by a device of the group of the one
// by which they leave. It leaves the index of the first in rIn.
func sameGroup(m maps) asm.Instructions {
	code := asm.Instructions{
		asm.LoadMem(rIn, rSkb, skbIngress, asm.Word),
		asm.JEq.Imm(rIn, 0, done), // our own
		asm.LoadMem(asm.R2, rSkb, skbIfindex, asm.Word),
		asm.JEq.Reg(rIn, asm.R2, "same"),
		asm.Mov.Reg(asm.R1, rIn),
	}
	code = append(code, findDevice(m)...)
	code = append(code,
		asm.JNE.Imm(asm.R0, 0, "member"),
		// By no device of a group, or by the VRF of one.
		asm.LoadMem(rIn, rSkb, skbTCIndex, asm.Word),
		asm.JEq.Imm(rIn, 0, done),
		asm.Mov.Reg(asm.R1, rIn),
	)
	code = append(code, findDevice(m)...)
	code = append(code,
		asm.JEq.Imm(asm.R0, 0, done),
		asm.LoadMem(rNow, asm.R0, 0, asm.DWord).WithSymbol("member"),
		asm.LoadMem(asm.R1, rSkb, skbIfindex, asm.Word),
	)
	code = append(code, findDevice(m)...)
	return append(code,
		asm.JEq.Imm(asm.R0, 0, done),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.JNE.Reg(asm.R1, rNow, done),
	)
}

// load copies the beginning of the packet, as many bytes as R4 says, to the stack.
func load(to int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, rSkb),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, to),
		asm.Mov.Imm(asm.R5, netHeader),
		asm.FnSkbLoadBytesRelative.Call(),
	}
}

// header goes on with packets of IPv4 and IPv6 between stations, and leaves their
// addresses on the stack, and their length in rNow. Where the IP header is the
// kernel knows; on multipoint tunnels there are outer headers before it.
func header() asm.Instructions {
	code := asm.Instructions{
		asm.LoadMem(asm.R1, rSkb, skbProtocol, asm.Word).WithSymbol("same"),
		asm.JEq.Imm(asm.R1, network(typeIPv6), "ipv6"),
		asm.JNE.Imm(asm.R1, network(typeIPv4), done),
		asm.Mov.Imm(asm.R4, ipv4Len),
	}
	code = append(code, load(atHeader)...)
	code = append(code,
		asm.JNE.Imm(asm.R0, 0, done),
		asm.LoadMem(asm.R1, asm.RFP, atHeader, asm.Byte),
		asm.RSh.Imm(asm.R1, 4),
		asm.JNE.Imm(asm.R1, 4, done),
	)
	for i, from := range []int16{ipv4SrcAt, ipv4DstAt} {
		to := int16(atPair + 16*i)
		code = append(code,
			asm.LoadMem(asm.R1, asm.RFP, atHeader+from, asm.Byte),
			asm.JEq.Imm(asm.R1, 0, done),
			asm.JGE.Imm(asm.R1, multicast4, done),
			asm.LoadMem(asm.R1, asm.RFP, atHeader+from, asm.Half),
			asm.JEq.Imm(asm.R1, network(linkLocal4), done),
			asm.Mov.Imm(asm.R1, 0),
			asm.StoreMem(asm.RFP, to, asm.R1, asm.DWord), // ::ffff:0:0/96, RFC 4291 section 2.5.5.2
			asm.StoreImm(asm.RFP, to+8, 0, asm.Half),
			asm.StoreImm(asm.RFP, to+10, -1, asm.Half),
			asm.LoadMem(asm.R1, asm.RFP, atHeader+from, asm.Word),
			asm.StoreMem(asm.RFP, to+12, asm.R1, asm.Word),
		)
	}
	code = append(code,
		asm.LoadMem(rNow, asm.RFP, atHeader+ipv4TotalAt, asm.Half),
		asm.HostTo(asm.BE, rNow, asm.Half),
		asm.JLT.Imm(rNow, ipv4Len, done),
		asm.Ja.Label("stations"),
		asm.Mov.Imm(asm.R4, ipv6Len).WithSymbol("ipv6"),
	)
	return append(code, header6()...)
}

// header6 is header for IPv6.
func header6() asm.Instructions {
	code := append(load(atHeader),
		asm.JNE.Imm(asm.R0, 0, done),
		asm.LoadMem(asm.R1, asm.RFP, atHeader, asm.Byte),
		asm.RSh.Imm(asm.R1, 4),
		asm.JNE.Imm(asm.R1, 6, done),
	)
	for i, from := range []int16{ipv6SrcAt, ipv6DstAt} {
		to := int16(atPair + 16*i)
		code = append(code,
			asm.LoadMem(asm.R1, asm.RFP, atHeader+from, asm.Byte),
			asm.JEq.Imm(asm.R1, multicast6, done),
			asm.LoadMem(asm.R1, asm.RFP, atHeader+from, asm.Half),
			asm.And.Imm(asm.R1, network(linkMask6)),
			asm.JEq.Imm(asm.R1, network(linkLocal6), done),
			asm.LoadMem(asm.R1, asm.RFP, atHeader+from, asm.DWord),
			asm.LoadMem(asm.R2, asm.RFP, atHeader+from+8, asm.DWord),
			asm.StoreMem(asm.RFP, to, asm.R1, asm.DWord),
			asm.StoreMem(asm.RFP, to+8, asm.R2, asm.DWord),
			asm.Or.Reg(asm.R1, asm.R2),
			asm.JEq.Imm(asm.R1, 0, done), // unspecified
		)
	}
	return append(code,
		asm.LoadMem(rNow, asm.RFP, atHeader+ipv6SizeAt, asm.Half),
		asm.HostTo(asm.BE, rNow, asm.Half),
		asm.Add.Imm(rNow, ipv6Len),
	)
}

// limit goes on with what may be told of, and counts it. It moves the packet's
// length to the sample.
func limit(m maps) asm.Instructions {
	code := asm.Instructions{
		asm.StoreMem(asm.RFP, atSample+sampleLen, rNow, asm.DWord).WithSymbol("stations"),
		asm.FnKtimeGetNs.Call(),
		asm.Mov.Reg(rNow, asm.R0),
	}
	code = append(code, find(m.pairs, atPair)...)
	code = append(code,
		asm.Mov.Reg(asm.R1, rNow),
		asm.JEq.Imm(asm.R0, 0, "unknown"),
	)
	code = append(code, conform(asm.R0, "pair", (PairBurst-1)*PairInterval)...)
	code = append(code,
		asm.LoadImm(asm.R2, int64(PairInterval), asm.DWord).WithSymbol("unknown"),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.StoreMem(asm.RFP, atNew, asm.R1, asm.DWord),
		asm.StoreImm(asm.RFP, atAll, 0, asm.Word),
	)
	code = append(code, find(m.all, atAll)...)
	code = append(code, asm.JEq.Imm(asm.R0, 0, done))
	code = append(code, conform(asm.R0, "all", (Burst-1)*Interval)...)
	code = append(code,
		asm.Add.Imm(asm.R1, int32(Interval)),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
		// Not by the pointer to the old value: where there is none the verifier
		// follows what a processor may do by speculation.
		asm.LoadMapPtr(asm.R1, m.pairs),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atPair),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, atNew),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
	)
	return code
}

// conform goes on if the time is not before the arrival time at value by more than
// the tolerance, and leaves the later of the two in R1.
func conform(value asm.Register, label string, tolerance time.Duration) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, value, 0, asm.DWord),
		asm.LoadImm(asm.R2, int64(tolerance), asm.DWord),
		asm.Add.Reg(asm.R2, rNow),
		asm.JGT.Reg(asm.R1, asm.R2, done),
		asm.JGE.Reg(asm.R1, rNow, label),
		asm.Mov.Reg(asm.R1, rNow),
		asm.Mov.Reg(asm.R2, asm.R1).WithSymbol(label),
	}
}

// sample tells of the packet. If so many of its bytes are not at hand, since they
// are elsewhere in memory or do not exist, it tells the IP header.
func sample(m maps) asm.Instructions {
	code := asm.Instructions{
		asm.StoreMem(asm.RFP, atSample+sampleIn, rIn, asm.DWord),
		asm.LoadMem(asm.R1, rSkb, skbIfindex, asm.Word),
		asm.StoreMem(asm.RFP, atSample+sampleOut, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R1, 0),
	}
	for at := int16(0); at < MaxPacket; at += 8 {
		code = append(code, asm.StoreMem(asm.RFP, atSample+samplePacket+at, asm.R1, asm.DWord))
	}
	code = append(code,
		asm.LoadMem(rIn, asm.RFP, atSample+sampleLen, asm.DWord),
		asm.JLE.Imm(rIn, MaxPacket, "short"),
		asm.Mov.Imm(rIn, MaxPacket),
		asm.JLT.Imm(rIn, ipv4Len, done).WithSymbol("short"), // never; the verifier wants to know
		asm.Mov.Reg(asm.R4, rIn),
	)
	code = append(code, load(atSample+samplePacket)...)
	code = append(code,
		asm.JEq.Imm(asm.R0, 0, "loaded"),
		asm.Mov.Imm(rIn, ipv6Len),
		asm.LoadMem(asm.R1, rSkb, skbProtocol, asm.Word),
		asm.JEq.Imm(asm.R1, network(typeIPv6), "whole"),
		asm.Mov.Imm(rIn, ipv4Len),
		asm.Mov.Reg(asm.R4, rIn).WithSymbol("whole"),
	)
	code = append(code, load(atSample+samplePacket)...)
	return append(code,
		asm.JNE.Imm(asm.R0, 0, done),
		asm.StoreMem(asm.RFP, atSample+sampleLen, rIn, asm.DWord).WithSymbol("loaded"),
		asm.LoadMapPtr(asm.R1, m.ring),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atSample),
		asm.Mov.Imm(asm.R3, sampleSize),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnRingbufOutput.Call(),
	)
}
