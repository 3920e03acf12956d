package uml

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// NetworkModules are what routing tests need: tunnels, virtual links, VRFs,
// BPF filters, and the packet filter with its logging target and with NAT.
var NetworkModules = []string{
	"ip_gre", "ip6_gre", "veth", "bridge", "dummy", "vrf", "tun", "8021q", "macvlan",
	"sch_netem", "sch_htb", "sch_ingress", "cls_bpf",
	"nfnetlink_log", "nf_log_syslog", "xt_NFLOG", "iptable_filter", "iptable_mangle",
	"xt_limit", "xt_hashlimit", "xt_TCPMSS", "xt_tcpudp",
	"iptable_nat", "xt_nat", "xt_MASQUERADE",
}

// IPsecModules are ESP with the algorithms that IKEv2 peers negotiate.
var IPsecModules = []string{
	"esp4", "esp6", "xfrm_user", "af_key", "gcm", "ctr", "ghash-generic", "seqiv", "echainiv",
	"authenc", "authencesn", "cbc", "chacha20poly1305", "cmac", "sha512_generic",
}

// moduleSet loads kernel modules from one modules directory, each with what it
// depends on, by finit_module: a fork of modprobe costs tens of milliseconds in
// the guest.
type moduleSet struct {
	dir    string
	deps   map[string][]string // module name → its file, then files it needs, nearest first
	loaded map[string]bool     // by file
}

// moduleName is the name under which the kernel knows a module file.
func moduleName(file string) string {
	name := strings.TrimSuffix(filepath.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// openModules reads modules.dep in dir.
func openModules(dir string) (*moduleSet, error) {
	f, err := os.Open(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := &moduleSet{dir: dir, deps: map[string][]string{}, loaded: map[string]bool{}}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		file, rest, ok := strings.Cut(sc.Text(), ":")
		if ok {
			m.deps[moduleName(file)] = append([]string{file}, strings.Fields(rest)...)
		}
	}
	return m, sc.Err()
}

// load loads the module named and all that it needs. A module that is there
// already is no error.
func (m *moduleSet) load(name string) error {
	files, ok := m.deps[moduleName(name)]
	if !ok {
		return fmt.Errorf("module %s is not in %s", name, m.dir)
	}
	for _, file := range slices.Backward(files) {
		if m.loaded[file] {
			continue
		}
		if err := loadFile(filepath.Join(m.dir, file)); err != nil {
			return fmt.Errorf("module %s: %w", file, err)
		}
		m.loaded[file] = true
	}
	return nil
}

// loadFile loads one module file.
func loadFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}
