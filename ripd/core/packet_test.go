package core_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

var algorithms = map[string]packet.Algorithm{
	"none": packet.NoAlgorithm, "text": packet.SimplePassword, "md5": packet.KeyedMD5, "sha1": packet.HMACSHA1,
	"sha256": packet.HMACSHA256, "sha384": packet.HMACSHA384, "sha512": packet.HMACSHA512,
}

func algorithm(name string) packet.Algorithm {
	a, ok := algorithms[name]
	if !ok {
		panic("no algorithm: " + name)
	}
	return a
}

// rx hands a packet in:
//
//	rx IF request|response|command=N from=A[:PORT] [to=A] [version=N] [auth=ALGORITHM,ID,SECRET[,SEQUENCE]]
//	[whole] [PREFIX[,metric:N][,tag:N][,nh:A][,family:N][,mask:M]]…
//	and spoilers: [flip=OFFSET] [zero=N] [truncate=N], or [raw=HEX] alone.
//
// An entry of version 1 is an address without a length.
func (w *world) rx(a scripttest.Args) {
	version := a.Number("version", 2)
	to := "224.0.0.9"
	if version == 1 {
		to = "255.255.255.255"
	}
	source := a.Get("from", "10.0.0.2")
	if !strings.Contains(source, ":") {
		source += ":520"
	}
	w.Step(core.RxPacket{Interface: a.Word(1), Source: netip.MustParseAddrPort(source), Dest: netip.MustParseAddr(a.Get("to", to)), Packet: datagram(a, version)})
}

func datagram(a scripttest.Args, version int) []byte {
	if v := a.Get("raw", ""); v != "" {
		return scripttest.Must(hex.DecodeString(v))
	}
	command := map[string]int{"request": 1, "response": 2}[a.Word(2)]
	if command == 0 {
		command = a.Number("command", 0)
	}
	var entries []packet.Entry
	for _, word := range a.Words[3:] {
		if word == "whole" {
			entries = append(entries, packet.Entry{Metric: packet.Infinity})
			continue
		}
		entries = append(entries, parseEntry(word))
	}
	b := encode(command, version, entries)
	if v := a.Get("auth", ""); v != "" {
		f := strings.Split(v, ",")
		key := packet.Key{Algorithm: algorithm(f[0]), ID: uint8(scripttest.Must(strconv.Atoi(f[1]))), Secret: []byte(f[2])}
		sequence := 0
		if len(f) > 3 {
			sequence = scripttest.Must(strconv.Atoi(f[3]))
		}
		m := packet.Message{Command: packet.Command(command), Version: uint8(version), Entries: entries}
		b = scripttest.Must(m.Append(nil, &key, uint32(sequence)))
	}
	if v := a.Get("flip", ""); v != "" {
		b[scripttest.Must(strconv.Atoi(v))] ^= 1
	}
	if v := a.Get("zero", ""); v != "" { // the field that must be zero
		binary.BigEndian.PutUint16(b[2:], uint16(scripttest.Must(strconv.Atoi(v))))
	}
	if v := a.Get("truncate", ""); v != "" {
		b = b[:scripttest.Must(strconv.Atoi(v))]
	}
	return b
}

// encode writes what nobody should send as well, which packet.Message.Append
// does not.
func encode(command, version int, entries []packet.Entry) []byte {
	b := []byte{byte(command), byte(version), 0, 0}
	for _, e := range entries {
		addr, hop := e.Addr, e.NextHop
		if !addr.IsValid() {
			addr = netip.IPv4Unspecified()
		}
		if !hop.IsValid() {
			hop = netip.IPv4Unspecified()
		}
		b = binary.BigEndian.AppendUint16(b, e.Family)
		b = binary.BigEndian.AppendUint16(b, e.Tag)
		b = append(b, addr.AsSlice()...)
		b = binary.BigEndian.AppendUint32(b, e.Mask)
		b = append(b, hop.AsSlice()...)
		b = binary.BigEndian.AppendUint32(b, e.Metric)
	}
	return b
}

// parseEntry reads PREFIX|ADDR[,metric:N][,tag:N][,nh:A][,family:N][,mask:ADDR].
func parseEntry(word string) packet.Entry {
	f := strings.Split(word, ",")
	e := packet.Entry{Family: packet.FamilyIP, Metric: 1}
	if p, err := netip.ParsePrefix(f[0]); err == nil {
		e.Addr, e.Mask = p.Addr(), ^uint32(0)<<(32-p.Bits())
	} else {
		e.Addr = netip.MustParseAddr(f[0])
	}
	for _, v := range f[1:] {
		key, value, _ := strings.Cut(v, ":")
		switch key {
		case "metric":
			e.Metric = uint32(scripttest.Must(strconv.ParseUint(value, 10, 32)))
		case "tag":
			e.Tag = uint16(scripttest.Must(strconv.Atoi(value)))
		case "nh":
			e.NextHop = netip.MustParseAddr(value)
		case "family":
			e.Family = uint16(scripttest.Must(strconv.Atoi(value)))
		case "mask":
			m := netip.MustParseAddr(value).As4()
			e.Mask = binary.BigEndian.Uint32(m[:])
		default:
			panic("entry: " + word)
		}
	}
	return e
}

// describe prints a packet that the core sent: Response v2 10.0.0.0/8=1,tag:5,nh:10.0.0.9.
// The digest of an authenticated one is left to the tests of package packet.
func describe(b []byte) string {
	m, err := packet.Parse(b)
	if err != nil {
		return fmt.Sprintf("MALFORMED (%v) %x", err, b)
	}
	parts := []string{fmt.Sprintf("%v v%d", m.Command, m.Version)}
	switch m.Auth.Type {
	case packet.AuthPassword:
		parts = append(parts, fmt.Sprintf("password %q", strings.TrimRight(string(b[8:24]), "\x00")))
	case packet.AuthCryptographic:
		parts = append(parts, fmt.Sprintf("key %d/%d sequence %d", m.Auth.KeyID, m.Auth.DigestLen, m.Auth.Sequence))
	}
	if m.WholeTable() {
		return strings.Join(append(parts, "whole table"), " ")
	}
	for _, e := range m.Entries {
		parts = append(parts, describeEntry(m.Version, e))
	}
	return strings.Join(parts, " ")
}

func describeEntry(version uint8, e packet.Entry) string {
	dest := e.Addr.String()
	if version == packet.Version2 {
		if p, ok := e.Prefix(netip.Prefix{}); ok {
			dest = p.String()
		} else {
			dest += fmt.Sprintf("/%08x", e.Mask)
		}
	}
	s := fmt.Sprintf("%s=%d", dest, e.Metric)
	if e.Family != packet.FamilyIP {
		s += fmt.Sprintf(",family:%d", e.Family)
	}
	if e.Tag != 0 {
		s += fmt.Sprintf(",tag:%d", e.Tag)
	}
	if e.NextHop != netip.IPv4Unspecified() {
		s += ",nh:" + e.NextHop.String()
	}
	return s
}
