package main

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
)

// flooding sends requests of IKE_SA_INIT from nobody's addresses.
type flooding struct {
	ended chan struct{}
	sent  int
	took  time.Duration
}

// wait waits for the end and returns how many there were in which time.
func (f *flooding) wait() (int, time.Duration) {
	<-f.ended
	return f.sent, f.took
}

const (
	ipLen, udpLen = 20, 8
	offSource     = 12 // of the source in an IPv4 header
)

// flood sends so many packets a second for so long.
func (b *bench) flood(rate int, last time.Duration) *flooding {
	b.Helper()
	d, nonce, err := nobody()
	fd := -1
	if err == nil {
		err = b.peers.Do(func() (err error) {
			fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
			return err
		})
	}
	if err != nil {
		b.Fatalf("%v", err)
	}
	f := &flooding{ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		defer unix.Close(fd)
		to := &unix.SockaddrInet4{Addr: netip.MustParseAddr(there).As4()}
		begin := time.Now()
		for ; f.took < last; f.took = time.Since(begin) {
			for due := int(f.took.Seconds() * float64(rate)); f.sent < due; f.sent++ {
				copy(d[offSource:], noise(4))
				d[offSource] = 11
				copy(d[ipLen+udpLen:], noise(8))
				copy(d[nonce:], noise(nonceLen))
				_ = unix.Sendto(fd, d, 0, to) // one less
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return f
}

// nobody returns an IP packet with a request, and where its nonce is.
func nobody() (d []byte, nonce int, err error) {
	x, err := suite.Start(packet.Curve25519, random{})
	if err != nil {
		return nil, 0, err
	}
	p := newPeer(netip.MustParseAddrPort("11.0.0.1:500"), netip.MustParseAddrPort(there+":500"), packet.Curve25519, x)
	m, err := p.request()
	if err != nil {
		return nil, 0, err
	}
	d = make([]byte, ipLen+udpLen, ipLen+udpLen+len(m))
	const version, ttl, udp = 0x45, 64, 17
	d[0], d[8], d[9] = version, ttl, udp // the kernel adds length and checksum
	copy(d[16:], netip.MustParseAddr(there).AsSlice())
	binary.BigEndian.PutUint16(d[ipLen:], packet.Port)
	binary.BigEndian.PutUint16(d[ipLen+2:], packet.Port)
	binary.BigEndian.PutUint16(d[ipLen+4:], uint16(udpLen+len(m))) // without a checksum
	d = append(d, m...)
	return d, bytes.Index(d, p.nonces.Ni), nil
}
