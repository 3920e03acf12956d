package linuxkernel

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// openXfrm opens the sockets for SAs and policies and finds out what there can be. It
// returns the one that listens, nil if there is none.
func (p *Provider) openXfrm() *socket {
	sock, err := openSocketOf(p.opt.Namespace, unix.NETLINK_XFRM)
	if err != nil {
		p.noPolicy, p.noESP = err, err
		return nil
	}
	sub, err := p.subscribeXfrm()
	if err != nil {
		sock.close()
		p.noPolicy, p.noESP = err, err
		return nil
	}
	p.x = newWriter(sock)
	p.noESP = p.probeESP()
	return sub
}

// probeESP makes an SA and takes it away again: only then the kernel looks for what it
// needs, and loads its modules.
func (p *Provider) probeESP() error {
	const never = 1<<32 - 1 // SPI: of this machine to itself, where no SA is needed
	lo := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	probe := dataplane.SA{ESP: rib.ESP{Source: lo, Destination: lo, SPI: never, Window: 64,
		Cipher: rib.AESGCM16, CipherKey: rib.NewSecret([]byte("godmvpn looks for it"))}}
	err := p.x.do(xfrmNewSA, 0, func(e *encoder) { saMessage(e, probe, false) })
	return errors.Join(err, p.dropSA(probe.Key()))
}
