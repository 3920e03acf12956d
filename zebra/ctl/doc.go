// Package ctl is the service by which vtysh and other programs manage zebra:
// gRPC on a Unix socket in the run directory.
//
// Who may open the socket may do everything, so the socket lies in a directory
// of mode 0750 that belongs to the group "godmvpnvty", and has mode 0660. The
// package parses every line again with the grammar that it hands out: a client
// that checked nothing cannot do harm.
package ctl
