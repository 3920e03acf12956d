package zebra_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// The MSS that a host offers on Ethernet: 1500 less the headers of IPv4 and TCP.
const offered = 1460

// ends are two hosts with routers between them, and captures on their devices.
type ends struct {
	a, b         *harness.Node
	onA, onB     *harness.Capture
	addrB        string
	realChecksum bool // hosts compute checksums themselves, as on a wire
}

// checksums has a node's device compute the checksums of TCP, or leave them out
// as veth may.
func checksums(t *testing.T, n *harness.Node, device string, computed bool) {
	t.Helper()
	const setTxChecksum = 0x17 // ETHTOOL_STXCSUM, linux/ethtool.h
	value := struct{ command, data uint32 }{setTxChecksum, 1}
	if computed {
		value.data = 0
	}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		pad  [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:], device)
	err := n.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		t.Fatalf("checksums of %s: %v", device, err)
	}
}

// syn is what a captured SYN says.
type syn struct {
	ack  bool
	mss  int
	good bool // its checksum is right
}

// syns returns the SYNs with port in a capture.
func syns(c *harness.Capture, port int) (all []syn) {
	for _, f := range c.Frames(nil) {
		tcp := f.Payload
		if !f.IP || f.Protocol != 6 || len(tcp) < 20 || tcp[13]&2 == 0 {
			continue
		}
		if int(binary.BigEndian.Uint16(tcp)) != port && int(binary.BigEndian.Uint16(tcp[2:])) != port {
			continue
		}
		s := syn{ack: tcp[13]&16 != 0}
		for o := tcp[20 : int(tcp[12]>>4)*4]; len(o) >= 2 && o[0] != 0; {
			size := int(o[1])
			if o[0] == 1 {
				size = 1
			}
			if o[0] == 2 && size == 4 {
				s.mss = int(binary.BigEndian.Uint16(o[2:]))
			}
			o = o[min(max(size, 1), len(o)):]
		}
		src, dst := f.Src.As4(), f.Dst.As4()
		sum := uint64(6 + len(tcp))
		for _, b := range [][]byte{src[:], dst[:], tcp} {
			for i, v := range b {
				sum += uint64(v) << (8 * (1 - i%2))
			}
		}
		s.good = sum%0xffff == 0
		all = append(all, s)
	}
	return all
}

// connect makes a connection from a to b, sends 100 kB to b and has them come
// back. maxseg is what a announces, 0 for its own choice. It returns the port.
func (e *ends) connect(maxseg int) (port int, err error) {
	var l net.Listener
	if err := e.b.Do(func() (err error) { l, err = net.Listen("tcp4", e.addrB+":0"); return err }); err != nil {
		return 0, err
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, c)
	}()
	port = l.Addr().(*net.TCPAddr).Port
	dialer := net.Dialer{Timeout: 10 * time.Second, Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if maxseg == 0 {
			return nil
		}
		cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, maxseg) })
		return errors.Join(cerr, err)
	}}
	var c net.Conn
	if err := e.a.Do(func() (err error) { c, err = dialer.Dial("tcp4", l.Addr().String()); return err }); err != nil {
		return port, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	sent := make(chan error, 1)
	go func() { _, err := c.Write(data); sent <- err }()
	back := sha256.New()
	if _, err := io.CopyN(back, c, int64(len(data))); err != nil {
		return port, err
	}
	if want := sha256.Sum256(data); string(back.Sum(nil)) != string(want[:]) {
		return port, errors.New("the data came back changed")
	}
	return port, <-sent
}

// sees makes a connection and reports whether the far sides see what they should:
// b the MSS of a's SYN, and a that of b's SYN and ACK, while offered is sent. The
// connection is repeated until then, since the configuration takes its time.
func (e *ends) sees(t *testing.T, when string, maxseg, atB, atA int) {
	t.Helper()
	harness.Eventually(t, soon, func() error {
		port, err := e.connect(maxseg)
		if err != nil {
			return fmt.Errorf("%s: %w", when, err)
		}
		announced := offered
		if maxseg != 0 {
			announced = maxseg
		}
		for _, c := range []struct {
			where    string
			capture  *harness.Capture
			syn, ack int
		}{{"at a", e.onA, announced, atA}, {"at b", e.onB, atB, offered}} {
			found := map[bool]bool{}
			for _, s := range syns(c.capture, port) {
				want := c.syn
				if s.ack {
					want = c.ack
				}
				if found[s.ack] = true; s.mss != want {
					return fmt.Errorf("%s: %s: MSS %d (ACK %v), wanted %d", when, c.where, s.mss, s.ack, want)
				}
				if e.realChecksum && !s.good {
					return fmt.Errorf("%s: %s: checksum is wrong (ACK %v)", when, c.where, s.ack)
				}
			}
			if !found[false] || !found[true] {
				return fmt.Errorf("%s: %s: no SYN or no SYN and ACK", when, c.where)
			}
		}
		return nil
	})
}

// filters returns what of tc is on a node's devices, as text, but for the counter of
// packets for no tunnel while there are tunnels.
func filters(t *testing.T, n *harness.Node) (all []string) {
	t.Helper()
	for _, d := range n.Devices() {
		l, err := n.Netlink().LinkByName(d.Name)
		if err != nil {
			t.Fatal(err)
		}
		if d.Name == "gre0" && l.Attrs().Flags&net.FlagUp != 0 {
			continue
		}
		qdiscs, err := n.Netlink().QdiscList(l)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range qdiscs {
			if q.Type() == "clsact" {
				all = append(all, d.Name+" clsact")
			}
		}
		for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
			fs, err := n.Netlink().FilterList(l, parent)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range fs {
				if b, ok := f.(*netlink.BpfFilter); ok && b.Handle != 0 {
					all = append(all, fmt.Sprintf("%s %x %s", d.Name, parent&0xffff, b.Name))
				}
			}
		}
	}
	return all
}

// TestAdjustMSS has connections through a router with adjust-mss on the Ethernet
// device to one of the hosts, and sees what the hosts get of each other.
func TestAdjustMSS(t *testing.T) {
	n, isp, host := router(t, "interface lan\n ip tcp adjust-mss 1360\n")
	isp.Route("10.1.0.0/24", "192.0.2.1")
	e := &ends{a: host, b: isp, addrB: "192.0.2.2", onA: host.Capture("eth0"), onB: isp.Capture("eth0")}
	for _, e.realChecksum = range []bool{false, true} {
		for _, end := range []*harness.Node{host, isp} {
			checksums(t, end, "eth0", e.realChecksum)
		}
		e.sees(t, "with 1360", 0, 1360, 1360)
		e.sees(t, "with a host that announces less", 900, 900, 1360)
	}
	n.Configure("interface lan\nip tcp adjust-mss 1200\ninterface wan\nip tcp adjust-mss 1100")
	e.sees(t, "with 1200 and 1100", 0, 1100, 1100)
	n.Configure("interface lan\nno ip tcp adjust-mss\ninterface wan\nno ip tcp adjust-mss")
	e.sees(t, "without", 0, offered, offered)
	harness.Eventually(t, soon, func() error { // the programs go before what they hung on
		if left := filters(t, n); len(left) != 0 {
			return fmt.Errorf("left without adjust-mss: %v", left)
		}
		return nil
	})
}

// TestAdjustMSSInTunnel is TestAdjustMSS with adjust-mss on one end of a tunnel,
// in each of its forms, of which each has other headers before the packets.
func TestAdjustMSSInTunnel(t *testing.T) {
	tp := harness.New(t)
	inet := tp.Internet("inet")
	var r, hosts [2]*harness.Node
	for i := range r {
		r[i] = tp.Node(fmt.Sprintf("r%d", i+1))
		tp.Link(inet, fmt.Sprintf("to-r%d", i+1), fmt.Sprintf("192.0.2.%d/30", 4*i+2), r[i], "wan", "")
		hosts[i] = tp.Node(fmt.Sprintf("host%d", i+1))
		tp.Link(r[i], "lan", "", hosts[i], "eth0", fmt.Sprintf("10.%d.0.10/24", i+1))
		hosts[i].Route("default", fmt.Sprintf("10.%d.0.1", i+1))
		checksums(t, hosts[i], "eth0", true)
		// A host that had once learned the path's MTU would announce that.
		hosts[i].Sysctl("net.ipv4.ip_no_pmtu_disc", "1")
	}
	config := func(i int) string {
		j := 1 - i
		return fmt.Sprintf(`interface wan
 ip address 192.0.2.%d 255.255.255.252
interface lan
 ip address 10.%d.0.1 255.255.255.0
interface Tunnel0
 ip address 172.31.0.%d 255.255.255.0
 tunnel source wan
 tunnel destination 192.0.2.%d
ip route 0.0.0.0 0.0.0.0 192.0.2.%d
ip route 10.%d.0.0 255.255.255.0 172.31.0.%d
`, 4*i+1, i+1, i+1, 4*j+1, 4*i+2, j+1, j+1)
	}
	z := r[0].StartZebra(config(0) + "interface Tunnel0\n ip tcp adjust-mss 1360\n")
	r[1].StartZebra(config(1))
	e := &ends{a: hosts[0], b: hosts[1], addrB: "10.2.0.10", realChecksum: true,
		onA: hosts[0].Capture("eth0"), onB: hosts[1].Capture("eth0")}
	both := func(lines func(other int) string) {
		for i, n := range r {
			n.Configure("interface Tunnel0\n" + lines(1-i))
		}
	}
	e.sees(t, "point-to-point", 0, 1360, 1360)
	both(func(int) string { return "tunnel key 7" })
	e.sees(t, "point-to-point with a key", 0, 1360, 1360)
	both(func(other int) string {
		return fmt.Sprintf("no tunnel destination\ntunnel mode gre multipoint\nip nhrp network-id 1\nip nhrp map 172.31.0.%d 192.0.2.%d", other+1, 4*other+1)
	})
	e.sees(t, "multipoint with a key", 0, 1360, 1360)
	e.sees(t, "with a host that announces less", 900, 900, 1360)
	both(func(int) string { return "no tunnel key" })
	e.sees(t, "multipoint", 0, 1360, 1360)

	// A crash of zebra, and the next life.
	z.Kill()
	e.sees(t, "with zebra dead", 0, 1360, 1360)
	z = r[0].RestartZebra()
	e.sees(t, "with zebra back", 0, 1360, 1360)
	harness.Eventually(t, soon, func() error { // it may have begun to take over only
		if have := filters(t, r[0]); len(have) != 3 || !strings.HasPrefix(have[1], "Tunnel0 fff2 godmvpn-mss-1360") || !strings.HasPrefix(have[2], "Tunnel0 fff3 godmvpn-mss-1360") {
			return fmt.Errorf("on Tunnel0 there is %v", have)
		}
		return nil
	})
	r[0].Configure("interface Tunnel0\nno ip tcp adjust-mss\ninterface lan\nip tcp adjust-mss 1300")
	e.sees(t, "on the lan instead", 0, 1300, 1300)
	r[0].Configure("interface lan\nno ip tcp adjust-mss")
	e.sees(t, "without", 0, offered, offered)
	r[0].Configure("interface Tunnel0\nip tcp adjust-mss 1360\ninterface lan\nip tcp adjust-mss 1300")
	harness.Eventually(t, soon, func() error {
		if have := filters(t, r[0]); len(have) != 6 {
			return fmt.Errorf("on two devices there is %v", have)
		}
		return nil
	})
	if err := z.Terminate(soon); err != nil {
		t.Fatal(err)
	}
	if left := filters(t, r[0]); len(left) != 0 {
		t.Errorf("left after zebra: %v", left)
	}
}
