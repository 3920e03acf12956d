package linuxkernel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/replicate"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/unmatched"
)

// What comes for no tunnel is counted by a BPF filter where packets come in by gre0.
var nomatchPlace = place{priority: 3, handle: 0x6e6f6e /* "non" */, prefix: "godmvpn-unmatched-"}

func nomatchName() string { return fmt.Sprintf("%sv%d", nomatchPlace.prefix, unmatched.Revision) }

// nomatchEvery is how often it is told.
const nomatchEvery = 2 * time.Second

// nomatch is the program that this Provider made.
type nomatch struct {
	*unmatched.Counter
	id uint32 // the kernel's number of the program
}

// probeNomatch finds out whether the program can be loaded and attached.
func (p *Provider) probeNomatch() error {
	return p.probeBPF(func() error {
		c, err := unmatched.New()
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

// countNomatch returns the program, which begins with the first use. It is called
// under noneMu.
func (p *Provider) countNomatch() (*nomatch, error) {
	if p.none != nil {
		return p.none, nil
	}
	if p.isClosed() {
		return nil, dataplane.ErrClosed
	}
	c, err := unmatched.New()
	if err != nil {
		return nil, err
	}
	id, err := c.ID()
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	p.none = &nomatch{c, id}
	p.running.Add(1)
	go p.tellNomatch(c)
	return p.none, nil
}

// closeNomatch ends the telling.
func (p *Provider) closeNomatch() {
	p.noneMu.Lock()
	defer p.noneMu.Unlock()
	if p.none != nil {
		p.none.Close() // what is attached stays
		p.none = nil
	}
}

// tellNomatch makes events of rows that grew, but for what this machine sent to everybody
// on a multipoint tunnel before there was a replicator: that is no packet that came.
func (p *Provider) tellNomatch(c *unmatched.Counter) {
	defer p.running.Done()
	ticker := time.NewTicker(nomatchEvery)
	defer ticker.Stop()
	told := map[unmatched.Row]uint64{} // packets of each row, by the row without them
	for {
		select {
		case <-p.closed:
			return
		case <-ticker.C:
		}
		rows, err := c.Read()
		if err != nil {
			if !p.isClosed() {
				p.opt.Logger.Warn("GRE packets for no tunnel are not told of any more", "error", err)
			}
			return
		}
		now := make(map[unmatched.Row]uint64, len(rows))
		var ev dataplane.UnmatchedFound
		for _, r := range rows {
			key := r
			key.Packets = 0
			now[key] = r.Packets
			if told[key] != r.Packets && r.Destination != replicate.Broadcast {
				ev.Rows = append(ev.Rows, dataplane.UnmatchedRow{Source: r.Source, Destination: r.Destination, Key: r.Key, HasKey: r.HasKey, Packets: r.Packets})
			}
		}
		if told = now; len(ev.Rows) > 0 {
			p.emit(ev)
		}
	}
}

// putNomatch brings the program into force and then the device up, in this order: what
// comes for no tunnel must not get in.
func (p *Provider) putNomatch(o dataplane.Unmatched) error {
	err := error(nil)
	if o.Outdated || o.Device != dataplane.FallbackGRE {
		err = dataplane.ErrInvalid
	} else if p.uncounted() != nil {
		err = fmt.Errorf("%w: %w", p.uncounted(), dataplane.ErrUnsupported)
	} else {
		err = p.attachNomatch(o.Device)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", o.Key(), err)
	}
	return nil
}

func (p *Provider) attachNomatch(name string) error {
	d, ok, err := p.device(name)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("%s: %w", name, dataplane.ErrNoDevice)
	}
	have, err := p.filters(d.Index)
	if err != nil {
		return err
	}
	p.noneMu.Lock()
	defer p.noneMu.Unlock()
	c, err := p.countNomatch()
	if err != nil {
		return err
	}
	ours, current := false, false
	for _, f := range have {
		if f.own(nomatchPlace) && f.parent == tcIngress {
			ours, current = true, f.program == c.id
		}
	}
	if !ours && d.Up {
		return fmt.Errorf("%s is up: somebody uses it", name)
	}
	if !current {
		if err := p.putClsact(d); err != nil {
			return err
		}
		if err := p.putFilter(d, tcIngress, nomatchPlace, c.FD(), nomatchName()); err != nil {
			return err
		}
	}
	if d.Up {
		return nil
	}
	return p.putLink(dataplane.Link{Name: name, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}})
}

// deleteNomatch takes the device down, and then the program away.
func (p *Provider) deleteNomatch(k dataplane.Key) error {
	err := p.deleteDevice(k.Name) // which is not ours: it becomes what it was
	if err == nil {
		err = p.deleteFilters(k.Name, nomatchPlace)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	return nil
}

// dumpNomatch yields the device with a filter of ours.
func (p *Provider) dumpNomatch(ctx context.Context, yield func(dataplane.Object, error) bool) {
	links, err := p.dumpLinks(ctx)
	if err == nil {
		err = p.filtered(links, func(l dataplane.LinkInfo, fs []filter) bool {
			for _, f := range fs {
				if f.own(nomatchPlace) && f.parent == tcIngress {
					return yield(dataplane.Unmatched{Device: l.Name, Outdated: !l.Up || !p.countsNow(f.program)}, nil)
				}
			}
			return true
		})
	}
	if err != nil {
		yield(nil, err)
	}
}

// countsNow reports whether a program is the one of this life.
func (p *Provider) countsNow(program uint32) bool {
	p.noneMu.Lock()
	defer p.noneMu.Unlock()
	return p.none != nil && p.none.id == program
}
