package cli_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// comparable lets cmp compare what nothing else may look into.
var comparable = []cmp.Option{cmp.Comparer(func(a, b policy.Secret) bool { return a.Equal(b) }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Policy" }, cmp.Ignore())}

// shared are the IDs of the lines of others that the daemon gets.
func shared() []string { return append(policy.SharedIDs(), cli.SharedIDs()...) }

// read reads what of a configuration comes to the daemon.
func read(t testing.TB, text string) (core.Config, []cli.Files, []plugin.LineError) {
	t.Helper()
	tree, errs := conf.Load(grammar(t), text, "test")
	if errs != nil {
		t.Fatalf("%s\n%v", text, errs)
	}
	return cli.Read(tree.Filter(cli.Owner, shared()...))
}

// load reads a configuration that is good.
func load(t testing.TB, text string) core.Config {
	t.Helper()
	cfg, _, errs := read(t, text)
	for _, err := range errs {
		t.Errorf("%q: %s", err.Path, err.Msg)
	}
	return cfg
}

func file(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func cbc(bits uint16) packet.Transform {
	return packet.Transform{Type: packet.Encryption, ID: packet.EncrAESCBC, KeyLength: bits}
}

func gcm(bits uint16) packet.Transform {
	return packet.Transform{Type: packet.Encryption, ID: packet.EncrAESGCM16, KeyLength: bits}
}

var chacha = packet.Transform{Type: packet.Encryption, ID: packet.EncrChaCha20}

// TestLabIsRead has the lines of a DMVPN as engineers paste them.
func TestLabIsRead(t *testing.T) {
	key := policy.NewSecret("Lab-Psk-2026")
	want := core.Config{
		Proposals: []core.Proposal{{Name: "DMVPN-PROP", IKE: proposal.IKE{Encryption: []packet.Transform{cbc(256)},
			Integrity: []uint16{packet.AuthHMACSHA256}, Groups: []packet.Group{packet.MODP2048}}}},
		Policies: []core.Policy{{Name: "DMVPN-POL", AnyFVRF: true, Proposals: []string{"DMVPN-PROP"}}},
		Keyrings: []core.Keyring{{Name: "DMVPN-KR", Peers: []core.KeyringPeer{{Name: "ANY", Address: prefix("0.0.0.0/0"), Local: key, Remote: key}}}},
		Profiles: []core.Profile{{Name: "DMVPN-IKE", Matches: []core.Identity{{Kind: core.IdentityAddress, Prefix: prefix("0.0.0.0/0")}},
			LocalMethod: core.MethodPSK, RemoteMethods: []core.Method{core.MethodPSK}, Keyring: "DMVPN-KR", DPD: &core.DPD{Interval: 30 * time.Second, Retry: 5 * time.Second}}},
		Transforms: []core.Transform{{Name: "DMVPN-TS", ESP: proposal.ESP{Encryption: []packet.Transform{cbc(256)}, Integrity: []uint16{packet.AuthHMACSHA256}}}},
		IPsec:      []core.IPsec{{Name: "DMVPN-IPSEC", Transforms: []string{"DMVPN-TS"}, Profile: "DMVPN-IKE", Lifetime: time.Hour}},
	}
	if diff := cmp.Diff(want, load(t, file(t, "lab.conf")), comparable...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPrintedUnchanged: what is loaded is printed as it was.
func TestPrintedUnchanged(t *testing.T) {
	for _, name := range []string{"lab.conf", "full.conf"} {
		tree, errs := conf.Load(grammar(t), file(t, name), name)
		if errs != nil {
			t.Fatal(errs)
		}
		if diff := cmp.Diff(file(t, name), strings.ReplaceAll(tree.Text(), "!\n", "")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLineByLine pastes configurations into a terminal: what is there after each line
// must be accepted.
func TestLineByLine(t *testing.T) {
	g := grammar(t)
	for _, name := range []string{"lab.conf", "full.conf"} {
		tree, path := &conf.Tree{}, conf.Path(nil)
		for line := range strings.Lines(file(t, name)) {
			m, err := g.Parse(path.Stack(), strings.TrimSuffix(line, "\n"))
			if err != nil {
				t.Fatalf("%s: %s", name, err.Report())
			}
			if _, err := tree.Apply(path, m); err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			path = path.Next(m)
			if _, _, errs := cli.Read(tree.Filter(cli.Owner, shared()...)); errs != nil {
				t.Errorf("%s: after %q: %v", name, line, errs)
			}
		}
	}
}

// full is what full.conf means.
func full() core.Config {
	secret := policy.NewSecret
	fqdn, key := core.Identity{Kind: core.IdentityFQDN, Name: "example.net", Domain: true}, secret("secret")
	return core.Config{
		Proposals: []core.Proposal{
			{Name: "AEAD", IKE: proposal.IKE{Encryption: []packet.Transform{gcm(256), chacha, gcm(128)}, PRF: []uint16{packet.PRFHMACSHA2512, packet.PRFHMACSHA2256},
				Groups: []packet.Group{packet.Curve25519, packet.ECP256}, Additional: []proposal.Additional{{Groups: []packet.Group{packet.MLKEM1024, packet.MLKEM768}}}}},
			{Name: "CBC", IKE: proposal.IKE{Encryption: []packet.Transform{cbc(256), cbc(192), cbc(128)},
				Integrity:  []uint16{packet.AuthHMACSHA512, packet.AuthHMACSHA384, packet.AuthHMACSHA256, packet.AuthHMACSHA1},
				PRF:        []uint16{packet.PRFHMACSHA2384},
				Groups:     []packet.Group{packet.ECP521, packet.ECP384, packet.ECP256, packet.MODP4096, packet.MODP3072, packet.MODP2048},
				Additional: []proposal.Additional{{Groups: []packet.Group{packet.MLKEM768}, Optional: true}}}}},
		Policies: []core.Policy{{Name: "ALL", AnyFVRF: true, Proposals: []string{"AEAD"}}, {Name: "HERE", FVRF: "INET", Locals: []netip.Addr{addr("192.0.2.1"), addr("2001:db8::1")}, Proposals: []string{"CBC", "AEAD"}}},
		Keyrings: []core.Keyring{{Name: "KR", Peers: []core.KeyringPeer{
			{Name: "HUB", Address: prefix("192.0.2.1/32"), Local: secret("here"), Remote: secret("cisco")},
			{Name: "SIX", Address: prefix("2001:db8::/32"), Local: secret("\x00\xff\x10"), Remote: secret("\x00\xff\x10")},
			{Name: "FQDN", Identity: fqdn, Local: key, Remote: key},
			{Name: "ADDR", Identity: core.Identity{Kind: core.IdentityAddress, Prefix: prefix("192.0.2.9/32")}, Local: key, Remote: key},
			{Name: "MAIL", Identity: core.Identity{Kind: core.IdentityEmail, Name: "ops@example.net"}, Local: key, Remote: key},
			{Name: "KEYID", Identity: core.Identity{Kind: core.IdentityKeyID, Name: "spoke1"}, Local: key, Remote: key}}}},
		Profiles: []core.Profile{
			{Name: "CERT", AnyFVRF: true, Matches: []core.Identity{{Kind: core.IdentityAny}}, Identity: core.Identity{Kind: core.IdentityDN}, LocalMethod: core.MethodECDSA,
				RemoteMethods: []core.Method{core.MethodECDSA, core.MethodEdDSA, core.MethodRSA}, Trustpoints: []string{"TP", "TP2"}},
			{Name: "PSK", FVRF: "INET", Matches: []core.Identity{
				{Kind: core.IdentityAddress, Prefix: prefix("10.0.0.0/8")}, {Kind: core.IdentityAddress, Prefix: prefix("192.0.2.7/32")},
				{Kind: core.IdentityAddress, Prefix: prefix("2001:db8::/32")}, {Kind: core.IdentityAddress, Prefix: prefix("2001:db8::7/128")},
				{Kind: core.IdentityEmail, Name: "example.net", Domain: true}, {Kind: core.IdentityFQDN, Name: "hub.example.net"}, {Kind: core.IdentityKeyID, Name: "spoke2"}},
				Identity: core.Identity{Kind: core.IdentityFQDN, Name: "hub.example.net"}, LocalMethod: core.MethodPSK, RemoteMethods: []core.Method{core.MethodPSK},
				Keyring: "KR", Key: secret("cisco"), RemoteKey: secret("there"), DPD: &core.DPD{Interval: 10 * time.Second, Retry: 2 * time.Second, Periodic: true}, Lifetime: time.Hour}},
		Transforms: []core.Transform{
			{Name: "CBC", ESP: proposal.ESP{Encryption: []packet.Transform{cbc(128)}, Integrity: []uint16{packet.AuthHMACSHA512}, ESN: []bool{true}}},
			{Name: "CHACHA", ESP: proposal.ESP{Encryption: []packet.Transform{chacha}}}, {Name: "GCM", ESP: proposal.ESP{Encryption: []packet.Transform{gcm(256)}}}},
		IPsec: []core.IPsec{{Name: "DMVPN", Transforms: []string{"GCM", "CHACHA", "CBC"}, Profile: "PSK", PFS: []packet.Group{packet.ECP256}, Additional: []proposal.Additional{{Groups: []packet.Group{packet.MLKEM1024, packet.MLKEM768}, Optional: true}},
			Lifetime: 30 * time.Minute, LifetimeBytes: 50000 * 1024, ReplayWindow: 512, ResponderOnly: true}},
		Trustpoints: []core.Trustpoint{{Name: "TP", Revocation: true}, {Name: "TP2"}},
		Tunnels:     []core.Protection{{Interface: "Tunnel1", Profile: "DMVPN", Shared: true, IKEv2: "CERT"}, {Interface: "Tunnel2", Profile: "DMVPN"}},
		Global: core.Global{MaxIncoming: 60, MaxOutgoing: 30, MaxSAs: 5000, CookieChallenge: 5, DPD: &core.DPD{Interval: time.Minute, Retry: 10 * time.Second},
			NATKeepalive: 30 * time.Second, Fragmentation: 1400, Lifetime: 2 * time.Hour, LifetimeBytes: 100000 * 1024, ReplayWindow: 1024},
	}
}

func TestReadFull(t *testing.T) {
	cfg, files, errs := read(t, file(t, "full.conf"))
	if errs != nil {
		t.Error(errs)
	}
	if diff := cmp.Diff(full(), cfg, comparable...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const dir = "/etc/godmvpn/"
	want := []cli.Files{{Trustpoint: "TP", Authority: []string{dir + "ca.pem", dir + "ca2.pem"}, Certificate: dir + "hub.pem", Key: dir + "hub.key", CRLs: []string{dir + "ca.crl"}},
		{Trustpoint: "TP2", Authority: []string{dir + "other.pem"}}}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSwitchesThatAreOn can be turned off, and their default does not stay.
func TestSwitchesThatAreOn(t *testing.T) {
	g := load(t, "no crypto ikev2 nat keepalive\nno crypto ikev2 fragmentation\n").Global
	if g.NATKeepalive >= 0 || g.Fragmentation >= 0 {
		t.Errorf("%+v", g)
	}
	g = load(t, "no crypto ikev2 nat keepalive\nno crypto ikev2 fragmentation\ncrypto ikev2 nat keepalive 20\ncrypto ikev2 fragmentation\n").Global
	if g.NATKeepalive != 0 || g.Fragmentation != 0 {
		t.Errorf("%+v", g)
	}
}

// TestDefaultsAreConfigurable: something named default may be configured; what it is
// without that is the core's.
func TestDefaultsAreConfigurable(t *testing.T) {
	cfg := load(t, "crypto ikev2 proposal default\n group 31\ncrypto ikev2 policy default\n proposal X\ncrypto ipsec transform-set default esp-gcm\ncrypto ipsec profile default\n")
	if cfg.Proposals[0].Name != "default" || cfg.Policies[0].Name != "default" || cfg.Transforms[0].Name != "default" || cfg.IPsec[0].Name != "default" {
		t.Errorf("%+v", cfg)
	}
	if cfg := load(t, ""); len(cfg.Proposals)+len(cfg.Policies)+len(cfg.Transforms)+len(cfg.IPsec) > 0 {
		t.Errorf("%+v", cfg)
	}
}

// TestNoSecrets: what is printed of a configuration and of refusals holds no key.
func TestNoSecrets(t *testing.T) {
	const peer, profile = "crypto ikev2 keyring K\n peer P\n  pre-shared-key ", "crypto ikev2 profile P\n authentication local pre-share key "
	cfg := load(t, peer+"hidden\n"+profile+"hidden\n authentication remote pre-share key hidden\n")
	_, _, errs := read(t, peer+"7 hidden\n"+profile+"hex hidden\n")
	_, _, more := read(t, peer+"6 hidden\n  pre-shared-key remote hidden\n")
	b, err := json.Marshal(cfg)
	if shown := fmt.Sprintf("%v %+v %#v %s %v %v", cfg, cfg, cfg, b, errs, more); err != nil || len(errs) != 2 || len(more) == 0 || strings.Contains(shown, "hidden") {
		t.Errorf("%v %s", err, shown)
	}
	for _, line := range []string{"pre-shared-key hidden", "pre-shared-key local 7 hidden", "pre-shared-key hex hidden"} {
		m, err := grammar(t).Parse([]string{"config", cli.ModeKeyring, cli.ModePeer}, line)
		if err != nil || strings.Contains(m.Redacted, "hidden") {
			t.Errorf("%q is for logs: %v", m.Redacted, err)
		}
	}
}

// TestAllFieldsAreRead fails for a field of the core's configuration that no
// configuration in these tests sets. Those of files are Files.Load's.
func TestAllFieldsAreRead(t *testing.T) {
	seen, all := map[string]bool{}, map[string]bool{}
	cfg := load(t, file(t, "full.conf"))
	tp := &cfg.Trustpoints[0]
	if err := (cli.Files{Trustpoint: "TP", Authority: []string{"/ca"}, Certificate: "/cert", Key: "/key", CRLs: []string{"/crl"}}).Load(tp, disk(t)); err != nil {
		t.Fatal(err)
	}
	note(reflect.ValueOf(cfg), seen, all)
	for name := range all {
		switch name {
		case "ESP.Groups", "ESP.Additional": // of the profile: IPsec.PFS, IPsec.Additional
		case "Transform.Type": // always Encryption
		case "Transform.Attributes": // of transforms that were received
		case "Identity.DER": // of certificates and of peers
		default:
			if !seen[name] {
				t.Errorf("no line sets %s", name)
			}
		}
	}
}

// note collects the fields of structures, and those that are set.
func note(v reflect.Value, seen, all map[string]bool) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			note(v.Index(i), seen, all)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			note(v.Elem(), seen, all)
		}
	case reflect.Struct:
		typ := v.Type()
		if !strings.Contains(typ.PkgPath(), "/ipsecd/") {
			return
		}
		for i := range typ.NumField() {
			name := typ.Name() + "." + typ.Field(i).Name
			all[name] = true
			seen[name] = seen[name] || !v.Field(i).IsZero()
			note(v.Field(i), seen, all)
		}
	}
}

// FuzzRead reads trees that no grammar has made: nothing in them may stop the daemon,
// and each error leads to a line.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"lab.conf", "full.conf"} {
		tree, errs := conf.Load(grammar(f), file(f, name), name)
		if errs != nil {
			f.Fatal(errs)
		}
		seed, err := json.Marshal(tree)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var tree conf.Tree
		if json.Unmarshal(data, &tree) != nil {
			return
		}
		_, _, errs := cli.Read(&tree)
		for _, err := range errs {
			if len(err.Path) == 0 || err.Msg == "" {
				t.Errorf("error %+v", err)
			}
		}
	})
}
