package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/godmvpn/godmvpn/lib/plugin"
)

// Record says how to find a running daemon again.
type Record struct {
	Name           string `json:"name"`
	PID            int    `json:"pid"`
	Start          uint64 `json:"start"`  // of the process, in clock ticks since boot
	Socket         string `json:"socket"` // of its gRPC server
	Binary         string `json:"binary"` // that was started
	Build          string `json:"build,omitempty"`
	SessionVersion uint32 `json:"session_version,omitempty"`
}

const (
	recordSuffix = ".json"
	maxRecord    = 16 << 10 // bytes
	socketDirs   = "plugin-dir"
)

func recordPath(dir, name string) string { return filepath.Join(dir, name+recordSuffix) }

// write stores the record atomically, readable by its owner only.
func (r Record) write(dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(recordPath(dir, r.Name), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("attach record: %w", err)
	}
	return nil
}

// remove deletes the record and the directory of the socket.
func (r Record) remove(dir string) {
	os.Remove(recordPath(dir, r.Name))
	r.removeSocket(dir)
}

// removeSocket deletes the socket's directory, if it is one below dir.
func (r Record) removeSocket(dir string) {
	if d := filepath.Dir(r.Socket); filepath.Dir(d) == dir && strings.HasPrefix(filepath.Base(d), socketDirs) {
		os.RemoveAll(d)
	}
}

// readRecord returns the record of a daemon; ok is false if there is none that
// makes sense.
func readRecord(dir, name string) (r Record, ok bool) {
	path := recordPath(dir, name)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxRecord {
		return r, false
	}
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &r) != nil {
		return Record{}, false
	}
	ok = r.Name == name && plugin.ValidName(name) && r.PID > 1 && r.Start > 0 &&
		filepath.IsAbs(r.Socket) && len(r.Socket) < 108
	return r, ok
}

// prepare makes the directory and removes what dead daemons left in it.
func prepare(dir string) (live []Record, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("supervisor: %w", err)
	}
	used := map[string]bool{}
	for _, e := range entries {
		name, isRecord := strings.CutSuffix(e.Name(), recordSuffix)
		if !isRecord {
			continue
		}
		r, ok := readRecord(dir, name)
		if !ok || !running(r.PID, r.Start) {
			os.Remove(filepath.Join(dir, e.Name()))
			continue
		}
		used[filepath.Dir(r.Socket)] = true
		live = append(live, r)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() && strings.HasPrefix(e.Name(), socketDirs) && !used[path] {
			os.RemoveAll(path)
		}
	}
	return live, nil
}
