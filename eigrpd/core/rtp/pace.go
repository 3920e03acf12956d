package rtp

import (
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// gap is how long EIGRP takes for octets by its share of the bandwidth (RFC 7868
// section 5.2.1); 0 on a link that is so fast that it does not matter.
func (l *link) gap(octets int) time.Duration {
	if !l.paced() {
		return 0
	}
	return l.duration(octets)
}

func (l *link) paced() bool { return l.duration(largest) >= negligible }

func (l *link) duration(octets int) time.Duration {
	share := l.Bandwidth * uint64(min(l.Percent, 1_000_000)) / 100 // kbit/s, that is bits in a millisecond
	if l.Bandwidth == 0 {
		return 0
	}
	return time.Duration(uint64(octets) * 8 * uint64(time.Millisecond) / max(share, 1))
}

// charge lets the next packet wait for this one, and for the acknowledgments and
// Hellos before it. Those never wait themselves; that they never hold packets up for
// long, however many there are, is why no more of them counts than one packet.
func (l *link) charge(now clock.Instant, octets int) {
	l.free = now.Add(l.gap(octets) + min(l.debt, l.gap(largest)))
	l.debt = 0
}

// timeout is the RTO of a neighbour, before back-off: six times its round-trip time,
// or the pacing time.
func (p *peer) timeout() time.Duration {
	rto := firstRTO
	if p.measured {
		rto = rtoFactor * p.srtt
	}
	return min(max(rto, rtoFactor*p.link.gap(largest), minRTO), maxRTO)
}

// flowTime is the multicast flow timer of an interface: four times the mean
// round-trip time, and a pacing time for each neighbour that shares a slow link. No
// more than six of those: a thousand neighbours are not to wait minutes for one.
func (l *link) flowTime() time.Duration {
	d := flowFactor*l.meanSRTT() + time.Duration(min(len(l.peers), rtoFactor))*l.gap(largest)
	return min(max(d, minFlow), maxFlow)
}

// meanSRTT is the mean of the neighbours whose round-trip time is known.
func (l *link) meanSRTT() time.Duration {
	var sum time.Duration
	n := 0
	for _, p := range l.peers {
		if p.measured {
			sum += p.srtt
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / time.Duration(n)
}
