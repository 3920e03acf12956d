package supervisor

import (
	"context"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/hub"
)

// attachments returns a supervisor's configuration that reports attachments.
func attachments(dir string, attached chan<- Attachment) Config {
	return Config{RunDir: dir, Program: program, Serve: func(ctx context.Context, a Attachment) error {
		attached <- a
		<-ctx.Done()
		return nil
	}}
}

// From Enable to the attachment: start of the process, handshake, record, Hello.
func BenchmarkLaunch(b *testing.B) {
	dir, attached := rundir(b), make(chan Attachment)
	for range b.N {
		s, err := New(attachments(dir, attached))
		if err != nil {
			b.Fatal(err)
		}
		s.Enable("ripd")
		<-attached
		b.StopTimer()
		s.Stop()
		b.StartTimer()
	}
}

// From Enable to the attachment to a process that runs already.
func BenchmarkReattach(b *testing.B) {
	dir, attached := rundir(b), make(chan Attachment)
	s, err := New(attachments(dir, attached))
	if err != nil {
		b.Fatal(err)
	}
	s.Enable("ripd")
	<-attached
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		s.Release()
		b.StartTimer()
		if s, err = New(attachments(dir, attached)); err != nil {
			b.Fatal(err)
		}
		s.Enable("ripd")
		if a := <-attached; !a.Reattached {
			b.Fatal("launched anew")
		}
	}
	b.StopTimer()
	s.Stop()
}

// 100,000 routes from Client.Put in a daemon's process to the post function of
// zebra's hub; and the time of a replay of them to a zebra that re-attaches.
func BenchmarkRoutes(b *testing.B) {
	const routes = 100_000
	dir := rundir(b)
	var puts int
	var done chan struct{}
	up := make(chan plugin.Daemon, 1)
	counting := func() *hub.Hub {
		var h *hub.Hub
		puts, done = 0, make(chan struct{})
		target := done
		h = hub.New(func(m hub.Message) {
			r, ok := m.(hub.Received)
			if !ok {
				return
			}
			for _, m := range r.Ups {
				if p, ok := m.(session.Put); ok && p.Object.Key().Prefix.Addr().As4()[0] == 100 {
					if puts++; puts == routes {
						close(target)
					}
				}
			}
		}, 0)
		return h
	}
	open := func() *Supervisor {
		h := counting()
		s, err := New(Config{RunDir: dir, Program: program, Serve: func(ctx context.Context, a Attachment) error {
			up <- a.Daemon
			return h.Serve(ctx, a.Name, a.Stream)
		}})
		if err != nil {
			b.Fatal(err)
		}
		s.Enable("ripd")
		return s
	}
	var first, replay time.Duration
	for range b.N {
		s := open()
		d := <-up
		d.Exec(context.Background(), plugin.Command{ID: "still"}, &buffer{})
		at := time.Now()
		if err := d.Exec(context.Background(), plugin.Command{ID: "flood"}, &buffer{}); err != nil {
			b.Fatal(err)
		}
		<-done
		first += time.Since(at)
		s.Release()
		at = time.Now()
		s = open()
		<-up
		<-done
		replay += time.Since(at)
		s.Stop()
	}
	b.ReportMetric(routes*float64(b.N)/first.Seconds(), "routes/s")
	b.ReportMetric(routes*float64(b.N)/replay.Seconds(), "replayed/s")
}
