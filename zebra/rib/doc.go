// Package rib is the routing information base of zebra, as a pure core.
package rib
