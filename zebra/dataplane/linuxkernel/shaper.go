package linuxkernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/classify"
)

// A classifier is the BPF filter of our queueing discipline.
var shapePlace = place{priority: 1, handle: 1, prefix: "godmvpn-shaper-"}

func shapeName() string { return fmt.Sprintf("%sv%d", shapePlace.prefix, classify.Revision) }

// shaping is what is known of the shapers of a device.
type shaping struct {
	index   int                  // of the device
	id      uint32               // of the program
	c       *classify.Classifier // nil for a program of an earlier life: its table cannot be changed
	classes table                // of each peer the class's number
	sure    bool                 // queueing discipline and filter are in force, as far as anybody said
}

// probeShaper finds out whether the program can be loaded and attached. Whether the
// kernel has HTB shows when it is first needed: asking would take a device.
func (p *Provider) probeShaper() error {
	return p.probeBPF(func() error {
		c, err := classify.New()
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

// classifier returns our filter of our queueing discipline on a device, nil if there
// is none.
func (p *Provider) classifier(index int) (f *filter, err error) {
	err = p.dump(unix.RTM_GETTFILTER, func(e *encoder) { tcHeader(e, index, 0, shapeRoot, 0) }, func(m message) {
		if x, ok := parseFilter(m); ok && m.typ == unix.RTM_NEWTFILTER && x.index == index && x.at(shapePlace) && x.label != "" {
			f = &x
		}
	})
	if is(err, unix.ENODEV) || is(err, unix.EINVAL) || is(err, unix.ENOENT) { // no such queueing discipline
		return nil, nil
	}
	if err != nil {
		err = fmt.Errorf("reading filters: %w", err)
	}
	return f, err
}

// shaping returns what is known of the shapers of a device, nil if nothing. It is
// called under shapeMu.
func (p *Provider) shaping(d dataplane.LinkInfo) (*shaping, error) {
	s := p.shapings[d.Name]
	if s != nil && s.index == d.Index {
		return s, nil
	}
	if s != nil { // another device of the name
		p.dropShaping(d.Name)
	}
	f, err := p.classifier(d.Index)
	if err != nil || f == nil {
		return nil, err
	}
	classes, ok := p.shapes.list(f.program, d.Index)
	if !ok {
		return nil, nil
	}
	s = &shaping{index: d.Index, id: f.program, classes: classes, sure: f.label == shapeName()}
	p.shapings[d.Name] = s
	return s, nil
}

// dropShaping forgets the shapers of a device. It is called under shapeMu.
func (p *Provider) dropShaping(name string) {
	s := p.shapings[name]
	if s == nil {
		return
	}
	if s.c != nil {
		s.c.Close()
	}
	p.shapes.end(s.id)
	delete(p.shapings, name)
}

func (p *Provider) closeShapings() {
	p.shapeMu.Lock()
	defer p.shapeMu.Unlock()
	for _, s := range p.shapings {
		if s.c != nil {
			s.c.Close() // what is attached stays
		}
	}
	clear(p.shapings)
	p.shapes.close()
}

func (p *Provider) putShaper(o dataplane.Shaper) error {
	err := o.Check()
	if err == nil && p.unshaped() != nil {
		err = fmt.Errorf("%w: %w", p.unshaped(), dataplane.ErrUnsupported)
	}
	if err == nil {
		err = p.shape(o)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", o.Key(), err)
	}
	return nil
}

// shape brings a shaper into force, unless it is.
func (p *Provider) shape(o dataplane.Shaper) error {
	d, ok, err := p.device(o.Device)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("%s: %w", o.Device, dataplane.ErrNoDevice)
	case d.GRE == nil || d.GRE.Remote.IsValid():
		return fmt.Errorf("%s is not a multipoint tunnel: %w", o.Device, dataplane.ErrInvalid)
	case d.Kind == kindGRE6: // its packets leave by the carrier
		return fmt.Errorf("%s is over IPv6: %w", o.Device, dataplane.ErrUnsupported)
	}
	p.shapeMu.Lock()
	defer p.shapeMu.Unlock()
	s, err := p.shaping(d.LinkInfo)
	if err != nil {
		return err
	}
	if s, err = p.ready(d, s); err != nil {
		return err
	}
	minor, known := s.classes[o.NBMA]
	if known {
		c, ok, err := p.class(d.Index, minor)
		if err != nil || ok && c.is(o) {
			return err
		}
		return p.putClass(d.Index, minor, o)
	}
	if s.c == nil {
		if s, err = p.reclassify(d, s.classes); err != nil {
			return err
		}
	}
	if minor, ok = s.free(); !ok {
		return fmt.Errorf("%s has room for %d shapers", d.Name, classify.MaxPeers)
	}
	if err := p.putClass(d.Index, minor, o); err != nil {
		return err
	}
	p.shapes.add(s.id, o.NBMA, minor)
	if err := s.c.Put(o.NBMA, shapeRoot|minor); err != nil {
		p.shapes.remove(s.id, o.NBMA)
		return errors.Join(err, p.deleteClass(d.Index, minor))
	}
	s.classes[o.NBMA] = minor
	p.w.writes++
	return nil
}

// ready brings the queueing discipline and its filter into force, unless they are. s
// is nil if nothing is known of a program; what is there of ours then says nothing
// about whose its classes are, and goes.
func (p *Provider) ready(d device, s *shaping) (*shaping, error) {
	if s != nil && s.sure {
		return s, nil
	}
	if s == nil {
		if err := p.deleteUnknown(d.Index); err != nil {
			return nil, err
		}
	}
	if err := p.putRoot(d); err != nil {
		return nil, err
	}
	if s == nil {
		return p.reclassify(d, nil)
	}
	f, err := p.classifier(d.Index)
	switch {
	case err != nil:
		return nil, err
	case f != nil && f.program == s.id && f.label == shapeName():
	case s.c == nil:
		return p.reclassify(d, s.classes)
	default:
		if err := p.putClassifier(d, s.c.FD()); err != nil {
			return nil, err
		}
	}
	s.sure = true
	return s, nil
}

// reclassify makes a program for classes and puts it in the place of the one that is
// in force: each packet meets one or the other. It is called under shapeMu.
func (p *Provider) reclassify(d device, classes table) (s *shaping, err error) {
	c, err := classify.New()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	for nbma, minor := range classes {
		if err := c.Put(nbma, shapeRoot|minor); err != nil {
			return nil, err
		}
	}
	id, err := c.ID()
	if err != nil {
		return nil, err
	}
	p.shapes.begin(id, d.Index, d.Name, classes)
	if err := p.putClassifier(d, c.FD()); err != nil {
		p.shapes.end(id)
		return nil, err
	}
	p.dropShaping(d.Name)
	s = &shaping{index: d.Index, id: id, c: c, classes: maps.Clone(classes), sure: true}
	if s.classes == nil {
		s.classes = table{}
	}
	p.shapings[d.Name] = s
	return s, nil
}

// putClassifier has our queueing discipline ask a program.
func (p *Provider) putClassifier(d device, program int) error {
	err := p.w.do(unix.RTM_NEWTFILTER, unix.NLM_F_CREATE, func(e *encoder) {
		tcHeader(e, d.Index, shapePlace.handle, shapeRoot, shapePlace.info())
		e.text(unix.TCA_KIND, kindBPF)
		o := e.open(unix.TCA_OPTIONS | nested)
		e.u32(bpfFD, uint32(program))
		e.text(bpfName, shapeName())
		e.shut(o)
	})
	if is(err, unix.ENOENT) {
		return fmt.Errorf("BPF filters: %w: %w", err, dataplane.ErrUnsupported)
	}
	return err
}

// free returns a number that no class has.
func (s *shaping) free() (minor uint32, ok bool) {
	if len(s.classes) >= classify.MaxPeers {
		return 0, false
	}
	taken := make(map[uint32]bool, len(s.classes))
	for _, m := range s.classes {
		taken[m] = true
	}
	for minor = 1; taken[minor]; minor++ {
	}
	return minor, minor <= classMax
}

func (p *Provider) deleteShaper(k dataplane.Key) error {
	if err := p.unshape(k.Name, k.Prefix.Addr()); err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	return nil
}

// unshape takes a shaper away, and everything with the last one. nbma is the zero Addr
// for what nobody knows anything of.
func (p *Provider) unshape(name string, nbma netip.Addr) error {
	d, ok, err := p.device(name)
	p.shapeMu.Lock()
	defer p.shapeMu.Unlock()
	if err != nil || !ok {
		p.dropShaping(name)
		return err
	}
	s, err := p.shaping(d.LinkInfo)
	if err != nil {
		return err
	}
	if s == nil {
		return p.deleteUnknown(d.Index)
	}
	minor, known := s.classes[nbma]
	switch {
	case !known:
		return nil
	case len(s.classes) == 1:
		if err := p.deleteRoot(d.Index); err != nil {
			return err
		}
		p.dropShaping(name)
		return nil
	case s.c == nil:
		left := maps.Clone(s.classes)
		delete(left, nbma)
		if _, err := p.reclassify(d, left); err != nil {
			return err
		}
		return p.deleteClass(d.Index, minor)
	}
	if err := s.c.Remove(nbma); err != nil {
		return err
	}
	if err := p.deleteClass(d.Index, minor); err != nil {
		return err
	}
	p.shapes.remove(s.id, nbma)
	delete(s.classes, nbma)
	return nil
}

// dumpShapers yields the shapers that are in force; where a queueing discipline of ours
// has classes of which nobody knows whose they are, one for no peer.
func (p *Provider) dumpShapers(ctx context.Context, yield func(dataplane.Object, error) bool) {
	links, err := p.dumpLinks(ctx)
	if err != nil {
		yield(nil, err)
		return
	}
	for _, l := range links {
		if !multipoint(l) {
			continue
		}
		list, err := p.shapersOf(l)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, o := range list {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (p *Provider) shapersOf(l dataplane.LinkInfo) (list []dataplane.Shaper, err error) {
	kind, handle, err := p.rootKind(l.Index)
	ours := kind == kindHTB && handle == shapeRoot
	p.shapeMu.Lock()
	defer p.shapeMu.Unlock()
	if err != nil {
		return nil, err
	}
	s := p.shapings[l.Name]
	if !ours {
		if s != nil {
			s.sure = false
		}
		return nil, nil
	}
	f, err := p.classifier(l.Index)
	if err != nil {
		return nil, err
	}
	if s, err = p.shaping(l); err != nil {
		return nil, err
	}
	switch {
	case s == nil:
		return []dataplane.Shaper{{Device: l.Name}}, nil
	case f == nil || f.program != s.id || f.label != shapeName():
		s.sure = false
		return nil, nil
	}
	classes, err := p.classes(l.Index)
	if err != nil {
		return nil, err
	}
	for nbma, minor := range s.classes {
		if c, ok := classes[minor]; ok {
			o := c.shaper(l.Name)
			o.NBMA = nbma
			list = append(list, o)
		}
	}
	return list, nil
}

// shapingChanged tells if somebody else changed a queueing discipline, a class or a
// filter that may be ours.
func (p *Provider) shapingChanged(m message) {
	if m.port == p.w.sock.port || len(m.data) < tcmLen {
		return
	}
	name := p.names.name(int(int32(getU32(m.data[4:]))))
	handle, parent := getU32(m.data[8:]), getU32(m.data[12:])
	if handle>>16 != shapeMajor && parent>>16 != shapeMajor && parent != tcRoot {
		return
	}
	p.shapeMu.Lock()
	var gone []dataplane.Key
	if s := p.shapings[name]; s != nil {
		s.sure = false
		for nbma := range s.classes {
			gone = append(gone, dataplane.Shaper{Device: name, NBMA: nbma}.Key())
		}
	}
	p.shapeMu.Unlock()
	for _, k := range gone {
		p.emit(dataplane.ObjectGone{Key: k})
	}
}
