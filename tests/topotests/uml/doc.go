// Package uml runs programs as root inside a real Linux kernel that is itself
// an ordinary process: User-Mode Linux, Debian's package user-mode-linux. It
// gives the topology tests and the demo a kernel with mGRE, VRFs, ESP and
// network namespaces on machines whose own kernel lacks them, and it needs
// neither root nor KVM there.
//
// # The two halves
//
// The host half ([Boot], [Machine]) starts linux.uml and talks to it. The
// guest half ([InitIfRequested]) is process 1 inside. Both are in the same
// program: the kernel is told to start the very file that called Boot, so a Go
// test binary can boot a kernel and run itself in there. A program that calls
// Boot must therefore call InitIfRequested as the first thing in main (or in
// TestMain).
//
//	host                                      guest (User-Mode Linux)
//	Boot ─ linux.uml ─ kernel log ─▶ ring     init: modules, mounts, lo up
//	Machine.Run ──┐                            ┌─ exec: pipes, or a terminal
//	control socket┴─ yamux over two pipes ─────┴─ exec …
//
// The one channel between the halves is a serial line of the virtual machine
// (ttyS0, two pipes outside), with the yamux multiplexer on it. Every command
// is one multiplexed stream, with flow control of its own: a client that stops
// reading holds up nobody else. The same stream protocol (protocol.go) is
// offered on a Unix socket, the control socket, so that another process can run
// commands, interactive ones too, in a machine that is already up ([Attach]).
//
// # The guest's file system
//
// The guest sees the host's files at the same paths: the host's root, read-only
// below, with a tmpfs above it. Whatever it writes is gone at the end, but for
// the directories named in [Config].Writable. /run, /dev/shm and /dev/pts are
// its own.
//
// # Its end
//
// The machine ends when [Machine.Close] is called, when the limit of
// [Config].Limit is over, or when the program that booted it dies: the serial
// line then hangs up and init powers off. Nothing stays behind but, after a
// kill -9 of the booting program, one small directory, which the next Boot
// sweeps.
package uml
