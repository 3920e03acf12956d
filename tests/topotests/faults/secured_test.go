package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/labs"
)

// buildSecured is build with the labs' encryption, and static routes.
func buildSecured(t *testing.T) *trio {
	c := cloud.New(t)
	d := &trio{Cloud: c, hub: c.Add("hub", "192.0.2.1", "172.31.0.1", 10),
		spoke1: c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11), spoke2: c.Add("spoke2", "203.0.113.1", "172.31.0.12", 12)}
	for _, s := range d.Sites {
		s.WarmESP()
	}
	c.Start(func(s *cloud.Site) string {
		if s == d.hub {
			return labs.Crypto() + fmt.Sprintf("ip route %s %s\nip route %s %s\n", d.spoke1.LAN, d.spoke1.Tunnel, d.spoke2.LAN, d.spoke2.Tunnel) +
				s.Config(hubLines+labs.Protection)
		}
		return labs.Crypto() + "ip route 10.0.0.0/8 172.31.0.1\n" +
			s.Config(spokeLines+" ip nhrp map 172.31.0.1 192.0.2.1\n ip nhrp map multicast 192.0.2.1\n ip nhrp nhs 172.31.0.1\n"+labs.Protection)
	})
	d.well = d.secured
	d.Await(d.well)
	return d
}

// secured tells whether all are UP, and packets flow from LAN to LAN.
func (d *trio) secured() error {
	if err := d.hub.ShowJSON("show dmvpn", `{"interfaces": [{"interface": "Tunnel0", "type": "Hub", "nbmaPeers": 2, "peers": [
		{"nbma": "198.51.100.1", "tunnel": "172.31.0.11", "state": "UP", "attributes": "D"},
		{"nbma": "203.0.113.1", "tunnel": "172.31.0.12", "state": "UP", "attributes": "D"}]}]}`); err != nil {
		return err
	}
	for _, s := range []*cloud.Site{d.spoke1, d.spoke2} {
		if err := state(s, "UP")(); err != nil {
			return err
		}
	}
	return d.spoke1.Host.Reaches(d.spoke2.HostIP)
}

// ike tells whether a router has an IKE SA that is ready with another, or none.
func ike(s, other *cloud.Site, want bool) func() error {
	return func() error {
		out, err := s.Vtysh("show crypto ikev2 sa")
		got := false
		for line := range strings.Lines(out) {
			got = got || strings.Contains(line, other.NBMA) && strings.Contains(line, "READY")
		}
		if err == nil && got != want {
			err = fmt.Errorf("%s has an IKE SA with %s: %v\n%s", s.Name(), other.Name(), got, out)
		}
		return err
	}
}

// stuck is what a spoke shows whose way to the hub ends at a layer of encryption. An IKE SA
// whose first child SA is refused is given up, and begun anew for the next try, where
// Cisco's stays.
func (d *trio) stuck(spoke *cloud.Site, at, layer, why string) []func() error {
	return []func() error{state(spoke, at), diagnosed(spoke, layer, why),
		d.logs(spoke, "%DMVPN-5-CRYPTO_SS: Tunnel0: local address : "+spoke.NBMA+" remote address : 192.0.2.1 socket is DOWN, Reason: IPsec Session Lost"),
		d.logs(spoke, fmt.Sprintf("%%DMVPN-5-NHRP_NHS_DOWN: Tunnel0: Next Hop Server: (Tunnel: 172.31.0.1 NBMA: 192.0.2.1) for (Tunnel: %s NBMA: %s) is DOWN, Reason: IPsec Session Lost", spoke.Tunnel, spoke.NBMA))}
}

// lost is what the hub shows of a spoke whose session ended. One whose registration was on
// its way in that moment is there again until it expires, and is not UP.
func (d *trio) lost(spoke *cloud.Site) []func() error {
	return []func() error{
		d.logs(d.hub, fmt.Sprintf("%%DMVPN-5-NHRP_NHC_DOWN: Tunnel0: Next Hop Client: (Tunnel: %s NBMA: %s) for (Tunnel: 172.31.0.1 NBMA: 192.0.2.1) is DOWN, Reason: IPsec Session Lost", spoke.Tunnel, spoke.NBMA)),
		func() error {
			out, err := d.hub.Vtysh("show dmvpn")
			for line := range strings.Lines(out) {
				if err == nil && strings.Contains(line, spoke.NBMA) && strings.Contains(line, " UP ") {
					err = fmt.Errorf("the hub has %s:\n%s", spoke.NBMA, out)
				}
			}
			return err
		}}
}

// and adds an IKE SA to what a fault shows, for those that are above encryption.
func (f fault) and(up bool) fault {
	shows := f.shows
	f.shows = func(d *trio, s *cloud.Site) []func() error {
		all := shows(d, s)
		for _, spoke := range []*cloud.Site{d.spoke1, d.spoke2} {
			if s == d.hub || s == spoke {
				all = append(all, ike(spoke, d.hub, up))
			}
		}
		return all
	}
	return f
}

// answered has hosts behind the hub send to the spoke, as the hub itself does not: with
// that the spoke has something to judge by.
func (f fault) answered() fault {
	shows := f.shows
	f.shows = func(d *trio, spoke *cloud.Site) []func() error {
		ping := func() error {
			_ = d.hub.Host.Reaches(spoke.HostIP) // in vain
			return nil
		}
		return append([]func() error{ping}, shows(d, spoke)...)
	}
	return f
}

const clearSession = "clear crypto session"

// crypto makes a fault of encryption at a spoke.
func crypto(name, enter, repair, at, layer, why string) fault {
	return fault{name: name, enter: enter, repair: repair, clear: clearSession,
		shows: func(d *trio, spoke *cloud.Site) []func() error {
			return append(d.stuck(spoke, at, layer, why), d.lost(spoke)...)
		}}
}

// Faults of encryption.
var (
	// Who registers at the hub in the very moment stays there until it expires, hence not a
	// word of what the hub shows.
	bareHub = fault{
		name:  "no tunnel protection",
		enter: "no tunnel protection", repair: labs.Protection,
		shows: func(d *trio, _ *cloud.Site) []func() error {
			all := append(d.stuck(d.spoke1, "IKE", "IKE", "no answer"), d.stuck(d.spoke2, "IKE", "IKE", "with \"tunnel protection\"?")...)
			return append(all, ike(d.spoke1, d.hub, false), ike(d.spoke2, d.hub, false))
		},
	}
	// The IKEv2 profiles are there, so the IKE SA comes to be and says what fails; Cisco's hub
	// ignores the line, and the spokes show IKE.
	noProfile = fault{
		name:  "a profile that does not exist",
		enter: "tunnel protection ipsec profile NOSUCH", repair: labs.Protection, clear: clearSession,
		shows: func(d *trio, hub *cloud.Site) []func() error {
			return slices.Concat(d.stuck(d.spoke1, "IPSEC", "IPsec", "NO_PROPOSAL_CHOSEN"), d.lost(d.spoke1), d.lost(d.spoke2),
				[]func() error{d.logs(hub, "%CRYPTO-4-NOPROFILE: Tunnel0: IPsec profile NOSUCH does not exist")},
				d.stuck(d.spoke2, "IPSEC", "IPsec", "has the other end the IPsec profile that its tunnel names"))
		},
	}
	noKey = crypto("no pre-shared key", "crypto ikev2 keyring DMVPN-KR\nno peer ANY", keyring("Lab-Psk-2026"),
		"IKE", "IKE", "no pre-shared key: the keyring of the profile has no key for this peer")
	otherPSK     = crypto("another pre-shared key", keyring("another-1"), keyring("Lab-Psk-2026"), "IKE", "IKE", "are keys and identities the same in both keyrings")
	otherCiphers = crypto("no proposal in common", "crypto ikev2 proposal DMVPN-PROP\nencryption aes-cbc-128\ngroup 19",
		"crypto ikev2 proposal DMVPN-PROP\nencryption aes-cbc-256\ngroup 14", "IKE", "IKE", "no proposal is common to both ends: compare \"crypto ikev2 proposal\"")
	otherTransforms = crypto("no transform set in common", "crypto ipsec transform-set DMVPN-TS esp-gcm 128\nmode transport",
		"crypto ipsec transform-set DMVPN-TS esp-aes 256 esp-sha256-hmac\nmode transport", "IPSEC", "IPsec", "compare \"crypto ipsec transform-set\"")
	// A spoke in clear: GRE does not come through the hub's policy. The hub's kernel counts it
	// in /proc/net/xfrm_stat, and nobody says from whom it came.
	bareSpoke = fault{
		name:  "no tunnel protection",
		enter: "no tunnel protection", repair: labs.Protection,
		shows: func(d *trio, spoke *cloud.Site) []func() error {
			return append(d.lost(spoke), state(spoke, "NHRP"), ike(d.hub, spoke, false), mismatched(d.hub),
				diagnosed(spoke, "GRE", "does a tunnel with NHRP run there, without \"tunnel protection\"?"))
		},
	}
	// The hub insists on PFS, and the spoke has none. What is made with the IKE SA itself has
	// no key exchange of its own (RFC 7296 section 1.2), so only a child SA made later fails;
	// with IKEv1, of which Cisco's table tells, the first one does.
	hubPFS = fault{
		name:  "PFS here only",
		enter: "crypto ipsec profile DMVPN-IPSEC\nset pfs group14", repair: "crypto ipsec profile DMVPN-IPSEC\nno set pfs",
		shows: func(*trio, *cloud.Site) []func() error { return nil },
	}
	noPFS = fault{
		name: "child SAs made anew, without PFS", clear: "clear crypto sa",
		shows: func(d *trio, spoke *cloud.Site) []func() error {
			return append(append(d.stuck(spoke, "IPSEC", "IPsec", "\"set pfs\""), ike(spoke, d.hub, true)), d.lost(spoke)...)
		},
	}
	noESP = fault{
		name: "the provider drops ESP",
		wire: (*trio).dropESP,
		shows: func(d *trio, spoke *cloud.Site) []func() error {
			return []func() error{state(spoke, "NHRP"), ike(spoke, d.hub, true), d.logs(spoke, nhsDown(spoke)),
				diagnosed(spoke, "GRE", "is ESP (IP protocol 50; behind a NAT UDP port 4500) let through both ways")}
		},
	}
)

// keyring are the lines of the keyring with a key.
func keyring(key string) string {
	return "crypto ikev2 keyring DMVPN-KR\npeer ANY\naddress 0.0.0.0 0.0.0.0\npre-shared-key " + key
}

// mismatched tells whether a kernel dropped what ought to have come encrypted.
func mismatched(s *cloud.Site) func() error {
	return func() error {
		out, err := s.Run("cat", "/proc/net/xfrm_stat")
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "XfrmInTmplMismatch" && f[1] != "0" {
				return nil
			}
		}
		return fmt.Errorf("%s dropped nothing that came in clear:\n%s", s.Name(), out)
	}
}

// dropESP has the provider drop the ESP that comes from a site, or let it through again.
func (d *trio) dropESP(site *cloud.Site, drop bool) {
	d.T.Helper()
	r := netlink.NewRule()
	r.Family, r.Priority, r.IifName, r.IPProto, r.Type = unix.AF_INET, 1, "to-"+site.Name(), unix.IPPROTO_ESP, unix.RTN_BLACKHOLE
	do := d.Inet.Netlink().RuleDel
	if drop {
		do = d.Inet.Netlink().RuleAdd
	}
	if err := do(r); err != nil {
		d.T.Fatalf("rule of the provider: %v", err)
	}
}

// TestSecured breaks a cloud that is protected.
func TestSecured(t *testing.T) {
	t.Parallel()
	d := buildSecured(t)
	d.round(broken{d.hub, bareHub})
	d.round(broken{d.hub, noProfile})
	d.round(broken{d.hub, noNetworkID.and(true)})
	d.round(broken{d.spoke1, otherKey.and(true).answered()}, broken{d.spoke2, otherAuthentication.and(true)})
	d.round(broken{d.spoke1, wrongServer.and(true)}, broken{d.spoke2, otherPSK})
	d.round(broken{d.spoke1, noKey}, broken{d.spoke2, bareSpoke})
	d.round(broken{d.spoke1, otherCiphers}, broken{d.spoke2, otherTransforms})
	d.round(broken{d.hub, hubPFS}, broken{d.spoke1, noPFS}, broken{d.spoke2, noESP})
	d.round(broken{d.hub, pointToPoint.and(true)})
}
