package masterkey

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// file is the form of the file.
type file struct {
	Version int       `json:"version"`
	Keys    []fileKey `json:"keys"` // the present one first
}

type fileKey struct {
	Key  string `json:"key"`
	Salt []byte `json:"salt"`
}

// Limits of the file.
const (
	version  = 1
	mode     = 0o600
	maxFile  = 1 << 16
	maxKeys  = 16
	others   = 0o077 // the permissions that nobody else may have
	noMaster = "the file %s has no master key: %w"
)

// Read reads the ring of a file; nil if there is no file. A file that others could
// read is closed to them, and open is true.
func Read(path string) (r *Ring, open bool, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if open = st.Mode().Perm()&others != 0; open {
		if err := f.Chmod(mode); err != nil {
			return nil, open, err
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, open, err
	}
	if r, err = parse(b); err != nil {
		return nil, open, fmt.Errorf(noMaster, path, err)
	}
	return r, open, nil
}

// parse reads what Write wrote. Its errors say nothing of the contents.
func parse(b []byte) (*Ring, error) {
	var in file
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, errors.New("it is damaged")
	}
	if in.Version != version {
		return nil, errors.New("it is of another version")
	}
	var keys []masterKey
	for _, k := range in.Keys {
		if len(k.Key) < MinKey || len(k.Key) > MaxKey || len(k.Salt) != saltSize {
			return nil, errors.New("it is damaged")
		}
		keys = append(keys, masterKey{k.Key, [saltSize]byte(k.Salt)})
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, errors.New("it is damaged")
	}
	return ringOf(keys), nil
}

// Write makes the file that of the ring, all or nothing, readable by its owner
// only. It is on the disk when Write returns: secrets may follow that only it opens.
func (r *Ring) Write(path string) error {
	out := file{Version: version}
	for _, k := range r.keys[:min(len(r.keys), maxKeys)] {
		out.Keys = append(out.Keys, fileKey{k.text, k.salt[:]})
	}
	b, err := json.Marshal(out)
	if err != nil {
		return err
	}
	// The mode of a file that is there would be kept.
	if err := os.Chmod(path, mode); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := renameio.WriteFile(path, append(b, '\n'), mode, renameio.IgnoreUmask()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
