package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// generationShift leaves room for this many bits of attachments per life of zebra.
const generationShift = 32

// NextGeneration counts the lives of zebra in a file of its run directory and
// returns the epoch to begin with, larger than all epochs of earlier lives. A
// file that is missing or damaged begins anew: with the run directory the
// daemons of earlier lives are lost too.
func NextGeneration(path string) (first uint64, err error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("generation: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64-generationShift)
	if err != nil {
		n = 0
	}
	n++
	if err := renameio.WriteFile(path, []byte(strconv.FormatUint(n, 10)+"\n"), 0o600); err != nil {
		return 0, fmt.Errorf("generation: %w", err)
	}
	return n << generationShift, nil
}
