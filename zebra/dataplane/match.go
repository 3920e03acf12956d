package dataplane

import "github.com/godmvpn/godmvpn/lib/rib"

// Satisfied reports whether what is in force (have, from Dump) is as wanted:
// like want.Equal(have), but what want leaves open may be anything.
func Satisfied(want, have Object) bool {
	switch w := want.(type) {
	case Link:
		h, ok := have.(Link)
		if !ok {
			return false
		}
		w.Attrs = w.settled(h.Attrs)
		if w.Type == LinkExisting {
			h.Type, h.Table = LinkExisting, w.Table // whoever made it
		}
		return w == h
	case Tunnel:
		h, ok := have.(Tunnel)
		if !ok {
			return false
		}
		w.Attrs = w.settled(h.Attrs)
		w.Guarded = w.Guarded || h.Guarded
		if !w.HasKey {
			w.GREKey = h.GREKey
		}
		if w.IPv6() {
			w.PathMTUDiscovery = h.PathMTUDiscovery
		}
		if w.Multipoint() {
			w.Remote = h.Remote
			return h.Multipoint() && w == h
		}
		w.Resolve = h.Resolve
		return w == h
	case SA:
		h, ok := have.(SA)
		return ok && satisfiedSA(w, h)
	case Sysctl:
		h, ok := have.(Sysctl)
		return ok && w == h
	}
	return want.Equal(have)
}

// settled returns a with what it leaves open taken from have.
func (a Attrs) settled(have Attrs) Attrs {
	if a.Admin == AdminKeep {
		a.Admin = have.Admin
	}
	if a.MTU == 0 {
		a.MTU = have.MTU
	}
	return a
}

// Own reports whether an object from Dump is one that zebra put there, in this
// life or an earlier one. See the package comment for how it is known.
func Own(have Object) bool {
	switch h := have.(type) {
	case Route:
		_, ok := rib.ProtocolOfKernel(h.Protocol)
		return ok
	case Addr:
		return !h.Foreign
	case Link:
		return h.Type != LinkExisting
	}
	return true
}
