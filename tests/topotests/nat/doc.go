// Package nat runs spokes behind NAT routers, with the kernel's connection tracking.
// GRE has no ports: a NAT tells hosts inside apart by their public addresses alone.
package nat
