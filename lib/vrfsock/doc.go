// Package vrfsock keeps the sockets of a routing protocol: one in each VRF and address
// family, over rawsock.
//
// The protocol says on which interfaces it listens. The first Listen of a VRF and family
// opens a socket, bound to the VRF's device, the last Unlisten closes it. Which device
// an interface is, is the kernel's matter and changes: groups are joined again wherever
// an interface has another index, and the socket is opened again where the VRF was made
// anew. What cannot be done now is tried again, and the operator is told.
//
// A packet is given to the protocol where it came by an interface with a Listen, or, if
// the protocol wants that, by any one of the VRF. A socket outside of VRFs hears what
// comes in VRFs too (the sysctl raw_l3mdev_accept); that ends here.
//
// Sending does not wait: packets for which the kernel has no room wait in a queue of
// their interface for a second at most, in their order.
package vrfsock
