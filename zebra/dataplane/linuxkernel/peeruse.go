package linuxkernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/peeruse"
)

// The use of peers is noted by a BPF filter where packets leave a tunnel. It is the
// first, so that what the replicator copies is known for copies.
var usePlace = place{priority: 4, handle: 0x757365 /* "use" */, prefix: "godmvpn-use-"}

func useName() string { return fmt.Sprintf("%sv%d", usePlace.prefix, peeruse.Revision) }

// useEvery is how often the use of peers is told.
const useEvery = 5 * time.Second

// usage is the program that this Provider made; it serves all devices.
type usage struct {
	*peeruse.Watch
	id uint32 // the kernel's number of the program
}

// probeUse finds out whether the program can be loaded and attached.
func (p *Provider) probeUse() error {
	return p.probeBPF(func() error {
		w, err := peeruse.New()
		if err == nil {
			err = w.Close()
		}
		return err
	})
}

// watchUse returns the program, which begins with the first use. It is called under
// useMu.
func (p *Provider) watchUse() (*usage, error) {
	if p.use != nil {
		return p.use, nil
	}
	if p.isClosed() {
		return nil, dataplane.ErrClosed
	}
	w, err := peeruse.New()
	if err != nil {
		return nil, err
	}
	id, err := w.ID()
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	p.use = &usage{w, id}
	p.running.Add(1)
	go p.tellUse(w)
	return p.use, nil
}

// closeUse ends the telling.
func (p *Provider) closeUse() {
	p.useMu.Lock()
	defer p.useMu.Unlock()
	if p.use != nil {
		p.use.Close() // what is attached stays
		p.use = nil
	}
}

// tellUse makes events of what was noted.
func (p *Provider) tellUse(w *peeruse.Watch) {
	defer p.running.Done()
	ticker := time.NewTicker(useEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.closed:
			return
		case <-ticker.C:
		}
		uses, err := w.Read()
		if err != nil {
			if !p.isClosed() {
				p.opt.Logger.Warn("the use of peers is not told of any more", "error", err)
			}
			return
		}
		for len(uses) > 0 {
			index, nbma := uses[0].Index, []netip.Addr(nil)
			for len(uses) > 0 && uses[0].Index == index {
				nbma, uses = append(nbma, uses[0].NBMA), uses[1:]
			}
			if name := p.names.name(index); name != "" {
				p.emit(dataplane.PeersUsed{Device: name, NBMA: nbma})
			}
		}
	}
}

func (p *Provider) putUse(o dataplane.PeerUse) error {
	if o.Outdated {
		return fmt.Errorf("%v: %w", o.Key(), dataplane.ErrInvalid)
	}
	d, fs, err := p.replicated(o.Device)
	if err == nil && p.unnoted() != nil {
		err = fmt.Errorf("%w: %w", p.unnoted(), dataplane.ErrUnsupported)
	}
	if err == nil {
		err = p.attachUse(d, fs)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", o.Key(), err)
	}
	return nil
}

// attachUse brings the program into force on a device, in the place of one of an
// earlier life.
func (p *Provider) attachUse(d device, have []filter) error {
	p.useMu.Lock()
	defer p.useMu.Unlock()
	u, err := p.watchUse()
	if err != nil {
		return err
	}
	for _, f := range have {
		switch {
		case f.parent != tcEgress || !f.at(usePlace):
		case !f.own(usePlace):
			return fmt.Errorf("somebody's filter has priority %d and handle %#x", usePlace.priority, usePlace.handle)
		case f.program == u.id:
			return nil
		}
	}
	if err := p.putClsact(d); err != nil {
		return err
	}
	return p.putFilter(d, tcEgress, usePlace, u.FD(), useName())
}

func (p *Provider) deleteUse(k dataplane.Key) error {
	if err := p.deleteFilters(k.Name, usePlace); err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	return nil
}

// dumpUse yields the devices with a filter of ours.
func (p *Provider) dumpUse(ctx context.Context, yield func(dataplane.Object, error) bool) {
	links, err := p.dumpLinks(ctx)
	if err == nil {
		err = p.filtered(links, func(l dataplane.LinkInfo, fs []filter) bool {
			for _, f := range fs {
				if f.own(usePlace) && f.parent == tcEgress {
					return yield(dataplane.PeerUse{Device: l.Name, Outdated: !p.usesNow(f.program)}, nil)
				}
			}
			return true
		})
	}
	if err != nil {
		yield(nil, err)
	}
}

// usesNow reports whether a program is the one of this life.
func (p *Provider) usesNow(program uint32) bool {
	p.useMu.Lock()
	defer p.useMu.Unlock()
	return p.use != nil && p.use.id == program
}
