// Package ipsec has protected tunnels between two routers: what keys them is ipsecd at
// both ends, what is on the wire is ESP.
package ipsec
