// Package faults breaks one thing after the other in a cloud of a hub and two spokes,
// as administrators do, and looks at what the routers say of it: the State of
// `show dmvpn`, which names the layer that is stuck, and the log. Then the
// configuration is repaired, and everything must come back by itself. One of the clouds
// is protected by IPsec.
package faults
