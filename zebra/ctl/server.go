package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/pb"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/confstore"
)

// Zebra is what the service needs of zebra beside the configuration.
type Zebra interface {
	Hostname() string
	Ready() bool
	Daemons() []string // those that are attached

	// Exec runs an exec command: on its owner, zebra or a daemon, or, if it is
	// shared, on all its owners. The error is for people.
	Exec(ctx context.Context, of *cli.Command, cmd plugin.Command, out io.Writer) error

	// Logs hands over the last records of that level and above, and then, if
	// follow is set, each new one, until ctx ends or each returns an error.
	Logs(ctx context.Context, level slog.Level, last int, follow bool, each func(session.Log) error) error
}

// Options tell a server what it serves.
type Options struct {
	Store *confstore.Store
	Trees []cli.Owned // what Store's grammar was merged from
	Zebra Zebra
	Build string
	Log   *slog.Logger
}

// Server implements pb.ControlServer.
type Server struct {
	pb.UnimplementedControlServer
	Options
	trees []*pb.OwnedTree
	grpc  *grpc.Server
}

// grammarRevision is the revision of the one grammar that a zebra has.
const grammarRevision = 1

// New returns a server.
func New(o Options) (*Server, error) {
	s := &Server{Options: o}
	for _, t := range o.Trees {
		b, err := json.Marshal(t.Tree)
		if err != nil {
			return nil, err
		}
		s.trees = append(s.trees, &pb.OwnedTree{Owner: t.Owner, Tree: b})
	}
	s.grpc = grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	pb.RegisterControlServer(s.grpc, s)
	return s, nil
}

// maxMessage bounds a message: a whole configuration fits.
const maxMessage = conf.MaxText + 1<<20

// Serve answers on a listener until Stop.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Stop ends all connections at once and closes the listeners.
func (s *Server) Stop() { s.grpc.Stop() }

// Hello implements pb.ControlServer.
func (s *Server) Hello(context.Context, *pb.ControlHelloRequest) (*pb.ControlHelloReply, error) {
	return &pb.ControlHelloReply{Build: s.Build, Hostname: s.Zebra.Hostname(), GrammarRevision: grammarRevision,
		ConfigRevision: s.Store.Revision(), Daemons: s.Zebra.Daemons(), Ready: s.Zebra.Ready()}, nil
}

// Grammar implements pb.ControlServer.
func (s *Server) Grammar(_ context.Context, r *pb.ControlGrammarRequest) (*pb.ControlGrammarReply, error) {
	reply := &pb.ControlGrammarReply{Revision: grammarRevision}
	if r.HaveRevision != grammarRevision {
		reply.Trees = s.trees
	}
	return reply, nil
}

// Apply implements pb.ControlServer.
func (s *Server) Apply(ctx context.Context, r *pb.ApplyRequest) (*pb.ApplyReply, error) {
	path, lineErr := s.Store.Apply(ctx, r.Path, r.Line)
	reply := &pb.ApplyReply{Path: path, Revision: s.Store.Revision()}
	if lineErr != nil {
		reply.Errors = []*pb.ConfigError{{Column: uint32(lineErr.Column), Text: lineErr.Line, Message: lineErr.Msg}}
	}
	return reply, nil
}

// Load implements pb.ControlServer.
func (s *Server) Load(ctx context.Context, r *pb.LoadRequest) (*pb.LoadReply, error) {
	load := s.Store.Merge
	switch {
	case r.CheckOnly:
		load = s.Store.Check
	case r.Mode == pb.LoadMode_LOAD_MODE_REPLACE:
		load = s.Store.Load
	case r.Mode != pb.LoadMode_LOAD_MODE_MERGE:
		return nil, status.Error(codes.InvalidArgument, "no load mode")
	}
	reply := &pb.LoadReply{}
	for _, e := range load(ctx, r.Text, r.Source) {
		reply.Errors = append(reply.Errors, &pb.ConfigError{File: e.File, Line: uint32(e.Line), Column: uint32(e.Column), Text: e.Text, Message: e.Msg})
	}
	reply.Revision = s.Store.Revision()
	return reply, nil
}

// Config implements pb.ControlServer.
func (s *Server) Config(_ context.Context, r *pb.ConfigRequest) (*pb.ConfigReply, error) {
	reply := &pb.ConfigReply{Revision: s.Store.Revision()}
	if r.Which == pb.ConfigWhich_CONFIG_WHICH_STARTUP {
		text, err := s.Store.Startup()
		if err != nil {
			return nil, status.Error(codes.NotFound, err.Error())
		}
		reply.Text = text
		return reply, nil
	}
	reply.Text = s.Store.Section(r.Section).Text()
	return reply, nil
}

// chunk is how much output is sent at once.
const chunk = 32 << 10

// Exec implements pb.ControlServer.
func (s *Server) Exec(r *pb.ControlExecRequest, stream grpc.ServerStreamingServer[pb.Output]) error {
	mode := cli.ModeExec
	if r.Privileged {
		mode = cli.ModeEnable
	}
	m, lineErr := s.Store.Grammar().Parse([]string{mode}, r.Line)
	if lineErr != nil {
		return status.Error(codes.InvalidArgument, lineErr.Msg)
	}
	if m.Command == nil || m.Command.Owner == cli.SessionOwner {
		return status.Error(codes.InvalidArgument, "not a command of the router")
	}
	out := bufio.NewWriterSize(outputWriter{stream}, chunk)
	cmd := plugin.Command{ID: m.Command.ID, Args: m.Args, No: m.No, JSON: r.Json}
	err := s.Zebra.Exec(stream.Context(), m.Command, cmd, flusher{out})
	if flush := out.Flush(); err == nil {
		err = flush
	}
	if err == nil || stream.Context().Err() != nil { // nobody waits for an answer any more
		return nil
	}
	return status.Error(codes.Unknown, err.Error())
}

type outputWriter struct {
	stream grpc.ServerStreamingServer[pb.Output]
}

func (w outputWriter) Write(b []byte) (int, error) {
	return len(b), w.stream.Send(&pb.Output{Data: append([]byte(nil), b...)})
}

// flusher lets a command that prints slowly, such as ping, show what it has.
type flusher struct{ *bufio.Writer }

// Flush sends what was written so far.
func (f flusher) Flush() error { return f.Writer.Flush() }

// Logs implements pb.ControlServer.
func (s *Server) Logs(r *pb.LogsRequest, stream grpc.ServerStreamingServer[pb.LogRecord]) error {
	if len(r.Daemons) > 0 {
		return status.Error(codes.Unimplemented, "records cannot be selected by daemon")
	}
	return s.Zebra.Logs(stream.Context(), slog.Level(r.Level), int(r.Last), r.Follow, func(l session.Log) error {
		return stream.Send(pb.FromLog(l))
	})
}
