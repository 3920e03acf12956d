package linuxkernel

import (
	"context"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/hairpin"
)

// A detector is one BPF filter for each direction, between the replicator and the
// clamp. All are of one pair of programs.
var hairPlace = place{priority: 6, handle: 0x68706e /* "hpn" */, prefix: "godmvpn-hairpin-"}

func hairName() string { return fmt.Sprintf("%sv%d", hairPlace.prefix, hairpin.Revision) }

// detector is the pair of programs that this Provider made.
type detector struct {
	*hairpin.Detector
	programs map[uint32]int    // hook → file descriptor
	ids      map[uint32]uint32 // hook → the kernel's number of the program
	groups   map[int]uint32    // by index of the device: what was put
}

// probeHairpin finds out whether the programs can be loaded and attached.
func (p *Provider) probeHairpin() error {
	return p.probeBPF(func() error {
		d, err := hairpin.New()
		if err == nil {
			err = d.Close()
		}
		return err
	})
}

// detect returns the detector, which begins with the first use. It is called under
// hairMu.
func (p *Provider) detect() (*detector, error) {
	if p.hair != nil {
		return p.hair, nil
	}
	if p.isClosed() {
		return nil, dataplane.ErrClosed
	}
	h, err := hairpin.New()
	if err != nil {
		return nil, err
	}
	d := &detector{Detector: h, programs: map[uint32]int{}, ids: map[uint32]uint32{}, groups: map[int]uint32{}}
	in, out := h.Programs()
	for i, prog := range [2]*ebpf.Program{in, out} {
		info, err := prog.Info()
		if err != nil {
			h.Close()
			return nil, err
		}
		id, _ := info.ID()
		d.programs[hooks[i]], d.ids[hooks[i]] = prog.FD(), uint32(id)
	}
	p.hair = d
	p.running.Add(1)
	go p.tellHairpins(h)
	return d, nil
}

// closeDetector ends the reading of samples.
func (p *Provider) closeDetector() {
	p.hairMu.Lock()
	defer p.hairMu.Unlock()
	if p.hair != nil {
		p.hair.Close() // what is attached stays
		p.hair = nil
	}
}

// tellHairpins makes events of samples. One that nobody has room for is dropped.
func (p *Provider) tellHairpins(h *hairpin.Detector) {
	defer p.running.Done()
	for {
		s, err := h.Read()
		if err != nil {
			if !p.isClosed() {
				p.opt.Logger.Warn("hairpins are not told of any more", "error", err)
			}
			return
		}
		ev := dataplane.HairpinFound{In: p.names.name(s.In), Out: p.names.name(s.Out), Packet: s.Packet}
		if ev.In == "" || ev.Out == "" {
			continue // the device is gone
		}
		select {
		case p.events <- ev:
		default:
		}
	}
}

func (p *Provider) putHairpin(o dataplane.Hairpin) error {
	if o.Outdated {
		return fmt.Errorf("%v: %w", o.Key(), dataplane.ErrInvalid)
	}
	d, ok, err := p.device(o.Device)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("%s: %w", o.Device, dataplane.ErrNoDevice)
	case p.blind() != nil:
		return fmt.Errorf("%v: %w: %w", o.Key(), p.blind(), dataplane.ErrUnsupported)
	}
	have, err := p.filters(d.Index)
	if err == nil {
		err = p.putDetector(d, o.Group, have)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", o.Key(), err)
	}
	return nil
}

// putDetector puts a device into a group and brings the programs into force.
func (p *Provider) putDetector(d device, group uint32, have []filter) error {
	p.hairMu.Lock()
	defer p.hairMu.Unlock()
	h, err := p.detect()
	if err != nil {
		return err
	}
	missing := map[uint32]bool{tcIngress: true, tcEgress: true}
	for _, f := range have {
		switch {
		case f.own(hairPlace) && f.program == h.ids[f.parent]:
			delete(missing, f.parent)
		case f.at(hairPlace) && !f.own(hairPlace):
			return fmt.Errorf("somebody's filter has priority %d and handle %#x", hairPlace.priority, hairPlace.handle)
		}
	}
	if old, ok := h.groups[d.Index]; !ok || old != group {
		if err := h.Add(d.Index, group); err != nil {
			return err
		}
		h.groups[d.Index] = group
		p.w.writes++
	}
	if len(missing) == 0 {
		return nil
	}
	if err := p.putClsact(d); err != nil {
		return err
	}
	for _, hook := range hooks {
		if !missing[hook] {
			continue
		}
		if err := p.putFilter(d, hook, hairPlace, h.programs[hook], hairName()); err != nil {
			return err
		}
	}
	return nil
}

// dropHairpin takes a device out of its group.
func (p *Provider) dropHairpin(index int) {
	p.hairMu.Lock()
	defer p.hairMu.Unlock()
	if p.hair == nil {
		return
	}
	if err := p.hair.Remove(index); err != nil {
		p.opt.Logger.Warn("hairpins: a device stays in its group", "index", index, "error", err)
	}
	delete(p.hair.groups, index)
}

func (p *Provider) deleteHairpin(k dataplane.Key) error {
	d, ok, err := p.device(k.Name)
	if err == nil && ok {
		p.dropHairpin(d.Index)
	}
	if err == nil {
		err = p.deleteFilters(k.Name, hairPlace)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	return nil
}

// dumpHairpins yields the devices with filters of ours.
func (p *Provider) dumpHairpins(ctx context.Context, yield func(dataplane.Object, error) bool) {
	links, err := p.dumpLinks(ctx)
	if err == nil {
		err = p.filtered(links, func(l dataplane.LinkInfo, fs []filter) bool {
			h, ok := p.hairpinOf(l, fs)
			return !ok || yield(h, nil)
		})
	}
	if err != nil {
		yield(nil, err)
	}
}

// hairpinOf makes an object of the filters on a device; ok is false if none is ours.
func (p *Provider) hairpinOf(l dataplane.LinkInfo, fs []filter) (o dataplane.Hairpin, ok bool) {
	p.hairMu.Lock()
	defer p.hairMu.Unlock()
	present := 0
	for _, f := range fs {
		if !f.own(hairPlace) {
			continue
		}
		ok = true
		if p.hair != nil && f.program == p.hair.ids[f.parent] {
			present++
		}
	}
	o.Device = l.Name
	known := false
	if p.hair != nil {
		o.Group, known = p.hair.groups[l.Index]
	}
	o.Outdated = !known || present != len(hooks)
	return o, ok
}
