package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is what a fake network makes of a request.
type answer struct {
	after time.Duration
	b     []byte
	from  netip.Addr
}

// fakeConn is a network that a function answers for. Time is that of the bubble.
type fakeConn struct {
	network func(seq uint16, hops int, request []byte) ([]answer, error)
	coming  []answer // after is from the epoch of the bubble
	start   time.Time
}

func (f *fakeConn) send(b []byte, hops int) error {
	answers, err := f.network(binary.BigEndian.Uint16(b[6:]), hops, b)
	for _, a := range answers {
		a.after += time.Since(f.start)
		f.coming = append(f.coming, a)
	}
	return err
}

func (f *fakeConn) receive(ctx context.Context, until time.Time, b []byte) (int, netip.Addr, error) {
	wait, arrived := time.Until(until), false
	if len(f.coming) > 0 {
		if d := time.Until(f.start.Add(f.coming[0].after)); d <= wait {
			wait, arrived = d, true
		}
	}
	select {
	case <-ctx.Done():
		return 0, netip.Addr{}, ctx.Err()
	case <-time.After(wait):
	}
	if !arrived {
		return 0, netip.Addr{}, os.ErrDeadlineExceeded
	}
	a := f.coming[0]
	f.coming = f.coming[1:]
	return copy(b, a.b), a.from, nil
}

func (f *fakeConn) Close() error { return nil }

// flushed notes what was seen at which time of the bubble.
type flushed struct {
	strings.Builder
	start time.Time
	seen  []string
	shown int
}

func (f *flushed) Flush() error {
	f.seen = append(f.seen, fmt.Sprintf("%v %q", time.Since(f.start), f.String()[f.shown:]))
	f.shown = f.Len()
	return nil
}

// replyTo is the reply that a host gives to a request.
func replyTo(request []byte) []byte {
	b := append([]byte(nil), request...)
	b[0] = 0
	// Type 8 became 0: RFC 1624 says that the checksum grows by 0x0800.
	sum := uint32(binary.BigEndian.Uint16(b[2:])) + 0x0800
	binary.BigEndian.PutUint16(b[2:], uint16(sum+sum>>16))
	return b
}

// errorTo is an ICMP error about a request to host4.
func errorTo(request []byte, typ, code byte) []byte {
	h := make([]byte, ipv4Header)
	h[0], h[9] = 0x45, protocolICMP
	copy(h[16:], host4.AsSlice())
	return icmpError(false, typ, code, append(h, request[:8]...))
}

func pingOver(ctx context.Context, o PingOptions, asJSON bool, network func(seq uint16, hops int, b []byte) ([]answer, error)) (*flushed, error) {
	out := &flushed{start: time.Now()}
	o.Target = host4
	err := ping(ctx, o, &fakeConn{network: network, start: time.Now()}, out, asJSON)
	return out, err
}

// mixed answers requests in each way that there is.
func mixed(seq uint16, _ int, b []byte) ([]answer, error) {
	switch seq {
	case 1:
		return []answer{{3 * time.Millisecond, echoGarbage, router4}, {4 * time.Millisecond, replyTo(b), host4}}, nil
	case 2:
		return nil, nil
	case 3:
		return []answer{{time.Millisecond, errorTo(b, 3, 1), router4}}, nil
	case 4:
		return []answer{{time.Millisecond, errorTo(b, 3, 4), router4}}, nil
	case 5:
		return nil, unix.EMSGSIZE
	case 6:
		return nil, &os.SyscallError{Syscall: "sendto", Err: unix.ENETUNREACH}
	case 7:
		return []answer{{1900 * time.Millisecond, replyTo(b), host4}}, nil
	case 8:
		return []answer{{time.Millisecond, errorTo(b, 11, 0), router4}}, nil
	}
	return []answer{{1500 * time.Microsecond, replyTo(b), host4}}, nil
}

var echoGarbage = []byte{0, 0, 0xff, 0xff, 0, 0, 0, 0}

// TestPing is the output of a ping with each outcome there is, and when each mark
// is seen.
func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, err := pingOver(t.Context(), PingOptions{Count: 10, Size: 100, Timeout: 2 * time.Second, DF: true,
			Path: Path{Source: router4}}, false, mixed)
		if err != nil {
			t.Fatal(err)
		}
		want := `Type escape sequence to abort.
Sending 10, 100-byte ICMP Echos to 10.12.0.10, timeout is 2 seconds:
Packet sent with a source address of 10.11.0.1
Packet sent with the DF bit set
!.UMMU!&!!
Success rate is 40 percent (4/10), round-trip min/avg/max = 2/477/1900 ms
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{`4ms "!"`, `2.005s "."`, `2.007s "U"`}, out.seen[3:6]); diff != "" {
			t.Error("when marks are seen:", diff)
		}
	})
}

// TestPingJSON is the same for programs, in one object at the end.
func TestPingJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, err := pingOver(t.Context(), PingOptions{Count: 4, Size: 100, Timeout: 2 * time.Second}, true, mixed)
		want := `{
  "target": "10.12.0.10",
  "size": 100,
  "dfBit": false,
  "sent": 4,
  "received": 1,
  "percent": 25,
  "marks": "!.UM",
  "rtt": {
    "min": 4,
    "avg": 4,
    "max": 4
  }
}
`
		if diff := cmp.Diff(want, out.String()); diff != "" || err != nil {
			t.Error(err, diff)
		}
	})
}

// TestPingLost has no round-trip times to tell.
func TestPingLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, err := pingOver(t.Context(), PingOptions{Count: 2, Size: 100, Timeout: time.Second}, false,
			func(uint16, int, []byte) ([]answer, error) { return nil, nil })
		if err != nil || !strings.HasSuffix(out.String(), ":\n..\nSuccess rate is 0 percent (0/2)\n") {
			t.Errorf("%v:\n%s", err, out)
		}
		if d := time.Since(out.start); d != 2001*time.Millisecond {
			t.Errorf("two timeouts of a second took %v", d)
		}
	})
}

// TestPingEnd ends a ping while it waits: the statistics come at once, and the
// request that was out does not count.
func TestPingEnd(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			out, err := pingOver(ctx, PingOptions{Count: 100000, Size: 100, Timeout: time.Minute}, asJSON,
				func(seq uint16, _ int, b []byte) ([]answer, error) {
					if seq < 3 {
						return []answer{{time.Millisecond, replyTo(b), host4}}, nil
					}
					return nil, nil
				})
			want := ":\n!!\nSuccess rate is 100 percent (2/2), round-trip min/avg/max = 1/1/1 ms\n"
			if asJSON {
				want = "\"sent\": 2,\n  \"received\": 2,\n  \"percent\": 100,\n  \"marks\": \"!!\""
			}
			if err != nil || !strings.Contains(out.String(), want) {
				t.Errorf("%v:\n%s", err, out)
			}
			if d := time.Since(out.start); d != 5*time.Second {
				t.Errorf("ended after %v", d)
			}
		})
	}
}

// TestPingLines: IOS begins a new line after 70 marks. Sequence numbers wrap.
func TestPingLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, err := pingOver(t.Context(), PingOptions{Count: 70000, Size: 36, Timeout: time.Second}, false,
			func(_ uint16, _ int, b []byte) ([]answer, error) { return []answer{{0, replyTo(b), host4}}, nil })
		lines := strings.Split(out.String(), "\n")
		if err != nil || len(lines) != 2+1000+2 || lines[2] != strings.Repeat("!", 70) || lines[1001] != lines[2] {
			t.Errorf("%v, %d lines, %q", err, len(lines), lines[2])
		}
		if d := time.Since(out.start); d < 69*time.Second {
			t.Errorf("70000 requests in %v are a flood", d)
		}
	})
}

// TestPingTrouble ends with an error that is about this machine.
func TestPingTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := pingOver(t.Context(), PingOptions{Count: 3, Size: 100, Timeout: time.Second}, false,
			func(uint16, int, []byte) ([]answer, error) { return nil, unix.EBADF })
		if !errors.Is(err, unix.EBADF) {
			t.Errorf("error %v", err)
		}
	})
}

// TestTraceroute walks over a router, a silent one, one that answers now and then
// by two addresses, to the target.
func TestTraceroute(t *testing.T) {
	second := netip.MustParseAddr("172.31.0.2")
	network := func(seq uint16, hops int, b []byte) ([]answer, error) {
		late := time.Duration(seq) * time.Millisecond
		switch {
		case hops == 1:
			return []answer{{late, errorTo(b, 11, 0), router4}}, nil
		case hops == 2, hops == 3 && seq == 9:
			return nil, nil
		case hops == 3:
			return []answer{{late, errorTo(b, 11, 0), []netip.Addr{router4, second}[seq%2]}}, nil
		}
		return []answer{{late, replyTo(b), host4}}, nil
	}
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		o := TraceOptions{Path: Path{Target: host4, VRF: "BLUE"}, Probes: 3, Hops: 30, Timeout: time.Second}
		err := traceroute(t.Context(), o, &fakeConn{network: network, start: time.Now()}, &out, false)
		want := `Type escape sequence to abort.
Tracing the route to 10.12.0.10
VRF info: BLUE
  1 10.11.0.1 1 msec 2 msec 3 msec
  2 * * *
  3 172.31.0.2 7 msec 10.11.0.1 8 msec *
  4 10.12.0.10 10 msec 11 msec 12 msec
`
		if diff := cmp.Diff(want, out.String()); diff != "" || err != nil {
			t.Error(err, diff)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		o := TraceOptions{Path: Path{Target: host4}, Probes: 1, Hops: 2, Timeout: time.Second}
		err := traceroute(t.Context(), o, &fakeConn{network: network, start: time.Now()}, &out, true)
		want := `{
  "target": "10.12.0.10",
  "reached": false,
  "hops": [
    {
      "hop": 1,
      "probes": [
        {
          "address": "10.11.0.1",
          "rtt": 1
        }
      ]
    },
    {
      "hop": 2,
      "probes": [
        {
          "mark": "*"
        }
      ]
    }
  ]
}
`
		if diff := cmp.Diff(want, out.String()); diff != "" || err != nil {
			t.Error(err, diff)
		}
	})
}

// TestTracerouteUnreachable ends at the hop that says so.
func TestTracerouteUnreachable(t *testing.T) {
	for code, mark := range map[byte]string{0: "!N", 1: "!H", 13: "!A"} {
		synctest.Test(t, func(t *testing.T) {
			var out strings.Builder
			o := TraceOptions{Path: Path{Target: host4}, Probes: 2, Hops: 30, Timeout: time.Second}
			err := traceroute(t.Context(), o, &fakeConn{start: time.Now(), network: func(seq uint16, _ int, b []byte) ([]answer, error) {
				if seq == 1 {
					return []answer{{0, errorTo(b, 3, code), router4}}, nil
				}
				return nil, nil
			}}, &out, false)
			want := "Type escape sequence to abort.\nTracing the route to 10.12.0.10\n  1 10.11.0.1 " + mark + " *\n"
			if diff := cmp.Diff(want, out.String()); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

// TestTracerouteEnd ends in the middle of a hop.
func TestTracerouteEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		var out strings.Builder
		start := time.Now()
		o := TraceOptions{Path: Path{Target: host4}, Probes: 3, Hops: 30, Timeout: time.Second}
		err := traceroute(ctx, o, &fakeConn{start: start, network: func(uint16, int, []byte) ([]answer, error) { return nil, nil }}, &out, false)
		if err != nil || !strings.HasSuffix(out.String(), "\n  1 *\n") || time.Since(start) != 1500*time.Millisecond {
			t.Errorf("%v after %v:\n%s", err, time.Since(start), out.String())
		}
	})
}

// TestLimits refuses what is out of range, and more commands than there are places.
func TestLimits(t *testing.T) {
	good := PingOptions{Path: Path{Target: host4}, Count: 1, Size: 36, Timeout: time.Second}
	six := good
	six.Target, six.Size = host6, 55
	many, big, slow := good, good, good
	many.Count, big.Size, slow.Timeout = MaxCount+1, MaxSize+1, MaxTimeout+1
	for want, o := range map[string]PingOptions{"repeat 100001": many, "size 9201": big, "has 56-9200 bytes": six, "timeout 1m": slow} {
		if err := Ping(t.Context(), o, nil, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	trace := TraceOptions{Path: Path{Target: host4}, Probes: 3, Hops: 256, Timeout: time.Second}
	if err := Traceroute(t.Context(), trace, nil, false); err == nil || !strings.Contains(err.Error(), "ttl 256") {
		t.Errorf("error %v", err)
	}
	for range maxAtOnce {
		end, err := begin()
		if err != nil {
			t.Fatal(err)
		}
		defer end()
	}
	if err := Ping(t.Context(), good, nil, false); !errors.Is(err, errBusy) {
		t.Errorf("error %v, want that all places are taken", err)
	}
}
