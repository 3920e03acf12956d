// Package nhs tests what a spoke does when its hub dies and comes back.
//
// Two hubs in one cloud (TestDualHub), of which the spoke is connected to one:
//
//	            ┌── hub1 192.0.2.1 ───┐
//	lan0 ─ core ┤                     ├ inet ─ spoke 203.0.113.1 ─ lan1
//	            └── hub2 198.51.100.1 ┘
//
//	Tunnel0 172.31.0.0/24: hubs .1 and .2, spoke .11; RIP everywhere. What hub2
//	announces is two hops farther, so that RIP prefers the hub that NHRP prefers.
//
// One hub, and a line beside it that takes over (TestIfState):
//
//	lan0 ┬ hub 192.0.2.1 ─ inet ─ 203.0.113.1 spoke ─ lan1
//	     └ backup ───── 10.99.0.0/30 ─────────┘
//
//	Static routes: to lan0 by the tunnel, and with a larger distance by the backup.
//	lan0 sends its answers by the backup always.
package nhs
