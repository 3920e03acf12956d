package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/pb"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Register adds the service of a daemon to a gRPC server.
func Register(r grpc.ServiceRegistrar, d Daemon) { pb.RegisterDaemonServer(r, &server{daemon: d}) }

// server answers zebra's calls with a Daemon.
type server struct {
	pb.UnimplementedDaemonServer
	daemon   Daemon
	greeted  func() // after the first Hello; may be nil
	shutdown func() // after Shutdown was answered; may be nil

	mu      sync.Mutex
	current *serverStream // the attachment, if there is one
}

func (s *server) Hello(ctx context.Context, r *pb.HelloRequest) (*pb.HelloReply, error) {
	id, err := s.daemon.Hello(ctx, Host{Build: r.GetBuild(), SessionVersion: r.GetSessionVersion()})
	if err != nil {
		return nil, asStatus(err)
	}
	if s.greeted != nil {
		s.greeted()
	}
	return &pb.HelloReply{
		Name: id.Name, Build: id.Build, SessionVersion: id.SessionVersion, Capabilities: id.Capabilities,
		Topics: id.Topics, HoldLimitMs: uint64(max(id.HoldLimit.Milliseconds(), 0)), Pid: uint32(id.PID),
	}, nil
}

func (s *server) Grammar(ctx context.Context, _ *pb.GrammarRequest) (*pb.GrammarReply, error) {
	tree, err := s.daemon.Grammar(ctx)
	if err != nil {
		return nil, asStatus(err)
	}
	b, err := json.Marshal(tree)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "grammar: %v", err)
	}
	return &pb.GrammarReply{Tree: b}, nil
}

func (s *server) Configure(ctx context.Context, r *pb.ConfigureRequest) (*pb.ConfigureReply, error) {
	c := Configuration{Revision: r.GetRevision(), Tree: &conf.Tree{}, Phase: Phase(r.GetPhase())}
	if c.Phase != Check && c.Phase != Commit {
		return nil, status.Errorf(codes.InvalidArgument, "phase %d", c.Phase)
	}
	if err := json.Unmarshal(r.GetTree(), c.Tree); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "configuration tree: %v", err)
	}
	if c.Phase == Commit {
		followLogLevel(c.Tree)
	}
	refused, err := s.daemon.Configure(ctx, c)
	if err != nil {
		return nil, asStatus(err)
	}
	reply := &pb.ConfigureReply{}
	for _, e := range refused {
		reply.Errors = append(reply.Errors, &pb.LineError{Path: e.Path, Message: e.Msg})
	}
	return reply, nil
}

func (s *server) Exec(r *pb.ExecRequest, stream grpc.ServerStreamingServer[pb.Output]) error {
	cmd := Command{ID: r.GetId(), No: r.GetNo(), JSON: r.GetJson()}
	if len(r.GetArgs()) > 0 {
		if err := json.Unmarshal(r.GetArgs(), &cmd.Args); err != nil {
			return status.Errorf(codes.InvalidArgument, "arguments: %v", err)
		}
	}
	err := s.daemon.Exec(stream.Context(), cmd, outputWriter{stream})
	if err == nil {
		return nil
	}
	if stream.Context().Err() != nil {
		return asStatus(err)
	}
	return stream.Send(&pb.Output{Error: err.Error()})
}

// outputWriter sends what a command prints in pieces.
type outputWriter struct {
	stream grpc.ServerStreamingServer[pb.Output]
}

// outputPiece is the largest piece of output in one message, in bytes.
const outputPiece = 32 << 10

func (w outputWriter) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		piece := p[n:min(n+outputPiece, len(p))]
		if err := w.stream.Send(&pb.Output{Data: piece}); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return len(p), nil
}

func (s *server) Alive(ctx context.Context, _ *pb.AliveRequest) (*pb.AliveReply, error) {
	return &pb.AliveReply{}, asStatus(s.daemon.Alive(ctx))
}

func (s *server) Shutdown(ctx context.Context, _ *pb.ShutdownRequest) (*pb.ShutdownReply, error) {
	reply := &pb.ShutdownReply{}
	if err := s.daemon.Shutdown(ctx); err != nil {
		reply.Error = err.Error()
	}
	if s.shutdown != nil {
		s.shutdown()
	}
	return reply, nil
}

// Session serves an attachment. A new one takes the place of the old one: its
// zebra is gone, even if that was not noticed here yet.
func (s *server) Session(g grpc.BidiStreamingServer[pb.DownBatch, pb.UpBatch]) error {
	st := &serverStream{grpc: g, closed: make(chan struct{}), ended: make(chan struct{})}
	if err := s.replace(g.Context(), st); err != nil {
		return asStatus(err)
	}
	var err error
	go func() {
		defer close(st.ended)
		defer st.Close()
		err = s.daemon.Session(g.Context(), st)
	}()
	// Only a return from here wakes a Recv or a blocked Send of the daemon.
	select {
	case <-st.ended:
	case <-st.closed:
		return asStatus(st.failure())
	}
	return asStatus(errors.Join(st.failure(), ignoreEnd(err)))
}

// replace makes st the current attachment, once the one before it has ended.
func (s *server) replace(ctx context.Context, st *serverStream) error {
	s.mu.Lock()
	old := s.current
	s.current = st
	s.mu.Unlock()
	if old == nil {
		return nil
	}
	old.Close()
	select {
	case <-old.ended:
		return nil
	case <-ctx.Done():
		go func() { <-old.ended; close(st.ended) }() // the next one still waits for old
		return ctx.Err()
	}
}

// serverStream is a daemon's end of an attachment.
type serverStream struct {
	grpc   grpc.BidiStreamingServer[pb.DownBatch, pb.UpBatch]
	once   sync.Once
	closed chan struct{}
	ended  chan struct{} // Daemon.Session has returned
	mu     sync.Mutex
	err    error // what zebra sent is invalid
}

func (s *serverStream) Send(batch []session.Up) error {
	select {
	case <-s.closed:
		return io.ErrClosedPipe
	default:
		return s.grpc.Send(pb.FromUps(batch))
	}
}

func (s *serverStream) Recv() ([]session.Down, error) {
	m, err := s.grpc.Recv()
	if err != nil {
		return nil, err
	}
	batch, err := pb.ToDowns(m)
	if err != nil {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return batch, err
}

func (s *serverStream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *serverStream) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ignoreEnd drops errors that only say that the attachment is over.
func ignoreEnd(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled {
		return nil
	}
	return err
}

// asStatus makes a gRPC status of an error.
func asStatus(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	case errors.Is(err, session.ErrInvalid):
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return status.Error(codes.Unknown, err.Error())
}
