package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// responder is a suite that can be measured.
type responder struct {
	name string
	// installed tells what is missing.
	installed func() error
	// start starts it in a node, ready for IKE SAs; with guards as it defends itself by
	// default, without them it answers everybody at once.
	start func(n *harness.Node, guards bool) asked
	// daemon is the program that speaks IKE, others what belongs to it, as Pids names them.
	daemon string
	others []string
}

// asked returns how many IKE SAs a responder says are established.
type asked func() (int, error)

var allResponders = []responder{
	{"charon", func() error { _, err := os.Stat("/usr/sbin/charon-systemd"); return err }, startCharon, "charon-systemd", nil},
	{"godmvpn", func() error { _, err := harness.Binary("ipsecd"); return err }, startOurs, "ipsecd", []string{"zebra"}},
}

// secret is known to all.
const secret = "a-key-that-all-of-them-have"

// startCharon starts charon as quiet as ipsecd, and with the tables that strongSwan's
// manual has for many peers; by default it looks them all through.
func startCharon(n *harness.Node, guards bool) asked {
	options := "ikesa_table_size = 4096\nikesa_table_segments = 16\nfilelog {\n log {\n  default = 0\n  ike = 0\n  flush_line = no\n }\n}\njournal {\n default = 0\n}\n"
	if !guards {
		options += "dos_protection = no\n"
	}
	c := n.StartCharon(options)
	c.Load(fmt.Sprintf(`
connections {
 c {
  version = 2
  local_addrs = %s
  remote_addrs = %%any
  proposals = aes256gcm16-prfsha384-x25519-ecp256-ecp384-modp2048
  mobike = no
  local {
   auth = psk
  }
  remote {
   auth = psk
  }
 }
}
secrets {
 ike-1 {
  secret = %s
 }
}
`, there, secret))
	return func() (int, error) {
		s, err := c.Ask("stats", nil)
		if err != nil {
			return 0, err
		}
		total, err := strconv.Atoi(s.At("ikesas", "total"))
		half, err2 := strconv.Atoi(s.At("ikesas", "half-open"))
		return total - half, errors.Join(err, err2)
	}
}

func startOurs(n *harness.Node, guards bool) asked {
	config := fmt.Sprintf(`crypto ikev2 proposal P
 encryption aes-gcm-256
 prf sha384
 group 31 19 20 14
crypto ikev2 policy P
 proposal P
crypto ikev2 keyring K
 peer ALL
  address 0.0.0.0 0.0.0.0
  pre-shared-key 0 %s
crypto ikev2 profile I
 match identity remote any
 authentication remote pre-share
 authentication local pre-share
 keyring local K
crypto ipsec profile V
 set ikev2-profile I
`, secret)
	if !guards {
		config += "crypto ikev2 limit max-in-negotation-sa 1000 incoming\ncrypto ikev2 cookie-challenge 500\n"
	}
	config += fmt.Sprintf(`interface Tunnel0
 ip address 172.31.0.1 255.255.0.0
 tunnel source %s
 tunnel mode gre multipoint
 tunnel protection ipsec profile V
`, there)
	n.StartZebra(config, "--log-level", "notifications")
	return func() (int, error) {
		stats, err := n.JSON("show crypto ikev2 stats")
		fields, _ := stats.(map[string]any)
		established, _ := fields["established"].(float64)
		return int(established), err
	}
}
