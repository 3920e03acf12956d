package cli

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// espJSON is one ESP SA.
type espJSON struct {
	SPI       string `json:"spi"`
	Transform string `json:"transform"`
	UDP       bool   `json:"udpEncapsulation"`
	Kilobytes uint64 `json:"remainingKilobytes"`
	Seconds   int64  `json:"remainingSeconds"`
	IV        int    `json:"ivOctets"`
	Window    uint32 `json:"replayWindow"`
	ESN       bool   `json:"esn"`
	Rekeyed   bool   `json:"rekeyed"` // replaced by another
}

// peerJSON are the ESP SAs with a peer at a tunnel.
type peerJSON struct {
	Interface string    `json:"interface"`
	VRF       string    `json:"vrf"` // "" is the default one
	Local     string    `json:"local"`
	Remote    string    `json:"remote"`
	Port      uint16    `json:"port"`
	Alias     string    `json:"alias"`    // by which GRE of the peer is known here, if not by its address
	Group     int       `json:"pfsGroup"` // 0: none
	Sent      uint64    `json:"packetsOut"`
	Received  uint64    `json:"packetsIn"`
	Errors    uint64    `json:"errorsIn"`
	Inbound   []espJSON `json:"inbound"`
	Outbound  []espJSON `json:"outbound"`
}

// ciphersOfESP and integrityOfESP are the words of transforms.
var (
	ciphersOfESP   = map[rib.Cipher]string{rib.AESCBC: "aes", rib.AESGCM16: "gcm", rib.ChaCha20Poly1305: "chacha20-poly1305"}
	integrityOfESP = map[rib.Integrity]string{rib.HMACSHA1x96: " esp-sha-hmac", rib.HMACSHA256x128: " esp-sha256-hmac", rib.HMACSHA384x192: " esp-sha384-hmac", rib.HMACSHA512x256: " esp-sha512-hmac"}
)

// espOf is an ESP SA of a child SA.
func espOf(c *core.ChildStatus, e rib.ESP, n rib.SACount) espJSON {
	out := espJSON{SPI: fmt.Sprintf("0x%X(%d)", e.SPI, e.SPI), Transform: "esp-" + ciphersOfESP[e.Cipher] + integrityOfESP[e.Integrity], UDP: e.UDP.Source != 0, Window: e.Window,
		ESN: e.ESN, Rekeyed: c.Rekeyed, Seconds: seconds64(remaining(c.Lifetime, c.Age)), IV: 8}
	if e.Cipher == rib.AESCBC {
		out.IV = 16
	}
	if e.Lifetime.HardBytes > n.Bytes {
		out.Kilobytes = (e.Lifetime.HardBytes - n.Bytes) >> 10
	}
	return out
}

// espPeers gathers the ESP SAs by tunnel and peer, in the order of the IKE SAs.
func espPeers(r *core.SAReport, a cli.Args) []*peerJSON {
	out := []*peerJSON{}
	find := func(s *core.SAStatus, tunnel string) *peerJSON {
		local, remote := s.Local.Addr().String(), s.Remote.Addr().String()
		for _, p := range out {
			if p.Interface == tunnel && p.Local == local && p.Remote == remote && p.Port == s.Remote.Port() && p.Alias == aliasText(s.Alias) {
				return p
			}
		}
		out = append(out, &peerJSON{Interface: tunnel, VRF: s.VRF, Local: local, Remote: remote, Port: s.Remote.Port(), Alias: aliasText(s.Alias)})
		return out[len(out)-1]
	}
	for i := range r.SAs {
		s := &r.SAs[i]
		for k := range s.Children {
			c := &s.Children[k]
			if !of(a, s.Remote.Addr(), s.Alias) {
				continue
			}
			p := find(s, c.Tunnel)
			p.Sent += c.OutCount.Packets
			p.Received += c.InCount.Packets
			p.Errors += uint64(c.InCount.Failed) + uint64(c.InCount.Replayed) + uint64(c.InCount.Late)
			p.Inbound, p.Outbound = append(p.Inbound, espOf(c, c.In, c.InCount)), append(p.Outbound, espOf(c, c.Out, c.OutCount))
			if !c.Rekeyed {
				p.Group = int(c.Group)
			}
		}
	}
	return out
}

// showIPsecSA is `show crypto ipsec sa`.
func showIPsecSA(r *core.SAReport, a cli.Args) cli.Output {
	list := espPeers(r, a)
	return cli.Output{JSON: map[string]any{"peers": list}, Text: func(w io.Writer) {
		last := ""
		for _, p := range list {
			if p.Interface != last {
				fmt.Fprintf(w, "\ninterface: %s\n    Crypto map tag: %s-head-0, local addr %s\n", p.Interface, p.Interface, p.Local)
				last = p.Interface
			}
			writePeer(w, p)
		}
	}}
}

// ident is a host and GRE as IOS writes it.
func ident(addr string) string {
	if a, err := netip.ParseAddr(addr); err == nil && a.Is6() {
		return fmt.Sprintf("(%s/128/47/0)", addr)
	}
	return fmt.Sprintf("(%s/255.255.255.255/47/0)", addr)
}

func writePeer(w io.Writer, p *peerJSON) {
	fmt.Fprintf(w, "\n   protected vrf: (none)\n   local  ident (addr/mask/prot/port): %s\n   remote ident (addr/mask/prot/port): %s\n", ident(p.Local), ident(p.Remote))
	fmt.Fprintf(w, "   current_peer %s port %d\n     PERMIT, flags={origin_is_acl,}\n", p.Remote, p.Port)
	if p.Alias != "" {
		fmt.Fprintln(w, "     alias "+p.Alias)
	}
	fmt.Fprintf(w, "    #pkts encaps: %d, #pkts encrypt: %d, #pkts digest: %d\n", p.Sent, p.Sent, p.Sent)
	fmt.Fprintf(w, "    #pkts decaps: %d, #pkts decrypt: %d, #pkts verify: %d\n", p.Received, p.Received, p.Received)
	fmt.Fprint(w, "    #pkts compressed: 0, #pkts decompressed: 0\n    #pkts not compressed: 0, #pkts compr. failed: 0\n    #pkts not decompressed: 0, #pkts decompress failed: 0\n")
	fmt.Fprintf(w, "    #send errors 0, #recv errors %d\n\n     local crypto endpt.: %s, remote crypto endpt.: %s\n", p.Errors, p.Local, p.Remote)
	current := "0x0(0)"
	for _, e := range p.Outbound {
		if !e.Rekeyed {
			current = e.SPI
		}
	}
	pfs := "N, DH group: none"
	if p.Group != 0 {
		pfs = fmt.Sprintf("Y, DH group: group%d", p.Group)
	}
	fmt.Fprintf(w, "     current outbound spi: %s\n     PFS (Y/N): %s\n", current, pfs)
	for _, direction := range []struct {
		name string
		sas  []espJSON
	}{{"inbound", p.Inbound}, {"outbound", p.Outbound}} {
		fmt.Fprintf(w, "\n     %s esp sas:\n", direction.name)
		for _, e := range direction.sas {
			writeESP(w, p, e)
		}
		fmt.Fprintf(w, "\n     %s ah sas:\n\n     %s pcp sas:\n", direction.name, direction.name)
	}
}

func writeESP(w io.Writer, p *peerJSON, e espJSON) {
	settings := "Transport, "
	if e.UDP {
		settings = "Transport UDP-Encaps, "
	}
	if e.ESN {
		settings += "esn, "
	}
	fmt.Fprintf(w, "      spi: %s\n        transform: %s ,\n        in use settings ={%s}\n        crypto map: %s-head-0\n", e.SPI, e.Transform, settings, p.Interface)
	fmt.Fprintf(w, "        sa timing: remaining key lifetime (k/sec): (%d/%d)\n        IV size: %d bytes\n        replay detection support: Y  replay window size: %d\n", e.Kilobytes, e.Seconds, e.IV, e.Window)
	status := "ACTIVE(ACTIVE)"
	if e.Rekeyed {
		status = "REKEYED"
	}
	fmt.Fprintln(w, "        Status: "+status)
}

// clock is a time span in hours, minutes and seconds, however long.
func clock(d time.Duration) string {
	s := seconds64(d)
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}
