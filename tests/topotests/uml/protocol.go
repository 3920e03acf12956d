package uml

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// The exec protocol: frames of one type byte, a 32-bit big-endian length and a
// payload. A client opens with frameRequest; the guest ends with frameExit.
const (
	frameRequest = 'R' // client: JSON request
	frameStdin   = 'i' // client: bytes for standard input; empty = end of input
	frameResize  = 'w' // client: JSON Size
	frameSignal  = 's' // client: one byte, a signal for the process group
	frameStdout  = 'o' // guest: bytes from standard output, or of the terminal
	frameStderr  = 'e' // guest: bytes from standard error
	frameExit    = 'x' // guest: JSON exit
)

// banner is the first thing on the serial line, from the guest.
const banner = "godmvpn-uml-ready\n"

// maxFrame bounds the payload of one frame in bytes.
const maxFrame = 1 << 20

// chunk is the size in bytes of the buffers that carry program output.
const chunk = 32 << 10

// Operations of a request.
const (
	opExec = "exec" // run a program in the guest
	opStop = "stop" // control socket only: end the machine's main command
)

// Size is that of a terminal, in character cells.
type Size struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// request opens a stream.
type request struct {
	Op   string   `json:"op"`
	Args []string `json:"args,omitempty"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
	TTY  *Size    `json:"tty,omitempty"`
}

// exit closes a stream: the status as a shell gives it (128 + signal), or the
// error that kept the program from starting.
type exit struct {
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
}

// frameWriter writes whole frames; it may be used from several goroutines.
type frameWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (f *frameWriter) write(kind byte, payload []byte) error {
	buf := make([]byte, 5+len(payload))
	buf[0] = kind
	binary.BigEndian.PutUint32(buf[1:], uint32(len(payload)))
	copy(buf[5:], payload)
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.w.Write(buf)
	return err
}

func (f *frameWriter) writeJSON(kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.write(kind, b)
}

// pump sends everything that r yields as frames of the kind given.
func (f *frameWriter) pump(kind byte, r io.Reader) error {
	buf := make([]byte, chunk)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if werr := f.write(kind, buf[:n]); werr != nil {
				return werr
			}
		}
		if err != nil {
			return err
		}
	}
}

// readFrame reads one frame.
func readFrame(r io.Reader) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("uml: frame of %d bytes, at most %d allowed", n, maxFrame)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	return head[0], payload, nil
}

// readRequest reads the frame that opens a stream.
func readRequest(r io.Reader) (request, error) {
	var req request
	kind, payload, err := readFrame(r)
	if err != nil {
		return req, err
	}
	if kind != frameRequest {
		return req, fmt.Errorf("uml: stream opened with frame %q", kind)
	}
	return req, json.Unmarshal(payload, &req)
}
