package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/pb"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// Environment variables by which zebra tells a daemon how to log.
const (
	EnvLogFormat = "GODMVPN_LOG_FORMAT" // "json", or text
	EnvLogLevel  = "GODMVPN_LOG_LEVEL"  // as telemetry.ParseLevel; "": as the configuration says
)

// Handshake is what go-plugin compares before anything else. The version is that
// of the services in lib/pb; session.Version has its own.
var Handshake = goplugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "GODMVPN_DAEMON",
	MagicCookieValue: "b7f4c0de-zebra-starts-this",
}

// Name is the name under which go-plugin dispenses a Daemon.
const Name = "daemon"

// Times that bound the life of a daemon's process.
const (
	helloWithin  = time.Minute      // a daemon that no zebra greets ends
	goodbyeLimit = 10 * time.Second // for Shutdown after SIGTERM
	drainLimit   = 200 * time.Millisecond
)

// glue is the go-plugin side of a Daemon, for both processes.
type glue struct {
	goplugin.NetRPCUnsupportedPlugin
	server *server
}

// Set returns what zebra gives go-plugin in order to dispense a *Client.
func Set() goplugin.PluginSet { return goplugin.PluginSet{Name: &glue{}} }

// GRPCServer implements goplugin.GRPCPlugin.
func (g *glue) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	if g.server == nil {
		return errors.New("plugin: no daemon to serve")
	}
	pb.RegisterDaemonServer(s, g.server)
	return nil
}

// GRPCClient implements goplugin.GRPCPlugin.
func (g *glue) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewClient(conn), nil
}

var (
	initOnce   sync.Once
	stderr     *os.File       // file descriptor 2 as inherited
	processLog *telemetry.Log // made by Init
)

// Init prepares the process of a daemon: it ignores SIGPIPE, so that a log line
// after zebra's death does not kill it, and makes a logger that writes to file
// descriptor 2 the default one. Call it before anything else.
func Init(name string) *slog.Logger {
	initOnce.Do(func() {
		signal.Ignore(syscall.SIGPIPE)
		stderr = os.Stderr
	})
	cfg := telemetry.LogConfig{Output: stderr}
	if os.Getenv(EnvLogFormat) == "json" {
		cfg.Format = telemetry.JSON
	}
	if level, err := telemetry.ParseLevel(os.Getenv(EnvLogLevel)); err == nil {
		cfg.Level = level
	}
	out, err := telemetry.NewLog(cfg)
	if err != nil { // only a file can fail
		fmt.Fprintln(stderr, err)
		os.Exit(1)
	}
	processLog = out
	log := out.Logger().With("daemon", name)
	slog.SetDefault(log)
	return log
}

// LogLevelID is the ID of the configuration line that says what is logged; its
// argument "level" is a word that telemetry.ParseLevel knows. zebra gives it to
// every daemon, and it is followed here, once for all of them.
const LogLevelID = "logging"

// followLogLevel sets what the process logs as the configuration says, unless
// the command line has said it.
func followLogLevel(tree *conf.Tree) {
	if processLog == nil || os.Getenv(EnvLogLevel) != "" {
		return
	}
	level := slog.LevelInfo
	if n := tree.Find("", LogLevelID); n != nil {
		if said, err := telemetry.ParseLevel(n.Args.String("level")); err == nil {
			level = said
		}
	}
	processLog.SetLevel(level)
}

// Serve runs the process of a daemon until it is told to end by Shutdown or
// SIGTERM, and returns the exit status for main.
func Serve(d Daemon) int {
	initOnce.Do(func() {
		signal.Ignore(syscall.SIGPIPE)
		stderr = os.Stderr
	})
	if os.Getenv(Handshake.MagicCookieKey) != Handshake.MagicCookieValue {
		fmt.Fprintln(stderr, "This program is a daemon of zebra, which starts it when the configuration needs it.")
		return 1
	}
	p := &process{daemon: d, stopped: make(chan struct{})}
	p.hello = time.AfterFunc(helloWithin, func() {
		slog.Error("no zebra has greeted this daemon: it ends")
		p.stop()
	})
	defer p.hello.Stop()
	go p.watchSignals()
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: Handshake,
		Plugins: goplugin.PluginSet{Name: &glue{server: &server{
			daemon:   identified{d},
			greeted:  func() { p.hello.Stop() },
			shutdown: func() { go p.stop() },
		}}},
		GRPCServer: p.newServer,
		Logger:     hclog.New(&hclog.LoggerOptions{Name: "plugin", Level: hclog.Warn, Output: stderr}),
	})
	return 0
}

// identified fills in the process number.
type identified struct{ Daemon }

func (i identified) Hello(ctx context.Context, host Host) (Identity, error) {
	id, err := i.Daemon.Hello(ctx, host)
	id.PID = os.Getpid()
	if id.SessionVersion == 0 {
		id.SessionVersion = session.Version
	}
	return id, err
}

// process is the life of a daemon's process.
type process struct {
	daemon  Daemon
	hello   *time.Timer
	quiet   sync.Once
	stopped chan struct{}

	mu     sync.Mutex
	server *grpc.Server
	once   sync.Once
}

// newServer makes the gRPC server for go-plugin.
func (p *process) newServer(opts []grpc.ServerOption) *grpc.Server {
	opts = append(ServerOptions(), opts...)
	opts = append(opts,
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			p.quiet.Do(redirect)
			return next(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			p.quiet.Do(redirect)
			return next(srv, s)
		}))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server = grpc.NewServer(opts...)
	return p.server
}

// redirect undoes what go-plugin did to os.Stdout and os.Stderr: pipes that
// nobody reads once zebra is gone, so that whoever prints hangs after 64 KiB.
// go-plugin serves the first call only after it has set them.
func redirect() { os.Stdout, os.Stderr = stderr, stderr }

// ServerOptions are the options of every gRPC server of a Daemon.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage),
	}
}

// DialOptions are the options of every gRPC connection to a Daemon.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage))}
}

// watchSignals ends the process in order at SIGTERM; at a second one at once. Whoever ends
// a daemon for good has zebra do so: after a signal zebra starts it again.
func (p *process) watchSignals() {
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, syscall.SIGTERM)
	defer signal.Stop(ch)
	select {
	case <-ch:
	case <-p.stopped:
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), goodbyeLimit)
		defer cancel()
		leave := p.daemon.Shutdown
		if r, ok := p.daemon.(Restarter); ok {
			leave = r.Restart
		}
		if err := leave(ctx); err != nil {
			slog.Warn("shutdown", "error", err)
		}
		p.stop()
	}()
	select {
	case <-ch:
		os.Exit(1)
	case <-p.stopped:
	}
}

// stop ends the server, which makes Serve return. Calls that are being answered
// have a moment to get their answers out.
func (p *process) stop() {
	p.once.Do(func() {
		defer close(p.stopped)
		p.mu.Lock()
		s := p.server
		p.mu.Unlock()
		if s == nil {
			os.Exit(0)
		}
		t := time.AfterFunc(drainLimit, s.Stop)
		defer t.Stop()
		s.GracefulStop()
	})
}
