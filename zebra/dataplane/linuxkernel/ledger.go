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

	"github.com/google/renameio/v2"
)

// ledger remembers the multicast peers of each program that copies multicast, for
// a later life: the kernel does not let us read the table of a program that we did
// not make ourselves, unless we had all rights.
//
// The file has a line for each change: "list PROGRAM INDEX DEVICE" begins an empty
// list, "add PROGRAM NBMA" and "del PROGRAM NBMA" change it, "end PROGRAM" ends it.
// Programs have their numbers from the kernel, which does not use one twice; so a
// file of before a restart of the machine says nothing about programs of after it.
// A change is written before it is made. Its methods are called under
// Provider.copyMu.
type ledger struct {
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
	peers  map[netip.Addr]bool
}

const (
	maxLedger   = 64 << 20 // bytes that are read
	ledgerSlack = 1000     // lines that are too many before it is written anew
)

// openLedger reads the file. One that cannot be understood counts as far as it can.
func openLedger(path string, warn func(error)) (*ledger, error) {
	l := &ledger{path: path, lists: map[uint32]*peerList{}, warn: warn}
	if path == "" {
		return l, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list of multicast peers: %w", err)
	}
	defer f.Close()
	in := bufio.NewReader(io.LimitReader(f, maxLedger))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return l, nil // and what is left of a line that was being written
		}
		if !l.read(line) {
			warn(fmt.Errorf("list of multicast peers: %s: line %q", path, line[:min(len(line), 80)]))
			return l, nil
		}
	}
}

// read takes in a line.
func (l *ledger) read(line string) bool {
	var word, rest string
	var id uint32
	if n, _ := fmt.Sscan(line, &word, &id, &rest); n < 2 || word != "end" && n < 3 {
		return false
	}
	if word == "list" {
		p := &peerList{peers: map[netip.Addr]bool{}}
		_, err := fmt.Sscan(line, &word, &id, &p.index, &p.device)
		l.lists[id] = p
		return err == nil
	}
	p := l.lists[id]
	if p == nil {
		return false
	}
	if word == "end" {
		delete(l.lists, id)
		return true
	}
	nbma, err := netip.ParseAddr(rest)
	switch word {
	case "add":
		p.peers[nbma] = true
	case "del":
		delete(p.peers, nbma)
	default:
		return false
	}
	return err == nil
}

// list returns the peers of a program; ok is false if they are not known.
func (l *ledger) list(id uint32, index int) (peers map[netip.Addr]bool, ok bool) {
	p := l.lists[id]
	if p == nil || p.index != index {
		return nil, false
	}
	return maps.Clone(p.peers), true
}

// begin notes the peers of a program that is about to come into force on a device,
// and forgets those of its programs before the last one.
func (l *ledger) begin(id uint32, index int, device string, peers map[netip.Addr]bool) {
	for old, p := range l.lists {
		if p.device == device && old != id {
			if p.index == index && p.peers != nil && !l.superseded(device, old) {
				continue // it is in force until the new one is
			}
			delete(l.lists, old)
		}
	}
	l.lists[id] = &peerList{device: device, index: index, peers: maps.Clone(peers)}
	if l.lists[id].peers == nil {
		l.lists[id].peers = map[netip.Addr]bool{}
	}
	l.rewrite()
}

// superseded reports whether a later program of the device is known.
func (l *ledger) superseded(device string, id uint32) bool {
	for other, p := range l.lists {
		if p.device == device && other > id {
			return true
		}
	}
	return false
}

func (l *ledger) add(id uint32, nbma netip.Addr) {
	l.lists[id].peers[nbma] = true
	l.write(fmt.Sprintln("add", id, nbma))
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
		for nbma := range p.peers {
			fmt.Fprintln(&b, "add", id, nbma)
		}
		l.lines += 1 + len(p.peers)
	}
	err := renameio.WriteFile(l.path, b.Bytes(), 0o640)
	if err == nil {
		l.file, err = os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND, 0)
	}
	l.check(err)
}

// check says that the list is not kept, once: multicast goes on without, and what
// a later life does not know it is told by the daemon.
func (l *ledger) check(err error) {
	if err != nil && !l.broken {
		l.warn(fmt.Errorf("list of multicast peers: %w", err))
	}
	l.broken = err != nil
}

func (l *ledger) close() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
