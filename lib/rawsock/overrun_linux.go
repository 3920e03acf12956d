package rawsock

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Overrun returns how many packets for a socket the kernel dropped since its buffer
// was full: of a raw IP socket as long as it is open, and 0 of any other.
func Overrun(c IPConn) (n uint64) {
	raw, ok := c.(*ipConn)
	if !ok {
		return 0
	}
	_ = raw.rc.Control(func(fd uintptr) {
		// enum of linux/sock_diag.h: SK_MEMINFO_DROPS is the ninth.
		var info [9]uint32
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 && int(size) == binary.Size(info) {
			n = uint64(info[8])
		}
	})
	return n
}
