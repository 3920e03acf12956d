// Package core is OSPF version 2 (RFC 2328) as a deterministic state machine: packets,
// interfaces, configuration, routes of other protocols and time go in; packets, routes
// and reports come out. There is no goroutine, no socket, no clock and no lock here.
//
// So far it has the inputs, the effects, the configuration and the reports; the machine
// between them is in the making, from the packages beneath: core/fsm, core/lsdb,
// core/flood and core/spf.
package core
