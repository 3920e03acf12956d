package linuxkernel

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// The queueing discipline of the shapers, known as ours by its number, "gm".
const (
	kindHTB    = "htb"
	kindBFIFO  = "bfifo"
	shapeMajor = 0x676d
	shapeRoot  = shapeMajor << 16
	classMax   = 0xfffe
)

// A shaper's queue holds what takes 100 ms, within bounds in bytes: a few packets that
// the kernel has put together to 64 KiB must fit, and memory is not without end.
const (
	queuePerSec = 10
	queueFloor  = 4 << 16
	queueMost   = 16 << 20
)

// queueLimit returns the length of the queue for a rate.
func queueLimit(rate uint64) uint32 {
	return uint32(min(max(rate/8/queuePerSec, queueFloor), queueMost))
}

// rootKind returns the kind and number of the queueing discipline at the root of a
// device; "" if it is none but the kernel's own.
func (p *Provider) rootKind(index int) (kind string, handle uint32, err error) {
	err = p.dump(unix.RTM_GETQDISC, func(e *encoder) { tcHeader(e, index, 0, 0, 0) }, func(m message) {
		if m.typ != unix.RTM_NEWQDISC || len(m.data) < tcmLen || getU32(m.data[12:]) != tcRoot ||
			int(int32(getU32(m.data[4:]))) != index || getU32(m.data[8:]) == 0 {
			return
		}
		handle = getU32(m.data[8:])
		for typ, v := range attrs(m.body(tcmLen)) {
			if typ == unix.TCA_KIND {
				kind = getText(v)
			}
		}
	})
	if err != nil {
		err = fmt.Errorf("reading queueing disciplines: %w", err)
	}
	return kind, handle, err
}

// putRoot gives a device the queueing discipline, unless it has it.
func (p *Provider) putRoot(d device) error {
	kind, handle, err := p.rootKind(d.Index)
	switch {
	case err != nil:
		return err
	case kind == kindHTB && handle == shapeRoot:
		return nil
	case kind != "":
		return fmt.Errorf("somebody's %q queueing discipline is at the root of %s", kind, d.Name)
	}
	err = p.w.do(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL, func(e *encoder) {
		tcHeader(e, d.Index, shapeRoot, tcRoot, 0)
		e.text(unix.TCA_KIND, kindHTB)
		o := e.open(unix.TCA_OPTIONS | nested)
		e.bytes(htbInit, htbOptions()) // class 0, which is none, is the default: what is in no class goes at once
		e.shut(o)
	})
	if is(err, unix.ENOENT) {
		err = fmt.Errorf("%w: %w", err, dataplane.ErrUnsupported)
	}
	if err != nil {
		return fmt.Errorf("HTB on %s: %w", d.Name, err)
	}
	return nil
}

// htbOptions is a struct tc_htb_glob.
func htbOptions() []byte {
	b := native.AppendUint32(nil, htbVersion)
	b = native.AppendUint32(b, 10) // rate to quantum: of no meaning where each class has a quantum
	return append(b, make([]byte, 12)...)
}

// deleteUnknown removes what is left of our queueing discipline on a device, if
// anything is.
func (p *Provider) deleteUnknown(index int) error {
	kind, handle, err := p.rootKind(index)
	if err != nil || kind != kindHTB || handle != shapeRoot {
		return err
	}
	return p.deleteRoot(index)
}

func (p *Provider) deleteRoot(index int) error {
	err := p.w.do(unix.RTM_DELQDISC, 0, func(e *encoder) {
		tcHeader(e, index, shapeRoot, tcRoot, 0)
	})
	if is(err, unix.ENOENT) || is(err, unix.EINVAL) || is(err, unix.ENODEV) { // nothing is there, or somebody else's
		return nil
	}
	return err
}

// class is a class of our queueing discipline as read from the kernel.
type class struct {
	minor         uint32
	bytesPerSec   uint64
	ceil          uint64
	buffer, cbuff uint32 // ticks
	count         dataplane.ShaperCount
}

// ticks returns how long a number of bytes takes at a rate, as the kernel counts.
func ticks(bytes uint32, bytesPerSec uint64) uint32 {
	return uint32(min(float64(bytes)*1e9/schedTick/float64(bytesPerSec)+0.5, math.MaxUint32))
}

// is reports whether the class is as a shaper wants it.
func (c class) is(o dataplane.Shaper) bool {
	o = o.Normal()
	rate := o.Rate / 8
	burst := ticks(o.Burst, rate)
	return c.bytesPerSec == rate && c.ceil == rate && c.buffer == burst && c.cbuff == burst
}

// shaper returns the shaper that the class makes.
func (c class) shaper(d string) dataplane.Shaper {
	o := dataplane.Shaper{Device: d, Rate: c.bytesPerSec * 8, Count: c.count}
	if c.bytesPerSec != c.ceil || c.buffer != c.cbuff {
		o.Rate = 0 // somebody changed it
	} else if ticks(dataplane.DefaultBurst(o.Rate), c.bytesPerSec) != c.buffer {
		o.Burst = uint32(min(float64(c.buffer)*schedTick*float64(c.bytesPerSec)/1e9+0.5, math.MaxUint32))
	}
	return o
}

// putClass makes or changes a class, and gives it its queue.
func (p *Provider) putClass(index int, minor uint32, o dataplane.Shaper) error {
	o = o.Normal()
	rate := o.Rate / 8
	err := p.w.do(unix.RTM_NEWTCLASS, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, func(e *encoder) {
		tcHeader(e, index, shapeRoot|minor, shapeRoot, 0)
		e.text(unix.TCA_KIND, kindHTB)
		opt := e.open(unix.TCA_OPTIONS | nested)
		e.bytes(htbParms, htbClass(rate, o.Burst))
		if rate > math.MaxUint32 {
			e.bytes(htbRate64, native.AppendUint64(nil, rate))
			e.bytes(htbCeil64, native.AppendUint64(nil, rate))
		}
		e.shut(opt)
	})
	if err != nil {
		return err
	}
	return p.w.do(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, func(e *encoder) {
		tcHeader(e, index, 0, shapeRoot|minor, 0)
		e.text(unix.TCA_KIND, kindBFIFO)
		e.bytes(unix.TCA_OPTIONS, native.AppendUint32(nil, queueLimit(o.Rate)))
	})
}

// htbClass is a struct tc_htb_opt.
func htbClass(bytesPerSec uint64, burst uint32) []byte {
	var b []byte
	for range 2 { // rate and ceil, each a struct tc_ratespec
		b = append(b, 0, linkEthernet, 0, 0, 0, 0, 0, 0)
		b = native.AppendUint32(b, uint32(min(bytesPerSec, math.MaxUint32)))
	}
	for range 2 {
		b = native.AppendUint32(b, ticks(burst, bytesPerSec))
	}
	b = native.AppendUint32(b, 1514) // quantum: by turns
	return append(b, make([]byte, 8)...)
}

func (p *Provider) deleteClass(index int, minor uint32) error {
	err := p.w.do(unix.RTM_DELTCLASS, 0, func(e *encoder) { tcHeader(e, index, shapeRoot|minor, 0, 0) })
	if is(err, unix.ENOENT) || is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// class returns one class; ok is false if there is none.
func (p *Provider) class(index int, minor uint32) (c class, ok bool, err error) {
	err = p.w.get(unix.RTM_GETTCLASS, unix.NLM_F_ECHO, func(e *encoder) { tcHeader(e, index, shapeRoot|minor, 0, 0) }, func(m message) { c, ok = parseClass(m) })
	if is(err, unix.ENOENT) || is(err, unix.EINVAL) || is(err, unix.ENODEV) {
		return c, false, nil
	}
	return c, ok, err
}

// classes returns the classes on a device.
func (p *Provider) classes(index int) (map[uint32]class, error) {
	all := map[uint32]class{}
	err := p.dump(unix.RTM_GETTCLASS, func(e *encoder) { tcHeader(e, index, 0, 0, 0) }, func(m message) {
		if c, ok := parseClass(m); ok && int(int32(getU32(m.data[4:]))) == index {
			all[c.minor] = c
		}
	})
	if err != nil && !is(err, unix.ENODEV) {
		return nil, fmt.Errorf("reading classes: %w", err)
	}
	return all, nil
}

// parseClass reads an RTM_NEWTCLASS; ok is false for classes that are not ours.
func parseClass(m message) (c class, ok bool) {
	if m.typ != unix.RTM_NEWTCLASS || len(m.data) < tcmLen {
		return c, false
	}
	handle := getU32(m.data[8:])
	c.minor = handle & 0xffff
	for typ, v := range attrs(m.body(tcmLen)) {
		switch typ {
		case unix.TCA_KIND:
			ok = getText(v) == kindHTB && handle>>16 == shapeMajor && c.minor != 0
		case unix.TCA_OPTIONS:
			c.options(v)
		case unix.TCA_STATS2:
			c.stats(v)
		}
	}
	return c, ok
}

func (c *class) options(b []byte) {
	for typ, v := range attrs(b) {
		switch {
		case typ == htbParms && len(v) >= htbParmsLen:
			c.bytesPerSec, c.ceil = max(c.bytesPerSec, uint64(getU32(v[8:]))), max(c.ceil, uint64(getU32(v[20:])))
			c.buffer, c.cbuff = getU32(v[24:]), getU32(v[28:])
		case typ == htbRate64 && len(v) >= 8:
			c.bytesPerSec = native.Uint64(v)
		case typ == htbCeil64 && len(v) >= 8:
			c.ceil = native.Uint64(v)
		}
	}
}

func (c *class) stats(b []byte) {
	for typ, v := range attrs(b) {
		switch {
		case typ == statsBasic && len(v) >= 12:
			c.count.Bytes, c.count.Packets = native.Uint64(v), max(c.count.Packets, uint64(getU32(v[8:])))
		case typ == statsPackets && len(v) >= 8:
			c.count.Packets = native.Uint64(v)
		case typ == statsQueue && len(v) >= 20:
			c.count.Queued, c.count.Drops, c.count.Overlimits = uint64(getU32(v)), uint64(getU32(v[8:])), uint64(getU32(v[16:]))
		}
	}
}
