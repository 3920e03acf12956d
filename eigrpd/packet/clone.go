package packet

import (
	"bytes"
	"slices"
)

// Clone returns a copy of m that shares no memory with it.
func (m *Message) Clone() *Message {
	c := *m
	c.own = storage{}
	c.Parameters = clonePointer(m.Parameters)
	c.Software = clonePointer(m.Software)
	c.SequenceAddrs = slices.Clone(m.SequenceAddrs)
	c.Terminated = slices.Clone(m.Terminated)
	c.TIDs = slices.Clone(m.TIDs)
	c.Routes = slices.Clone(m.Routes)
	for i := range c.Routes {
		c.Routes[i] = c.Routes[i].Clone()
	}
	c.Communities = slices.Clone(m.Communities)
	for i := range c.Communities {
		c.Communities[i].List = slices.Clone(c.Communities[i].List)
	}
	c.Unknown = slices.Clone(m.Unknown)
	for i := range c.Unknown {
		c.Unknown[i].Value = bytes.Clone(c.Unknown[i].Value)
	}
	return &c
}

// Clone returns a copy of r that shares no memory with it.
func (r Route) Clone() Route {
	r.Communities = slices.Clone(r.Communities)
	r.Paths = slices.Clone(r.Paths)
	r.Attributes = slices.Clone(r.Attributes)
	for i := range r.Attributes {
		r.Attributes[i].Data = bytes.Clone(r.Attributes[i].Data)
	}
	r.Destinations = slices.Clone(r.Destinations)
	return r
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
