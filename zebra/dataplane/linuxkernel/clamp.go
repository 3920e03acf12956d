package linuxkernel

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/mss"
)

// A clamp is one BPF filter for each direction, on the device's clsact queueing
// discipline. By place and name they are known as ours, in a later life too: the
// name says the limit and the revision of the program.
const (
	clampPriority = 7        // early: what goes before may end the chain of filters
	clampHandle   = 0x6d7373 // "mss"
	clampPrefix   = "godmvpn-mss-"
	kindClsact    = "clsact"
	kindBPF       = "bpf"
)

var clampHooks = [2]uint32{tcIngress, tcEgress}

// clampProgram says which program is meant.
type clampProgram struct {
	limit  uint16
	header mss.Header
}

func clampName(limit uint16) string { return fmt.Sprintf("%s%d-v%d", clampPrefix, limit, mss.Revision) }

// filter is a filter of a clsact queueing discipline as read from the kernel.
type filter struct {
	index  int    // of the device
	parent uint32 // the hook
	info   uint32 // priority and protocol
	handle uint32
	name   string // of a BPF filter that is the only action
}

// place reports whether the filter is where one of ours would be.
func (f filter) place() bool { return f.info>>16 == clampPriority && f.handle == clampHandle }

// own reports whether the filter is ours, of whatever limit and revision.
func (f filter) own() bool {
	return f.place() && strings.HasPrefix(f.name, clampPrefix)
}

// limit returns the limit of a filter of ours, 0 if its program is not the one
// that we would load.
func (f filter) limit() uint16 {
	var n uint16
	if _, err := fmt.Sscanf(f.name, clampPrefix+"%d-", &n); err != nil || f.name != clampName(n) {
		return 0
	}
	return n
}

// tcHeader appends a struct tcmsg.
func tcHeader(e *encoder, index int, handle, parent, info uint32) {
	e.raw(unix.AF_UNSPEC, 0, 0, 0)
	e.raw32(uint32(index))
	e.raw32(handle)
	e.raw32(parent)
	e.raw32(info)
}

// clampInfo is the tcm_info of our filters: their priority, and all protocols in
// network byte order.
func clampInfo() uint32 {
	return clampPriority<<16 | uint32(native.Uint16([]byte{0, unix.ETH_P_ALL}))
}

// parseFilter reads an RTM_NEWTFILTER or RTM_DELTFILTER; ok is false for what is
// only the head of a list of filters.
func parseFilter(m message) (f filter, ok bool) {
	if len(m.data) < tcmLen {
		return f, false
	}
	f = filter{index: int(int32(getU32(m.data[4:]))), handle: getU32(m.data[8:]), parent: getU32(m.data[12:]), info: getU32(m.data[16:])}
	var kind string
	var options []byte
	for typ, v := range attrs(m.body(tcmLen)) {
		switch typ {
		case unix.TCA_KIND:
			kind = getText(v)
		case unix.TCA_OPTIONS:
			options = v
		}
	}
	if kind != kindBPF {
		return f, f.handle != 0
	}
	direct, name := false, ""
	for typ, v := range attrs(options) {
		switch typ {
		case bpfName:
			name = getText(v)
		case bpfFlags:
			direct = getU32(v)&bpfActDirect != 0
		}
	}
	if direct {
		f.name = name
	}
	return f, f.handle != 0
}

// filters returns the filters at both hooks of a device.
func (p *Provider) filters(index int) (fs []filter, err error) {
	for _, hook := range clampHooks {
		err := p.dump(unix.RTM_GETTFILTER, func(e *encoder) { tcHeader(e, index, 0, hook, 0) }, func(m message) {
			if f, ok := parseFilter(m); ok && m.typ == unix.RTM_NEWTFILTER && f.index == index {
				f.parent = hook
				fs = append(fs, f)
			}
		})
		if err != nil && !is(err, unix.ENODEV) {
			return nil, fmt.Errorf("reading filters: %w", err)
		}
	}
	return fs, nil
}

// ingressKinds returns the kind of the queueing discipline at the ingress of each
// device that has one: clsact, or ingress, which has no other direction.
func (p *Provider) ingressKinds() (map[int]string, error) {
	kinds := map[int]string{}
	err := p.dump(unix.RTM_GETQDISC, func(e *encoder) { tcHeader(e, 0, 0, 0, 0) }, func(m message) {
		if m.typ != unix.RTM_NEWQDISC || len(m.data) < tcmLen || getU32(m.data[12:]) != tcClsact {
			return
		}
		for typ, v := range attrs(m.body(tcmLen)) {
			if typ == unix.TCA_KIND {
				kinds[int(int32(getU32(m.data[4:])))] = getText(v)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("reading queueing disciplines: %w", err)
	}
	return kinds, nil
}

// probeClamp finds out whether the program can be loaded and attached.
func (p *Provider) probeClamp() error {
	if err := rlimit.RemoveMemlock(); err != nil { // kernels before 5.11 count programs
		return fmt.Errorf("locked memory for BPF: %w", err)
	}
	prog, err := mss.Load(1460, mss.Ethernet)
	if err != nil {
		if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("%w (CAP_BPF is needed, before Linux 5.8 CAP_SYS_ADMIN)", err)
		}
		return err
	}
	prog.Close()
	// The kernel must refuse block 0, if it knows clsact.
	const loopback = 1
	err = p.w.do(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL, func(e *encoder) {
		tcHeader(e, loopback, tcClsactMajor, tcClsact, 0)
		e.text(unix.TCA_KIND, kindClsact)
		e.u32(unix.TCA_INGRESS_BLOCK, 0)
	})
	switch {
	case err == nil: // a kernel that is less strict than any known
		return p.deleteClsact(loopback)
	case is(err, unix.EINVAL), is(err, unix.EEXIST):
		return nil
	}
	return fmt.Errorf("clsact queueing discipline: %w", err)
}

// program returns a loaded program.
func (p *Provider) program(c clampProgram) (*ebpf.Program, error) {
	if prog := p.clamps[c]; prog != nil {
		return prog, nil
	}
	prog, err := mss.Load(c.limit, c.header)
	if err == nil {
		p.clamps[c] = prog
	}
	return prog, err
}

func (p *Provider) putClamp(c dataplane.MSSClamp) error {
	if c.MSS == 0 {
		return fmt.Errorf("%v: %w", c.Key(), dataplane.ErrInvalid)
	}
	d, ok, err := p.device(c.Device)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("%s: %w", c.Device, dataplane.ErrNoDevice)
	case p.unclamped != nil:
		return fmt.Errorf("%v: %w: %w", c.Key(), p.unclamped, dataplane.ErrUnsupported)
	}
	have, err := p.filters(d.Index)
	if err != nil {
		return err
	}
	missing := map[uint32]bool{tcIngress: true, tcEgress: true}
	for _, f := range have {
		switch {
		case f.own() && f.limit() == c.MSS:
			delete(missing, f.parent)
		case f.place() && !f.own():
			return fmt.Errorf("%v: somebody's filter has priority %d and handle %#x", c.Key(), clampPriority, clampHandle)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := p.putClsact(d); err != nil {
		return err
	}
	for _, hook := range clampHooks {
		if !missing[hook] {
			continue
		}
		if err := p.putFilter(d, hook, c.MSS); err != nil {
			return fmt.Errorf("%v: %w", c.Key(), err)
		}
	}
	return nil
}

// putClsact gives a device the queueing discipline, unless it has it.
func (p *Provider) putClsact(d device) error {
	kinds, err := p.ingressKinds()
	switch {
	case err != nil:
		return err
	case kinds[d.Index] == kindClsact:
		return nil
	case kinds[d.Index] != "":
		return fmt.Errorf("MSS clamp on %s: somebody's %q queueing discipline is where clsact has to be", d.Name, kinds[d.Index])
	}
	if err := p.saved.clsact(d.Name, d.Index); err != nil { // first: it must not be forgotten
		return err
	}
	err = p.w.do(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL, func(e *encoder) {
		tcHeader(e, d.Index, tcClsactMajor, tcClsact, 0)
		e.text(unix.TCA_KIND, kindClsact)
	})
	if err != nil {
		return fmt.Errorf("clsact on %s: %w", d.Name, err)
	}
	return nil
}

// putFilter attaches the program at a hook, in the place of one of ours: packets
// meet one or the other.
func (p *Provider) putFilter(d device, hook uint32, limit uint16) error {
	which := clampProgram{limit: limit, header: mss.Network}
	if d.ethernet {
		which.header = mss.Ethernet
	}
	prog, err := p.program(which)
	if err != nil {
		return err
	}
	err = p.w.do(unix.RTM_NEWTFILTER, unix.NLM_F_CREATE, func(e *encoder) {
		tcHeader(e, d.Index, clampHandle, hook, clampInfo())
		e.text(unix.TCA_KIND, kindBPF)
		o := e.open(unix.TCA_OPTIONS | nested)
		e.u32(bpfFD, uint32(prog.FD()))
		e.text(bpfName, clampName(limit))
		e.u32(bpfFlags, bpfActDirect)
		e.shut(o)
	})
	if is(err, unix.ENOENT) {
		return fmt.Errorf("BPF filters: %w: %w", err, dataplane.ErrUnsupported)
	}
	return err
}

// deleteClamp removes our filters, and the queueing discipline if it is ours and
// nobody else uses it.
func (p *Provider) deleteClamp(k dataplane.Key) error {
	d, ok, err := p.device(k.Name)
	if err != nil || !ok {
		return errors.Join(err, p.saved.forgetClsact(k.Name))
	}
	have, err := p.filters(d.Index)
	if err != nil {
		return err
	}
	others := false
	for _, f := range have {
		if !f.own() {
			others = true
			continue
		}
		err := p.w.do(unix.RTM_DELTFILTER, 0, func(e *encoder) {
			tcHeader(e, d.Index, f.handle, f.parent, f.info)
			e.text(unix.TCA_KIND, kindBPF)
		})
		if err != nil && !is(err, unix.ENOENT) {
			return fmt.Errorf("%v: %w", k, err)
		}
	}
	if p.saved.Clsact[k.Name] == d.Index && !others {
		if err := p.deleteClsact(d.Index); err != nil {
			return fmt.Errorf("clsact on %s: %w", k.Name, err)
		}
	}
	return p.saved.forgetClsact(k.Name)
}

func (p *Provider) deleteClsact(index int) error {
	err := p.w.do(unix.RTM_DELQDISC, 0, func(e *encoder) {
		tcHeader(e, index, tcClsactMajor, tcClsact, 0)
		e.text(unix.TCA_KIND, kindClsact)
	})
	if is(err, unix.EINVAL) || is(err, unix.ENOENT) { // nothing is there
		return nil
	}
	return err
}

// dumpClamps yields the clamps of ours, looking only where clsact is.
func (p *Provider) dumpClamps(ctx context.Context, yield func(dataplane.Object, error) bool) {
	links, err := p.dumpLinks(ctx)
	if err != nil {
		yield(nil, err)
		return
	}
	kinds, err := p.ingressKinds()
	if err != nil {
		yield(nil, err)
		return
	}
	for _, l := range links {
		if kinds[l.Index] == "" {
			continue
		}
		fs, err := p.filters(l.Index)
		if err != nil {
			yield(nil, err)
			return
		}
		if c, ok := clampOf(l.Name, fs); ok && !yield(c, nil) {
			return
		}
	}
}

// clampOf makes a clamp of the filters on a device; ok is false if none is ours.
func clampOf(name string, fs []filter) (c dataplane.MSSClamp, ok bool) {
	limits := map[uint32]uint16{}
	for _, f := range fs {
		if f.own() {
			limits[f.parent], ok = f.limit(), true
		}
	}
	c.Device = name
	if limits[tcIngress] == limits[tcEgress] {
		c.MSS = limits[tcIngress]
	}
	return c, ok
}

// clampChanged tells if somebody else changed filters that may be ours.
func (p *Provider) clampChanged(m message) {
	f, _ := parseFilter(m)
	hook := f.parent == tcIngress || f.parent == tcEgress
	if m.typ == unix.RTM_DELQDISC {
		hook = f.parent == tcClsact
	} else if f.info>>16 != clampPriority {
		return
	}
	if m.port == p.w.sock.port || !hook {
		return
	}
	if name := p.names.name(f.index); name != "" {
		p.emit(dataplane.ObjectGone{Key: dataplane.MSSClamp{Device: name}.Key()})
	}
}
