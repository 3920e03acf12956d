package session

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// ErrInvalid is wrapped by all errors about values that may not be sent.
var ErrInvalid = errors.New("invalid value")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Check tells whether an object may be sent: known kind, masked prefix, plain
// addresses without zone, names within their limits. Both sides apply it.
func Check(obj rib.Object) error {
	switch o := obj.(type) {
	case rib.Route:
		return checkRoute(o)
	case rib.Neighbor:
		switch {
		case o.Interface == "":
			return invalid("neighbour without interface")
		case !o.Addr.IsValid() || !o.NBMA.IsValid():
			return invalid("neighbour without address")
		}
		return errors.Join(checkName("interface", o.Interface), checkAddr(o.Addr), checkAddr(o.NBMA))
	case rib.MulticastPeer:
		if o.Interface == "" || !o.NBMA.IsValid() || o.NBMA.IsUnspecified() || o.NBMA.IsMulticast() {
			return invalid("multicast peer %v on %q", o.NBMA, cut(o.Interface, MaxName))
		}
		return errors.Join(checkName("interface", o.Interface), checkAddr(o.NBMA))
	case rib.LineProtocol:
		if o.Interface == "" {
			return invalid("line protocol of no interface")
		}
		return checkName("interface", o.Interface)
	case rib.Shaper:
		if o.Interface == "" || !o.NBMA.IsValid() || o.NBMA.IsUnspecified() || o.NBMA.IsMulticast() || o.Rate == 0 {
			return invalid("shaper of %d bit/s for %v on %q", o.Rate, o.NBMA, cut(o.Interface, MaxName))
		}
		return errors.Join(checkName("interface", o.Interface), checkAddr(o.NBMA), checkName("policy", o.Policy))
	case rib.SA:
		if err := o.Check(); err != nil {
			return invalid("%v", err)
		}
		return nil
	case rib.Policy:
		if err := o.CheckOne(); err != nil {
			return invalid("%v", err)
		}
		return nil
	case rib.Override:
		if o.Protocol > rib.NHRP {
			return invalid("override of protocol %d", o.Protocol)
		}
		return errors.Join(checkDestination(o.VRF, o.Prefix), checkNextHop(o.NextHop))
	}
	return invalid("object of type %T", obj)
}

func checkRoute(r rib.Route) error {
	if err := checkDestination(r.VRF, r.Prefix); err != nil {
		return err
	}
	if r.Protocol > rib.NHRP || r.Type > rib.TypeIBGP {
		return invalid("route of protocol %d, type %d", r.Protocol, r.Type)
	}
	if len(r.NextHops) == 0 || len(r.NextHops) > MaxNextHops {
		return invalid("route with %d next hops", len(r.NextHops))
	}
	for _, h := range r.NextHops {
		if err := checkNextHop(h); err != nil {
			return err
		}
	}
	return checkName("route name", r.Name)
}

func checkDestination(vrf string, p netip.Prefix) error {
	if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
		return invalid("destination %v", p)
	}
	return checkName("VRF", vrf)
}

func checkNextHop(h rib.NextHop) error {
	if !h.Addr.IsValid() && h.Interface == "" && !h.Discard {
		return invalid("empty next hop")
	}
	if err := checkAddr(h.Addr); err != nil {
		return err
	}
	return errors.Join(checkName("interface", h.Interface), checkName("VRF", h.VRF))
}

// checkAddr accepts the zero address.
func checkAddr(a netip.Addr) error {
	if a.Zone() != "" || a.Is4In6() {
		return invalid("address %v", a)
	}
	return nil
}

func checkName(what, s string) error {
	if len(s) > MaxName || !clean(s) {
		return invalid("%s %q", what, cut(s, MaxName))
	}
	return nil
}

// clean tells whether s is UTF-8 without control characters, so that it can be
// shown on a terminal.
func clean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// CheckKey tells whether a key may be sent.
func CheckKey(k rib.Key) error {
	switch k.Kind {
	case rib.KindSA:
		if !k.Addr.IsValid() || k != (rib.Key{Kind: k.Kind, Addr: k.Addr, Instance: k.Instance}) {
			return invalid("key %+v", k)
		}
		return checkAddr(k.Addr)
	case rib.KindPolicy:
		if !k.Addr.IsValid() || k != (rib.Key{Kind: k.Kind, Addr: k.Addr, Prefix: k.Prefix}) || !k.Prefix.IsValid() || k.Prefix.Bits() == 0 {
			return invalid("key %+v", k)
		}
		return checkAddr(k.Addr)
	case rib.KindRoute, rib.KindOverride:
		if k.Protocol > rib.NHRP || k.Interface != "" || k.Addr.IsValid() || (k.Kind == rib.KindOverride && (k.Protocol != 0 || k.Instance != 0)) {
			return invalid("key %+v", k)
		}
		return checkDestination(k.VRF, k.Prefix)
	case rib.KindNeighbor, rib.KindMulticastPeer, rib.KindShaper:
		if k.VRF != "" || k.Prefix.IsValid() || k.Protocol != 0 || k.Instance != 0 || k.Interface == "" || !k.Addr.IsValid() {
			return invalid("key %+v", k)
		}
		return errors.Join(checkName("interface", k.Interface), checkAddr(k.Addr))
	case rib.KindLineProtocol:
		if k.Interface == "" || k != (rib.Key{Kind: k.Kind, Interface: k.Interface}) {
			return invalid("key %+v", k)
		}
		return checkName("interface", k.Interface)
	}
	return invalid("kind %d", k.Kind)
}

// CheckWatch tells whether a watch may be sent: a known kind, the fields that
// the kind uses and no others.
func CheckWatch(w rib.Watch) error {
	want := rib.Watch{Kind: w.Kind}
	ok := true
	switch w.Kind {
	case rib.WatchNextHop:
		want.VRF, want.Addr, ok = w.VRF, w.Addr, w.Addr.IsValid()
	case rib.WatchRedistribute:
		want.VRF, want.Family, want.Protocol, want.Instance = w.VRF, w.Family, w.Protocol, w.Instance
		ok = (w.Family == rib.IPv4 || w.Family == rib.IPv6) && w.Protocol != rib.Unspecified && w.Protocol <= rib.NHRP
	case rib.WatchNetwork:
		want.VRF, want.Prefix = w.VRF, w.Prefix
		if err := checkDestination(w.VRF, w.Prefix); err != nil {
			return err
		}
	case rib.WatchTopic:
		want.Topic, ok = w.Topic, w.Topic != ""
	case rib.WatchHairpin:
		want.Interface, want.Instance, ok = w.Interface, w.Instance, w.Interface != ""
	case rib.WatchNeighborMiss, rib.WatchPeerUse:
		want.Interface, ok = w.Interface, w.Interface != ""
	case rib.WatchUnmatched, rib.WatchIPsec:
	case rib.WatchSADump:
		want.Instance = w.Instance
	default:
		return invalid("watch of kind %d", w.Kind)
	}
	if !ok || w != want {
		return invalid("watch %+v", w)
	}
	return errors.Join(checkName("VRF", w.VRF), checkName("topic", w.Topic),
		checkName("interface", w.Interface), checkAddr(w.Addr))
}

// CheckPublish tells whether a topic value may be sent.
func CheckPublish(p Publish) error {
	switch {
	case p.Topic == "":
		return invalid("empty topic")
	case len(p.Payload) > MaxPayload:
		return invalid("payload of %d bytes", len(p.Payload))
	case len(p.Key) > MaxText || !utf8.ValidString(p.Key):
		return invalid("topic key of %d bytes", len(p.Key))
	}
	return checkName("topic", p.Topic)
}

// CheckCounters tells whether counters may be sent.
func CheckCounters(values []Counter) error {
	if len(values) > MaxCounters {
		return invalid("%d counters", len(values))
	}
	for _, v := range values {
		if v.Name == "" {
			return invalid("counter without name")
		}
		if err := checkName("counter", v.Name); err != nil {
			return err
		}
	}
	return nil
}

// TrimLog returns the record cut to the limits of a message, as UTF-8 that does
// nothing to a terminal: control characters but newline and tab are replaced.
func TrimLog(l Log) Log {
	l.Message = cut(printable(l.Message), MaxText)
	attrs := make([]LogAttr, 0, min(len(l.Attrs), MaxAttrs))
	for _, a := range l.Attrs[:cap(attrs)] {
		attrs = append(attrs, LogAttr{Key: cut(printable(a.Key), MaxName), Value: cut(printable(a.Value), MaxText)})
	}
	l.Attrs = attrs
	return l
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// cut returns at most n bytes of s, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
