package ospfpeers

import (
	"fmt"
	"strings"
)

// Lines of interfaces, in the words of FRR and of this suite.
const (
	Quick = " ip ospf hello-interval 1\n ip ospf dead-interval 4\n"
	Slow  = " ip ospf hello-interval 1\n ip ospf dead-interval 12\n" // for restarts
	Never = " ip ospf priority 0\n"                                  // is no designated router
	MD5   = " ip ospf authentication message-digest\n ip ospf message-digest-key 1 md5 sixteen-octets-k\n"
	Text  = " ip ospf authentication\n ip ospf authentication-key word\n"
)

// HMAC are lines of an interface in the words of this suite, for which HMACChain, lines of their
// own, has the key.
const (
	HMAC      = " ip ospf authentication key-chain SHA\n"
	HMACChain = "key chain SHA\n key 7\n  key-string sixteen-octets-k\n  cryptographic-algorithm hmac-sha-256\n"
)

// Authentication of an interface, in the words of BIRD.
const (
	BIRDMD5  = ` authentication cryptographic; password "sixteen-octets-k" { id 1; algorithm keyed md5; };`
	BIRDHMAC = ` authentication cryptographic; password "sixteen-octets-k" { id 7; algorithm hmac sha256; };`
	BIRDText = ` authentication simple; password "word";`
)

// Network is the line of an interface that says of what type its network is.
func Network(kind string) string { return " ip ospf network " + kind + "\n" }

// RouterOurs and RouterFRR begin a process; its lines follow.
func RouterOurs(id string) string {
	return "router ospf 1\n router-id " + id + "\n timers throttle spf 10 100 1000\n"
}

// RouterFRR begins FRR's process.
func RouterFRR(id string) string {
	return "router ospf\n ospf router-id " + id + "\n timers throttle spf 10 100 1000\n"
}

// BIRDConfig is BIRD's: with these areas, and these static routes redistributed.
func BIRDConfig(id, areas string, static ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "router id %s;\nprotocol device { scan time 1; }\n", id)
	b.WriteString("protocol kernel { scan time 1; ipv4 { import none; export where proto = \"ospf1\"; }; }\nprotocol static { ipv4;\n")
	for _, p := range static {
		fmt.Fprintf(&b, " route %s blackhole;\n", p)
	}
	export := "none" // a router in a stub area must not be one that exports
	if len(static) > 0 {
		export = "where source = RTS_STATIC"
	}
	b.WriteString("}\nprotocol ospf v2 ospf1 {\n ecmp yes;\n ipv4 { import all; export " + export + "; };\n" + areas + "}\n")
	return b.String()
}

// BIRDInterface is an interface of BIRD's, with the timers of Quick.
func BIRDInterface(device, lines string) string {
	return fmt.Sprintf("  interface %q { hello 1; dead 4; %s };\n", device, lines)
}
