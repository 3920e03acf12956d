package harness

import (
	"errors"
	"fmt"
	"os"
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
	w := pcapgo.NewWriter(f)
	link := layers.LinkTypeEthernet
	if c.tunnel {
		link = layers.LinkTypeRaw
	}
	err = w.WriteFileHeader(65536, link)
	for _, fr := range c.Frames(nil) {
		if err != nil {
			break
		}
		err = w.WritePacket(gopacket.CaptureInfo{Timestamp: fr.At, CaptureLength: len(fr.Data),
			Length: len(fr.Data)}, fr.Data)
	}
	return errors.Join(err, f.Close())
}

// tsharkProgram is another decoder of everything (Debian package tshark).
const tsharkProgram = "tshark"

// Dissected is what tshark says about one frame.
type Dissected struct {
	Number int               // of the frame, as an index into Frames(nil) plus 1
	Fields map[string]string // the fields asked for; several values are joined by commas
	// Complaint is what tshark finds wrong with it, "" for nothing: malformed, or
	// warnings and errors. Notes are left out: one says of every RIP packet to a
	// neighbour that its time to live is 1.
	Complaint string
}

// Dissect has tshark decode what was recorded so far and returns the frames that
// its display filter selects ("rip", "nhrp", "ospf"), in order, with the fields
// named ("rip.version"), and beside them all frames that are malformed.
func (c *Capture) Dissect(filter string, fields ...string) ([]Dissected, error) {
	file, err := os.CreateTemp(c.node.Rundir(), c.device+"-*.pcap")
	if err != nil {
		return nil, err
	}
	file.Close()
	defer os.Remove(file.Name())
	if err := c.WriteFile(file.Name()); err != nil {
		return nil, err
	}
	all := append([]string{"frame.number", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message"}, fields...)
	args := []string{"-n", "-r", file.Name(), "-Y", "(" + filter + ") || _ws.malformed", "-T", "fields"}
	for _, f := range all {
		args = append(args, "-e", f)
	}
	out, err := c.node.Run(tsharkProgram, args...)
	if err != nil {
		return nil, fmt.Errorf("%w (Debian package tshark)", err)
	}
	var got []Dissected
	for line := range strings.Lines(out) {
		values := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(values) != len(all) {
			return nil, fmt.Errorf("tshark printed %q for %d fields", line, len(all))
		}
		d := Dissected{Fields: map[string]string{}, Complaint: values[1]}
		if wrong(values[2]) {
			d.Complaint = strings.TrimSpace(d.Complaint + " " + values[3])
		}
		if d.Number, err = strconv.Atoi(values[0]); err != nil {
			return nil, fmt.Errorf("tshark printed %q: %w", line, err)
		}
		for i, f := range fields {
			d.Fields[f] = values[4+i]
		}
		got = append(got, d)
	}
	return got, nil
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
// frame of the filter about which it has something to say, and it is an error if
// there are fewer than atLeast frames: nothing is proved by an empty capture.
func (c *Capture) CheckDissected(filter string, atLeast int) error {
	got, err := c.Dissect(filter)
	if err != nil {
		return err
	}
	frames := c.Frames(nil)
	var errs []error
	for _, d := range got {
		if d.Complaint != "" {
			errs = append(errs, fmt.Errorf("%s %s: frame %d: tshark says %q about %v\n%x", c.node.name, c.device,
				d.Number, d.Complaint, frames[d.Number-1], frames[d.Number-1].Data))
		}
	}
	if len(got) < atLeast {
		errs = append(errs, fmt.Errorf("%s %s: tshark finds %d frames of %q, want %d", c.node.name, c.device, len(got), filter, atLeast))
	}
	return errors.Join(errs...)
}
