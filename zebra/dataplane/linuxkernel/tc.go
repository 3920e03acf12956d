package linuxkernel

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// What we do to packets on their way is done by BPF filters on a device's clsact
// queueing discipline. A filter is known as ours by its place and its name, in a
// later life too.
const (
	kindClsact = "clsact"
	kindBPF    = "bpf"
)

// hooks are the directions of clsact.
var hooks = [2]uint32{tcIngress, tcEgress}

// place is where filters of one purpose are, and how their names begin.
type place struct {
	priority uint32 // low is early
	handle   uint32
	prefix   string
}

// filter is a filter of a clsact queueing discipline as read from the kernel.
type filter struct {
	index   int    // of the device
	parent  uint32 // the hook
	info    uint32 // priority and protocol
	handle  uint32
	name    string // of a BPF filter that is the only action
	label   string // of any BPF filter
	program uint32 // its ID
}

// at reports whether the filter is where one of ours would be.
func (f filter) at(p place) bool { return f.info>>16 == p.priority && f.handle == p.handle }

// own reports whether the filter is ours, of whatever parameters and revision.
func (f filter) own(p place) bool { return f.at(p) && strings.HasPrefix(f.name, p.prefix) }

// places are those of all purposes, in the order in which packets meet them, with the
// kinds of objects that they serve.
var places = []struct {
	place
	kind dataplane.Kind
}{
	{usePlace, dataplane.KindPeerUse}, {copyPlace, dataplane.KindMulticast},
	{hairPlace, dataplane.KindHairpin}, {clampPlace, dataplane.KindMSSClamp},
	{nomatchPlace, dataplane.KindUnmatched}, // on a device that has no other
}

// ours reports whether the filter is ours, for whatever purpose.
func (f filter) ours() bool {
	for _, p := range places {
		if f.own(p.place) {
			return true
		}
	}
	return f.own(encapPlace)
}

// tcHeader appends a struct tcmsg.
func tcHeader(e *encoder, index int, handle, parent, info uint32) {
	e.raw(unix.AF_UNSPEC, 0, 0, 0)
	e.raw32(uint32(index))
	e.raw32(handle)
	e.raw32(parent)
	e.raw32(info)
}

// info is the tcm_info of the filters: their priority, and all protocols in network
// byte order.
func (p place) info() uint32 {
	return p.priority<<16 | uint32(native.Uint16([]byte{0, unix.ETH_P_ALL}))
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
		case bpfID:
			f.program = getU32(v)
		case bpfFlags:
			direct = getU32(v)&bpfActDirect != 0
		}
	}
	if f.label = name; direct {
		f.name = name
	}
	return f, f.handle != 0
}

// filters returns the filters at both hooks of a device.
func (p *Provider) filters(index int) (fs []filter, err error) {
	for _, hook := range hooks {
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

// probeBPF finds out whether filters can be attached; load loads the program.
func (p *Provider) probeBPF(load func() error) error {
	if err := rlimit.RemoveMemlock(); err != nil { // kernels before 5.11 count programs
		return fmt.Errorf("locked memory for BPF: %w", err)
	}
	if err := load(); err != nil {
		if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("%w (CAP_BPF is needed, before Linux 5.8 CAP_SYS_ADMIN)", err)
		}
		return err
	}
	// The kernel must refuse block 0, if it knows clsact.
	const loopback = 1
	err := p.w.ask(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_EXCL, func(e *encoder) {
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

// putClsact gives a device the queueing discipline, unless it has it.
func (p *Provider) putClsact(d device) error {
	kinds, err := p.ingressKinds()
	switch {
	case err != nil:
		return err
	case kinds[d.Index] == kindClsact:
		return nil
	case kinds[d.Index] != "":
		return fmt.Errorf("%s: somebody's %q queueing discipline is where clsact has to be", d.Name, kinds[d.Index])
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

// putFilter attaches a program at a hook, in the place of one of ours: packets
// meet one or the other.
func (p *Provider) putFilter(d device, hook uint32, at place, program int, name string) error {
	err := p.w.do(unix.RTM_NEWTFILTER, unix.NLM_F_CREATE, func(e *encoder) {
		tcHeader(e, d.Index, at.handle, hook, at.info())
		e.text(unix.TCA_KIND, kindBPF)
		o := e.open(unix.TCA_OPTIONS | nested)
		e.u32(bpfFD, uint32(program))
		e.text(bpfName, name)
		e.u32(bpfFlags, bpfActDirect)
		e.shut(o)
	})
	if is(err, unix.ENOENT) {
		return fmt.Errorf("BPF filters: %w: %w", err, dataplane.ErrUnsupported)
	}
	return err
}

// deleteFilters removes our filters of one purpose from a device, and the queueing
// discipline if it is ours and nobody uses it any more.
func (p *Provider) deleteFilters(name string, at place) error {
	d, ok, err := p.device(name)
	if err != nil || !ok {
		return errors.Join(err, p.saved.forgetClsact(name))
	}
	have, err := p.filters(d.Index)
	if err != nil {
		return err
	}
	others, oursToo := false, false
	for _, f := range have {
		if !f.own(at) {
			others, oursToo = true, oursToo || f.ours()
			continue
		}
		err := p.w.do(unix.RTM_DELTFILTER, 0, func(e *encoder) {
			tcHeader(e, d.Index, f.handle, f.parent, f.info)
			e.text(unix.TCA_KIND, kindBPF)
		})
		if err != nil && !is(err, unix.ENOENT) {
			return err
		}
	}
	if oursToo {
		return nil
	}
	if p.saved.Clsact[name] == d.Index && !others {
		if err := p.deleteClsact(d.Index); err != nil {
			return fmt.Errorf("clsact on %s: %w", name, err)
		}
	}
	return p.saved.forgetClsact(name)
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

// filtered calls f with each device that has clsact or an ingress queueing
// discipline, and the filters there.
func (p *Provider) filtered(links []dataplane.LinkInfo, f func(dataplane.LinkInfo, []filter) bool) error {
	kinds, err := p.ingressKinds()
	if err != nil {
		return err
	}
	for _, l := range links {
		if kinds[l.Index] == "" {
			continue
		}
		fs, err := p.filters(l.Index)
		if err != nil {
			return err
		}
		if !f(l, fs) {
			return nil
		}
	}
	return nil
}

// filterChanged tells if somebody else changed filters that may be ours.
func (p *Provider) filterChanged(m message) {
	f, _ := parseFilter(m)
	name := p.names.name(f.index)
	if m.port == p.w.sock.port || name == "" {
		return
	}
	whole := m.typ == unix.RTM_DELQDISC && f.parent == tcClsact
	hook := m.typ != unix.RTM_DELQDISC && (f.parent == tcIngress || f.parent == tcEgress)
	if whole || hook && f.info>>16 == encapPlace.priority {
		p.encapChanged(name)
	}
	for _, at := range places {
		if whole || hook && f.info>>16 == at.priority {
			p.emit(dataplane.ObjectGone{Key: dataplane.Key{Kind: at.kind, Name: name}})
		}
	}
}
