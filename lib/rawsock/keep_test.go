package rawsock_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/lib/rawsock/memnet"
)

// TestKeepReopens removes and gives back a device: packets flow again, by
// another socket, without anything but waiting.
func TestKeepReopens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		wire, host, peer := n.Wire(), n.Host(), n.Host()
		device := host.Add(wire, memnet.Spec{Index: 2, Link: aLink})
		peer.Add(wire, memnet.Spec{Index: 2, Link: bLink})
		var opened atomic.Int32
		got := make(chan string, 10)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- rawsock.Keep(ctx, func() (rawsock.PacketConn, error) {
				opened.Add(1)
				return host.ListenPacket(rawsock.PacketConfig{Index: 2, Protocol: rawsock.EtherTypeNHRP})
			}, func(c rawsock.PacketConn) error {
				for {
					b := make([]byte, 100)
					n, from, err := c.ReadFrom(b)
					if err != nil {
						return err
					}
					got <- fmt.Sprintf("%s from %v", b[:n], from)
				}
			})
		}()
		from, err := peer.ListenPacket(rawsock.PacketConfig{Index: 2, Protocol: rawsock.EtherTypeNHRP})
		check(t, err)
		send := func(s string) {
			t.Helper()
			synctest.Wait()
			check(t, from.WriteTo([]byte(s), aLink))
			if s := <-got; s != "one from 10.0.0.2" && s != "two from 10.0.0.2" {
				t.Errorf("read %q", s)
			}
		}
		send("one")
		device.Remove()
		time.Sleep(time.Minute)
		if n := opened.Load(); n < 8 || n > 16 {
			t.Errorf("opened %d times in a minute without the device", n)
		}
		host.Add(wire, memnet.Spec{Index: 2, Link: aLink})
		time.Sleep(8 * time.Second)
		send("two")
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Keep = %v after its context ended", err)
		}
	})
}

func TestKeepGivesUp(t *testing.T) {
	broken := errors.New("permission denied")
	err := rawsock.Keep(t.Context(), func() (rawsock.PacketConn, error) { return nil, broken }, func(rawsock.PacketConn) error { return nil })
	if err != broken {
		t.Errorf("Keep = %v", err)
	}
	if rawsock.Retryable(broken) || rawsock.Retryable(net.ErrClosed) || rawsock.Retryable(nil) {
		t.Error("Retryable is true of an error that stays")
	}
}
