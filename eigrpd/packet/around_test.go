package packet

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
)

// TestAppendAround puts every golden packet together from its TLVs.
func TestAppendAround(t *testing.T) {
	for _, g := range goldens() {
		if g.reads {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			tlvs, err := g.msg.AppendTLVs(nil)
			if err != nil {
				t.Fatal(err)
			}
			m := Message{Opcode: g.msg.Opcode, Flags: g.msg.Flags, Sequence: g.msg.Sequence, Ack: g.msg.Ack, VRID: g.msg.VRID, AS: g.msg.AS}
			got, err := m.AppendAround([]byte("before"), tlvs, g.key, g.source)
			if err != nil {
				t.Fatal(err)
			}
			want, err := g.msg.Append([]byte("before"), g.key, g.source)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
		})
	}
}

// TestAppendAroundRefuses: what is too long for a packet with its header is refused.
func TestAppendAroundRefuses(t *testing.T) {
	m := Message{Opcode: Update, AS: 1}
	for _, test := range []struct {
		n    int
		key  *Key
		want Reason
	}{
		{MaxPacketSize - HeaderLen, nil, 0},
		{MaxPacketSize - HeaderLen + 1, nil, ReasonTooLong},
		{MaxPacketSize - HeaderLen, &Key{ID: 1, Algorithm: KeyedMD5, Secret: []byte("s")}, ReasonTooLong},
	} {
		b, err := m.AppendAround(nil, make([]byte, test.n), test.key, netip.Addr{})
		var e *Error
		if errors.As(err, &e); (e == nil) != (test.want == 0) || e != nil && (e.Reason != test.want || len(b) != 0) {
			t.Errorf("%d octets: %v", test.n, err)
		}
	}
	m.Unknown = []TLV{{Type: 0x7777, Value: make([]byte, MaxPacketSize)}}
	if b, err := m.AppendTLVs(nil); err == nil || len(b) != 0 {
		t.Errorf("%d octets of TLVs: %v", len(b), err)
	}
}
