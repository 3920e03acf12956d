// Package dataplane says what zebra wants of whatever forwards packets: a
// Provider takes objects (links, tunnels, addresses, routes, neighbours, limits
// of TCP's segment size, where multicast is copied to, where hairpins are looked for,
// whose peers' use is noted, security associations and what has to go by them, kernel
// switches), puts them into force, can list what is
// in force, and reports what happens there. The Linux kernel is one Provider
// (dataplane/linuxkernel), an in-memory twin for tests another (dataplane/fake);
// dataplane/dptest is the suite that both must pass.
//
// # Objects and keys
//
// An Object is a plain value with a Key that is unique in the data plane.
// Putting an object makes the data plane equal to it, whatever was there under
// the same key; putting it again does nothing. Deleting what is not there
// succeeds. There is no object that means "change this": a caller that lost
// track puts everything again. Which object is wanted, and what to do about a
// failure, is decided by zebra/fib; a Provider only obeys and reports.
//
// Devices are named by their kernel names; how a name maps to an index is the
// Provider's own affair. VRFs are seen as the kernel sees them: a device (a Link
// of type LinkVRF), and a table number in the routes.
//
// # Ownership
//
// Devices that a Provider created carry a mark, and Dump gives only these as
// LinkDummy, LinkVRF or Tunnel; every other device is LinkExisting. Routes are
// ours if their protocol number is one of rib.ProtocolOfKernel; neighbours if
// they are permanent and on a multipoint tunnel of ours; MSS clamps,
// multicast replicators, hairpin detectors and watches of peer use by the names of
// their filters; addresses if they carry
// our protocol mark (kernel 5.18) or were added in this life of the Provider; SAs and
// policies by a number of ours (the kernel's reqid).
// What was there before us stays, and what we changed of it (attributes of
// existing links, sysctls) is put back when the object is deleted.
//
// # Adding a kind
//
// A new kind is a constant in the list of kinds (its place there is its place in
// the order of application), a type with Key and Equal, fields of Key if the
// present ones do not name it, and a capability.
package dataplane
