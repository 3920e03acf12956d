package edge

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/cli"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
)

// Instances returns what there is to show of the VRFs, by VRF.
func (e *Edge) Instances() []*cli.Instance {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []*cli.Instance
	if e.config == nil {
		return nil
	}
	for i := range e.config.Routers {
		in := &cli.Instance{Router: &e.config.Routers[i], Config: e.config.Routers[i].Speaker, Now: time.Now()}
		if r := e.runners[in.Router.VRF]; r != nil {
			in.Running, in.Config = true, r.config
			r.mu.Lock()
			in.Version = r.version
			r.mu.Unlock()
		}
		out = append(out, in)
	}
	slices.SortFunc(out, func(a, b *cli.Instance) int { return strings.Compare(a.Router.VRF, b.Router.VRF) })
	return out
}

// Instance returns what there is to show of a VRF, with its neighbours, and its speaker;
// nil if BGP does not run there. countSent has what is sent to neighbours counted.
func (e *Edge) Instance(vrf string, countSent bool) (*cli.Instance, *speaker.Speaker, error) {
	for _, in := range e.Instances() {
		if in.Router.VRF != vrf || !in.Running {
			continue
		}
		e.mu.Lock()
		r := e.runners[vrf]
		e.mu.Unlock()
		if r == nil {
			break
		}
		var err error
		in.Statuses, err = r.s.Neighbors(countSent)
		return in, r.s, err
	}
	return nil, nil, nil
}

// Clear resets the sessions that v is about, or applies their policies anew.
func (e *Edge) Clear(_ context.Context, v cli.View) error {
	in, s, err := e.Instance(v.VRF, false)
	if err != nil {
		return err
	}
	if in == nil {
		return errors.New("BGP does not run")
	}
	one := func(a netip.Addr) error {
		if v.Soft {
			return s.ClearSoft(a, v.Changes)
		}
		return s.Clear(a)
	}
	if !v.Addr.IsValid() && v.AS == 0 && v.Group == "" {
		return one(netip.Addr{})
	}
	var errs []error
	found := false
	for i := range in.Statuses {
		st := &in.Statuses[i]
		if st.Address == v.Addr || v.AS != 0 && st.RemoteAS == v.AS || v.Group != "" && in.Group(st) == v.Group {
			found = true
			errs = append(errs, one(st.Address))
		}
	}
	if !found && v.Addr.IsValid() {
		return fmt.Errorf("there is no neighbor %v", v.Addr)
	}
	return errors.Join(errs...)
}
