package dataplane

import (
	"os"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

// TestIPsecSeenFromOutside compares what iproute2 says with what was put.
func TestIPsecSeenFromOutside(t *testing.T) {
	e := lktest.New(t)
	gcm := dptest.SA("192.0.2.1", "192.0.2.2", 0x1000)
	gcm.CipherKey = rib.NewSecret([]byte("0123456789abcdefghijklmnopqrstuvSALT"))
	gcm.ESN, gcm.Window = true, 128
	cbc := dptest.SA("192.0.2.2", "192.0.2.1", 0x2000)
	cbc.Cipher, cbc.CipherKey = rib.AESCBC, rib.NewSecret([]byte("0123456789abcdef"))
	cbc.Integrity, cbc.IntegrityKey = rib.HMACSHA256x128, rib.NewSecret([]byte("0123456789abcdefghijklmnopqrstuv"))
	cbc.UDP = rib.UDPEncap{Source: 4500, Destination: 40001}
	cbc.Lifetime = rib.Lifetime{SoftTime: 3000, HardTime: 3600, SoftBytes: 1000, HardBytes: 2000, SoftPackets: 50, HardPackets: 100}
	one := dataplane.Policy{Policy: rib.Policy{Local: ip("192.0.2.1"), Peer: pfx("240.0.0.1/32"), Outer: ip("192.0.2.2")}}
	beet := gcm
	beet.SPI, beet.DestinationAlias = 0x3000, ip("240.0.0.1")
	put(t, e.P, gcm, cbc, beet, dataplane.Guard(ip("192.0.2.1")), one)
	state := shown(t, e, "ip", "-s", "xfrm", "state")
	policy := shown(t, e, "ip", "-s", "xfrm", "policy")
	for _, want := range []string{
		"src 192.0.2.1 dst 192.0.2.2\n\tproto esp spi 0x00001000(4096) reqid 1734637168(0x67647670) mode transport",
		"src 192.0.2.1 dst 192.0.2.2\n\tproto esp spi 0x00003000(12288) reqid 1734637168(0x67647670) mode beet",
		"sel src 192.0.2.1/32 dst 240.0.0.1/32 proto gre",
		"aead rfc4106(gcm(aes)) 0x303132333435363738396162636465666768696a6b6c6d6e6f70717273747576" + "53414c54 (288 bits) 128",
		"replay-window 0 seq 0x00000000 flag esn", "replay_window 128, bitmap-length 4",
		"auth-trunc hmac(sha256) 0x303132333435363738396162636465666768696a6b6c6d6e6f70717273747576 (256 bits) 128",
		"enc cbc(aes) 0x30313233343536373839616263646566 (128 bits)",
		"encap type espinudp sport 4500 dport 40001",
		"sel src 192.0.2.1/32 dst 192.0.2.2/32 proto gre", "limit: soft 1000(bytes), hard 2000(bytes)",
		"limit: soft 50(packets), hard 100(packets)", "expire add: soft 3000(sec), hard 3600(sec)",
		"replay_window 64, bitmap-length 2",
	} {
		if !strings.Contains(state, want) {
			t.Errorf("no %q in\n%s", want, state)
		}
	}
	for _, want := range []string{
		"src 192.0.2.1/32 dst 0.0.0.0/0 proto gre", "src 0.0.0.0/0 dst 192.0.2.1/32 proto gre", "dir out action allow", "dir in action allow", "priority 1024 ",
		"src 192.0.2.1/32 dst 240.0.0.1/32 proto gre", "priority 992 ",
		"tmpl src 192.0.2.1 dst 192.0.2.2\n\t\tproto esp spi 0x00000000(0) reqid 1734637168(0x67647670) mode beet\n\t\tlevel required share any",
		"tmpl src 192.0.2.2 dst 192.0.2.1\n\t\tproto esp spi 0x00000000(0) reqid 1734637168(0x67647670) mode beet\n\t\tlevel required share any",
		"proto esp spi 0x00000000(0) reqid 1734637168(0x67647670) mode transport\n\t\tlevel required share any",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("no %q in\n%s", want, policy)
		}
	}
	if os.Getenv("SHOW") != "" {
		t.Log(state, policy)
	}
}
