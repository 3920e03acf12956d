package packet

import (
	"bytes"
	"slices"
)

// Clone returns a copy of m that shares no memory with it.
func (m *Message) Clone() *Message {
	c := *m
	c.own = storage{}
	c.SrcSubaddress = bytes.Clone(m.SrcSubaddress)
	c.CIEs = cloneCIEs(m.CIEs)
	c.Payload = bytes.Clone(m.Payload)
	c.Extensions = slices.Clone(m.Extensions)
	for i := range c.Extensions {
		e := &c.Extensions[i]
		e.CIEs = cloneCIEs(e.CIEs)
		e.Value = bytes.Clone(e.Value)
	}
	return &c
}

func cloneCIEs(cs []CIE) []CIE {
	cs = slices.Clone(cs)
	for i := range cs {
		cs[i].NBMASubaddress = bytes.Clone(cs[i].NBMASubaddress)
	}
	return cs
}
