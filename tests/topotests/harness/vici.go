package harness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// Section is a message of vici, strongSwan's control protocol, or a section of one: its
// values are strings, lists ([]string) and sections.
type Section map[string]any

// At returns the value at a path of keys, "" if there is none; of a list that is its
// elements, joined by commas.
func (s Section) At(path ...string) string {
	for i, key := range path {
		switch v := s[key].(type) {
		case Section:
			s = v
		case []string:
			return strings.Join(v, ",")
		case string:
			if i == len(path)-1 {
				return v
			}
			return ""
		}
	}
	return ""
}

// Sections are the sections below one, by name, in order.
func (s Section) Sections() (all []Section) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if sub, ok := s[name].(Section); ok {
			all = append(all, sub)
		}
	}
	return all
}

// Types of packets and of elements of messages in vici.
const (
	viciRequest  = 0
	viciResponse = 1
	viciRegister = 3
	viciConfirm  = 5
	viciEvent    = 7

	viciSection    = 1
	viciSectionEnd = 2
	viciKeyValue   = 3
	viciList       = 4
	viciListItem   = 5
	viciListEnd    = 6
)

// viciLimit is the longest packet of vici.
const viciLimit = 512 << 10

// viciAsk sends a command to the daemon with this socket and returns what it answers,
// and the events of this name, "" for none, that came before the answer.
func viciAsk(socket string, limit time.Duration, command, event string, request Section) (answer Section, events []Section, err error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(limit))
	if event != "" {
		if err := viciWrite(conn, viciRegister, event, nil); err != nil {
			return nil, nil, err
		}
		if typ, _, err := viciRead(conn); err != nil || typ != viciConfirm {
			return nil, nil, fmt.Errorf("vici: event %s is not confirmed: %d, %w", event, typ, err)
		}
	}
	if err := viciWrite(conn, viciRequest, command, request); err != nil {
		return nil, nil, err
	}
	for {
		typ, body, err := viciRead(conn)
		if err != nil {
			return nil, nil, fmt.Errorf("vici: %s: %w", command, err)
		}
		if typ == viciEvent && len(body) > int(body[0]) {
			body = body[1+int(body[0]):]
		} else if typ != viciResponse {
			return nil, nil, fmt.Errorf("vici: %s is answered by packet %d", command, typ)
		}
		s, err := viciDecode(body)
		if err != nil {
			return nil, nil, fmt.Errorf("vici: %s: %w", command, err)
		}
		if typ == viciEvent {
			events = append(events, s)
			continue
		}
		if s["success"] == "no" {
			err = fmt.Errorf("vici: %s: %v", command, s["errmsg"])
		}
		return s, events, err
	}
}

// viciWrite writes a packet.
func viciWrite(w io.Writer, typ byte, name string, s Section) error {
	b := append([]byte{0, 0, 0, 0, typ, byte(len(name))}, name...)
	b = viciAppend(b, s)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	_, err := w.Write(b)
	return err
}

// viciRead reads a packet.
func viciRead(r io.Reader) (typ byte, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > viciLimit {
		return 0, nil, fmt.Errorf("a packet of %d octets", n)
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return body[0], body[1:], err
}

// viciAppend appends the elements of a section.
func viciAppend(b []byte, s Section) []byte {
	name := func(typ byte, key string) { b = append(append(b, typ, byte(len(key))), key...) }
	value := func(v string) { b = append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...) }
	for _, key := range slices.Sorted(maps.Keys(s)) {
		switch v := s[key].(type) {
		case string:
			name(viciKeyValue, key)
			value(v)
		case []string:
			name(viciList, key)
			for _, item := range v {
				b = append(b, viciListItem)
				value(item)
			}
			b = append(b, viciListEnd)
		case Section:
			name(viciSection, key)
			b = append(viciAppend(b, v), viciSectionEnd)
		}
	}
	return b
}

// errVici is a message that cannot be read.
var errVici = errors.New("malformed message")

// viciDecode reads the elements of a message.
func viciDecode(b []byte) (Section, error) {
	stack, list := []Section{{}}, ""
	take := func(n int) (s string, ok bool) {
		if len(b) < n {
			return "", false
		}
		s, b = string(b[:n]), b[n:]
		return s, true
	}
	text := func(octets int) (string, bool) {
		head, ok := take(octets)
		n := 0
		for i := range len(head) {
			n = n<<8 | int(head[i])
		}
		if !ok {
			return "", false
		}
		return take(n)
	}
	for len(b) > 0 {
		typ, _ := take(1)
		top, name, v, ok := stack[len(stack)-1], "", "", true
		switch typ[0] {
		case viciSection:
			name, ok = text(1)
			sub := Section{}
			top[name] = sub
			stack = append(stack, sub)
		case viciSectionEnd:
			stack = stack[:len(stack)-1]
		case viciKeyValue:
			if name, ok = text(1); ok {
				v, ok = text(2)
			}
			top[name] = v
		case viciList:
			list, ok = text(1)
			top[list] = []string(nil)
		case viciListItem:
			v, ok = text(2)
			items, _ := top[list].([]string)
			top[list] = append(items, v)
		case viciListEnd:
		default:
			ok = false
		}
		if !ok || len(stack) == 0 {
			return nil, errVici
		}
	}
	return stack[0], nil
}
