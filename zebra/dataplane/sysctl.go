package dataplane

import (
	"path"
	"strings"
)

// ValidSysctl reports whether p is a clean path below /proc/sys/net that cannot
// lead out of it.
func ValidSysctl(p string) bool {
	return p != "" && len(p) < 256 && p[0] != '/' && path.Clean(p) == p &&
		p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsAny(p, "\x00\n")
}

// sysctlDevice returns the device in a path such as ipv4/conf/Tunnel0/rp_filter
// or ipv4/neigh/Tunnel0/app_solicit, "" if there is none.
func sysctlDevice(p string) string {
	parts := strings.Split(p, "/")
	if len(parts) != 4 || (parts[1] != "conf" && parts[1] != "neigh") {
		return ""
	}
	switch parts[2] {
	case "all", "default":
		return ""
	}
	return parts[2]
}
