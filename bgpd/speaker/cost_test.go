package speaker

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// BenchmarkPaths takes a table from one neighbour, 300 prefixes of 32 bits to an
// UPDATE, until the last best path has been fetched by Next. One round is enough:
//
//	go test ./bgpd/speaker -run '^$' -bench Paths -benchtime 1x
//
// B/path is the live heap afterwards, the queue being empty. With others there is a
// second neighbour, which is down, so that the table is also put where GoBGP
// advertises it from.
func BenchmarkPaths(b *testing.B) {
	for _, others := range []bool{false, true} {
		for _, paths := range []int{100_000, 1_000_000} {
			b.Run(fmt.Sprintf("others=%v/%d", others, paths), func(b *testing.B) {
				for b.Loop() {
					takeTable(b, paths, others)
				}
			})
		}
	}
}

// BenchmarkNeighbors has neighbours of a listen range open sessions, who send and are sent
// nothing. One round is enough. B/neighbor is the live heap afterwards, with the other
// ends of the sessions, which are in the same process.
func BenchmarkNeighbors(b *testing.B) {
	for _, neighbors := range []int{100, 500} {
		b.Run(fmt.Sprint(neighbors), func(b *testing.B) {
			for b.Loop() {
				n := newNode(b, 10, 65001)
				n.c.Groups = []Group{{Name: "SPOKES", Ranges: []netip.Prefix{netip.MustParsePrefix("127.1.0.0/16")}, Settings: settings(64999)}}
				n.start()
				before := heap()
				for i := range neighbors {
					dialFrom(b, n, netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), true)
				}
				b.ReportMetric(float64(heap()-before)/float64(neighbors), "B/neighbor")
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func takeTable(b *testing.B, paths int, others bool) {
	n := hostileNode(b)
	if others {
		s := settings(64998)
		s.Passive = true
		n.c.Neighbors = append(n.c.Neighbors, Neighbor{netip.MustParseAddr("127.0.0.201"), s})
	}
	n.Speaker.Stop(context.Background(), Goodbye) // its events go to nobody
	before := heap()
	s, err := New(n.c, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Stop(context.Background(), Goodbye)
	p := dial(b, n, true)
	start := time.Now()
	go p.table(paths)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for seen := 0; seen < paths; {
		batch, err := s.Next(ctx)
		if err != nil {
			b.Fatalf("%d of %d: %v", seen, paths, err)
		}
		seen += len(batch.Routes)
	}
	took := time.Since(start)
	if err := s.flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(paths)/took.Seconds(), "paths/s")
	b.ReportMetric(float64(heap()-before)/float64(paths), "B/path")
	runtime.KeepAlive(s)
}

// table sends that many prefixes of 32 bits, 300 to an UPDATE, each with another
// MED.
func (p *peer) table(paths int) {
	var nlri []byte
	for i := range paths {
		nlri = binary.BigEndian.AppendUint32(append(nlri, 32), 10<<24+uint32(i))
		if len(nlri) == 1500 || i == paths-1 {
			med := binary.BigEndian.AppendUint32([]byte{0x80, 4, 4}, uint32(i))
			p.conn.Write(message(2, update(nlri, origin, path4, nextHop, med)))
			nlri = nil
		}
	}
}
