// Package core decides what nhrpd does: registration of a Next Hop Client with
// its servers, the server's cache, and all answers to bad packets.
package core
