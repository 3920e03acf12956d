package linuxkernel

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// maxNextHops is how many next hops of one route are used; the kernel takes more.
const maxNextHops = 64

// probe finds out what this kernel can do, but for what takes a BPF program to find out:
// most routers need few of those, and to load and to free one takes time.
func (p *Provider) probe() dataplane.Caps {
	release := kernelRelease()
	c := dataplane.Caps{
		Name:         "Linux " + release,
		Dummy:        p.probeKind("dummy"),
		VRF:          p.probeKind("vrf"),
		GRE:          p.probeKind(kindGRE),
		IPv6:         probeIPv6(),
		AddressOwner: atLeast(release, 5, 18),
		MaxNextHops:  maxNextHops,
	}
	c.NeighborMiss = c.GRE
	c.Policy, c.ESP = p.noPolicy == nil, p.noESP == nil
	p.unclamped, p.uncopied, p.blind = sync.OnceValue(p.probeClamp), sync.OnceValue(p.probeCopier), sync.OnceValue(p.probeHairpin)
	p.unnoted, p.unshaped, p.uncounted = sync.OnceValue(p.probeUse), sync.OnceValue(p.probeShaper), sync.OnceValue(p.probeNomatch)
	p.landlocked = sync.OnceValue(func() error { return p.probeIPv6Transport(release) })
	return c
}

// probeKind asks for a device of the kind that the kernel must refuse: if it
// does not know the kind, it says so; if it does, it finds the fault. Asking
// makes it load its module.
func (p *Provider) probeKind(kind string) bool {
	const name = "godmvpn-probe"
	err := p.w.ask(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, func(e *encoder) {
		linkHeader(e, 0, 0, 0)
		e.text(unix.IFLA_IFNAME, name)
		gre := kind == kindGRE || kind == kindGRE6
		if !gre {
			e.bytes(unix.IFLA_ADDRESS, []byte{1, 2, 3, 4}) // too short for Ethernet
		}
		info := e.open(unix.IFLA_LINKINFO | nested)
		e.text(unix.IFLA_INFO_KIND, kind)
		d := e.open(unix.IFLA_INFO_DATA | nested)
		if gre {
			e.be16(greIflags, greVersionBit) // GRE version 1 is PPTP
		}
		e.shut(d)
		e.shut(info)
	})
	if err == nil { // a kernel that is less strict than any known
		if d, ok, err := p.device(name); err == nil && ok {
			_ = p.removeDevice(d.Index)
		}
		return true
	}
	return is(err, unix.EINVAL)
}

func probeIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "?"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// atLeast reports whether a release such as "6.1.0-18-amd64" is not older.
func atLeast(release string, major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(strings.ReplaceAll(release, "-", "."), "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}
