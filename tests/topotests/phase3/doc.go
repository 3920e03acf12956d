// Package phase3 is DMVPN Phase 3: hubs that redirect and spokes that take shortcuts,
// with a summary from the hub, with exact prefixes, and with static routes. What
// decides are packets, counted on the underlay, and the kernel's routes.
package phase3
