package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// space is a network namespace.
type space struct {
	t  *testing.T
	ns netns.NsHandle
	nl *netlink.Handle
}

// do runs f in the namespace, in a thread that ends afterwards.
func (s *space) do(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		err := netns.Set(s.ns)
		if err == nil {
			err = f()
		}
		result <- err
	}()
	return <-result
}

func (s *space) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func newSpace(t *testing.T) *space {
	t.Helper()
	s := &space{t: t}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		var err error
		s.ns, err = netns.New()
		for name, value := range map[string]string{"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1",
			"ipv6/conf/default/accept_dad": "0", "ipv4/conf/default/rp_filter": "0",
			"ipv4/icmp_ratemask": "0", "ipv6/icmp/ratelimit": "0"} {
			if err == nil {
				err = os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644)
			}
		}
		result <- err
	}()
	s.check(<-result)
	t.Cleanup(func() { s.ns.Close() })
	var err error
	s.nl, err = netlink.NewHandleAt(s.ns)
	s.check(err)
	t.Cleanup(s.nl.Close)
	s.up("lo")
	return s
}

func (s *space) link(name string) netlink.Link {
	s.t.Helper()
	l, err := s.nl.LinkByName(name)
	s.check(err)
	return l
}

func (s *space) up(name string) { s.t.Helper(); s.check(s.nl.LinkSetUp(s.link(name))) }

func (s *space) addr(device, prefix string) {
	s.t.Helper()
	a, err := netlink.ParseAddr(prefix)
	s.check(err)
	a.Flags = unix.IFA_F_NODAD
	s.check(s.nl.AddrAdd(s.link(device), a))
}

// route adds a route; via "" makes one of that type.
func (s *space) route(prefix, via string, typ int) {
	s.t.Helper()
	_, dst, err := net.ParseCIDR(prefix)
	s.check(err)
	s.check(s.nl.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(via), Type: typ}))
}

// lineMTU is the MTU between router and b.
const lineMTU = 1300

// line is a – router – b. b has no way back to a but to a's loopback address
// 10.0.9.1 and to 10.0.1.2; the line to b is narrow.
func line(t *testing.T) (a, router, b *space) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: no network namespaces")
	}
	a, router, b = newSpace(t), newSpace(t), newSpace(t)
	join := func(x *space, xn string, y *space, yn string) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = xn
		x.check(x.nl.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: yn, PeerNamespace: netlink.NsFd(int(y.ns))}))
		x.up(xn)
		y.up(yn)
	}
	join(a, "eth0", router, "left")
	join(b, "eth0", router, "right")
	a.check(b.nl.LinkSetMTU(b.link("eth0"), lineMTU))
	a.check(router.nl.LinkSetMTU(router.link("right"), lineMTU))
	a.addr("eth0", "10.0.1.2/24")
	a.addr("eth0", "10.0.8.1/32")
	a.addr("lo", "10.0.9.1/32")
	a.addr("eth0", "2001:db8:1::2/64")
	router.addr("left", "10.0.1.1/24")
	router.addr("left", "2001:db8:1::1/64")
	router.addr("right", "10.0.2.1/24")
	router.addr("right", "2001:db8:2::1/64")
	b.addr("eth0", "10.0.2.2/24")
	b.addr("eth0", "2001:db8:2::2/64")
	a.route("0.0.0.0/0", "10.0.1.1", unix.RTN_UNICAST)
	a.route("::/0", "2001:db8:1::1", unix.RTN_UNICAST)
	b.route("10.0.1.0/24", "10.0.2.1", unix.RTN_UNICAST)
	b.route("10.0.9.1/32", "10.0.2.1", unix.RTN_UNICAST)
	b.route("2001:db8:1::/64", "2001:db8:2::1", unix.RTN_UNICAST)
	router.route("10.0.9.1/32", "10.0.1.2", unix.RTN_UNICAST)
	router.route("10.66.0.0/16", "", unix.RTN_BLACKHOLE)
	router.route("10.77.0.0/16", "", unix.RTN_PROHIBIT)
	return a, router, b
}

func path(target, source string) Path {
	p := Path{Target: netip.MustParseAddr(target)}
	if source != "" {
		p.Source = netip.MustParseAddr(source)
	}
	return p
}

// marks pings and returns the marks.
func (s *space) marks(o PingOptions) string {
	s.t.Helper()
	var out strings.Builder
	s.check(s.do(func() error { return Ping(s.t.Context(), o, &out, true) }))
	var got struct {
		Sent, Received int
		Marks          string
	}
	s.check(json.Unmarshal([]byte(out.String()), &got))
	if got.Received != strings.Count(got.Marks, "!") || got.Sent != len(got.Marks) {
		s.t.Errorf("numbers and marks differ: %s", out.String())
	}
	return got.Marks
}

// enough is a timeout that an answer of this machine never reaches.
const enough = 20 * time.Second

// TestKernelPing sends over a router of the kernel's.
func TestKernelPing(t *testing.T) {
	a, _, _ := line(t)
	for _, c := range []struct {
		name, want string
		o          PingOptions
	}{
		{"4", "!!!!!", PingOptions{Path: path("10.0.2.2", ""), Count: 5, Size: 100, Timeout: enough}},
		{"6", "!!!!!", PingOptions{Path: path("2001:db8:2::2", ""), Count: 5, Size: 100, Timeout: enough}},
		{"itself", "!!", PingOptions{Path: path("10.0.1.2", ""), Count: 2, Size: 36, Timeout: enough}},
		{"loopback", "!!", PingOptions{Path: path("10.0.2.2", "10.0.9.1"), Count: 2, Size: 100, Timeout: enough}},
		{"no way back", "..", PingOptions{Path: path("10.0.2.2", "10.0.8.1"), Count: 2, Size: 100, Timeout: 100 * time.Millisecond}},
		{"dropped", "...", PingOptions{Path: path("10.66.0.1", ""), Count: 3, Size: 100, Timeout: 100 * time.Millisecond}},
		{"unreachable", "U", PingOptions{Path: path("10.55.0.1", "10.0.9.1"), Count: 1, Size: 100, Timeout: enough}},
		{"unreachable 6", "U", PingOptions{Path: path("2001:db8:99::1", ""), Count: 1, Size: 100, Timeout: enough}},
		{"fragments", "!!", PingOptions{Path: path("10.0.2.2", ""), Count: 2, Size: 1400, Timeout: enough}},
		{"df, fits", "!!", PingOptions{Path: path("10.0.2.2", ""), Count: 2, Size: lineMTU, Timeout: enough, DF: true}},
		{"df, too big", "MMM", PingOptions{Path: path("10.0.2.2", ""), Count: 3, Size: lineMTU + 1, Timeout: enough, DF: true}},
		{"df, too big for here", "MM", PingOptions{Path: path("10.0.2.2", ""), Count: 2, Size: 1501, Timeout: enough, DF: true}},
		{"df 6, fits", "!!", PingOptions{Path: path("2001:db8:2::2", ""), Count: 2, Size: lineMTU, Timeout: enough, DF: true}},
		{"df 6, too big", "MM", PingOptions{Path: path("2001:db8:2::2", ""), Count: 2, Size: lineMTU + 1, Timeout: enough, DF: true}},
		{"df 6, too big for here", "MM", PingOptions{Path: path("2001:db8:2::2", ""), Count: 2, Size: 1501, Timeout: enough, DF: true}},
		{"fragments 6", "!", PingOptions{Path: path("2001:db8:2::2", ""), Count: 1, Size: 1400, Timeout: enough}},
	} {
		got := a.marks(c.o)
		if c.name == "fragments 6" && got == "M" { // the kernel fragments from the second packet on
			got = a.marks(c.o)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// linkLocal returns the link-local address of a device, once a socket can have it: the
// kernel may take its time to make it so.
func (s *space) linkLocal(device string) netip.Addr {
	s.t.Helper()
	for limit := time.Now().Add(enough); ; {
		list, err := s.nl.AddrList(s.link(device), netlink.FAMILY_V6)
		s.check(err)
		err = errors.New("no link-local address")
		for _, l := range list {
			ip, _ := netip.AddrFromSlice(l.IP)
			if !ip.IsLinkLocalUnicast() {
				continue
			}
			if err = s.do(func() error {
				c, err := net.ListenPacket("ip6:ipv6-icmp", ip.WithZone(device).String())
				if err == nil {
					c.Close()
				}
				return err
			}); err == nil {
				return ip
			}
		}
		if time.Now().After(limit) {
			s.t.Fatalf("%s: %v", device, err)
		}
	}
}

// TestKernelLinkLocal needs to know the link.
func TestKernelLinkLocal(t *testing.T) {
	a, router, _ := line(t)
	o := PingOptions{Path: Path{Target: router.linkLocal("left").WithZone("eth0"), Source: a.linkLocal("eth0").WithZone("eth0")}, Count: 2, Size: 100, Timeout: enough}
	if got := a.marks(o); got != "!!" {
		t.Errorf("%q", got)
	}
}

// TestKernelHeader looks at the IPv4 headers that arrive: length, DF bit, TTL.
func TestKernelHeader(t *testing.T) {
	a, _, b := line(t)
	var raw *ipv4.RawConn
	b.check(b.do(func() error {
		c, err := net.ListenPacket("ip4:icmp", "0.0.0.0")
		if err == nil {
			raw, err = ipv4.NewRawConn(c)
		}
		return err
	}))
	defer raw.Close()
	for _, o := range []PingOptions{
		{Path: path("10.0.2.2", ""), Count: 1, Size: 100, Timeout: enough},
		{Path: path("10.0.2.2", "10.0.9.1"), Count: 1, Size: 777, Timeout: enough, DF: true},
	} {
		if got := a.marks(o); got != "!" {
			t.Fatalf("%q", got)
		}
		b.check(raw.SetReadDeadline(time.Now().Add(enough)))
		h, _, _, err := raw.ReadFrom(make([]byte, 2000))
		b.check(err)
		want := [...]any{o.Size, o.DF, defaultHops - 1, "10.0.1.2"}
		if o.Source.IsValid() {
			want[3] = o.Source.String()
		}
		got := [...]any{h.TotalLen, h.Flags&ipv4.DontFragment != 0, h.TTL, h.Src.String()}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("length, DF, TTL, source: %s", diff)
		}
	}
}

// TestKernelTraceroute follows both families to the target and to a refusal.
func TestKernelTraceroute(t *testing.T) {
	a, _, _ := line(t)
	trace := func(target string) (text string) {
		t.Helper()
		var out strings.Builder
		o := TraceOptions{Path: path(target, ""), Probes: 2, Hops: 4, Timeout: enough}
		a.check(a.do(func() error { return Traceroute(t.Context(), o, &out, true) }))
		var got traceJSON
		a.check(json.Unmarshal([]byte(out.String()), &got))
		text = fmt.Sprint(got.Reached)
		for _, h := range got.Hops {
			text += fmt.Sprintf(" %d:", h.TTL)
			for _, p := range h.Probes {
				text += fmt.Sprintf("%s%s,", p.From, p.Mark)
			}
		}
		return text
	}
	// Linux looks the route up before it looks at the TTL: a packet without a route
	// is refused at the first hop.
	for target, want := range map[string]string{
		"10.0.2.2":       "true 1:10.0.1.1,10.0.1.1, 2:10.0.2.2,10.0.2.2,",
		"2001:db8:2::2":  "true 1:2001:db8:1::1,2001:db8:1::1, 2:2001:db8:2::2,2001:db8:2::2,",
		"10.0.1.1":       "true 1:10.0.1.1,10.0.1.1,",
		"10.55.0.1":      "false 1:10.0.1.1!N,10.0.1.1!N,",
		"10.77.0.1":      "false 1:10.0.1.1!A,10.0.1.1!A,",
		"2001:db8:99::1": "false 1:2001:db8:1::1!N,2001:db8:1::1!N,",
	} {
		if got := trace(target); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// TestKernelEnd ends a ping that waits for a minute.
func TestKernelEnd(t *testing.T) {
	a, _, _ := line(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := &endAfterHeader{cancel: cancel}
	start := time.Now()
	o := PingOptions{Path: path("10.66.0.1", ""), Count: 5, Size: 100, Timeout: MaxTimeout}
	a.check(a.do(func() error { return Ping(ctx, o, out, false) }))
	if d := time.Since(start); d > MaxTimeout/2 || !strings.HasSuffix(out.String(), "\nSuccess rate is 0 percent (0/0)\n") {
		t.Errorf("ended after %v:\n%s", d, out)
	}
}

// endAfterHeader ends a command while it waits.
type endAfterHeader struct {
	strings.Builder
	cancel func()
}

func (e *endAfterHeader) Flush() error {
	time.AfterFunc(50*time.Millisecond, e.cancel)
	return nil
}

// TestKernelNoDevice: a VRF device that has just gone is an error.
func TestKernelNoDevice(t *testing.T) {
	a, _, _ := line(t)
	o := PingOptions{Path: Path{Target: host4, Device: "gone"}, Count: 1, Size: 100, Timeout: enough}
	err := a.do(func() error { return Ping(t.Context(), o, &strings.Builder{}, false) })
	if err == nil || !strings.Contains(err.Error(), "VRF device gone") {
		t.Errorf("error %v", err)
	}
}
