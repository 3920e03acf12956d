package simnet

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// hash is a running 64-bit hash in which order matters: multiply and fold, eight
// bytes at a time. Each step is a bijection of the state for a given word.
type hash struct{ state uint64 }

func newHash() hash { return hash{0x9e3779b97f4a7c15} }

func (h *hash) add(words ...uint64) {
	for _, w := range words {
		h.word(w)
	}
}

func (h *hash) word(w uint64) {
	h.state = bits.RotateLeft64(h.state^w*0xd6e8feb86659fd93, 29) * 0x9fb21c651e98df25
}

func (h *hash) addBytes(b []byte) {
	h.word(uint64(len(b)))
	for ; len(b) >= 8; b = b[8:] {
		h.word(binary.LittleEndian.Uint64(b))
	}
	if len(b) > 0 {
		var tail [8]byte
		copy(tail[:], b)
		h.word(binary.LittleEndian.Uint64(tail[:]))
	}
}

func (h *hash) addAddr(a netip.AddrPort) {
	b := a.Addr().As16()
	h.word(binary.BigEndian.Uint64(b[:8]))
	h.word(binary.BigEndian.Uint64(b[8:]))
	h.word(uint64(a.Addr().BitLen())<<16 | uint64(a.Port()))
}

func (h *hash) addPacket(node, port int, p *Packet) {
	h.add(uint64(node), uint64(port), uint64(p.Protocol))
	h.addAddr(p.Src)
	h.addAddr(p.Dst)
	h.addBytes(p.Payload)
}

func (h *hash) sum() uint64 {
	x := h.state
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	x = (x ^ x>>29) * 0x9fb21c651e98df25
	return x ^ x>>32
}
