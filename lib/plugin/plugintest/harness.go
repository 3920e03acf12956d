// Package plugintest runs a daemon through real gRPC in memory, so that every
// daemon's tests cross the same boundary as in production.
package plugintest

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Harness is a daemon at the other end of a gRPC connection in memory.
type Harness struct {
	*plugin.Client // the daemon as zebra sees it
	t              testing.TB
	server         *grpc.Server
}

// Kill breaks the connection as the death of the daemon's process does.
func (h *Harness) Kill() { h.server.Stop() }

// NewHarness serves d until the test ends.
func NewHarness(t testing.TB, d plugin.Daemon) *Harness {
	t.Helper()
	lis := bufconn.Listen(1 << 20)
	srv := grpc.NewServer(plugin.ServerOptions()...)
	plugin.Register(srv, d)
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(lis) }()
	conn, err := grpc.NewClient("passthrough:///memory",
		append(plugin.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		srv.Stop()
		<-served
	})
	return &Harness{plugin.NewClient(conn), t, srv}
}

// Attach opens a session and returns zebra's end of it. Closing that end, or the
// end of the test, ends the attachment. ended is closed when the daemon's
// Session has returned.
func (h *Harness) Attach() (s session.HostStream, ended <-chan struct{}) {
	h.t.Helper()
	daemonEnd, zebraEnd := session.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := h.Session(context.Background(), daemonEnd); err != nil {
			h.t.Logf("session: %v", err)
		}
	}()
	h.t.Cleanup(func() {
		zebraEnd.Close()
		<-done
	})
	return zebraEnd, done
}
