package ipsec

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// cryptoLines are our configuration: all algorithms, a key for everybody. An SA is replaced
// after 90 percent of the volume.
const cryptoLines = `
crypto ikev2 proposal AEAD
 encryption aes-gcm-256 chacha20-poly1305 aes-gcm-128
 prf sha384 sha256
 group 31 19 20
crypto ikev2 proposal CBC
 encryption aes-cbc-256 aes-cbc-128
 integrity sha256
 group 14 19
crypto ikev2 policy ALL
 proposal AEAD
 proposal CBC
crypto ikev2 keyring KEYS
 peer ANY
  address 0.0.0.0 0.0.0.0
  pre-shared-key ` + secret + `
crypto ikev2 profile PSK
 match identity remote any
 authentication remote pre-share
 authentication local pre-share
 keyring local KEYS
 dpd 10 2 periodic
crypto ipsec transform-set GCM esp-gcm 256
crypto ipsec transform-set CBC esp-aes 256 esp-sha256-hmac
crypto ipsec transform-set CHACHA esp-chacha20-poly1305
crypto ipsec transform-set ESN esp-gcm 128
 esn
crypto ipsec profile CLOUD
 set security-association lifetime kilobytes 2560
 set transform-set GCM CBC CHACHA ESN
 set ikev2-profile PSK
 set pfs group19
`

// volume is what an SA of cryptoLines may pass, octets.
const volume = 2560 << 10

// tunnel is a tunnel of ours with the address 172.31.0.N.
func tunnel(n int) string {
	return fmt.Sprintf("interface Tunnel0\n ip address 172.31.0.%d 255.255.255.0\n ip mtu 1400\n ip nhrp network-id 1\n tunnel source wan\n"+
		" tunnel key 100\n tunnel mode gre multipoint\n tunnel protection ipsec profile CLOUD\n", n)
}

// cloud is a router of ours, and one with charon that has many addresses: 198.51.100.N,
// each with a tunnel to ours of its own and the address 172.31.0.N in it.
type cloud struct {
	*testing.T
	ours, peer *harness.Node
	zebra      *harness.Zebra
	charon     *harness.Charon
	wire       *harness.Capture
}

const ourAddr = "192.0.2.1"

func nbma(n int) string    { return fmt.Sprintf("198.51.100.%d", n) }
func overlay(n int) string { return fmt.Sprintf("172.31.0.%d", n) }

// site gives the router with charon an address, and a tunnel to ours.
func (c *cloud) site(n int) {
	c.Helper()
	name := fmt.Sprintf("gre%d", n)
	c.peer.Addr("wan", nbma(n)+"/32")
	c.peer.GRE(name, nbma(n), 100, overlay(n)+"/32")
	c.peer.GREPeer(name, overlay(1), ourAddr)
	link, err := c.peer.Netlink().LinkByName(name)
	if err != nil {
		c.Fatal(err)
	}
	_, all, _ := net.ParseCIDR("172.31.0.0/24")
	_, from, _ := net.ParseCIDR(overlay(n) + "/32")
	rule := netlink.NewRule()
	rule.Src, rule.Table = from, n
	if err := c.peer.Netlink().RouteAdd(&netlink.Route{Dst: all, LinkIndex: link.Attrs().Index, Table: n, Scope: netlink.SCOPE_LINK}); err != nil {
		c.Fatal(err)
	}
	if err := c.peer.Netlink().RuleAdd(rule); err != nil {
		c.Fatal(err)
	}
}

// maps tells our router where a site is, which then is to be secured.
func (c *cloud) maps(n int) {
	c.Helper()
	c.ours.Configure(fmt.Sprintf("interface Tunnel0\nip nhrp map %s %s", overlay(n), nbma(n)))
}

// with returns the associations with a site: those that we receive by, and those that we
// send by.
func (c *cloud) with(n int) (in, out []harness.ESP) {
	site := netip.MustParseAddr(nbma(n))
	for _, s := range c.ours.ESP() {
		switch site {
		case s.Source:
			in = append(in, s)
		case s.Destination:
			out = append(out, s)
		}
	}
	return in, out
}

// all are the associations with a site.
func (c *cloud) all(n int) []harness.ESP { in, out := c.with(n); return append(in, out...) }

// up waits until there is one pair of associations with a site, none of which is one of
// those before, and returns it.
func (c *cloud) up(t *testing.T, n int, before ...harness.ESP) (pair []harness.ESP) {
	t.Helper()
	harness.Eventually(t, converge, func() error {
		in, out := c.with(n)
		if pair = append(in, out...); len(in) != 1 || len(out) != 1 || slices.ContainsFunc(pair, isOf(before)) {
			return fmt.Errorf("associations with %s: %v, before %v", nbma(n), pair, before)
		}
		return nil
	})
	return pair
}

// isOf tells whether an association is one of these.
func isOf(those []harness.ESP) func(harness.ESP) bool {
	return func(s harness.ESP) bool {
		return slices.ContainsFunc(those, func(o harness.ESP) bool { return s.SPI == o.SPI && s.Destination == o.Destination })
	}
}

// passes pings a site and looks how that went: by ESP, both ways.
func (c *cloud) passes(t *testing.T, n int) {
	t.Helper()
	if err := protected(c.wire, c.ours, overlay(n)); err != nil {
		t.Error(err)
	}
}

// connection is charon's for a site.
func connection(n int, ike, esp, more string) string {
	text := replaced(charonPSK, "LOCAL", nbma(n), "REMOTE", ourAddr, "IKE", ike, "ESP", esp+"\n    rekey_time = 0", "version = 2", "version = 2\n  rekey_time = 0\n  "+more)
	return strings.Replace(text, " gre {", fmt.Sprintf(" c%d {", n), 1)
}

// newCloud starts our router; further ones can be linked to the internet.
func newCloud(t *testing.T) (*cloud, *harness.Topology, *harness.Node) {
	tp := harness.New(t)
	inet := tp.Internet("inet")
	c := &cloud{T: t, ours: tp.Router("ours"), peer: tp.Router("peer")}
	tp.Uplink(inet, c.ours, ourAddr+"/30")
	tp.Uplink(inet, c.peer, "198.51.100.1/24")
	c.ours.WarmESP()
	c.wire = c.ours.Capture("wan")
	c.zebra = c.ours.StartZebra(cryptoLines + tunnel(1))
	return c, tp, inet
}

// startCharon starts charon, which gives up soon.
func (c *cloud) startCharon() {
	c.charon = c.peer.StartCharon("retransmit_timeout = 0.5\nretransmit_tries = 3\n")
}

// variants are what is negotiated, and what the kernel is to have then.
var variants = []struct {
	name, ike, esp, more, want string
}{
	{"gcm", "aes256gcm16-prfsha384-x25519", "aes256gcm16-ecp256", "", "rfc4106(gcm(aes)) 288 bits esn=false window=128 udp=false"},
	{"cbc", "aes256-sha256-modp2048", "aes256-sha256-ecp256", "", "cbc(aes) hmac(sha256) 256 bits esn=false window=128 udp=false"},
	{"chacha", "chacha20poly1305-prfsha256-ecp256", "chacha20poly1305-ecp256", "", "rfc7539esp(chacha20,poly1305) 288 bits esn=false window=128 udp=false"},
	{"esn", "aes128gcm16-prfsha256-ecp384", "aes128gcm16-esn-ecp256", "", "rfc4106(gcm(aes)) 160 bits esn=true window=128 udp=false"},
	{"nat-t", "aes128-sha256-ecp256", "aes256gcm16-ecp256", "encap = yes", "rfc4106(gcm(aes)) 288 bits esn=false window=128 udp=true"},
}

// TestCharon negotiates each variant in both roles, at sites of their own, which stay.
func TestCharon(t *testing.T) {
	c, _, _ := newCloud(t)
	c.startCharon()
	for i, v := range variants {
		for _, role := range []string{"responder", "initiator"} {
			n := 10 + 2*i
			if role == "initiator" {
				n++
			}
			c.site(n)
			t.Run(v.name+"/"+role, func(t *testing.T) {
				c.charon.Load(connection(n, v.ike, v.esp, v.more))
				if role == "responder" {
					if err := c.charon.Initiate(fmt.Sprintf("c%d", n), "gre"); err != nil {
						t.Fatal(err)
					}
				}
				c.maps(n)
				for _, s := range c.up(t, n) {
					if !strings.Contains(strings.ReplaceAll(s.String(), "window=0", "window=128"), v.want) || !s.Transport {
						t.Errorf("%v, want %s", s, v.want)
					}
				}
				c.passes(t, n)
			})
		}
	}
	t.Run("hub of all", func(t *testing.T) {
		for i := range 2 * len(variants) {
			c.passes(t, 10+i)
		}
	})
	t.Run("childless", c.childless)
	t.Run("acquire", c.acquire)
	t.Run("rekey by charon/responder", func(t *testing.T) { c.rekeyedByCharon(t, 10) })
	t.Run("rekey by charon/initiator", func(t *testing.T) { c.rekeyedByCharon(t, 11) })
	t.Run("rekey by us/responder", func(t *testing.T) { c.rekeyedByUs(t, 10) })
	t.Run("rekey by us/initiator", func(t *testing.T) { c.rekeyedByUs(t, 11) })
	t.Run("ipsecd is killed", c.weAreKilled)
	t.Run("charon is killed", c.charonIsKilled)
	if t.Failed() {
		t.Log(c.ours.Vtysh("show crypto session detail"))
	}
	t.Run("the end", c.theEnd)
}

// flood sends this many octets to an address, in datagrams that nobody expects.
func flood(to string, octets int) error {
	conn, err := net.Dial("udp4", net.JoinHostPort(to, "9"))
	if err != nil {
		return err
	}
	defer conn.Close()
	b := make([]byte, 1300)
	for sent := 0; sent < octets; sent += len(b) {
		if _, err := conn.Write(b); err != nil && !errors.Is(err, unix.ECONNREFUSED) { // which its answer says
			return err
		}
	}
	return nil
}
