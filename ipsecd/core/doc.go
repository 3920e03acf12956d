// Package core decides what an IKEv2 peer does (RFC 7296): IKE SAs and child SAs, for
// tunnels that are to be protected. The cryptography is behind ipsecd/suite. It is being
// written; nothing uses it yet.
package core
