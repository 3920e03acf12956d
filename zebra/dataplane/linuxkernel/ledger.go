package linuxkernel

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// ledger remembers the peers in the table of each program of one purpose, for a later
// life: the kernel does not let us read the table of a program that we did not make
// ourselves, unless we had all rights.
//
// The file has a line for each change: "list PROGRAM INDEX DEVICE" begins an empty
// list, "add PROGRAM NBMA [VALUE]" and "del PROGRAM NBMA" change it, "end PROGRAM"
// ends it. Programs have their numbers from the kernel, which does not use one twice; so a
// file of before a restart of the machine says nothing about programs of after it.
// A change is written before it is made. Its methods are called under the mutex of
// its purpose.
type ledger struct {
	what   string // is listed, for messages
	path   string // "": it lives as long as the Provider
	file   *os.File
	lines  int // in the file
	lists  map[uint32]*peerList
	broken bool // it was said that writing fails
	warn   func(error)
}

// peerList are the peers of one program.
type peerList struct {
	device string
	index  int // of the device
	peers  table
}

// table is what a program has in its table: peers, each with what the program does
// with it, if there is a choice.
type table map[netip.Addr]uint32

const (
	maxLedger   = 64 << 20 // bytes that are read
	ledgerSlack = 1000     // lines that are too many before it is written anew
)

// openLedger reads the file. One that cannot be understood counts as far as it can.
func openLedger(what, path string, warn func(error)) (*ledger, error) {
	l := &ledger{what: what, path: path, lists: map[uint32]*peerList{}, warn: warn}
	if path == "" {
		return l, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list of %s: %w", l.what, err)
	}
	defer f.Close()
	in := bufio.NewReader(io.LimitReader(f, maxLedger))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return l, nil // and what is left of a line that was being written
		}
		if !l.read(line) {
			warn(fmt.Errorf("list of %s: %s: line %q", what, path, line[:min(len(line), 80)]))
			return l, nil
		}
	}
}

// read takes in a line.
func (l *ledger) read(line string) bool {
	f := strings.Fields(line)
	if len(f) < 2 {
		return false
	}
	number, err := strconv.ParseUint(f[1], 10, 32)
	id := uint32(number)
	if err != nil {
		return false
	}
	switch p := l.lists[id]; {
	case f[0] == "list" && len(f) == 4:
		index, err := strconv.Atoi(f[2])
		if err != nil {
			return false
		}
		l.lists[id] = &peerList{device: f[3], index: index, peers: table{}}
	case p == nil:
		return false
	case f[0] == "end" && len(f) == 2:
		delete(l.lists, id)
	case len(f) == 3 && f[0] == "del", (len(f) == 3 || len(f) == 4) && f[0] == "add":
		return p.change(f)
	default:
		return false
	}
	return true
}

// change takes in the fields of a line "add" or "del".
func (p *peerList) change(f []string) bool {
	nbma, err := netip.ParseAddr(f[2])
	if err != nil || nbma.Zone() != "" {
		return false
	}
	if f[0] == "del" {
		delete(p.peers, nbma)
		return true
	}
	var value uint64
	if len(f) == 4 {
		if value, err = strconv.ParseUint(f[3], 10, 32); err != nil {
			return false
		}
	}
	p.peers[nbma] = uint32(value)
	return true
}

// list returns the peers of a program; ok is false if they are not known.
func (l *ledger) list(id uint32, index int) (peers table, ok bool) {
	p := l.lists[id]
	if p == nil || p.index != index {
		return nil, false
	}
	return maps.Clone(p.peers), true
}

// begin notes the peers of a program that is about to come into force on a device.
// Of the device's earlier programs the last one is kept: it is in force until then.
func (l *ledger) begin(id uint32, index int, device string, peers table) {
	var last uint32
	for old, p := range l.lists {
		if p.device == device {
			last = max(last, old)
		}
	}
	maps.DeleteFunc(l.lists, func(old uint32, p *peerList) bool { return p.device == device && old != last })
	list := &peerList{device: device, index: index, peers: maps.Clone(peers)}
	if list.peers == nil {
		list.peers = table{}
	}
	l.lists[id] = list
	l.rewrite()
}

func (l *ledger) add(id uint32, nbma netip.Addr, value uint32) {
	l.lists[id].peers[nbma] = value
	l.write(addLine(id, nbma, value))
}

func addLine(id uint32, nbma netip.Addr, value uint32) string {
	if value == 0 {
		return fmt.Sprintln("add", id, nbma)
	}
	return fmt.Sprintln("add", id, nbma, value)
}

func (l *ledger) remove(id uint32, nbma netip.Addr) {
	delete(l.lists[id].peers, nbma)
	l.write(fmt.Sprintln("del", id, nbma))
}

func (l *ledger) end(id uint32) {
	if l.lists[id] != nil {
		delete(l.lists, id)
		l.write(fmt.Sprintln("end", id))
	}
}

// write appends a line, or writes everything anew if that is shorter, or if this
// is the first line of this life: what the last one left may end in half a line.
func (l *ledger) write(line string) {
	if l.path == "" {
		return
	}
	size := ledgerSlack
	for _, p := range l.lists {
		size += 2 * (1 + len(p.peers))
	}
	if l.file == nil || l.lines >= size {
		l.rewrite()
		return
	}
	l.lines++
	_, err := l.file.WriteString(line)
	l.check(err)
}

// rewrite writes everything.
func (l *ledger) rewrite() {
	if l.path == "" {
		return
	}
	l.close()
	var b bytes.Buffer
	l.lines = 0
	for _, id := range slices.Sorted(maps.Keys(l.lists)) {
		p := l.lists[id]
		fmt.Fprintln(&b, "list", id, p.index, p.device)
		for nbma, value := range p.peers {
			b.WriteString(addLine(id, nbma, value))
		}
		l.lines += 1 + len(p.peers)
	}
	err := renameio.WriteFile(l.path, b.Bytes(), 0o640)
	if err == nil {
		l.file, err = os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND, 0)
	}
	l.check(err)
}

// check says that the list is not kept, once: packets go their way without, and what
// a later life does not know it is told by the daemon.
func (l *ledger) check(err error) {
	if err != nil && !l.broken {
		l.warn(fmt.Errorf("list of %s: %w", l.what, err))
	}
	l.broken = err != nil
}

func (l *ledger) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
