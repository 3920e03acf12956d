package route

import "github.com/godmvpn/godmvpn/ospfd/packet"

// Shortcut says whether a border router takes paths by summary-LSAs of an area beside those of
// the backbone (draft-ietf-ospf-shortcut-abr-02).
type Shortcut uint8

// When it does.
const (
	NoShortcut       Shortcut = iota
	ShortcutIfShared          // if all other border routers of the area set the S-bit
	ShortcutAlways
)

// Shortens reports whether a border router takes paths by summary-LSAs of an area beside those of
// the backbone.
func (t *Table) Shortens(id packet.ID) bool {
	a := t.area(id)
	return a != nil && t.shortens(a)
}

// Shortcut is that of an area, as it is configured.
func (t *Table) Shortcut(id packet.ID) Shortcut {
	if a := t.area(id); a != nil {
		return a.Shortcut
	}
	return NoShortcut
}

// detours reports whether a summary-LSA is examined where the others have no path.
func (t *Table) detours(s *summary) bool { return t.shortens(s.area) }

// shortens reports whether summary-LSAs of an area are examined beside those of the backbone
// (draft-ietf-ospf-shortcut-abr-02).
func (t *Table) shortens(a *area) bool {
	return t.cfg.Border && a.ID != Backbone && (a.Shortcut == ShortcutAlways || a.Shortcut == ShortcutIfShared && a.shared)
}

// inward reports whether a summary-LSA is a default route for the inside of a stub area or NSSA,
// by which its border routers would send packets to each other.
func (t *Table) inward(d *dest, s *summary) bool {
	return d.prefix.Bits() == 0 && t.cfg.Border && s.area.Kind != Normal
}
