// Package core is RIP as a deterministic state machine: packets, interfaces,
// configuration and time go in; packets, routes and reports come out.
package core
