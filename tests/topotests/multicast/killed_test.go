package multicast

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// every is the time between two packets of the stream under which daemons die.
const every = 20 * time.Millisecond

// TestKilled kills the hub's daemons under a steady stream to a group: every packet
// goes once to each peer and reaches each spoke once, while they are away and when
// they come back. A spoke that comes afterwards is in the list, one that went
// meanwhile is not, at the latest when the list is known to be whole.
func TestKilled(t *testing.T) {
	for _, tc := range []struct {
		name         string
		zebra, nhrpd bool
	}{{"nhrpd", false, true}, {"zebra", true, false}, {"both", true, true}} {
		t.Run(tc.name, func(t *testing.T) {
			c := build(t, " tunnel key 100\n")
			ears := map[string]*ear{"spoke1": c.listen(c.spoke1), "spoke2": c.listen(c.spoke2)}
			m := c.mouth(c.hub, "172.31.0.1")
			stop, sent := make(chan struct{}), make(chan int)
			go func() {
				tick := time.NewTicker(every)
				defer tick.Stop()
				for n := 0; ; n++ {
					m.say(group2, fmt.Sprint("stream-", n), 200)
					select {
					case <-stop:
						sent <- n + 1
						return
					case <-tick.C:
					}
				}
			}()
			c.kill(c.hub, tc.zebra, tc.nhrpd)
			c.registered("172.31.0.11", "172.31.0.12")

			// A new spoke, at once.
			spoke3 := c.tp.Node("spoke3")
			const nbmaSpoke3 = "198.51.100.9"
			c.tp.Uplink(c.inet, spoke3, nbmaSpoke3+"/30")
			c.start(spoke3, c.spokeConfig("172.31.0.13", 600))
			c.registered("172.31.0.11", "172.31.0.12", "172.31.0.13")
			c.goesTo(c.mouth(c.hub, "172.31.0.1"), nbmaSpoke1, nbmaSpoke2, nbmaPlain, nbmaSpoke3)

			close(stop)
			n := <-sent
			c.settled()
			for spoke, e := range ears { // packets keep their order
				last := fmt.Sprint("stream-", n-1)
				harness.Eventually(t, converge, func() error {
					if len(e.of(last)) == 0 {
						return fmt.Errorf("%s has not heard %s", spoke, last)
					}
					return nil
				})
			}
			wrong := 0
			for k := range n {
				word := fmt.Sprint("stream-", k)
				have := c.said(word)
				delete(have, nbmaSpoke3) // from some packet on
				if !maps.Equal(have, everybody) {
					t.Errorf("packet %d of %d left the hub to %v", k, n, have)
					wrong++
				}
				for spoke, e := range ears {
					if have := e.of(word); len(have) != 1 {
						t.Errorf("%s heard packet %d of %d %d times", spoke, k, n, len(have))
						wrong++
					}
				}
				if wrong > 20 {
					t.Fatal("and so on")
				}
			}
			t.Logf("%d packets", n)

			// And one that says goodbye, at once as well.
			if err := c.zebras["spoke3"].Terminate(30 * time.Second); err != nil {
				t.Fatal(err)
			}
			c.registered("172.31.0.11", "172.31.0.12")
			c.goesTo(c.mouth(c.hub, "172.31.0.1"), nbmaSpoke1, nbmaSpoke2, nbmaPlain)
		})
	}
}
