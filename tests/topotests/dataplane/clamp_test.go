package dataplane

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

// announced makes a connection to addr, in the namespace far, and returns what
// each end has for the other's MSS: the size of its segments, and the 12 bytes of
// each that timestamps take.
func announced(t *testing.T, e *lktest.Env, far *os.File, addr string) (near, there int) {
	t.Helper()
	size := func(c syscall.Conn) (n int) {
		raw, err := c.SyscallConn()
		cerr := raw.Control(func(fd uintptr) { n, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) })
		if err := errors.Join(err, cerr); err != nil {
			t.Error(err)
		}
		return n + 12
	}
	var l, c net.Conn
	var ear net.Listener
	lktest.In(t, far, func() (err error) { ear, err = net.Listen("tcp4", addr+":0"); return err })
	defer ear.Close()
	accepted := make(chan error, 1)
	go func() {
		var err error
		l, err = ear.Accept()
		accepted <- err
	}()
	e.Do(func() (err error) { c, err = net.DialTimeout("tcp4", ear.Addr().String(), 10*time.Second); return err })
	defer c.Close()
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return size(c.(*net.TCPConn)), size(l.(*net.TCPConn))
}

// TestClampAndVLANs has a clamp on a device leave the packets of its VLANs alone,
// and a clamp on a VLAN work on those, wherever the kernel keeps the tag.
func TestClampAndVLANs(t *testing.T) {
	e := lktest.New(t)
	far := lktest.Namespace(t)
	const peer = dptest.Under + "-peer"
	if err := e.Handle.LinkSetNsFd(e.Link(peer), int(far.Fd())); err != nil {
		t.Fatal(err)
	}
	there := func(args ...string) {
		t.Helper()
		lktest.In(t, far, func() error {
			out, err := exec.Command("ip", args...).CombinedOutput()
			if err != nil {
				err = fmt.Errorf("ip %v: %w: %s", args, err, out)
			}
			return err
		})
	}
	there("addr", "add", "192.0.2.2/24", "dev", peer)
	there("link", "set", peer, "up")
	for i, reorder := range []string{"on", "off"} {
		id := fmt.Sprint(100 + i)
		shown(t, e, "ip", "link", "add", "vlan"+id, "link", dptest.Under, "type", "vlan", "id", id, "reorder_hdr", reorder)
		shown(t, e, "ip", "addr", "add", fmt.Sprintf("10.%d.0.1/24", i), "dev", "vlan"+id)
		shown(t, e, "ip", "link", "set", "vlan"+id, "up")
		there("link", "add", "vlan"+id, "link", peer, "type", "vlan", "id", id, "reorder_hdr", reorder)
		there("addr", "add", fmt.Sprintf("10.%d.0.2/24", i), "dev", "vlan"+id)
		there("link", "set", "vlan"+id, "up")
	}
	want := func(when string, sizes map[string]int) {
		t.Helper()
		for addr, size := range sizes {
			if near, there := announced(t, e, far, addr); near != size || there != size {
				t.Errorf("%s: to %s the ends have %d and %d, wanted %d", when, addr, near, there, size)
			}
		}
	}
	const untagged, beside, inside = "192.0.2.2", "10.0.0.2", "10.1.0.2"
	want("without clamps", map[string]int{untagged: 1460, beside: 1460, inside: 1460})
	put(t, e.P, dataplane.MSSClamp{Device: dptest.Under, MSS: 1300})
	want("on the device", map[string]int{untagged: 1300, beside: 1460})
	put(t, e.P, dataplane.MSSClamp{Device: "vlan100", MSS: 1200}, dataplane.MSSClamp{Device: "vlan101", MSS: 1100})
	want("on all", map[string]int{untagged: 1300, beside: 1200, inside: 1100})
}
