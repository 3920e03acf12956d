package linuxkernel

import (
	"context"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/mss"
)

// A clamp is one BPF filter for each direction. Its name says the limit and the
// revision of the program.
//
// The place is early: what goes before may end the chain of filters.
var clampPlace = place{priority: 7, handle: 0x6d7373 /* "mss" */, prefix: "godmvpn-mss-"}

// clampProgram says which program is meant.
type clampProgram struct {
	limit  uint16
	header mss.Header
}

func clampName(limit uint16) string {
	return fmt.Sprintf("%s%d-v%d", clampPlace.prefix, limit, mss.Revision)
}

// limit returns the limit of a clamp's filter, 0 if its program is not the one
// that we would load.
func (f filter) limit() uint16 {
	var n uint16
	if _, err := fmt.Sscanf(f.name, clampPlace.prefix+"%d-", &n); err != nil || f.name != clampName(n) {
		return 0
	}
	return n
}

// probeClamp finds out whether the program can be loaded and attached.
func (p *Provider) probeClamp() error {
	return p.probeBPF(func() error {
		prog, err := mss.Load(1460, mss.Ethernet)
		if err == nil {
			prog.Close()
		}
		return err
	})
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
	}
	have, err := p.filters(d.Index)
	if err != nil {
		return err
	}
	missing := map[uint32]bool{tcIngress: true, tcEgress: true}
	for _, f := range have {
		switch {
		case f.own(clampPlace) && f.limit() == c.MSS:
			delete(missing, f.parent)
		case f.at(clampPlace) && !f.own(clampPlace):
			return fmt.Errorf("%v: somebody's filter has priority %d and handle %#x", c.Key(), clampPlace.priority, clampPlace.handle)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := p.unclamped(); err != nil {
		return fmt.Errorf("%v: %w: %w", c.Key(), err, dataplane.ErrUnsupported)
	}
	if err := p.putClsact(d); err != nil {
		return fmt.Errorf("%v: %w", c.Key(), err)
	}
	which := clampProgram{limit: c.MSS, header: mss.Network}
	if d.ethernet {
		which.header = mss.Ethernet
	}
	prog, err := p.program(which)
	if err != nil {
		return err
	}
	for _, hook := range hooks {
		if !missing[hook] {
			continue
		}
		if err := p.putFilter(d, hook, clampPlace, prog.FD(), clampName(c.MSS)); err != nil {
			return fmt.Errorf("%v: %w", c.Key(), err)
		}
	}
	return nil
}

// deleteClamp removes our filters.
func (p *Provider) deleteClamp(k dataplane.Key) error {
	if err := p.deleteFilters(k.Name, clampPlace); err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	return nil
}

// dumpClamps yields the clamps of ours.
func (p *Provider) dumpClamps(ctx context.Context, yield func(dataplane.Object, error) bool) {
	links, err := p.dumpLinks(ctx)
	if err == nil {
		err = p.filtered(links, func(l dataplane.LinkInfo, fs []filter) bool {
			c, ok := clampOf(l.Name, fs)
			return !ok || yield(c, nil)
		})
	}
	if err != nil {
		yield(nil, err)
	}
}

// clampOf makes a clamp of the filters on a device; ok is false if none is ours.
func clampOf(name string, fs []filter) (c dataplane.MSSClamp, ok bool) {
	limits := map[uint32]uint16{}
	for _, f := range fs {
		if f.own(clampPlace) {
			limits[f.parent], ok = f.limit(), true
		}
	}
	c.Device = name
	if limits[tcIngress] == limits[tcEgress] {
		c.MSS = limits[tcIngress]
	}
	return c, ok
}
