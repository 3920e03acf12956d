// Package hierarchy is Phase 3 with more than one hub: regional hubs below a central
// one, a hub with two tunnels of one network, and two clouds side by side.
package hierarchy
