package confstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"
)

// Save makes the running configuration the startup configuration.
func (s *Store) Save() error {
	if s.opts.Startup == "" {
		return errors.New("there is no file for the startup configuration")
	}
	return s.writeStartup(s.Running().Text())
}

// startupMode are the permissions of the startup configuration; it may have less.
const startupMode = 0o640

// writeStartup replaces the startup configuration. Nobody may read it who could not
// read the one before, and others never.
func (s *Store) writeStartup(text string) error {
	path := s.opts.Startup
	st, err := os.Lstat(path)
	if err == nil && st.Mode().IsRegular() && st.Mode().Perm()&^startupMode != 0 { // it would be kept
		err = os.Chmod(path, st.Mode().Perm()&startupMode)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = renameio.WriteFile(path, []byte(text), startupMode, renameio.IgnoreUmask())
	}
	if err != nil {
		return fmt.Errorf("the startup configuration was not written: %w", err)
	}
	return nil
}

// Startup returns the text of the startup configuration.
func (s *Store) Startup() (string, error) {
	text, err := os.ReadFile(s.opts.Startup)
	if err != nil {
		return "", fmt.Errorf("the startup configuration cannot be read: %w", err)
	}
	return string(text), nil
}
