package linuxkernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// device is a link as read from the kernel.
type device struct {
	dataplane.LinkInfo
	ethernet  bool       // packets begin with Ethernet headers
	broadcast netip.Addr // link-layer broadcast address of a GRE device
}

// parseLink reads an RTM_NEWLINK or RTM_DELLINK. ok is false for messages about
// something else, such as bridge ports.
func parseLink(m message) (d device, ok bool) {
	if len(m.data) < unix.SizeofIfInfomsg || m.data[0] != unix.AF_UNSPEC {
		return d, false
	}
	d.Index = int(getU32(m.data[4:]))
	setFlags(&d.LinkInfo, getU32(m.data[8:]))
	hw := getU16(m.data[2:])
	d.ethernet = hw == unix.ARPHRD_ETHER || hw == unix.ARPHRD_LOOPBACK
	for typ, v := range attrs(m.body(unix.SizeofIfInfomsg)) {
		switch typ {
		case unix.IFLA_IFNAME:
			d.Name = getText(v)
		case unix.IFLA_MTU:
			d.MTU = int(getU32(v))
		case unix.IFLA_MASTER:
			d.MasterIndex = int(getU32(v))
		case unix.IFLA_IFALIAS:
			if a := getText(v); a == mark {
				d.Own = true
			} else {
				d.Alias = a
			}
		case unix.IFLA_OPERSTATE:
			d.Dormant = getU8(v) == operDormant
		case unix.IFLA_ADDRESS:
			d.HardwareAddr = hardwareText(hw, v)
		case unix.IFLA_BROADCAST:
			if hw == unix.ARPHRD_IPGRE || hw == arphrdIP6GRE {
				d.broadcast = someAddr(v)
			}
		case unix.IFLA_LINKINFO:
			d.parseInfo(v)
		}
	}
	return d, d.Name != ""
}

func hardwareText(hw uint16, v []byte) string {
	if hw == unix.ARPHRD_IPGRE || hw == unix.ARPHRD_TUNNEL || hw == arphrdIP6GRE {
		if a := someAddr(v); a.IsValid() {
			return a.String()
		}
		return ""
	}
	return net.HardwareAddr(v).String()
}

func setFlags(l *dataplane.LinkInfo, f uint32) {
	l.Up = f&unix.IFF_UP != 0
	l.Running = f&unix.IFF_RUNNING != 0
	l.LowerUp = f&unix.IFF_LOWER_UP != 0
	l.NoARP = f&unix.IFF_NOARP != 0
	l.Multicast = f&unix.IFF_MULTICAST != 0
	l.Broadcast = f&unix.IFF_BROADCAST != 0
	l.Loopback = f&unix.IFF_LOOPBACK != 0
	l.PointToPoint = f&unix.IFF_POINTOPOINT != 0
}

func (d *device) parseInfo(b []byte) {
	var data []byte
	for typ, v := range attrs(b) {
		switch typ {
		case unix.IFLA_INFO_KIND:
			d.Kind = getText(v)
		case unix.IFLA_INFO_DATA:
			data = v
		}
	}
	switch d.Kind {
	case "vrf":
		for typ, v := range attrs(data) {
			if typ == unix.IFLA_VRF_TABLE {
				d.Table = getU32(v)
			}
		}
	case kindGRE, kindGRE6:
		d.GRE = parseGRE(data)
	}
}

// parseGRE reads the tunnel side of a device; nil for one that takes it from each
// packet.
func parseGRE(b []byte) *dataplane.GREInfo {
	var g dataplane.GREInfo
	copies := false
	for typ, v := range attrs(b) {
		switch typ {
		case greLink:
			g.UnderlayIndex = int(getU32(v))
		case greIflags:
			g.HasKey = getBE16(v)&greKeyBit != 0
		case greIkey:
			g.Key = getBE32(v)
		case greLocal:
			g.Local = someAddr(v)
		case greRemote:
			g.Remote = someAddr(v)
		case greTTL:
			g.TTL = getU8(v)
		case greTOS:
			g.TOS = getU8(v)
		case greExternal:
			return nil
		case gre6Flow:
			g.TOS = uint8(getBE32(v) >> 20)
		case gre6Flags:
			copies = getU32(v)&gre6CopyTOS != 0
		case grePmtudisc:
			g.PathMTUDiscovery = getU8(v) != 0
		}
	}
	if !g.HasKey {
		g.Key = 0
	}
	if copies {
		g.TOS = 1
	}
	return &g
}

// linkHeader appends a struct ifinfomsg.
func linkHeader(e *encoder, index int, flags, change uint32) {
	e.raw(unix.AF_UNSPEC, 0, 0, 0)
	e.raw32(uint32(index))
	e.raw32(flags)
	e.raw32(change)
}

// device reads a link from the kernel; ok is false if there is none.
func (p *Provider) device(name string) (d device, ok bool, err error) {
	if len(name) == 0 || len(name) >= unix.IFNAMSIZ {
		return d, false, fmt.Errorf("device name %q: %w", name, dataplane.ErrInvalid)
	}
	return p.read(func(e *encoder) {
		linkHeader(e, 0, 0, 0)
		e.text(unix.IFLA_IFNAME, name)
	})
}

// deviceAt is device, by index.
func (p *Provider) deviceAt(index int) (d device, ok bool, err error) {
	return p.read(func(e *encoder) { linkHeader(e, index, 0, 0) })
}

func (p *Provider) read(which func(*encoder)) (d device, ok bool, err error) {
	err = p.w.get(unix.RTM_GETLINK, 0, which, func(m message) { d, ok = parseLink(m) })
	if is(err, unix.ENODEV) {
		return d, false, nil
	}
	if ok {
		p.names.put(d.LinkInfo)
		d.LinkInfo = p.names.resolve(d.LinkInfo)
	}
	return d, ok, err
}

// index returns the index of a device that an object needs, as it is remembered:
// the kernel refuses one that is out of date.
func (p *Provider) index(name string) (int, error) {
	if i, ok := p.names.index(name); ok {
		return i, nil
	}
	return p.indexNow(name)
}

// indexNow is index, asked of the kernel: where it would take a wrong one.
func (p *Provider) indexNow(name string) (int, error) {
	d, ok, err := p.device(name)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("%s: %w", name, dataplane.ErrNoDevice)
	}
	return d.Index, nil
}

// putLink puts a Link.
func (p *Provider) putLink(l dataplane.Link) error {
	d, ok, err := p.device(l.Name)
	if err != nil {
		return err
	}
	kind := map[dataplane.LinkType]string{dataplane.LinkDummy: "dummy", dataplane.LinkVRF: "vrf"}[l.Type]
	if kind == "" {
		if !ok {
			return fmt.Errorf("%s: %w", l.Name, dataplane.ErrNoDevice)
		}
		if err := p.saved.link(d.LinkInfo); err != nil {
			return err
		}
		return p.putAttrs(d, p.saved.restored(l), false)
	}
	if kind == "vrf" && l.Table == 0 {
		return fmt.Errorf("VRF %s without a table: %w", l.Name, dataplane.ErrInvalid)
	}
	if ok && (d.Kind != kind || d.Table != l.Table) {
		if !d.Own {
			return fmt.Errorf("%s exists and is not a %s of ours: %w", l.Name, kind, unix.EEXIST)
		}
		if err := p.removeDevice(d.Index); err != nil {
			return err
		}
		ok = false
	}
	if !ok {
		if d, err = p.createDevice(l.Name, kind, l.MTU, func(e *encoder) {
			if kind == "vrf" {
				e.u32(unix.IFLA_VRF_TABLE, l.Table)
			}
		}); err != nil {
			return err
		}
	}
	return p.putAttrs(d, l.Attrs, true)
}

// createDevice makes a device, down, and reads it back.
func (p *Provider) createDevice(name, kind string, mtu int, data func(*encoder)) (device, error) {
	err := p.w.do(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, func(e *encoder) {
		linkHeader(e, 0, 0, 0)
		e.text(unix.IFLA_IFNAME, name)
		if mtu != 0 {
			e.u32(unix.IFLA_MTU, uint32(mtu))
		}
		info := e.open(unix.IFLA_LINKINFO | nested)
		e.text(unix.IFLA_INFO_KIND, kind)
		d := e.open(unix.IFLA_INFO_DATA | nested)
		data(e)
		e.shut(d)
		e.shut(info)
	})
	if err != nil {
		return device{}, fmt.Errorf("create %s: %w", name, err)
	}
	d, ok, err := p.device(name)
	if err == nil && !ok {
		err = fmt.Errorf("%s vanished: %w", name, dataplane.ErrNoDevice)
	}
	return d, err
}

func (p *Provider) removeDevice(index int) error {
	err := p.w.do(unix.RTM_DELLINK, 0, func(e *encoder) { linkHeader(e, index, 0, 0) })
	p.names.drop(index)
	if is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// putAttrs gives a device the attributes that differ, and our mark if it is to
// be our own. It is brought up last, and down first.
func (p *Provider) putAttrs(d device, a dataplane.Attrs, own bool) error {
	if a.Admin == dataplane.AdminDown && d.Up {
		if err := p.setFlags(d.Index, 0, unix.IFF_UP); err != nil {
			return err
		}
	}
	if own && !d.Own {
		if err := p.setText(d.Index, unix.IFLA_IFALIAS, mark); err != nil {
			return err
		}
	}
	if err := p.putMaster(d, a.Master); err != nil {
		return err
	}
	if a.MTU != 0 && a.MTU != d.MTU {
		err := p.w.do(unix.RTM_SETLINK, 0, func(e *encoder) {
			linkHeader(e, d.Index, 0, 0)
			e.u32(unix.IFLA_MTU, uint32(a.MTU))
		})
		if err != nil {
			return fmt.Errorf("MTU %d on %s: %w", a.MTU, d.Name, err)
		}
	}
	if a.Admin == dataplane.AdminUp && !d.Up {
		return p.setFlags(d.Index, unix.IFF_UP, unix.IFF_UP)
	}
	return nil
}

func (p *Provider) putMaster(d device, master string) error {
	want := 0
	if master != "" {
		i, err := p.indexNow(master)
		if err != nil {
			return err
		}
		want = i
	}
	if want == d.MasterIndex {
		return nil
	}
	if want == 0 {
		if m, ok, err := p.deviceAt(d.MasterIndex); err != nil || !ok || m.Kind != "vrf" {
			return err // the master is not a VRF, and so not ours to change
		}
	}
	err := p.w.do(unix.RTM_SETLINK, 0, func(e *encoder) {
		linkHeader(e, d.Index, 0, 0)
		e.u32(unix.IFLA_MASTER, uint32(want))
	})
	if err != nil {
		return fmt.Errorf("%s into VRF %q: %w", d.Name, master, err)
	}
	return nil
}

func (p *Provider) setFlags(index int, flags, change uint32) error {
	return p.w.do(unix.RTM_SETLINK, 0, func(e *encoder) { linkHeader(e, index, flags, change) })
}

func (p *Provider) setText(index int, typ uint16, text string) error {
	return p.w.do(unix.RTM_SETLINK, 0, func(e *encoder) {
		linkHeader(e, index, 0, 0)
		e.text(typ, text)
	})
}

// deleteDevice removes a device of ours, or gives one that is not back the
// attributes that it had.
func (p *Provider) deleteDevice(name string) error {
	d, ok, err := p.device(name)
	if err != nil || !ok {
		return errors.Join(err, p.saved.forgetLink(name))
	}
	if d.Own {
		return p.removeDevice(d.Index)
	}
	a, ok := p.saved.attrs(name)
	if !ok {
		return nil
	}
	if err := p.putAttrs(d, a, false); err != nil {
		return err
	}
	return p.saved.forgetLink(name)
}

// zeroIfNone turns the zero Addr into the unspecified one.
func zeroIfNone(a netip.Addr) netip.Addr {
	if !a.IsValid() {
		return netip.IPv4Unspecified()
	}
	return a
}
