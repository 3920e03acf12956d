package rawsock_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/privilege"
	"github.com/godmvpn/godmvpn/lib/rawsock"
)

// rightsOn in the environment has this program open the sockets of RIP, IKE or EIGRP with
// few rights in place of its tests: on the interface of an index, and bound to a device.
const rightsOn = "RAWSOCK_TEST_RIGHTS"

// rightsIfAsked ends the program if the environment asks for that.
func rightsIfAsked() {
	value := os.Getenv(rightsOn)
	if value == "" {
		return
	}
	var index int
	var protocol, device string
	_, err := fmt.Sscan(value, &protocol, &index, &device)
	if of := map[string]func(int, string) error{"rip": withFewRights, "ike": withIKE, "eigrp": withRaw}[protocol]; err == nil {
		err = of(index, device)
	}
	switch {
	case errors.Is(err, privilege.ErrThreads):
		fmt.Println("threads")
	case err != nil:
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// withFewRights does all that RIP does with a socket, with no more than the right
// to use its port.
func withFewRights(index int, device string) error {
	if err := privilege.Limit(privilege.NetBindService); err != nil {
		return err
	}
	cfg := rawsock.IPConfig{Port: 520, TTL: 1, TOS: 0xc0, ReceiveBuffer: 1 << 20}
	var all []error
	for _, cfg.Device = range []string{"", device} {
		c, err := rawsock.Kernel{}.ListenIP(cfg)
		if err != nil {
			return fmt.Errorf("on %q: %w", cfg.Device, err)
		}
		defer c.Close()
		group := netip.MustParseAddr("224.0.0.9")
		all = append(all, c.Join(group, index))
		for _, dst := range []netip.Addr{group, netip.MustParseAddr("255.255.255.255"), aIP} {
			err := c.WriteTo([]byte("x"), rawsock.Meta{Src: netip.AddrPortFrom(bIP, 0), Dst: netip.AddrPortFrom(dst, 520), Index: index})
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// withRaw does all that EIGRP does with its sockets, with no more than the right to
// open raw ones.
func withRaw(index int, device string) error {
	if err := privilege.Limit(privilege.NetRaw); err != nil {
		return err
	}
	var all []error
	for _, cfg := range []rawsock.IPConfig{{Protocol: 88}, {Protocol: 88, Device: device}, eigrp6, {IPv6: true, Protocol: 88, Device: device}} {
		cfg.TTL, cfg.TOS, cfg.ReceiveBuffer = 2, 0xc0, 1<<22
		c, err := rawsock.Kernel{}.ListenIP(cfg)
		if err != nil {
			return fmt.Errorf("%+v: %w", cfg, err)
		}
		defer c.Close()
		src, dst, group := bIP, aIP, netip.MustParseAddr("224.0.0.10")
		if cfg.IPv6 {
			src, dst, group = bLocal, aLocal, group6
		}
		all = append(all, c.Join(group, index))
		for _, to := range []netip.Addr{group, dst} {
			for _, ttl := range []int{0, 100} {
				all = append(all, c.WriteTo([]byte("x"), rawsock.Meta{Src: netip.AddrPortFrom(src, 0), Dst: netip.AddrPortFrom(to, 0), Index: index, TTL: ttl}))
			}
		}
	}
	return errors.Join(all...)
}

// withIKE does all that IKE does with its sockets, with no more than the right to use
// their ports.
func withIKE(index int, device string) error {
	if err := privilege.Limit(privilege.NetBindService); err != nil {
		return err
	}
	var all []error
	for _, six := range []bool{false, true} {
		src, dst := bIP, aIP
		if six {
			src, dst = bLocal, aLocal
		}
		for _, port := range []uint16{500, 4500} {
			for _, on := range []string{"", device} {
				c, err := rawsock.Kernel{}.ListenIP(rawsock.IPConfig{IPv6: six, Port: port, Device: on, TTL: 64, TOS: 0xc0, ReceiveBuffer: 1 << 22, ESPinUDP: port == 4500, Fragment: true})
				if err != nil {
					return fmt.Errorf("port %d, IPv6 %v, on %q: %w", port, six, on, err)
				}
				defer c.Close()
				all = append(all, c.WriteTo([]byte("x"), rawsock.Meta{Src: netip.AddrPortFrom(src, 0), Dst: netip.AddrPortFrom(dst, port), Index: index}))
			}
		}
	}
	return errors.Join(all...)
}

// TestIKERights wants IKE's sockets to need CAP_NET_BIND_SERVICE and nothing else.
func TestIKERights(t *testing.T) { testRights(t, "ike") }

// TestUDPRights wants RIP's sockets to need CAP_NET_BIND_SERVICE and nothing else.
func TestUDPRights(t *testing.T) { testRights(t, "rip") }

// TestRawRights wants EIGRP's sockets to need CAP_NET_RAW and nothing else.
func TestRawRights(t *testing.T) { testRights(t, "eigrp") }

func testRights(t *testing.T, protocol string) {
	t.Helper()
	w := kernelWorld(t)
	n := w.b.(inNamespace)
	h, err := netlink.NewHandleAt(n.ns)
	check(t, err)
	defer h.Close()
	device := "RED"
	attrs := netlink.NewLinkAttrs()
	attrs.Name = device
	switch err := h.LinkAdd(&netlink.Vrf{LinkAttrs: attrs, Table: 100}); {
	case errors.Is(err, unix.EOPNOTSUPP): // no VRFs: the right to be bound is the same for any device
		device = "veth-b"
	default:
		check(t, err)
		l, err := h.LinkByIndex(w.bi)
		check(t, err)
		red, err := h.LinkByName(device)
		check(t, err)
		check(t, h.LinkSetUp(red))
		check(t, h.LinkSetMaster(l, red))
	}
	addLocal(t, n, w.bi, bLocal)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", rightsOn, protocol, w.bi, device), "GORACE=atexit_sleep_ms=0")
	var out []byte
	n.do(func() { out, err = cmd.CombinedOutput() })
	if string(out) == "threads\n" {
		t.Skip("this test program has cgo: run it with CGO_ENABLED=0 too")
	}
	if err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
