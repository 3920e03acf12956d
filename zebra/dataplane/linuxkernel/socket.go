package linuxkernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// bufferSize is what is asked of the kernel for each socket's receive buffer.
const bufferSize = 8 << 20

// socket is a netlink socket. Its reads end when it is closed.
type socket struct {
	file *os.File
	conn syscall.RawConn
	port uint32 // our address; the kernel stamps what we cause with it

	closed atomic.Bool
}

// inNamespace runs f on a thread that is in namespace ns; nil is the
// namespace of the process.
func inNamespace(ns *os.File, f func() error) error {
	if ns == nil {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		// The thread is never unlocked: it ends with the goroutine, so
		// that no other goroutine can inherit the namespace.
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// openSocket opens a socket in ns that listens to groups.
func openSocket(ns *os.File, groups ...int) (*socket, error) {
	return openSocketOf(ns, unix.NETLINK_ROUTE, groups...)
}

// openSocketOf is openSocket for a netlink protocol.
func openSocketOf(ns *os.File, protocol int, groups ...int) (*socket, error) {
	var fd int
	err := inNamespace(ns, func() (err error) {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	s, err := newSocket(fd, groups)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	return s, nil
}

func newSocket(fd int, groups []int) (*socket, error) {
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, err
	}
	setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF)
	setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF)
	// Kernels without these options only tell less.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	for _, g := range groups {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
			return nil, err
		}
	}
	s := &socket{file: os.NewFile(uintptr(fd), "netlink"), port: name.(*unix.SockaddrNetlink).Pid}
	s.conn, err = s.file.SyscallConn()
	return s, err
}

// setBuffer sizes a buffer, beyond the system's limit if we may.
func setBuffer(fd, force, plain int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, bufferSize) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, bufferSize)
	}
}

// sendLimit returns the number of bytes that one send may have.
func (s *socket) sendLimit() int {
	limit := 64 << 10
	_ = s.conn.Control(func(fd uintptr) {
		if n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF); err == nil {
			limit = min(n/2, 1<<20)
		}
	})
	return limit
}

// dropOwn has the kernel drop notifications about routes and neighbours that
// were caused by the socket with the given port.
func (s *socket) dropOwn(port uint32) error {
	be16 := func(v uint16) uint32 { return uint32(native.Uint16([]byte{byte(v >> 8), byte(v)})) }
	be32 := func(v uint32) uint32 {
		return native.Uint32([]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	}
	const accept, drop = 0xffffffff, 0
	jeq := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	prog := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 12}, // nlmsg_pid
		jeq(be32(port), 0, 6),
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 4}, // nlmsg_type
		jeq(be16(unix.RTM_NEWROUTE), 3, 0),
		jeq(be16(unix.RTM_DELROUTE), 2, 0),
		jeq(be16(unix.RTM_NEWNEIGH), 1, 0),
		jeq(be16(unix.RTM_DELNEIGH), 0, 1),
		{Code: unix.BPF_RET | unix.BPF_K, K: drop},
		{Code: unix.BPF_RET | unix.BPF_K, K: accept},
	}
	var err error
	cerr := s.conn.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]})
	})
	return errors.Join(cerr, err)
}

// send hands b to the kernel, which has worked through it when send returns.
func (s *socket) send(b []byte) error {
	var err error
	cerr := s.conn.Write(func(fd uintptr) bool {
		err = unix.Sendto(int(fd), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		return err != unix.EAGAIN
	})
	return s.closedOr(errors.Join(cerr, err))
}

// receive reads one datagram into b. It waits for one if wait is set, and
// otherwise returns EAGAIN. Datagrams that are not from the kernel are skipped.
func (s *socket) receive(b []byte, wait bool) (n int, err error) {
	read := func(fd uintptr) bool {
		for {
			var from unix.Sockaddr
			n, from, err = unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT)
			if err == unix.EINTR {
				continue
			}
			if nl, ok := from.(*unix.SockaddrNetlink); err == nil && (!ok || nl.Pid != 0) {
				continue
			}
			return !wait || err != unix.EAGAIN
		}
	}
	if !wait {
		if cerr := s.conn.Control(func(fd uintptr) { read(fd) }); cerr != nil {
			return 0, s.closedOr(cerr)
		}
		return n, err
	}
	if cerr := s.conn.Read(read); cerr != nil {
		return 0, s.closedOr(cerr)
	}
	return n, err
}

// setDeadline bounds the waiting of receive.
func (s *socket) setDeadline(t time.Time) { _ = s.file.SetReadDeadline(t) }

func (s *socket) close() error {
	s.closed.Store(true)
	return s.file.Close()
}

func (s *socket) closedOr(err error) error {
	if err != nil && s.closed.Load() {
		return dataplane.ErrClosed
	}
	return err
}

// kernelError is the kernel's refusal of a message.
type kernelError struct {
	errno unix.Errno
	text  string // extended acknowledgement
}

// Error implements error.
func (e *kernelError) Error() string {
	if e.text == "" {
		return e.errno.Error()
	}
	return e.text + " (" + e.errno.Error() + ")"
}

// Is lets errors.Is find the errno and the errors of dataplane.
func (e *kernelError) Is(target error) bool {
	switch target {
	case dataplane.ErrNoDevice:
		return e.errno == unix.ENODEV
	case dataplane.ErrUnsupported:
		return e.errno == unix.EOPNOTSUPP || e.errno == unix.EAFNOSUPPORT
	}
	return e.errno == target
}

// verdict reads an NLMSG_ERROR message; nil is an acknowledgement.
func verdict(m message) error {
	if len(m.data) < 4+headerLen {
		return &kernelError{errno: unix.EBADMSG}
	}
	code := int32(native.Uint32(m.data))
	if code == 0 {
		return nil
	}
	e := &kernelError{errno: unix.Errno(-code)}
	if m.flags&unix.NLM_F_ACK_TLVS != 0 {
		skip := headerLen
		if m.flags&unix.NLM_F_CAPPED == 0 {
			skip = align(int(native.Uint32(m.data[4:])))
		}
		if skip = 4 + skip; skip <= len(m.data) {
			for typ, v := range attrs(m.data[skip:]) {
				if typ == unix.NLMSGERR_ATTR_MSG {
					e.text = getText(v)
				}
			}
		}
	}
	return e
}
