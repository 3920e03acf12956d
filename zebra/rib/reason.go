package rib

import (
	"fmt"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Reason tells why a route, a next hop or an override is not in use.
type Reason uint8

// The reasons.
const (
	Active             Reason = iota // in use
	ReasonUnreachable                // no selected route leads to the next hop
	ReasonDefaultOnly                // only the default route leads to it, and this protocol may not resolve by that
	ReasonInterface                  // the interface is down or does not exist
	ReasonInterfaceVRF               // the interface is in another VRF
	ReasonOwnAddress                 // the next hop is an address of this router
	ReasonLoop                       // the next hop is reached by the route itself, at once or over others
	ReasonDepth                      // more levels of recursion than Options.MaxDepth
	ReasonDistance                   // distance 255
	ReasonBetter                     // resolved, but another route of the same prefix is better
	ReasonNoNextHop                  // the route has no next hop
	ReasonConnected                  // override: the prefix is connected
)

var reasonNames = [...]string{
	Active:             "active",
	ReasonUnreachable:  "next hop unreachable",
	ReasonDefaultOnly:  "next hop reached by the default route only",
	ReasonInterface:    "interface down",
	ReasonInterfaceVRF: "interface in another VRF",
	ReasonOwnAddress:   "next hop is this router",
	ReasonLoop:         "recursion loop",
	ReasonDepth:        "recursion too deep",
	ReasonDistance:     "distance 255",
	ReasonBetter:       "better route",
	ReasonNoNextHop:    "no next hop",
	ReasonConnected:    "prefix is connected",
}

// String returns the reason in words, without the address or interface.
func (r Reason) String() string {
	if int(r) >= len(reasonNames) {
		return "unknown"
	}
	return reasonNames[r]
}

// explain returns the reason in words for the next hop that it is about.
func (r Reason) explain(nh rib.NextHop) string {
	switch r {
	case ReasonUnreachable:
		return fmt.Sprintf("next hop %v unreachable", nh.Addr)
	case ReasonDefaultOnly:
		return fmt.Sprintf("next hop %v reached by the default route only", nh.Addr)
	case ReasonInterface:
		return fmt.Sprintf("interface %s down", nh.Interface)
	case ReasonInterfaceVRF:
		return fmt.Sprintf("interface %s in another VRF", nh.Interface)
	case ReasonOwnAddress:
		return fmt.Sprintf("next hop %v is this router", nh.Addr)
	case ReasonLoop:
		return fmt.Sprintf("recursion loop at next hop %v", nh.Addr)
	case ReasonDepth:
		return fmt.Sprintf("recursion too deep at next hop %v", nh.Addr)
	}
	return r.String()
}
