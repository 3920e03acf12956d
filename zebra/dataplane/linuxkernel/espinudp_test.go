package linuxkernel_test

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

// TestESPinUDPBeside has a daemon for IKE beside the provider's socket, whichever of the two
// was there first: what is for its address comes to it, all of it. Who does not share the
// port does not get it.
func TestESPinUDPBeside(t *testing.T) {
	e := lktest.New(t)
	apply := func(op dataplane.Op) {
		t.Helper()
		if r := e.P.Apply(context.Background(), []dataplane.Op{op})[0]; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	listen := func(cfg rawsock.IPConfig) (c rawsock.IPConn) {
		t.Helper()
		e.Do(func() (err error) { c, err = rawsock.Kernel{}.ListenIP(cfg); return err })
		t.Cleanup(func() { c.Close() })
		return c
	}
	local := netip.MustParseAddr("192.0.2.1")
	ike := rawsock.IPConfig{Port: dataplane.PortESPinUDP, Local: local, ESPinUDP: true}
	sender := listen(rawsock.IPConfig{Port: 4501})
	both := func(when string, c rawsock.IPConn) {
		t.Helper()
		for range 20 {
			if err := sender.WriteTo([]byte("\x00\x00\x00\x00IKE"), rawsock.Meta{Dst: netip.AddrPortFrom(local, dataplane.PortESPinUDP)}); err != nil {
				t.Fatal(err)
			}
			read := make(chan error, 1)
			go func() { _, _, err := c.ReadFrom(make([]byte, 100)); read <- err }()
			select {
			case err := <-read:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: a datagram did not come", when)
			}
		}
	}
	apply(dataplane.Put(dataplane.ESPinUDP{}))
	daemon := listen(ike)
	both("the daemon came later", daemon)
	apply(dataplane.Delete(dataplane.ESPinUDP{}.Key()))
	apply(dataplane.Put(dataplane.ESPinUDP{}))
	both("the daemon was there", daemon)
	daemon.Close()
	both("its next life", listen(ike))

	e.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: dataplane.PortESPinUDP, Addr: local.As4()}); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("somebody else gets the port: %v", err)
		}
		return nil
	})
}
