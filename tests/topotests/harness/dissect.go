package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// WriteFile writes what was recorded as a pcap file.
func (c *Capture) WriteFile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(writeFrames(f, c.Frames(nil)), f.Close())
}

// writeFrames writes a pcap file.
func writeFrames(f io.Writer, frames []Frame) error {
	w := pcapgo.NewWriter(f)
	err := w.WriteFileHeader(65536, layers.LinkTypeEthernet)
	for _, fr := range frames {
		if err != nil {
			break
		}
		err = w.WritePacket(gopacket.CaptureInfo{Timestamp: fr.At, CaptureLength: len(fr.Data),
			Length: len(fr.Data)}, fr.Data)
	}
	return err
}

// tsharkProgram is another decoder of everything (Debian package tshark).
const tsharkProgram = "tshark"

// Dissected is what tshark says about one frame.
type Dissected struct {
	Capture *Capture
	Frame   Frame
	Number  int               // of the frame, as an index into the capture's Frames(nil) plus 1
	Fields  map[string]string // the fields asked for; several values are joined by commas
	// Complaint is what tshark finds wrong with it, "" for nothing: malformed, or
	// warnings and errors. Notes are left out: one says of every RIP packet to a
	// neighbour that its time to live is 1.
	Complaint string
}

// Dissect has tshark decode what was recorded so far and returns the frames that
// its display filter selects ("rip", "nhrp", "ospf"), in order, with the fields
// named ("rip.version"), and beside them all frames that are malformed. A filter
// also selects ICMP errors that quote such a packet: "rip && !icmp" does not.
func (c *Capture) Dissect(filter string, fields ...string) ([]Dissected, error) {
	return Dissect([]*Capture{c}, filter, fields...)
}

// Dissect is [Capture.Dissect] of several captures with one tshark, which takes
// seconds to start in a User-Mode Linux.
func Dissect(captures []*Capture, filter string, fields ...string) ([]Dissected, error) {
	var all []Dissected // of every frame, without what tshark says
	var frames []Frame
	for _, c := range captures {
		for i, f := range c.Frames(nil) {
			all = append(all, Dissected{Capture: c, Frame: f, Number: i + 1})
			frames = append(frames, f)
		}
	}
	names := append([]string{"frame.number", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message"}, fields...)
	lines, err := tshark(frames, "("+filter+") || _ws.malformed", names)
	if err != nil {
		return nil, err
	}
	var got []Dissected
	for _, values := range lines {
		n, err := strconv.Atoi(values[0])
		if err != nil || n < 1 || n > len(all) {
			return nil, fmt.Errorf("tshark printed %q about %d frames", values, len(all))
		}
		d := all[n-1]
		d.Fields, d.Complaint = map[string]string{}, values[1]
		if wrong(values[2]) {
			d.Complaint = strings.TrimSpace(d.Complaint + " " + values[3])
		}
		for i, f := range fields {
			d.Fields[f] = values[4+i]
		}
		got = append(got, d)
	}
	return got, nil
}

// tshark decodes frames and returns a line of fields for each that the filter selects.
func tshark(frames []Frame, filter string, fields []string) (lines [][]string, err error) {
	var pcap, errs bytes.Buffer
	if err := writeFrames(&pcap, frames); err != nil {
		return nil, err
	}
	args := []string{"-n", "-r", "-", "-Y", filter, "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command(tsharkProgram, args...)
	cmd.Stdin, cmd.Stderr = &pcap, &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w (Debian package tshark): %s", tsharkProgram, err, errs.String())
	}
	for line := range strings.Lines(string(out)) {
		values := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(values) != len(fields) {
			return nil, fmt.Errorf("tshark printed %q for %d fields", line, len(fields))
		}
		lines = append(lines, values)
	}
	return lines, nil
}

// warning is tshark's severity of warnings; that of errors is above, that of notes
// below it.
const warning = 0x600000

// wrong tells whether one of tshark's severities, joined by commas, is at least a
// warning.
func wrong(severities string) bool {
	for s := range strings.SplitSeq(severities, ",") {
		if n, err := strconv.ParseInt(s, 0, 64); err == nil && n >= warning {
			return true
		}
	}
	return false
}

// CheckDissected has tshark decode what was recorded so far. The error names every
// frame of the filter about which it has something to say, and every capture with
// fewer than atLeast such frames: nothing is proved by an empty one.
func CheckDissected(filter string, atLeast int, captures ...*Capture) error {
	got, err := Dissect(captures, filter)
	if err != nil {
		return err
	}
	count := map[*Capture]int{}
	var errs []error
	for _, d := range got {
		count[d.Capture]++
		if d.Complaint != "" {
			errs = append(errs, fmt.Errorf("%s %s: frame %d: tshark says %q about %v\n%x", d.Capture.node.name,
				d.Capture.device, d.Number, d.Complaint, d.Frame, d.Frame.Data))
		}
	}
	for _, c := range captures {
		if count[c] < atLeast {
			errs = append(errs, fmt.Errorf("%s %s: tshark finds %d frames of %q, want %d", c.node.name, c.device, count[c], filter, atLeast))
		}
	}
	return errors.Join(errs...)
}
