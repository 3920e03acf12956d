package harness

import (
	"net"
	"testing"
	"time"
)

// TestRepliesAtOnce: replies that come at once, as they do when packets stood still for a
// while, wait in the socket until somebody reads them.
func TestRepliesAtOnce(t *testing.T) {
	e := &echo{id: 1, to: &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	if err := e.open(""); err != nil {
		t.Fatal(err)
	}
	defer e.conn.Close()
	const sent = 500 // ten seconds of a flow
	for seq := range sent {
		if err := e.send(seq); err != nil {
			t.Fatal(err)
		}
	}
	for seq := range sent {
		if got, err := e.receive(time.Now().Add(time.Second)); err != nil || got != seq {
			t.Fatalf("%d for request %d of %d: %v", got, seq, sent, err)
		}
	}
}
