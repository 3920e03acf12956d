package pb

import (
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Generators of everything that may be sent.

var names = rapid.StringMatching(`[A-Za-z][A-Za-z0-9/._-]{0,20}`)
var maybeName = rapid.OneOf(rapid.Just(""), names)

func genAddr(t *rapid.T) netip.Addr {
	if rapid.Bool().Draw(t, "v6") {
		b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "addr"))
		b[0] = 0x20 // not IPv4-mapped
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "addr")))
}

func maybeAddr(t *rapid.T) netip.Addr {
	if rapid.Bool().Draw(t, "none") {
		return netip.Addr{}
	}
	return genAddr(t)
}

func genPrefix(t *rapid.T) netip.Prefix {
	a := genAddr(t)
	return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
}

func maybePrefix(t *rapid.T) netip.Prefix {
	if rapid.Bool().Draw(t, "none") {
		return netip.Prefix{}
	}
	return genPrefix(t)
}

func genProtocol(t *rapid.T) rib.Protocol {
	return rib.Protocol(rapid.Uint8Range(1, uint8(rib.NHRP)).Draw(t, "protocol"))
}

func genNextHop(t *rapid.T) rib.NextHop {
	return rib.NextHop{
		Addr: genAddr(t), Interface: maybeName.Draw(t, "ifname"), VRF: maybeName.Draw(t, "vrf"),
		LeaveVRF: rapid.Bool().Draw(t, "leave"), OnLink: rapid.Bool().Draw(t, "onlink"),
		Discard: rapid.Bool().Draw(t, "discard"), Weight: rapid.Uint16().Draw(t, "weight"),
	}
}

func genRoute(t *rapid.T) rib.Route {
	r := rib.Route{
		VRF: maybeName.Draw(t, "vrf"), Prefix: genPrefix(t).Masked(), Protocol: genProtocol(t),
		Instance: rapid.Uint32().Draw(t, "instance"), Type: rib.RouteType(rapid.Uint8Range(0, uint8(rib.TypeIBGP)).Draw(t, "type")),
		Distance: rapid.Uint8().Draw(t, "distance"), Metric: rapid.Uint32().Draw(t, "metric"),
		Tag: rapid.Uint32().Draw(t, "tag"), Name: maybeName.Draw(t, "name"),
	}
	for range rapid.IntRange(1, 4).Draw(t, "hops") {
		r.NextHops = append(r.NextHops, genNextHop(t))
	}
	return r
}

func genObject(t *rapid.T) rib.Object {
	switch rapid.IntRange(0, 7).Draw(t, "object") {
	case 0:
		return rib.Neighbor{Interface: names.Draw(t, "ifname"), Addr: genAddr(t), NBMA: genAddr(t)}
	case 1:
		return rib.Override{VRF: maybeName.Draw(t, "vrf"), Prefix: genPrefix(t).Masked(), Protocol: genProtocol(t),
			Distance: rapid.Uint8().Draw(t, "distance"), NextHop: genNextHop(t)}
	case 2:
		return rib.Shaper{Interface: names.Draw(t, "ifname"), NBMA: netip.AddrFrom4([4]byte{192, 0, 2, rapid.Byte().Draw(t, "nbma")}),
			Rate: rapid.Uint64Min(1).Draw(t, "rate"), Burst: rapid.Uint32().Draw(t, "burst"), Policy: maybeName.Draw(t, "policy")}
	case 3:
		return rib.MulticastPeer{Interface: names.Draw(t, "ifname"), NBMA: netip.AddrFrom4([4]byte{192, 0, 2, rapid.Byte().Draw(t, "nbma")})}
	case 4:
		return rib.LineProtocol{Interface: names.Draw(t, "ifname"), Down: rapid.Bool().Draw(t, "down")}
	case 5:
		return genSA(t)
	case 6:
		return rib.Policy{Local: genStation(t), Peer: netip.PrefixFrom(genAlias(t), 32), Outer: genStation(t)}
	}
	return genRoute(t)
}

func genStation(t *rapid.T) netip.Addr {
	return netip.AddrFrom4([4]byte{192, 0, 2, rapid.Byte().Draw(t, "station")})
}

func genAlias(t *rapid.T) netip.Addr {
	return netip.AddrFrom4([4]byte{240, 0, 0, rapid.Byte().Draw(t, "alias")})
}

func genSA(t *rapid.T) rib.SA {
	s := rib.SA{Epoch: rapid.Uint64().Draw(t, "epoch"), ESP: rib.ESP{Source: genStation(t), Destination: genStation(t),
		SPI: rapid.Uint32Min(256).Draw(t, "SPI"), Protocol: rapid.Byte().Draw(t, "protocol"), Cipher: rib.AESGCM16, ESN: rapid.Bool().Draw(t, "ESN"),
		Window:   rapid.Uint32Range(32, 1024).Draw(t, "window"),
		Lifetime: rib.Lifetime{SoftTime: 1, HardTime: rapid.Uint64().Draw(t, "time"), SoftBytes: 3, HardBytes: 4, SoftPackets: 5, HardPackets: 6}}}
	key := func(n int) rib.Secret {
		return rib.NewSecret(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "secret"))
	}
	if rapid.Bool().Draw(t, "cbc") {
		s.Cipher, s.CipherKey, s.Integrity, s.IntegrityKey = rib.AESCBC, key(32), rib.HMACSHA256x128, key(32)
	} else if rapid.Bool().Draw(t, "keys") {
		s.CipherKey = key(36)
	}
	switch rapid.IntRange(0, 2).Draw(t, "aliases") {
	case 1:
		s.SourceAlias = genAlias(t)
	case 2:
		s.DestinationAlias = genAlias(t)
	}
	if rapid.Bool().Draw(t, "udp") {
		s.UDP = rib.UDPEncap{Source: rapid.Uint16Min(1).Draw(t, "from"), Destination: rapid.Uint16Min(1).Draw(t, "to")}
	}
	return s
}

func genSADump(t *rapid.T) rib.SADump {
	d := rib.SADump{Question: rapid.Uint32().Draw(t, "question"), Part: rapid.Uint32().Draw(t, "part"), Last: rapid.Bool().Draw(t, "last"), Error: maybeName.Draw(t, "error")}
	for range rapid.IntRange(0, 2).Draw(t, "SAs") {
		n := rapid.Uint64().Draw(t, "packets")
		d.SAs = append(d.SAs, rib.SAState{SA: genSA(t), Live: rapid.Bool().Draw(t, "live"), Count: rib.SACount{Packets: n, Bytes: n + 1, Added: n + 2, Used: n + 3,
			Replayed: uint32(n), Failed: uint32(n) + 1, Late: uint32(n) + 2}})
	}
	return d
}

func genIPsec(t *rapid.T) rib.Event {
	key := genSA(t).Key()
	switch rapid.IntRange(0, 3).Draw(t, "ipsec") {
	case 0:
		return rib.Acquired{Source: genStation(t), Destination: genStation(t)}
	case 1:
		return rib.SAExpired{SA: key, Hard: rapid.Bool().Draw(t, "hard")}
	case 2:
		return rib.MappingChanged{SA: key, Old: netip.AddrPortFrom(genStation(t), rapid.Uint16().Draw(t, "old")), New: netip.AddrPortFrom(genStation(t), 4500)}
	}
	return genSADump(t)
}

func genWatch(t *rapid.T) rib.Watch {
	switch k := rib.WatchKind(rapid.Uint8Range(1, uint8(rib.WatchNetwork)).Draw(t, "watch")); k {
	case rib.WatchNextHop:
		return rib.Watch{Kind: k, VRF: maybeName.Draw(t, "vrf"), Addr: genAddr(t)}
	case rib.WatchRedistribute:
		return rib.Watch{Kind: k, VRF: maybeName.Draw(t, "vrf"), Protocol: genProtocol(t),
			Family: rapid.SampledFrom([]rib.Family{rib.IPv4, rib.IPv6}).Draw(t, "family"), Instance: rapid.Uint32().Draw(t, "instance")}
	case rib.WatchTopic:
		return rib.Watch{Kind: k, Topic: names.Draw(t, "topic")}
	case rib.WatchNetwork:
		return rib.Watch{Kind: k, VRF: maybeName.Draw(t, "vrf"), Prefix: genPrefix(t).Masked()}
	case rib.WatchUnmatched, rib.WatchIPsec:
		return rib.Watch{Kind: k}
	case rib.WatchSADump:
		return rib.Watch{Kind: k, Instance: rapid.Uint32().Draw(t, "question")}
	case rib.WatchHairpin:
		return rib.Watch{Kind: k, Interface: names.Draw(t, "ifname"), Instance: rapid.Uint32().Draw(t, "group")}
	default:
		return rib.Watch{Kind: k, Interface: names.Draw(t, "ifname")}
	}
}

func genPayload(t *rapid.T) []byte {
	return rapid.SampledFrom([][]byte{nil, {}, {0}, []byte("value")}).Draw(t, "payload")
}

func genUp(t *rapid.T) session.Up {
	seq := rapid.Uint64().Draw(t, "seq")
	switch rapid.IntRange(0, 8).Draw(t, "up") {
	case 0:
		return session.Begin{Replay: seq}
	case 1:
		return session.Delete{Seq: seq, Key: genObject(t).Key()}
	case 2:
		return session.WatchAdd{Watch: genWatch(t)}
	case 3:
		return session.WatchDel{Watch: genWatch(t)}
	case 4:
		return session.Publish{Topic: names.Draw(t, "topic"), Key: rapid.String().Draw(t, "key"), Payload: genPayload(t)}
	case 5:
		return session.EndOfReplay{Seq: seq}
	case 6:
		return session.Log{Time: time.Unix(0, rapid.Int64Min(1).Draw(t, "time")), Level: slog.Level(rapid.Int32().Draw(t, "level")),
			Message: maybeName.Draw(t, "message"), Attrs: []session.LogAttr{{Key: "k", Value: maybeName.Draw(t, "v")}}, Dropped: seq}
	case 7:
		return session.Counters{Values: []session.Counter{{Name: names.Draw(t, "counter"), Value: seq}}}
	}
	return session.Put{Seq: seq, Object: genObject(t)}
}

func genHops(t *rapid.T) (hops []rib.NextHop) {
	for range rapid.IntRange(0, 3).Draw(t, "hops") {
		hops = append(hops, genNextHop(t))
	}
	return hops
}

func genInterface(t *rapid.T) rib.Interface {
	i := rib.Interface{
		Name: names.Draw(t, "name"), KernelName: maybeName.Draw(t, "kernel"), Index: rapid.IntRange(0, 1<<31-1).Draw(t, "index"),
		Type: rib.InterfaceType(rapid.Uint8Range(0, uint8(rib.TypePointToPoint)).Draw(t, "type")), VRF: maybeName.Draw(t, "vrf"),
		AdminUp: rapid.Bool().Draw(t, "admin"), Up: rapid.Bool().Draw(t, "up"), Multicast: rapid.Bool().Draw(t, "multicast"),
		MTU: rapid.IntRange(0, 1<<20).Draw(t, "mtu"), Bandwidth: rapid.Uint64().Draw(t, "bandwidth"), Delay: rapid.Uint32().Draw(t, "delay"),
		Description: rapid.String().Draw(t, "description"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "addresses") {
		i.Addresses = append(i.Addresses, rib.Address{Prefix: genPrefix(t), Peer: maybePrefix(t), Secondary: rapid.Bool().Draw(t, "secondary")})
	}
	if rapid.Bool().Draw(t, "tunnel") {
		i.Tunnel = &rib.Tunnel{
			Mode: rib.TunnelMode(rapid.Uint8Range(0, 1).Draw(t, "mode")), SourceInterface: maybeName.Draw(t, "source"), Source: maybeAddr(t),
			Destination: maybeAddr(t), HasKey: rapid.Bool().Draw(t, "haskey"), Key: rapid.Uint32().Draw(t, "key"),
			VRF: maybeName.Draw(t, "fvrf"), IPv6Transport: rapid.Bool().Draw(t, "v6"),
			Protection: maybeName.Draw(t, "profile"), Shared: rapid.Bool().Draw(t, "shared"),
		}
	}
	return i
}

func genEvent(t *rapid.T) rib.Event {
	switch rapid.IntRange(0, 11).Draw(t, "event") {
	case 0:
		return rib.Attached{Epoch: rapid.Uint64().Draw(t, "epoch"), Stale: rapid.IntRange(0, 1<<31-1).Draw(t, "stale")}
	case 1:
		return rib.InterfaceChanged{Interface: genInterface(t)}
	case 2:
		return rib.InterfaceGone{Name: names.Draw(t, "name")}
	case 3:
		return rib.InterfacesKnown{}
	case 4:
		return rib.NextHopChanged{Watch: genWatch(t), Prefix: maybePrefix(t), Protocol: genProtocol(t),
			Distance: rapid.Uint8().Draw(t, "distance"), Metric: rapid.Uint32().Draw(t, "metric"), NextHops: genHops(t)}
	case 5:
		return rib.RouteChanged{Watch: genWatch(t), Route: genRoute(t), Withdrawn: rapid.Bool().Draw(t, "withdrawn")}
	case 6:
		return rib.RoutesKnown{Watch: genWatch(t)}
	case 7:
		return rib.TopicMessage{Topic: names.Draw(t, "topic"), Key: rapid.String().Draw(t, "key"), Payload: genPayload(t)}
	case 8:
		return rib.Hairpin{In: names.Draw(t, "in"), Out: names.Draw(t, "out"), Packet: []byte{1, 2, 3}}
	case 9:
		return rib.NeighborMiss{Interface: names.Draw(t, "ifname"), Addr: genAddr(t)}
	case 10:
		u := rib.PeersUsed{Interface: names.Draw(t, "ifname")}
		for range rapid.IntRange(0, 2).Draw(t, "peers") {
			u.NBMA = append(u.NBMA, genAddr(t))
		}
		return u
	}
	if rapid.Bool().Draw(t, "ipsec event") {
		return genIPsec(t)
	}
	if rapid.Bool().Draw(t, "unmatched") {
		u := rib.UnmatchedGRE{}
		for range rapid.IntRange(0, 2).Draw(t, "rows") {
			u.Rows = append(u.Rows, rib.UnmatchedRow{Source: genAddr(t), Destination: genAddr(t), HasKey: rapid.Bool().Draw(t, "has key"),
				Key: rapid.Uint32().Draw(t, "key"), Packets: rapid.Uint64().Draw(t, "packets"), Why: names.Draw(t, "why")})
		}
		return u
	}
	a := rib.Ack{Seq: rapid.Uint64().Draw(t, "seq")}
	for range rapid.IntRange(0, 2).Draw(t, "failures") {
		a.Failures = append(a.Failures, rib.Failure{Key: genObject(t).Key(), Error: rapid.String().Draw(t, "error")})
	}
	return a
}

// wire sends a message through its bytes.
func wire[M proto.Message](t interface{ Fatal(...any) }, in, out M) M {
	b, err := proto.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUpRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genUp(t)
		got, err := ToUps(wire(t, FromUps([]session.Up{want}), &UpBatch{}))
		if err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		if !reflect.DeepEqual(got, []session.Up{want}) {
			t.Fatalf("sent %#v\ngot  %#v", want, got[0])
		}
	})
}

func TestDownRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := []session.Down{session.Event{Event: genEvent(t)}, session.ReplayRequest{}}
		got, err := ToDowns(wire(t, FromDowns(want), &DownBatch{}))
		if err != nil {
			t.Fatalf("%+v: %v", want, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("sent %#v\ngot  %#v", want, got)
		}
	})
}

// What a daemon must not send is refused, whatever it is.
func TestRefused(t *testing.T) {
	hop := []*NextHop{{Interface: "Tunnel0"}}
	good := &Route{Prefix: []byte{10, 0, 0, 0, 8}, Protocol: uint32(rib.RIP), NextHops: hop}
	route := func(f func(*Route)) *Up {
		r := proto.Clone(good).(*Route)
		f(r)
		return &Up{What: &Up_Route{r}}
	}
	if _, err := ToUps(&UpBatch{Messages: []*Up{route(func(*Route) {})}}); err != nil {
		t.Fatalf("the good route: %v", err)
	}
	for name, m := range map[string]*Up{
		"nothing":            {},
		"no prefix":          route(func(r *Route) { r.Prefix = nil }),
		"short prefix":       route(func(r *Route) { r.Prefix = []byte{8} }),
		"three bytes":        route(func(r *Route) { r.Prefix = []byte{10, 0, 0, 8} }),
		"length 33":          route(func(r *Route) { r.Prefix = []byte{10, 0, 0, 0, 33} }),
		"host bits":          route(func(r *Route) { r.Prefix = []byte{10, 0, 0, 1, 8} }),
		"mapped":             route(func(r *Route) { r.Prefix = append(netip.MustParseAddr("::ffff:10.0.0.0").AsSlice(), 104) }),
		"huge prefix":        route(func(r *Route) { r.Prefix = make([]byte, 1000) }),
		"protocol":           route(func(r *Route) { r.Protocol = 99 }),
		"type":               route(func(r *Route) { r.Type = 99 }),
		"distance":           route(func(r *Route) { r.Distance = 256 }),
		"no next hop":        route(func(r *Route) { r.NextHops = nil }),
		"empty next hop":     route(func(r *Route) { r.NextHops = []*NextHop{{}} }),
		"nil next hop":       route(func(r *Route) { r.NextHops = []*NextHop{nil} }),
		"weight":             route(func(r *Route) { r.NextHops = []*NextHop{{Interface: "x", Weight: 1 << 16}} }),
		"gateway":            route(func(r *Route) { r.NextHops = []*NextHop{{Addr: []byte{1, 2, 3}}} }),
		"too many next hops": route(func(r *Route) { r.NextHops = make([]*NextHop, session.MaxNextHops+1) }),
		"long name":          route(func(r *Route) { r.Name = strings.Repeat("x", session.MaxName+1) }),
		"control character":  route(func(r *Route) { r.Vrf = "a\x1b[2J" }),
		"neighbour":          {What: &Up_Neighbor{&Neighbor{Interface: "x", Addr: []byte{1, 2, 3, 4}}}},
		"peer":               {What: &Up_MulticastPeer{&MulticastPeer{Interface: "x"}}},
		"peer is a group":    {What: &Up_MulticastPeer{&MulticastPeer{Interface: "x", Nbma: []byte{224, 0, 0, 5}}}},
		"shaper of no rate":  {What: &Up_Shaper{&Shaper{Interface: "x", Nbma: []byte{192, 0, 2, 1}}}},
		"shaper on nothing":  {What: &Up_Shaper{&Shaper{Nbma: []byte{192, 0, 2, 1}, Rate: 1}}},
		"shaper for a group": {What: &Up_Shaper{&Shaper{Interface: "x", Nbma: []byte{224, 0, 0, 5}, Rate: 1}}},
		"shaper by a policy": {What: &Up_Shaper{&Shaper{Interface: "x", Nbma: []byte{192, 0, 2, 1}, Rate: 1, Policy: "a\nb"}}},
		"peer on nothing":    {What: &Up_MulticastPeer{&MulticastPeer{Nbma: []byte{192, 0, 2, 1}}}},
		"line of nothing":    {What: &Up_LineProtocol{&LineProtocol{Down: true}}},
		"line with address":  {What: &Up_Delete{&Key{Kind: uint32(rib.KindLineProtocol), Interface: "x", Addr: []byte{192, 0, 2, 1}}}},
		"override":           {What: &Up_Override{&Override{Prefix: []byte{10, 0, 0, 0, 8}}}},
		"kind":               {What: &Up_Delete{&Key{Kind: 77}}},
		"nil key":            {What: &Up_Delete{nil}},
		"watch":              {What: &Up_Watch{&Watch{Kind: 77}}},
		"family":             {What: &Up_Watch{&Watch{Kind: uint32(rib.WatchRedistribute), Protocol: uint32(rib.RIP), Family: 5}}},
		"payload":            {What: &Up_Publish{&Publish{Topic: "t", Payload: make([]byte, session.MaxPayload+1)}}},
		"no topic":           {What: &Up_Publish{&Publish{}}},
		"counters":           {What: &Up_Counters{&Counters{Values: make([]*Counter, session.MaxCounters+1)}}},
		"attributes":         {What: &Up_Log{&LogRecord{Attrs: make([]*LogAttr, session.MaxAttrs+1)}}},
	} {
		if got, err := ToUps(&UpBatch{Messages: []*Up{m}}); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := ToUps(&UpBatch{Messages: make([]*Up, maxBatch+1)}); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("large batch: %v", err)
	}
	if _, err := ToDowns(&DownBatch{Messages: []*Down{{}}}); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("empty down: %v", err)
	}
	if _, err := ToDowns(&DownBatch{Messages: []*Down{{What: &Down_Event{&Event{}}}}}); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("empty event: %v", err)
	}
}

// Names of the kernel and of people need not be UTF-8, protobuf strings must be.
func TestForeignText(t *testing.T) {
	in := []session.Down{session.Event{Event: rib.InterfaceChanged{Interface: rib.Interface{Name: "a\xff", KernelName: "\xfe", Description: "\xc3("}}}}
	if _, err := proto.Marshal(FromDowns(in)); err != nil {
		t.Error(err)
	}
}

// What was accepted is encoded and accepted again; nothing makes the decoder panic.
func FuzzToUps(f *testing.F) {
	seed := []session.Up{
		session.Begin{Replay: 1}, session.EndOfReplay{Seq: 9}, session.Publish{Topic: "t", Key: "k", Payload: []byte{1}},
		session.Put{Seq: 1, Object: rib.Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Protocol: rib.RIP, NextHops: []rib.NextHop{{Interface: "x"}}}},
		session.Put{Seq: 2, Object: rib.Neighbor{Interface: "x", Addr: netip.MustParseAddr("::1"), NBMA: netip.MustParseAddr("1.2.3.4")}},
		session.Put{Seq: 3, Object: rib.Shaper{Interface: "x", NBMA: netip.MustParseAddr("1.2.3.4"), Rate: 1e6, Policy: "P"}},
		session.Put{Seq: 3, Object: rib.MulticastPeer{Interface: "x", NBMA: netip.MustParseAddr("1.2.3.4")}},
		session.Put{Seq: 4, Object: rib.LineProtocol{Interface: "x", Down: true}},
		session.Put{Seq: 5, Object: rib.SA{Epoch: 1, ESP: rib.ESP{Source: netip.MustParseAddr("1.2.3.4"), Destination: netip.MustParseAddr("1.2.3.5"), SPI: 256,
			Cipher: rib.AESGCM16, CipherKey: rib.NewSecret(make([]byte, 36)), Window: 64}}},
		session.Put{Seq: 6, Object: rib.Policy{Local: netip.MustParseAddr("1.2.3.4"), Peer: netip.MustParsePrefix("240.0.0.1/32"), Outer: netip.MustParseAddr("1.2.3.5")}},
		session.WatchAdd{Watch: rib.Watch{Kind: rib.WatchSADump, Instance: 7}},
	}
	b, err := proto.Marshal(FromUps(seed))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m UpBatch
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		ups, err := ToUps(&m)
		if err != nil {
			return
		}
		again, err := ToUps(wire(t, FromUps(ups), &UpBatch{}))
		if err != nil || !reflect.DeepEqual(ups, again) {
			t.Errorf("%#v\n%#v\n%v", ups, again, err)
		}
	})
}

func FuzzToDowns(f *testing.F) {
	b, err := proto.Marshal(FromDowns([]session.Down{
		session.ReplayRequest{}, session.Event{Event: rib.InterfacesKnown{}},
		session.Event{Event: rib.InterfaceChanged{Interface: rib.Interface{Name: "x", Tunnel: &rib.Tunnel{}, Addresses: []rib.Address{{}}}}},
		session.Event{Event: rib.Ack{Seq: 1, Failures: []rib.Failure{{}}}},
		session.Event{Event: rib.SADump{Question: 1, Last: true, SAs: []rib.SAState{{}}}}, session.Event{Event: rib.Acquired{}},
		session.Event{Event: rib.SAExpired{}}, session.Event{Event: rib.MappingChanged{}},
	}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m DownBatch
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		downs, err := ToDowns(&m)
		if err != nil {
			return
		}
		again, err := ToDowns(wire(t, FromDowns(downs), &DownBatch{}))
		if err != nil || !reflect.DeepEqual(downs, again) {
			t.Errorf("%#v\n%#v\n%v", downs, again, err)
		}
	})
}

func BenchmarkRouteThroughBytes(b *testing.B) {
	ups := make([]session.Up, session.MaxBatch)
	for i := range ups {
		ups[i] = session.Put{Seq: uint64(i), Object: rib.Route{
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24), Protocol: rib.EIGRP, Distance: 90,
			Metric: 26880000, NextHops: []rib.NextHop{{Addr: netip.MustParseAddr("10.0.0.1"), Interface: "Tunnel0"}}}}
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i += len(ups) {
		if _, err := ToUps(wire(b, FromUps(ups), &UpBatch{})); err != nil {
			b.Fatal(err)
		}
	}
}
