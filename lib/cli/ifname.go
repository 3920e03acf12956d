package cli

import "strings"

// interfaceTypes are Cisco's interface types that may be abbreviated to two or
// more letters before a number.
var interfaceTypes = []string{
	"Tunnel", "Loopback", "GigabitEthernet", "FastEthernet", "TenGigabitEthernet",
	"HundredGigE", "Ethernet", "Serial", "Dialer", "Null",
}

// InterfaceName returns the full Cisco name of an abbreviated one: "tu0" is
// Tunnel0, "Gi0/0" is GigabitEthernet0/0. A name that is of no Cisco type, such
// as "ens3", is returned as it is. So is a lower-case "eth0", which is a name of
// Linux; "Eth0" and "ethernet0" are Ethernet0.
func InterfaceName(s string) string {
	n := letters(s)
	if n < 2 || n == len(s) || !digit(s[n]) {
		return s
	}
	if t := interfaceType(s[:n]); t != "" {
		return t + s[n:]
	}
	return s
}

// ShortInterfaceName returns the abbreviation that Cisco prints in narrow
// tables: Tunnel0 is Tu0, GigabitEthernet2 is Gi2. Other names stay.
func ShortInterfaceName(s string) string {
	n := letters(s)
	if n == 0 || n == len(s) {
		return s
	}
	for _, t := range interfaceTypes {
		if s[:n] == t {
			return t[:2] + s[n:]
		}
	}
	return s
}

// interfaceType returns the type that the letters abbreviate, or "".
func interfaceType(word string) string {
	if len(word) < 2 {
		return ""
	}
	for _, t := range interfaceTypes {
		if !foldPrefix(t, word) {
			continue
		}
		if t == "Ethernet" && len(word) < len(t) && word[0] == 'e' {
			return "" // eth0 is the kernel's own name
		}
		return t
	}
	return ""
}

func letters(s string) int {
	n := 0
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z') {
		n++
	}
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// foldPrefix tells whether s begins with prefix, whatever the case of ASCII letters.
func foldPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func readIfname(word string) (string, bool, string) {
	if len(word) > maxIfname {
		return "", false, "an interface name has at most 64 characters"
	}
	for i := 0; i < len(word); i++ {
		c := word[i]
		if !digit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && !strings.ContainsRune("/._-@", rune(c)) {
			return "", false, ""
		}
	}
	if letters(word[:1]) == 0 { // a mistyped address must not become a name
		return "", false, ""
	}
	return InterfaceName(word), true, ""
}
