package linuxkernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// saved remembers what sysctls and devices of others were like before us. With
// a file it outlives the process, so that what a killed zebra changed is put
// back by the next one.
type saved struct {
	file    string
	Sysctls map[string]string          // path → value
	Links   map[string]dataplane.Attrs // kernel name → attributes
	Clsact  map[string]int             // kernel name → index of devices on which clsact is ours
}

func openSaved(file string) (*saved, error) {
	s := &saved{file: file, Sysctls: map[string]string{}, Links: map[string]dataplane.Attrs{}, Clsact: map[string]int{}}
	if file == "" {
		return s, nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	if err != nil {
		return nil, fmt.Errorf("values to put back: %w", err)
	}
	if s.Sysctls == nil || s.Links == nil {
		return nil, fmt.Errorf("values to put back: %s lacks a table", file)
	}
	if s.Clsact == nil { // a file of before there were MSS clamps
		s.Clsact = map[string]int{}
	}
	return s, nil
}

func (s *saved) write() error {
	if s.file == "" {
		return nil
	}
	b, err := json.MarshalIndent(s, "", "\t")
	if err == nil {
		err = renameio.WriteFile(s.file, b, 0o640)
	}
	if err != nil {
		return fmt.Errorf("values to put back: %w", err)
	}
	return nil
}

// sysctl notes the value that a sysctl has before the first change of ours.
func (s *saved) sysctl(path, value string) error {
	if _, ok := s.Sysctls[path]; ok {
		return nil
	}
	s.Sysctls[path] = value
	return s.write()
}

// link notes the attributes of a device before the first change of ours.
func (s *saved) link(l dataplane.LinkInfo) error {
	if _, ok := s.Links[l.Name]; ok {
		return nil
	}
	a := dataplane.Attrs{Admin: dataplane.AdminDown, MTU: l.MTU, Master: l.Master}
	if l.Up {
		a.Admin = dataplane.AdminUp
	}
	s.Links[l.Name] = a
	return s.write()
}

// restored returns what a device shall have: what is left open is as it was.
func (s *saved) restored(l dataplane.Link) dataplane.Attrs {
	a := l.Attrs
	if a.MTU == 0 {
		a.MTU = s.Links[l.Name].MTU
	}
	return a
}

func (s *saved) attrs(name string) (dataplane.Attrs, bool) {
	a, ok := s.Links[name]
	return a, ok
}

func (s *saved) forgetLink(name string) error {
	if _, ok := s.Links[name]; !ok {
		return nil
	}
	delete(s.Links, name)
	return s.write()
}

// clsact notes that the clsact queueing discipline of a device is ours.
func (s *saved) clsact(name string, index int) error {
	s.Clsact[name] = index
	return s.write()
}

func (s *saved) forgetClsact(name string) error {
	if _, ok := s.Clsact[name]; !ok {
		return nil
	}
	delete(s.Clsact, name)
	return s.write()
}

func (s *saved) forgetSysctl(path string) error {
	if _, ok := s.Sysctls[path]; !ok {
		return nil
	}
	delete(s.Sysctls, path)
	return s.write()
}

const sysctlRoot = "/proc/sys/net/"

// readSysctl reads a switch in the provider's namespace.
func (p *Provider) readSysctl(path string) (value string, err error) {
	err = inNamespace(p.opt.Namespace, func() error {
		b, err := os.ReadFile(sysctlRoot + path)
		value = strings.Join(strings.Fields(string(b)), " ")
		return err
	})
	return value, sysctlError(path, err)
}

func (p *Provider) writeSysctl(path, value string) error {
	p.w.writes++
	err := inNamespace(p.opt.Namespace, func() error {
		f, err := os.OpenFile(sysctlRoot+path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(value + "\n")
		return errors.Join(err, f.Close())
	})
	return sysctlError(path, err)
}

// sysctlError tells a device that is not there from a switch that no kernel has.
func sysctlError(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("sysctl net/%s: %w", path, err)
	case (dataplane.Sysctl{Path: path}).Key().Device() != "":
		return fmt.Errorf("sysctl net/%s: %w", path, dataplane.ErrNoDevice)
	}
	return fmt.Errorf("sysctl net/%s: %w", path, dataplane.ErrUnsupported)
}

func (p *Provider) putSysctl(s dataplane.Sysctl) error {
	if !dataplane.ValidSysctl(s.Path) || strings.ContainsAny(s.Value, "\n\x00") {
		return fmt.Errorf("sysctl %q: %w", s.Path, dataplane.ErrInvalid)
	}
	have, err := p.readSysctl(s.Path)
	if err != nil {
		return err
	}
	p.savedMu.Lock()
	err = p.saved.sysctl(s.Path, have)
	p.savedMu.Unlock()
	if err != nil || have == s.Value {
		return err
	}
	return p.writeSysctl(s.Path, s.Value)
}

// deleteSysctl puts the old value back.
func (p *Provider) deleteSysctl(k dataplane.Key) error {
	p.savedMu.Lock()
	defer p.savedMu.Unlock()
	old, ok := p.saved.Sysctls[k.Name]
	if !ok {
		return nil
	}
	if have, err := p.readSysctl(k.Name); err != nil {
		if !errors.Is(err, dataplane.ErrNoDevice) {
			return err
		}
	} else if have != old {
		if err := p.writeSysctl(k.Name, old); err != nil {
			return ignoreGone(err)
		}
	}
	return p.saved.forgetSysctl(k.Name)
}
