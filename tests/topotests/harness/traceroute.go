package harness

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// Limits of Traceroute.
const (
	maxHops   = 16
	hopTries  = 3
	hopWait   = 700 * time.Millisecond
	noHopAddr = "*"
)

// Traceroute sends echo requests with growing TTL to an IPv4 address and returns
// the address that answered at each hop, "*" for none, the destination last. The
// error tells that the destination did not answer.
func (n *Node) Traceroute(dst string) ([]string, error) {
	e, err := n.openEcho(dst, "")
	if err != nil {
		return nil, err
	}
	defer e.conn.Close()
	if e.v6 {
		return nil, errors.New("traceroute: IPv4 only")
	}
	var path []string
	for ttl := 1; ttl <= maxHops; ttl++ {
		hop, err := e.hop(ttl)
		if err != nil {
			return path, err
		}
		path = append(path, hop)
		if hop == dst {
			return path, nil
		}
	}
	return path, fmt.Errorf("%s: %s not reached in %d hops: %v", n.name, dst, maxHops, path)
}

// hop finds who answers to requests with this TTL.
func (e *echo) hop(ttl int) (string, error) {
	if err := ipv4.NewPacketConn(e.conn).SetTTL(ttl); err != nil {
		return "", err
	}
	for try := range hopTries {
		seq := ttl<<4 | try
		if err := e.send(seq); err != nil {
			continue // no route right now: counts as no answer
		}
		from, err := e.answer(seq, time.Now().Add(hopWait))
		if err == nil {
			return from, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return "", err
		}
	}
	return noHopAddr, nil
}

// answer waits for an echo reply or an error message about the request with this
// sequence number, and returns its sender.
func (e *echo) answer(seq int, until time.Time) (string, error) {
	if err := e.conn.SetReadDeadline(until); err != nil {
		return "", err
	}
	buf := make([]byte, 1500)
	for {
		k, from, err := e.conn.ReadFrom(buf)
		if err != nil {
			return "", err
		}
		m, err := icmp.ParseMessage(1, buf[:k])
		if err != nil || !e.concerns(m, seq) {
			continue
		}
		a, _ := netip.AddrFromSlice(from.(*net.IPAddr).IP)
		return a.Unmap().String(), nil
	}
}

// concerns tells whether a message answers the request, directly or by quoting it.
func (e *echo) concerns(m *icmp.Message, seq int) bool {
	switch body := m.Body.(type) {
	case *icmp.Echo:
		return m.Type == ipv4.ICMPTypeEchoReply && body.ID == e.id && body.Seq == seq
	case *icmp.TimeExceeded:
		return e.quoted(body.Data, seq)
	case *icmp.DstUnreach:
		return e.quoted(body.Data, seq)
	}
	return false
}

// quoted tells whether an IPv4 packet begins with the request.
func (e *echo) quoted(packet []byte, seq int) bool {
	h, err := ipv4.ParseHeader(packet)
	if err != nil || len(packet) < h.Len {
		return false
	}
	m, err := icmp.ParseMessage(1, packet[h.Len:])
	if err != nil {
		return false
	}
	body, ok := m.Body.(*icmp.Echo)
	return ok && body.ID == e.id && body.Seq == seq
}
