// Package edge puts bgpd into the world: a speaker for each VRF, the session with zebra,
// and core between them.
//
//	            Best, NextHopUsed                  PutRoute, WatchAdd
//	speakers ──▶ ┌──────────────────────┐ ───────────────▶ session ──▶ zebra
//	         ◀── │ sm.Driver (one       │                     │
//	  Originate  │ goroutine) with core │◀────────────────────┘
//	  SetNextHop └──────────────────────┘   attachment, routes, next hops
//	 ▲                ▲ ConfigSet, Query
//	keeper        Configure, Exec (zebra's calls)
//
// One goroutine steps core and carries out its effects. The keeper, another one, makes
// and ends speakers and brings them to their configuration: that may take a while, since
// sessions are reset, and core must not wait for it. Each speaker has two goroutines: one
// takes what it tells, one hands it what core wants. What waits for the latter is kept by
// prefix, so it is bounded by what there is.
//
// # When a speaker runs
//
// A speaker runs once zebra has told all interfaces and the configuration has come, if
// the VRF is there and a router ID can be had: the configured one, or else the highest
// address of the loopbacks of the VRF, or of its other interfaces. One that was chosen
// stays as long as an interface has it, since another one resets all sessions. A
// neighbour whose update-source has no address yet is left out.
package edge
