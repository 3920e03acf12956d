// Package dataplane runs the suite of zebra/dataplane/dptest, and what only a
// kernel with GRE can show, over zebra/dataplane/linuxkernel: natively where the
// kernel has mGRE and VRFs, in User-Mode Linux elsewhere.
package dataplane
