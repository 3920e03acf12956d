package replicate

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Revision is counted up whenever the program or the layout of its maps changes,
// so that a program which an earlier version left in the kernel is known.
const Revision = 1

// Verdicts of the program (linux/pkt_cls.h).
const (
	VerdictNext   = -1 // TC_ACT_UNSPEC: go on with the next filter
	VerdictDrop   = 2  // TC_ACT_SHOT: the sender sees an error
	VerdictStolen = 4  // TC_ACT_STOLEN: the sender sees success
)

// A packet is copied in two steps, since the verifier's work grows with the
// length of the program: once for each group of peers, and of these once for each
// peer.
const (
	groupSize = 128
	numGroups = 64
	// MaxPeers is how many peers a tunnel can have.
	MaxPeers = groupSize * numGroups
)

// Protocol constants.
const (
	protoGRE  = 47     // RFC 2784
	greLen    = 4      // RFC 2784 section 2
	greKeyLen = 4      // RFC 2890 section 2
	greKeyBit = 0x2000 // RFC 2890 section 2
	tunnelKey = 0x0004
)

// transport is the family of the outer header.
type transport struct {
	ipLen   int16 // of the outer IP header
	protoAt int16
	daddrAt int16
	addrLen int16
	// keyFlag is the first half of the GRE header of a tunnel with a key. Over IPv6 it
	// has, at this point, the kernel's own bit for it (TUNNEL_KEY, net/ip_tunnels.h).
	keyFlag int32
}

var (
	over4 = transport{ipLen: 20, protoAt: 9, daddrAt: 16, addrLen: 4, keyFlag: network(greKeyBit)}  // RFC 791 section 3.1
	over6 = transport{ipLen: 40, protoAt: 6, daddrAt: 24, addrLen: 16, keyFlag: network(tunnelKey)} // RFC 8200 section 3
)

// The first byte of a header.
const (
	ipPlain     = 0x45 // IPv4, without options
	version6    = 0x60 // IPv6, beside what belongs to the traffic class
	versionMask = 0xf0
)

// headerLen is what is kept of the header: it is followed by the key, if there is one,
// which the kernel writes only when the packet leaves the device.
func (t transport) headerLen() int16 { return t.ipLen + greLen }

// The value of the state map: what the runs of the program on one packet tell
// each other. There is one for each processor: what follows from a packet runs on
// the processor on which the packet is, and nothing else of this device between.
const (
	stateMode   = 0 // what the next run of the program is for
	stateSlot   = 4 // for modeGroup: the group's first slot
	stateLen    = 8 // of the header with the key
	stateHeader = 12
)

// stateSize is the length of the value.
func (t transport) stateSize() uint32 { return stateHeader + uint32(t.headerLen()) }

// Modes.
const (
	modeIdle  = iota // no packet is being copied
	modeBusy         // one is; the run is about another packet
	modeGroup        // the run is about the packet that goes to the peers of a group
	modeCopy         // the run is about the packet that goes to one peer
)

// Offsets in struct __sk_buff (linux/bpf.h).
const skbIfindex = 40

// atKey is where on the program's stack, below the frame pointer, the key of a map is.
const atKey = -8

// atHeader is where the header is.
func (t transport) atHeader() int16 { return atKey - t.headerLen() }

// Registers that outlive calls.
const (
	rSkb   = asm.R6
	rState = asm.R7
	rSlot  = asm.R8
	rCount = asm.R9 // slots in use
)

// extentKey is the key of the peers' map under which it says how many slots are
// in use; the peers follow.
const extentKey = 0

const (
	next   = "next"
	drop   = "drop"
	stolen = "stolen"
)

// network returns v as a load of its bytes in network byte order gives it.
func network(v uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v)))
}

// programSpec returns the program over two maps, by their file descriptors.
func (t transport) programSpec(state, peers int) *ebpf.ProgramSpec {
	code := asm.Instructions{asm.Mov.Reg(rSkb, asm.R1)}
	code = append(code, lookup(state, asm.Mov.Imm(asm.R1, 0), drop)...)
	code = append(code,
		asm.Mov.Reg(rState, asm.R0),
		asm.LoadMem(asm.R1, rState, stateMode, asm.Word),
		asm.JEq.Imm(asm.R1, modeCopy, "copy"),
		asm.JEq.Imm(asm.R1, modeGroup, "group"),
	)
	code = append(code, t.begin(peers)...)
	code = append(code, t.group(peers)...)
	code = append(code, t.deliver()...)
	return &ebpf.ProgramSpec{
		Name: "godmvpn_mcast", Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: append(code,
			asm.Mov.Imm(asm.R0, VerdictNext).WithSymbol(next), asm.Return(),
			asm.Mov.Imm(asm.R0, VerdictDrop).WithSymbol(drop), asm.Return(),
			asm.Mov.Imm(asm.R0, VerdictStolen).WithSymbol(stolen), asm.Return(),
		),
	}
}

// lookup leaves a pointer to the value in R0, or goes to the label if there is
// none. key leaves the key in R1.
func lookup(m int, key asm.Instruction, none string) asm.Instructions {
	return asm.Instructions{
		key,
		asm.StoreMem(asm.RFP, atKey, asm.R1, asm.Word),
		asm.LoadMapPtr(asm.R1, m),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atKey),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, none),
	}
}

// again sends a clone of the packet, without its outer header, by the same
// device, where it meets the program in the mode given.
func again(mode int64) asm.Instructions {
	return asm.Instructions{
		asm.StoreImm(rState, stateMode, mode, asm.Word),
		asm.Mov.Reg(asm.R1, rSkb),
		asm.LoadMem(asm.R2, rSkb, skbIfindex, asm.Word),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnCloneRedirect.Call(),
		asm.StoreImm(rState, stateMode, modeBusy, asm.Word), // if it did not come that far
	}
}

// begin is the first run on a packet: one with an outer header. What is for
// everybody is copied, all else goes on.
func (t transport) begin(peers int) asm.Instructions {
	code := asm.Instructions{
		asm.Mov.Reg(rSlot, asm.R1), // the mode
		asm.Mov.Reg(asm.R1, rSkb),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, int32(t.atHeader())),
		asm.Mov.Imm(asm.R4, int32(t.headerLen())),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, next),
	}
	code = append(code, t.forEverybody()...)
	code = append(code,
		asm.JNE.Imm(rSlot, modeIdle, drop), // a copy that came back by its own tunnel
	)
	for at := int16(0); at < t.headerLen(); at += 4 {
		code = append(code,
			asm.LoadMem(asm.R1, asm.RFP, t.atHeader()+at, asm.Word),
			asm.StoreMem(rState, stateHeader+at, asm.R1, asm.Word))
	}
	code = append(code, lookup(peers, asm.Mov.Imm(asm.R1, extentKey), stolen)...)
	code = append(code, asm.LoadMem(rCount, asm.R0, 0, asm.Word))
	for n := range numGroups {
		code = append(code,
			asm.JLE.Imm(rCount, int32(n*groupSize), "end"),
			asm.StoreImm(rState, stateSlot, int64(n*groupSize+1), asm.Word))
		code = append(code, again(modeGroup)...)
	}
	return append(code,
		asm.StoreImm(rState, stateMode, modeIdle, asm.Word).WithSymbol("end"),
		asm.Ja.Label(stolen),
	)
}

// forEverybody goes on with a packet that has the outer header of GRE and is
// addressed to the device's broadcast address or, on a device without one, to a
// group. It leaves the header's length with the key in the state.
func (t transport) forEverybody() asm.Instructions {
	code := t.toEverybody()
	return append(code,
		asm.Mov.Imm(asm.R2, int32(t.headerLen())).WithSymbol("everybody"),
		asm.LoadMem(asm.R1, asm.RFP, t.atHeader()+t.ipLen, asm.Half),
		asm.JEq.Imm(asm.R1, 0, "long"),
		asm.JNE.Imm(asm.R1, t.keyFlag, drop), // no tunnel of ours
		asm.Mov.Imm(asm.R2, int32(t.headerLen()+greKeyLen)),
		asm.StoreMem(rState, stateLen, asm.R2, asm.Word).WithSymbol("long"),
	)
}

// toEverybody goes on, or to "everybody", with what is for everybody.
func (t transport) toEverybody() asm.Instructions {
	code := asm.Instructions{asm.LoadMem(asm.R1, asm.RFP, t.atHeader(), asm.Byte)}
	if t == over6 {
		code = append(code, asm.And.Imm(asm.R1, versionMask), asm.JNE.Imm(asm.R1, version6, next))
	} else {
		code = append(code, asm.JNE.Imm(asm.R1, ipPlain, next))
	}
	to := t.atHeader() + t.daddrAt
	code = append(code,
		asm.LoadMem(asm.R1, asm.RFP, t.atHeader()+t.protoAt, asm.Byte),
		asm.JNE.Imm(asm.R1, protoGRE, next))
	if t == over4 {
		return append(code,
			asm.LoadMem(asm.R1, asm.RFP, to, asm.Word),
			asm.HostTo(asm.BE, asm.R1, asm.Word),
			asm.JEq.Imm(asm.R1, int32(binary.BigEndian.Uint32(Broadcast.AsSlice())), "everybody"),
			asm.RSh.Imm(asm.R1, 28),
			asm.JNE.Imm(asm.R1, 0xe, next), // 224.0.0.0/4
		)
	}
	code = append(code,
		asm.LoadMem(asm.R1, asm.RFP, to, asm.Byte),
		asm.JEq.Imm(asm.R1, 0xff, "everybody"), // ff00::/8
	)
	all := Broadcast6.As16()
	for at := int16(0); at < t.addrLen; at += 4 {
		code = append(code,
			asm.LoadMem(asm.R1, asm.RFP, to+at, asm.Word),
			asm.HostTo(asm.BE, asm.R1, asm.Word),
			asm.JNE.Imm(asm.R1, int32(binary.BigEndian.Uint32(all[at:])), next))
	}
	return code
}

// group is the run on the clone for a group: it makes the copies of the group.
func (t transport) group(peers int) asm.Instructions {
	code := asm.Instructions{
		asm.StoreImm(rState, stateMode, modeBusy, asm.Word).WithSymbol("group"),
		asm.LoadMem(rSlot, rState, stateSlot, asm.Word),
	}
	for n := range groupSize {
		skip := fmt.Sprint("slot", n+1)
		code = append(code, lookup(peers, asm.Mov.Reg(asm.R1, rSlot), stolen)...)
		code = append(code,
			asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
			asm.JEq.Imm(asm.R1, 0, skip), // the slot is free: no station has an address that begins so
			asm.StoreMem(rState, stateHeader+t.daddrAt, asm.R1, asm.Word))
		for at := int16(4); at < t.addrLen; at += 4 {
			code = append(code,
				asm.LoadMem(asm.R1, asm.R0, at, asm.Word),
				asm.StoreMem(rState, stateHeader+t.daddrAt+at, asm.R1, asm.Word))
		}
		code = append(code, again(modeCopy)...)
		code = append(code, asm.Add.Imm(rSlot, 1).WithSymbol(skip))
	}
	return append(code, asm.Ja.Label(stolen))
}

// deliver is the run on the clone for a peer: it puts the header before the
// packet, and the packet goes its way.
func (t transport) deliver() asm.Instructions {
	return asm.Instructions{
		asm.StoreImm(rState, stateMode, modeBusy, asm.Word).WithSymbol("copy"),
		asm.Mov.Reg(asm.R1, rSkb),
		asm.LoadMem(asm.R2, rState, stateLen, asm.Word),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkbChangeHead.Call(), // it fills with zeros
		asm.JNE.Imm(asm.R0, 0, drop),
		asm.Mov.Reg(asm.R1, rSkb),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, rState),
		asm.Add.Imm(asm.R3, stateHeader),
		asm.Mov.Imm(asm.R4, int32(t.headerLen())),
		asm.Mov.Imm(asm.R5, 0),
		asm.FnSkbStoreBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, drop),
		asm.Ja.Label(next),
	}
}
