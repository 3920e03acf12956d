package core

import (
	"bytes"
	"fmt"
	"net/netip"
	"sort"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// broadcast is where version 1 goes, and version 2 with V2Broadcast.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// versions returns the versions of a set.
func (v Versions) versions() []uint8 {
	var all []uint8
	for _, n := range [...]uint8{packet.Version1, packet.Version2} {
		if v.has(n) {
			all = append(all, n)
		}
	}
	return all
}

// group returns where a version goes that is for all of the network.
func (i *iface) group(version uint8) netip.AddrPort {
	if version == packet.Version1 || i.cfg.V2Broadcast {
		return netip.AddrPortFrom(broadcast, packet.Port)
	}
	return netip.AddrPortFrom(packet.Group, packet.Port)
}

// jobs returns what tells everybody on an interface: list, or the whole table if
// it is nil. One packet serves the group and the configured neighbours, but for
// those without split horizon: to them, what they told is not told.
func (i *iface) jobs(kind jobKind, list []*route, summaries []*summary) []*job {
	var all []*job
	add := func(version uint8, only netip.Addr, dests ...netip.AddrPort) {
		all = append(all, &job{kind: kind, iface: i, version: version, dests: dests, only: only, list: list, summaries: summaries, class: noClass})
	}
	neighbors := i.configured()
	for _, version := range i.sends().versions() {
		var dests []netip.AddrPort
		if !i.passive {
			dests = append(dests, i.group(version))
		}
		if i.cfg.SplitHorizon != SplitHorizonOff {
			for _, a := range neighbors {
				dests = append(dests, netip.AddrPortFrom(a, packet.Port))
			}
		}
		if len(dests) > 0 {
			add(version, netip.Addr{}, dests...)
		}
		if i.cfg.SplitHorizon == SplitHorizonOff {
			for _, a := range neighbors {
				add(version, a, netip.AddrPortFrom(a, packet.Port))
			}
		}
	}
	return all
}

// launch begins jobs.
func (c *Core) launch(now clock.Instant, i *iface, jobs []*job) {
	for _, j := range jobs {
		l := &i.unicast
		if !i.passive && j.dests[0].Addr() == i.group(j.version).Addr() {
			l = &i.multicast
		}
		l.enqueue(j)
	}
	c.run(now, &i.multicast)
	c.run(now, &i.unicast)
}

// regular sends the regular update (RFC 2453 section 3.8). One that is due while
// the last is still under way is left out.
func (c *Core) regular(now clock.Instant, i *iface) {
	c.timers.Set(timerKey{kind: timerRegular, iface: i}, now.Add(c.jitter(i.instance.cfg.Timers.Update)))
	if i.going > 0 {
		return
	}
	c.event(Trace{Event: TraceRegular, VRF: i.instance.vrf, Interface: i.name})
	i.instance.table.sort()
	i.lastFull = now
	jobs := i.jobs(jobRegular, nil, i.summaries)
	i.going = len(jobs)
	c.launch(now, i, jobs)
}

// advance sends the next packet of a job, to each of its destinations. It
// returns how many that were, and whether there is more to send.
func (c *Core) advance(now clock.Instant, j *job) (sent int, more bool) {
	c.fill(now, j)
	if len(c.msg.Entries) == 0 {
		return 0, false
	}
	i := j.iface
	if j.kind == jobTriggered && !j.spoke {
		i.triggered++
		c.event(Trace{Event: TraceTriggered, VRF: i.instance.vrf, Interface: i.name})
	}
	j.spoke = true
	if !c.transmit(now, i, &c.msg, j.dests) {
		return 0, false
	}
	return len(j.dests), !j.done
}

// transmit signs a message and sends it to all destinations. It reports false if
// there is no key to sign with, or after Shutdown.
func (c *Core) transmit(now clock.Instant, i *iface, m *packet.Message, dests []netip.AddrPort) bool {
	if c.ended {
		return false
	}
	room := packet.HeaderLen + packet.EntryLen*len(m.Entries)
	if i.auth.enabled() {
		room = packet.MaxDatagram
	}
	b, ok := i.auth.sign(c.wallTime(now), m, make([]byte, 0, room))
	if !ok {
		c.reportNoKey(now, i)
		return false
	}
	n := uint64(len(dests))
	for _, counters := range [...]*Counters{&i.counters, &i.instance.counters} {
		if m.Command == packet.Request {
			counters.SentRequests += n
		} else {
			counters.SentResponses += n
			counters.SentEntries += n * uint64(len(m.Entries))
		}
	}
	for k, dest := range dests {
		if k > 0 {
			b = bytes.Clone(b) // the receiver of the effect owns it
		}
		c.emit(TxPacket{Interface: i.name, Source: i.addr.Addr(), Dest: dest, Packet: b})
		c.traceMessage(TraceSent, i.instance.vrf, i.name, dest, m)
	}
	return true
}

// reportNoKey logs that nothing can be sent (RFC 4822 section 5.1).
func (c *Core) reportNoKey(now clock.Instant, i *iface) {
	if !i.noKey.allow(now) {
		return
	}
	text := fmt.Sprintf("No valid key to send with on %s%s", i.name, inVRF(i.instance.vrf))
	if id, ok := i.auth.ended(c.wallTime(now)); ok {
		text += fmt.Sprintf(", key %d has ended", id)
	}
	c.log(SeverityWarning, "NOKEY", text)
}

// fill makes c.msg the next packet of a job, and moves the job on.
func (c *Core) fill(now clock.Instant, j *job) {
	i, m := j.iface, &c.msg
	m.Command, m.Version, m.Entries = packet.Response, j.version, m.Entries[:0]
	room := packet.MaxEntries
	if j.version != packet.Version1 {
		room = packet.MaxEntriesWith(i.auth.algorithm(c.wallTime(now)))
	}
	for len(j.summaries) > 0 && len(m.Entries) < room {
		if e, ok := i.summaryEntry(j, j.summaries[0]); ok {
			m.Entries = append(m.Entries, e)
		}
		j.summaries = j.summaries[1:]
	}
	for _, r := range j.rest() {
		if len(m.Entries) == room {
			return
		}
		j.next = r.key + 1
		if r.removed {
			continue
		}
		if e, ok := i.entry(j, r); ok {
			m.Entries = append(m.Entries, e)
		}
	}
	j.done = len(j.summaries) == 0
}

// rest returns the routes that a job has not looked at yet, in order.
func (j *job) rest() []*route {
	if j.list == nil {
		return j.iface.instance.table.after(j.next)
	}
	return j.list[sort.Search(len(j.list), func(k int) bool { return j.list[k].key >= j.next }):]
}
