package cli_test

import (
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/lib/conf"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

// TestProtection reads the line in its forms.
func TestProtection(t *testing.T) {
	const tunnel = "interface Tunnel0\n tunnel source 192.0.2.1\n tunnel mode gre multipoint\n tunnel protection ipsec profile DMVPN"
	for _, c := range []struct {
		more   string
		shared bool
		why    string
	}{
		{"", false, ""},
		{" shared", true, ""},
		{" ikev2-profile P", false, ""},
		{" shared ikev2-profile P", true, ""},
		{" isakmp-profile P", false, "IKEv1 is not spoken"},
		{" shared isakmp-profile P", false, "IKEv1 is not spoken"},
	} {
		lines, lineErrs := conf.Load(grammar(t), tunnel+c.more+"\n", "test")
		cfg, errs := zcli.Read(lines)
		switch tun := cfg.Iface.Interfaces[0].Tunnel; {
		case len(lineErrs) > 0:
			t.Errorf("%q: %v", c.more, lineErrs)
		case c.why != "":
			if len(errs) != 1 || !strings.Contains(errs[0].Msg, c.why) {
				t.Errorf("%q: %v", c.more, errs)
			}
		case len(errs) > 0 || tun.Protection != "DMVPN" || tun.Shared != c.shared:
			t.Errorf("%q: %+v, %v", c.more, tun, errs)
		}
	}
}
