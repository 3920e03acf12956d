package mgre6

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/replicate"
)

// Revision is counted up whenever a program changes, so that one which an earlier
// version left in the kernel is known.
const Revision = 1

// VerdictDrop is what the programs return for what they drop: TC_ACT_SHOT
// (linux/pkt_cls.h).
const VerdictDrop = 2

// Config is what Encap is made for.
type Config struct {
	Carrier int // index of the device that sends
	HasKey  bool
	Key     uint32 // RFC 2890
	TTL     uint8  // hop limit of the outer packet; 0 leaves it to the kernel
	TOS     uint8  // traffic class of the outer packet
}

// Protocol constants.
const (
	ipLen    = 40 // RFC 8200 section 3
	srcAt    = 8
	dstAt    = 24
	addrLen  = 16
	nextAt   = 6
	protoGRE = 47 // RFC 2784
)

// struct bpf_tunnel_key, linux/bpf.h.
const (
	keyID     = 0
	keyRemote = 4
	keyTOS    = 20 // then TTL and two bytes of flags
	keyLabel  = 24
	keyLocal  = 28
	keySize   = 44
)

// Flags of bpf_skb_set_tunnel_key, linux/bpf.h.
const (
	tunInfoIPv6 = 1 << 0
	zeroCsum    = 1 << 1
	noKey       = 1 << 4 // BPF_F_NO_TUNNEL_KEY, Linux 6.2
)

// The program's stack, below the frame pointer.
const (
	atKey  = -48
	atNext = -56
)

const rSkb = asm.R6

const drop = "drop"

// load copies bytes of the packet to the stack, or drops it.
func load(from int32, to int32, n int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, rSkb),
		asm.Mov.Imm(asm.R2, from),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, to),
		asm.Mov.Imm(asm.R4, n),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, drop),
	}
}

// setKey hands the metadata on the stack to the kernel; it goes to the label if that
// takes it.
func setKey(flags int32, taken string) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, rSkb),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, atKey),
		asm.Mov.Imm(asm.R3, keySize),
		asm.Mov.Imm(asm.R4, flags),
		asm.FnSkbSetTunnelKey.Call(),
		asm.JEq.Imm(asm.R0, 0, taken),
	}
}

// network returns v as a load of its bytes in network byte order gives it.
func network(v uint32) int32 {
	return int32(binary.NativeEndian.Uint32(binary.BigEndian.AppendUint32(nil, v)))
}

// encapSpec returns the program for packets that leave a tunnel.
func encapSpec(c Config) *ebpf.ProgramSpec {
	code := asm.Instructions{asm.Mov.Reg(rSkb, asm.R1)}
	code = append(code, load(0, atNext, 8)...)
	code = append(code,
		asm.LoadMem(asm.R1, asm.RFP, atNext, asm.Byte),
		asm.RSh.Imm(asm.R1, 4),
		asm.JNE.Imm(asm.R1, 6, drop),
		asm.LoadMem(asm.R1, asm.RFP, atNext+nextAt, asm.Byte),
		asm.JNE.Imm(asm.R1, protoGRE, drop),
	)
	code = append(code, load(dstAt, atKey+keyRemote, addrLen)...)
	code = append(code, station()...)
	code = append(code, load(srcAt, atKey+keyLocal, addrLen)...)
	// The two bytes of flags must be 0.
	class := network(uint32(c.TOS)<<24 | uint32(c.TTL)<<16)
	code = append(code,
		asm.Mov.Imm(asm.R1, int32(c.Key)),
		asm.StoreMem(asm.RFP, atKey+keyID, asm.R1, asm.Word),
		asm.Mov.Imm(asm.R1, class),
		asm.StoreMem(asm.RFP, atKey+keyTOS, asm.R1, asm.Word),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.RFP, atKey+keyLabel, asm.R1, asm.Word),
	)
	if !c.HasKey {
		code = append(code, setKey(tunInfoIPv6|zeroCsum|noKey, "send")...)
	}
	code = append(code, setKey(tunInfoIPv6|zeroCsum, "send")...)
	return &ebpf.ProgramSpec{
		Name: "godmvpn_mgre6", Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: append(code,
			asm.Mov.Imm(asm.R0, VerdictDrop).WithSymbol(drop),
			asm.Return(),
			asm.Mov.Imm(asm.R1, int32(c.Carrier)).WithSymbol("send"),
			asm.Mov.Imm(asm.R2, 0),
			asm.FnRedirect.Call(),
			asm.Return(),
		),
	}
}

// station goes on with a destination that can be one station.
func station() asm.Instructions {
	b := replicate.Broadcast6.As16()
	word := func(n int) int32 { return network(binary.BigEndian.Uint32(b[4*n:])) }
	at := func(n int) int16 { return int16(atKey + keyRemote + 4*n) }
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.RFP, at(0), asm.Byte),
		asm.JEq.Imm(asm.R1, 0xff, drop), // ff00::/8
		asm.LoadMem(asm.R1, asm.RFP, at(0), asm.Word),
		asm.LoadMem(asm.R2, asm.RFP, at(1), asm.Word),
		asm.LoadMem(asm.R3, asm.RFP, at(2), asm.Word),
		asm.LoadMem(asm.R4, asm.RFP, at(3), asm.Word),
		asm.JNE.Imm32(asm.R1, word(0), "some"),
		asm.JNE.Imm32(asm.R2, word(1), "some"),
		asm.JNE.Imm32(asm.R3, word(2), "some"),
		asm.JEq.Imm32(asm.R4, word(3), drop),
		asm.Or.Reg(asm.R1, asm.R2).WithSymbol("some"),
		asm.Or.Reg(asm.R1, asm.R3),
		asm.Or.Reg(asm.R1, asm.R4),
		asm.JEq.Imm32(asm.R1, 0, drop), // ::
	}
}

// Encap loads the program for packets that leave a tunnel.
func Encap(c Config) (*ebpf.Program, error) { return open(encapSpec(c)) }

// Sink loads the program that drops what it meets.
func Sink() (*ebpf.Program, error) {
	return open(&ebpf.ProgramSpec{
		Name: "godmvpn_sink", Type: ebpf.SchedCLS, License: "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, VerdictDrop), asm.Return()},
	})
}

func open(spec *ebpf.ProgramSpec) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(spec)
	if err != nil {
		return nil, fmt.Errorf("loading a BPF program of tunnels over IPv6: %w", err)
	}
	return p, nil
}
