package edge

import (
	"sync"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
)

// files reads what trust points name.
type files struct {
	read func(path string) ([]byte, error)

	mu     sync.Mutex // guards the following
	config core.Config
	list   []cli.Files       // of the configuration in force
	faults map[string]string // what is wrong with a trust point, as was logged
}

// Configure checks the configuration or brings it into force. Files that cannot be read
// are no error: they may come later, and what they are for does not work until then.
func (e *Edge) Configure(tree *conf.Tree, phase plugin.Phase) []plugin.LineError {
	cfg, list, errs := cli.Read(tree)
	if len(errs) > 0 || phase != plugin.Commit {
		return errs
	}
	e.files.mu.Lock()
	e.files.config, e.files.list = cfg, list
	e.files.mu.Unlock()
	e.driver.Post(e.tracing())
	e.load(true)
	return nil
}

// reload reads the files again.
func (e *Edge) reload() { e.load(false) }

// load gives the core the configuration with what is in the files; where it is not new
// only if there are files.
func (e *Edge) load(changed bool) {
	f := &e.files
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == 0 && !changed {
		return
	}
	cfg := f.config
	cfg.Trustpoints = append([]core.Trustpoint(nil), cfg.Trustpoints...)
	faults := map[string]string{}
	for i := range cfg.Trustpoints {
		t := &cfg.Trustpoints[i]
		for _, of := range f.list {
			if of.Trustpoint != t.Name {
				continue
			}
			if err := of.Load(t, f.read); err != nil {
				faults[t.Name] = err.Error()
				if f.faults[t.Name] != err.Error() {
					e.logMessage(core.Log{Facility: "PKI", Severity: core.SeverityError, Mnemonic: "NOFILE", Text: "trust point " + t.Name + ": " + err.Error()})
				}
			}
		}
	}
	f.faults = faults
	e.driver.Post(core.ConfigSet{Config: cfg})
}
