package linuxkernel

import (
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/mgre6"
)

// What a multipoint tunnel over IPv6 sends gets its outer header from a BPF filter and
// a carrier: see package mgre6. The filter is the last of ours, since packets go no
// further. Its name says what its program was made for.
var encapPlace = place{priority: 9, handle: 0x6d6736 /* "mg6" */, prefix: "godmvpn-mgre6-"}

// carrier is the name of the device that sends for all multipoint tunnels over IPv6.
const carrier = "godmvpn-gre6"

func encapName(c mgre6.Config) string {
	key := "none"
	if c.HasKey {
		key = fmt.Sprint(c.Key)
	}
	return fmt.Sprintf("%scarrier%d-key%s-ttl%d-tos%d-v%d", encapPlace.prefix, c.Carrier, key, c.TTL, c.TOS, mgre6.Revision)
}

func sinkName() string { return fmt.Sprintf("%ssink-v%d", encapPlace.prefix, mgre6.Revision) }

// probeIPv6Transport finds out whether tunnels over IPv6 can be.
func (p *Provider) probeIPv6Transport(release string) error {
	if !atLeast(release, 6, 0) {
		return fmt.Errorf("tunnels over IPv6 need Linux 6.0, this is %s", release)
	}
	if !p.probeKind(kindGRE6) {
		return fmt.Errorf("this kernel has no devices of type %s", kindGRE6)
	}
	return p.probeBPF(func() error {
		prog, err := mgre6.Encap(mgre6.Config{Carrier: 1})
		if err == nil {
			err = prog.Close()
		}
		return err
	})
}

// putCarrier makes the carrier, unless it is there, and returns its index.
func (p *Provider) putCarrier() (int, error) {
	d, ok, err := p.device(carrier)
	if err != nil {
		return 0, err
	}
	if !ok {
		d, err = p.createDevice(carrier, kindGRE6, 0, func(e *encoder) { e.attrHeader(greExternal, 0) })
		if is(err, unix.EEXIST) {
			return 0, fmt.Errorf("%w: somebody has an external GRE device over IPv6, of which there can be one only", err)
		}
		if err != nil {
			return 0, err
		}
	}
	if d.Kind != kindGRE6 || d.GRE != nil {
		return 0, fmt.Errorf("%s exists and is not an external GRE device over IPv6: %w", carrier, unix.EEXIST)
	}
	if err := p.putOutlet(d, tcIngress, sinkName(), mgre6.Sink); err != nil {
		return 0, err
	}
	return d.Index, p.putAttrs(d, dataplane.Attrs{Admin: dataplane.AdminUp}, true)
}

// dropCarrier removes the carrier if nobody needs it any more.
func (p *Provider) dropCarrier() error {
	d, ok, err := p.device(carrier)
	if err != nil || !ok || !d.Own {
		return err
	}
	needed := false
	err = p.dump(unix.RTM_GETLINK, func(e *encoder) { linkHeader(e, 0, 0, 0) }, func(m message) {
		if d, ok := parseLink(m); ok && encapped(d.LinkInfo) {
			needed = true
		}
	})
	if err != nil || needed {
		return err
	}
	if err := p.removeDevice(d.Index); err != nil {
		return err
	}
	return p.saved.forgetClsact(carrier)
}

// encapped reports whether a device is a multipoint tunnel of ours over IPv6.
func encapped(l dataplane.LinkInfo) bool { return multipoint(l) && l.Kind == kindGRE6 }

// putEncap brings into force by what a multipoint tunnel over IPv6 sends.
func (p *Provider) putEncap(d device, t dataplane.Tunnel) error {
	index, err := p.putCarrier()
	if err != nil {
		return fmt.Errorf("tunnel %s over IPv6: %w", t.Name, err)
	}
	c := mgre6.Config{Carrier: index, HasKey: t.HasKey, Key: t.GREKey, TTL: t.TTL, TOS: t.TOS}
	if !c.HasKey {
		c.Key = 0
	}
	if err := p.putOutlet(d, tcEgress, encapName(c), func() (*ebpf.Program, error) { return mgre6.Encap(c) }); err != nil {
		return fmt.Errorf("tunnel %s over IPv6: %w", t.Name, err)
	}
	return nil
}

// putOutlet attaches a program that needs no tables, unless it is there.
func (p *Provider) putOutlet(d device, hook uint32, name string, load func() (*ebpf.Program, error)) error {
	fs, err := p.filters(d.Index)
	if err != nil {
		return err
	}
	for _, f := range fs {
		switch {
		case f.own(encapPlace) && f.parent == hook && f.name == name:
			return nil
		case f.at(encapPlace) && !f.own(encapPlace) && f.parent == hook:
			return fmt.Errorf("somebody's filter on %s has priority %d and handle %#x", d.Name, encapPlace.priority, encapPlace.handle)
		}
	}
	if err := p.putClsact(d); err != nil {
		return err
	}
	prog, err := load()
	if err != nil {
		return err
	}
	defer prog.Close() // the filter keeps it
	return p.putFilter(d, hook, encapPlace, prog.FD(), name)
}

// encaps reports whether a multipoint tunnel over IPv6 sends as it should.
func (p *Provider) encaps(l dataplane.LinkInfo) (bool, error) {
	index, ok := p.names.index(carrier)
	if !ok {
		return false, nil
	}
	fs, err := p.filters(l.Index)
	want := encapName(mgre6.Config{Carrier: index, HasKey: l.GRE.HasKey, Key: l.GRE.Key, TTL: l.GRE.TTL, TOS: l.GRE.TOS})
	for _, f := range fs {
		if f.own(encapPlace) && f.parent == tcEgress && f.name == want {
			return true, err
		}
	}
	return false, err
}

// encapChanged tells that somebody has changed by what tunnels over IPv6 send: one,
// or all if it is the carrier.
func (p *Provider) encapChanged(name string) {
	for _, l := range p.names.all() {
		if encapped(l) && (name == carrier || name == l.Name) {
			p.emit(dataplane.ObjectGone{Key: dataplane.Tunnel{Name: l.Name}.Key()})
		}
	}
}
