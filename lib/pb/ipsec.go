package pb

import (
	"math"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

func fromSA(s rib.SA) *SA {
	return &SA{
		Source: fromAddr(s.Source), Destination: fromAddr(s.Destination), Spi: s.SPI, Protocol: uint32(s.Protocol),
		Cipher: uint32(s.Cipher), CipherKey: fromSecret(s.CipherKey), Integrity: uint32(s.Integrity), IntegrityKey: fromSecret(s.IntegrityKey),
		Esn: s.ESN, Window: s.Window, UdpSource: uint32(s.UDP.Source), UdpDestination: uint32(s.UDP.Destination),
		Epoch: s.Epoch, Lifetime: fromLifetime(s.Lifetime),
		SourceAlias: fromAddr(s.SourceAlias), DestinationAlias: fromAddr(s.DestinationAlias),
	}
}

func fromSecret(s rib.Secret) []byte {
	if s.Empty() {
		return nil
	}
	return s.Reveal()
}

func fromLifetime(l rib.Lifetime) *Lifetime {
	if l == (rib.Lifetime{}) {
		return nil
	}
	return &Lifetime{SoftTime: l.SoftTime, HardTime: l.HardTime, SoftBytes: l.SoftBytes, HardBytes: l.HardBytes,
		SoftPackets: l.SoftPackets, HardPackets: l.HardPackets}
}

func toLifetime(l *Lifetime) rib.Lifetime {
	return rib.Lifetime{SoftTime: l.GetSoftTime(), HardTime: l.GetHardTime(), SoftBytes: l.GetSoftBytes(), HardBytes: l.GetHardBytes(),
		SoftPackets: l.GetSoftPackets(), HardPackets: l.GetHardPackets()}
}

func fromSADump(e rib.SADump) *SADump {
	out := &SADump{Question: e.Question, Part: e.Part, Last: e.Last, Error: text(e.Error)}
	for _, s := range e.SAs {
		c := s.Count
		out.Sas = append(out.Sas, &SAState{Sa: fromSA(s.SA), Live: s.Live, Packets: c.Packets, Bytes: c.Bytes, Added: c.Added, Used: c.Used,
			Replayed: c.Replayed, Failed: c.Failed, Late: c.Late})
	}
	return out
}

// maxKey is more than the longest key of any algorithm, in bytes.
const maxKey = 128

func (d *decoder) secret(b []byte) rib.Secret {
	d.limit("bytes of a key", uint32(min(len(b), math.MaxInt32)), maxKey)
	return rib.NewSecret(b)
}

func (d *decoder) port(v uint32) uint16 { return uint16(d.limit("port", v, math.MaxUint16)) }

func (d *decoder) addrPort(addr []byte, port uint32) netip.AddrPort {
	return netip.AddrPortFrom(d.addr(addr), d.port(port))
}

func (d *decoder) sa(s *SA) rib.SA {
	small := func(what string, v uint32) uint8 { return uint8(d.limit(what, v, math.MaxUint8)) }
	return rib.SA{Epoch: s.GetEpoch(), ESP: rib.ESP{
		Source: d.addr(s.GetSource()), Destination: d.addr(s.GetDestination()), SPI: s.GetSpi(), Protocol: small("protocol", s.GetProtocol()),
		Cipher: rib.Cipher(small("cipher", s.GetCipher())), CipherKey: d.secret(s.GetCipherKey()),
		Integrity: rib.Integrity(small("integrity", s.GetIntegrity())), IntegrityKey: d.secret(s.GetIntegrityKey()),
		ESN: s.GetEsn(), Window: s.GetWindow(), UDP: rib.UDPEncap{Source: d.port(s.GetUdpSource()), Destination: d.port(s.GetUdpDestination())},
		Lifetime: toLifetime(s.GetLifetime()), SourceAlias: d.addr(s.GetSourceAlias()), DestinationAlias: d.addr(s.GetDestinationAlias()),
	}}
}

func (d *decoder) saDump(e *SADump) rib.Event {
	out := rib.SADump{Question: e.GetQuestion(), Part: e.GetPart(), Last: e.GetLast(), Error: e.GetError()}
	d.limit("associations", uint32(min(len(e.GetSas()), math.MaxInt32)), session.MaxSADump)
	for _, s := range e.GetSas() {
		out.SAs = append(out.SAs, rib.SAState{SA: d.sa(s.GetSa()), Live: s.GetLive(), Count: rib.SACount{
			Packets: s.GetPackets(), Bytes: s.GetBytes(), Added: s.GetAdded(), Used: s.GetUsed(),
			Replayed: s.GetReplayed(), Failed: s.GetFailed(), Late: s.GetLate()}})
	}
	return out
}
