package fake

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// ErrDown is the refusal of a route by a device that is down.
var ErrDown = errors.New("network is down")

// ErrExists is the refusal of a device whose name is taken by another kind.
var ErrExists = errors.New("file exists")

func (p *Provider) apply(op dataplane.Op) error {
	if op.IsDelete() {
		return p.remove(op)
	}
	switch o := op.Object.(type) {
	case dataplane.Link:
		return p.putLink(op, o)
	case dataplane.Tunnel:
		return p.putTunnel(op, o)
	case dataplane.Sysctl:
		return p.putSysctl(op, o)
	case dataplane.Policy:
		if err := o.Check(); err != nil {
			return err
		}
	case dataplane.SA:
		return p.putSA(op, o)
	case dataplane.Route:
		if o.Blackhole == (len(o.NextHops) > 0) || o.Prefix != o.Prefix.Masked() {
			return fmt.Errorf("%v: %w", op.Key, dataplane.ErrInvalid)
		}
		for _, n := range o.NextHops {
			if err := p.usable(n.Device, true); err != nil {
				return err
			}
		}
		delete(p.foreign, op.Key)
	case dataplane.MSSClamp:
		if o.MSS == 0 {
			return fmt.Errorf("%v: %w", op.Key, dataplane.ErrInvalid)
		}
		if err := p.usable(op.Key.Name, false); err != nil {
			return err
		}
	case dataplane.Hairpin:
		if o.Outdated {
			return fmt.Errorf("%v: %w", op.Key, dataplane.ErrInvalid)
		}
		if err := p.usable(o.Device, false); err != nil {
			return err
		}
	case dataplane.PeerUse:
		if o.Outdated {
			return fmt.Errorf("%v: %w", op.Key, dataplane.ErrInvalid)
		}
		if err := p.multipoint(o.Device); err != nil {
			return err
		}
	case dataplane.Multicast:
		if err := p.multipoint(o.Device); err != nil {
			return err
		}
	case dataplane.MulticastPeer:
		if err := p.checkPeer(o); err != nil {
			return err
		}
	case dataplane.Shaper:
		if err := p.multipoint(o.Device); err != nil {
			return err
		}
		if err := o.Check(); err != nil {
			return err
		}
	case dataplane.Neighbor:
		if err := p.usable(o.Device, false); err != nil {
			return err
		}
		if err := p.transport(o.Device, o.NBMA); err != nil {
			return err
		}
	case dataplane.ESPinUDP:
		return p.putESPinUDP(op, o)
	case dataplane.Addr, dataplane.Unmatched:
		if err := p.usable(op.Key.Name, false); err != nil {
			return err
		}
	}
	return p.set(op)
}

func (p *Provider) checkPeer(o dataplane.MulticastPeer) error {
	if err := p.multipoint(o.Device); err != nil {
		return err
	}
	if err := errors.Join(o.Check(), p.transport(o.Device, o.NBMA)); err != nil {
		return err
	}
	if p.objects[dataplane.Multicast{Device: o.Device}.Key()] == nil {
		return fmt.Errorf("%v: %w", o.Key(), dataplane.ErrNoMulticast)
	}
	return nil
}

func (p *Provider) usable(name string, up bool) error {
	d := p.devices[name]
	switch {
	case d == nil:
		return fmt.Errorf("%s: %w", name, dataplane.ErrNoDevice)
	case up && !d.info.Up:
		return fmt.Errorf("%s: %w", name, ErrDown)
	}
	return nil
}

// multipoint refuses a device that is not a multipoint tunnel.
func (p *Provider) multipoint(name string) error {
	if err := p.usable(name, false); err != nil {
		return err
	}
	if t := p.devices[name].tunnel; t == nil || !t.Multipoint() {
		return fmt.Errorf("%s is not a multipoint tunnel: %w", name, dataplane.ErrInvalid)
	}
	return nil
}

// transport refuses an NBMA address that is not of the family of a tunnel's transport.
func (p *Provider) transport(name string, nbma netip.Addr) error {
	if t := p.devices[name].tunnel; t != nil && t.IPv6() != nbma.Is6() {
		return fmt.Errorf("%v is not of the family of the transport of %s: %w", nbma, name, dataplane.ErrInvalid)
	}
	return nil
}

func (p *Provider) set(op dataplane.Op) error {
	if old, ok := p.objects[op.Key]; ok && old.Equal(op.Object) {
		return nil
	}
	p.objects[op.Key] = op.Object
	p.log = append(p.log, op)
	if a, ok := op.Object.(dataplane.Addr); ok {
		p.emit(dataplane.AddrChanged{Addr: a, Index: p.devices[a.Device].info.Index})
	}
	return nil
}

func (p *Provider) putSA(op dataplane.Op, s dataplane.SA) error {
	if err := s.Check(); err != nil {
		return err
	}
	var there *dataplane.SA
	if have, ok := p.objects[op.Key].(dataplane.SA); ok {
		there = &have
	}
	step, err := s.Step(there)
	if err != nil || step == dataplane.SAStays {
		return err
	}
	if s.Keyless() {
		s.CipherKey, s.IntegrityKey = there.CipherKey, there.IntegrityKey
	}
	s.Keep = false
	op.Object = s
	return p.set(op)
}

func (p *Provider) putESPinUDP(op dataplane.Op, o dataplane.ESPinUDP) error {
	if err := p.usable(o.Device, false); o.Device != "" && err != nil {
		return err
	}
	return p.set(op)
}

func (p *Provider) putSysctl(op dataplane.Op, s dataplane.Sysctl) error {
	if !dataplane.ValidSysctl(s.Path) {
		return fmt.Errorf("sysctl %q: %w", s.Path, dataplane.ErrInvalid)
	}
	if dev := s.Key().Device(); dev != "" {
		if err := p.usable(dev, false); err != nil {
			return err
		}
	}
	return p.set(op)
}

func (p *Provider) addDevice(name, kind string) *device {
	p.next++
	d := &device{link: dataplane.Link{Name: name}}
	d.info = dataplane.LinkInfo{Name: name, Index: p.next, Kind: kind, Running: true, LowerUp: true, MTU: 1500, Multicast: true}
	p.devices[name] = d
	return d
}

func (p *Provider) putLink(op dataplane.Op, l dataplane.Link) error {
	kind := map[dataplane.LinkType]string{dataplane.LinkDummy: "dummy", dataplane.LinkVRF: "vrf"}[l.Type]
	d := p.devices[l.Name]
	switch {
	case l.Type == dataplane.LinkVRF && l.Table == 0:
		return fmt.Errorf("VRF %s: %w", l.Name, dataplane.ErrInvalid)
	case d == nil && kind == "":
		return fmt.Errorf("%s: %w", l.Name, dataplane.ErrNoDevice)
	case l.Master != "" && p.devices[l.Master] == nil:
		return fmt.Errorf("%s: %w", l.Master, dataplane.ErrNoDevice)
	case d != nil && kind != "" && (d.info.Kind != kind || d.info.Table != l.Table):
		if !d.info.Own {
			return fmt.Errorf("%s: %w", l.Name, ErrExists)
		}
		p.removeDevice(d)
		d = nil
	}
	if d == nil {
		d = p.addDevice(l.Name, kind)
		d.info.Table = l.Table
	}
	if kind == "" && d.before == nil {
		a := attrsOf(d)
		d.before = &a
	}
	old, was := d.info, d.link
	d.link.Type, d.link.Table = l.Type, l.Table
	d.info.Own = kind != ""
	a := l.Attrs
	if a.MTU == 0 && d.before != nil {
		a.MTU = d.before.MTU
	}
	p.attrs(d, a)
	p.changed(op, d, old != d.info || was != d.link)
	return nil
}

func attrsOf(d *device) dataplane.Attrs {
	a := dataplane.Attrs{Admin: dataplane.AdminDown, MTU: d.info.MTU, Master: d.info.Master}
	if d.info.Up {
		a.Admin = dataplane.AdminUp
	}
	return a
}

func (p *Provider) putTunnel(op dataplane.Op, t dataplane.Tunnel) error {
	if err := t.Check(); err != nil {
		return err
	}
	if t.Guarded && p.objects[dataplane.Guard(t.Local).Key()] == nil {
		if d := p.devices[t.Name]; d != nil && d.info.Up {
			p.setUp(d, false)
			p.changed(op, d, true)
		}
		return fmt.Errorf("%s: %w", t.Name, dataplane.ErrNoGuard)
	}
	kind := "gre"
	if t.IPv6() {
		kind = "ip6gre"
	}
	for _, need := range []string{t.Underlay, t.Master} {
		if need != "" && p.devices[need] == nil {
			return fmt.Errorf("%s: %w", need, dataplane.ErrNoDevice)
		}
	}
	d := p.devices[t.Name]
	if d != nil && d.tunnel == nil {
		return fmt.Errorf("%s: %w", t.Name, ErrExists)
	}
	var kept []dataplane.Addr
	up := false
	if d != nil && (d.tunnel.Multipoint() != t.Multipoint() || d.info.Kind != kind) {
		kept, up = p.addrsOf(t.Name), d.info.Up
		p.removeDevice(d)
		d = nil
	}
	if d == nil {
		d = p.addDevice(t.Name, kind)
		d.info.MTU, d.info.Up, d.info.Own = 1476, up, true
		d.tunnel = &dataplane.Tunnel{}
	}
	old, was := d.info, *d.tunnel
	*d.tunnel = t
	d.tunnel.Attrs = dataplane.Attrs{}
	if !t.HasKey {
		d.tunnel.GREKey = 0
	}
	d.tunnel.Resolve, d.tunnel.Guarded = t.Resolve && t.Multipoint(), false
	d.info.Dormant, d.info.Running = t.Dormant, !t.Dormant
	p.attrs(d, t.Attrs)
	p.changed(op, d, old != d.info || was != *d.tunnel)
	for _, a := range kept {
		_ = p.set(dataplane.Put(a)) // the device is there
	}
	return nil
}

// attrs sets the attributes of a device.
func (p *Provider) attrs(d *device, a dataplane.Attrs) {
	if a.MTU != 0 {
		d.info.MTU = a.MTU
	}
	if a.Admin != dataplane.AdminKeep {
		p.setUp(d, a.Admin == dataplane.AdminUp)
	}
	p.setMaster(d, a.Master)
}

func (p *Provider) setMaster(d *device, master string) {
	if master == d.info.Master {
		return
	}
	p.flush(d.info.Name, dataplane.KindRoute, dataplane.KindNeighbor)
	d.info.Master, d.info.MasterIndex = master, 0
	if m := p.devices[master]; m != nil {
		d.info.MasterIndex = m.info.Index
	}
}

func (p *Provider) setUp(d *device, up bool) {
	if d.info.Up && !up {
		p.flush(d.info.Name, dataplane.KindRoute, dataplane.KindNeighbor)
	}
	d.info.Up = up
}

func (p *Provider) changed(op dataplane.Op, d *device, is bool) {
	if is {
		p.log = append(p.log, op)
		p.emit(dataplane.LinkChanged{Link: d.told()})
	}
}

// told returns what the events tell of the device.
func (d *device) told() dataplane.LinkInfo {
	l := d.info
	if t := d.tunnel; t != nil {
		l.NoARP = !t.Multipoint()
		l.GRE = &dataplane.GREInfo{
			Local: t.Local, Remote: t.Remote, HasKey: t.HasKey, Key: t.GREKey, TTL: t.TTL, TOS: t.TOS,
			PathMTUDiscovery: t.PathMTUDiscovery, Underlay: t.Underlay,
		}
	}
	return l
}

// flush drops what is on a device, silently as the kernel does.
func (p *Provider) flush(name string, kinds ...dataplane.Kind) {
	for _, kind := range kinds {
		for k, o := range p.objects {
			r, route := o.(dataplane.Route)
			if k.Kind == kind && (k.Device() == name || route && r.Uses(name)) {
				delete(p.objects, k)
			}
		}
		for k, r := range p.foreign {
			if kind == dataplane.KindRoute && r.Uses(name) {
				delete(p.foreign, k)
			}
		}
	}
}

func (p *Provider) addrsOf(name string) (as []dataplane.Addr) {
	for _, o := range p.objects {
		if a, ok := o.(dataplane.Addr); ok && a.Device == name {
			as = append(as, a)
		}
	}
	return as
}

func (p *Provider) removeDevice(d *device) {
	name := d.info.Name
	p.flush(name, dataplane.Kinds()...)
	delete(p.devices, name)
	for _, s := range p.devices {
		if s.info.Master == name {
			p.setMaster(s, "")
			p.emit(dataplane.LinkChanged{Link: s.told()})
		}
	}
	p.emit(dataplane.LinkGone{Name: name, Index: d.info.Index})
}

func (p *Provider) remove(op dataplane.Op) error {
	k := op.Key
	switch k.Kind {
	case dataplane.KindLink, dataplane.KindTunnel:
		d := p.devices[k.Name]
		switch {
		case d == nil:
			return nil
		case d.info.Own:
			p.log = append(p.log, op)
			p.removeDevice(d)
		case d.before != nil:
			old := d.info
			p.attrs(d, *d.before)
			d.before = nil
			p.changed(op, d, old != d.info)
		}
		return nil
	}
	o, ok := p.objects[k]
	if !ok {
		return nil
	}
	delete(p.objects, k)
	p.log = append(p.log, op)
	if k.Kind == dataplane.KindMulticast {
		p.flush(k.Name, dataplane.KindMulticastPeer)
	}
	if a, ok := o.(dataplane.Addr); ok {
		p.emit(dataplane.AddrChanged{Addr: a, Index: p.devices[a.Device].info.Index, Gone: true})
	}
	return nil
}
