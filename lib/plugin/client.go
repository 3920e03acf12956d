package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/pb"
	"github.com/godmvpn/godmvpn/lib/session"
)

// MaxMessage is the largest gRPC message in bytes that either side takes.
const MaxMessage = 64 << 20

// MaxHoldLimit is the longest Identity.HoldLimit that is believed.
const MaxHoldLimit = 24 * time.Hour

// ErrGone says that the daemon cannot be reached: it died or was replaced.
var ErrGone = errors.New("daemon is gone")

// Client is a Daemon in another process.
type Client struct{ grpc pb.DaemonClient }

var _ Daemon = (*Client)(nil)

// NewClient returns the daemon that is served at the other end of conn.
func NewClient(conn grpc.ClientConnInterface) *Client { return &Client{pb.NewDaemonClient(conn)} }

var nameOK = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// ValidName tells whether a daemon may be called so: a lower-case letter, then
// at most 31 letters, digits and dashes.
func ValidName(name string) bool { return nameOK.MatchString(name) }

// Hello implements Daemon. An identity that makes no sense is an error.
func (c *Client) Hello(ctx context.Context, host Host) (Identity, error) {
	r, err := c.grpc.Hello(ctx, &pb.HelloRequest{Build: host.Build, SessionVersion: host.SessionVersion})
	if err != nil {
		return Identity{}, fromStatus(err)
	}
	id := Identity{
		Name: r.GetName(), Build: r.GetBuild(), SessionVersion: r.GetSessionVersion(),
		Capabilities: r.GetCapabilities(), Topics: r.GetTopics(), PID: int(r.GetPid()),
		HoldLimit: MaxHoldLimit,
	}
	if ms := r.GetHoldLimitMs(); ms < uint64(MaxHoldLimit.Milliseconds()) {
		id.HoldLimit = time.Duration(ms) * time.Millisecond
	}
	if !ValidName(id.Name) || len(id.Build) > session.MaxName || strings.ContainsFunc(id.Build, unicode.IsControl) || len(id.Capabilities) > 256 || len(id.Topics) > 256 {
		return Identity{}, fmt.Errorf("%w: identity of a daemon", session.ErrInvalid)
	}
	return id, nil
}

// Grammar implements Daemon.
func (c *Client) Grammar(ctx context.Context) (cli.Tree, error) {
	r, err := c.grpc.Grammar(ctx, &pb.GrammarRequest{})
	if err != nil {
		return cli.Tree{}, fromStatus(err)
	}
	var tree cli.Tree
	if err := json.Unmarshal(r.GetTree(), &tree); err != nil {
		return cli.Tree{}, fmt.Errorf("%w: grammar: %v", session.ErrInvalid, err)
	}
	return tree, nil
}

// Configure implements Daemon.
func (c *Client) Configure(ctx context.Context, cfg Configuration) ([]LineError, error) {
	tree, err := json.Marshal(cfg.Tree)
	if err != nil {
		return nil, fmt.Errorf("configuration tree: %w", err)
	}
	r, err := c.grpc.Configure(ctx, &pb.ConfigureRequest{Revision: cfg.Revision, Phase: pb.Phase(cfg.Phase), Tree: tree})
	if err != nil {
		return nil, fromStatus(err)
	}
	var refused []LineError
	for _, e := range r.GetErrors() {
		refused = append(refused, LineError{Path: e.GetPath(), Msg: e.GetMessage()})
	}
	return refused, nil
}

// Exec implements Daemon.
func (c *Client) Exec(ctx context.Context, cmd Command, out io.Writer) error {
	args, err := json.Marshal(cmd.Args)
	if err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.grpc.Exec(ctx, &pb.ExecRequest{Id: cmd.ID, Args: args, No: cmd.No, Json: cmd.JSON})
	if err != nil {
		return fromStatus(err)
	}
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fromStatus(err)
		}
		if len(m.GetData()) > 0 {
			if _, err := out.Write(m.GetData()); err != nil {
				return err
			}
		}
		if m.GetError() != "" {
			return errors.New(m.GetError())
		}
	}
}

// Alive implements Daemon.
func (c *Client) Alive(ctx context.Context) error {
	_, err := c.grpc.Alive(ctx, &pb.AliveRequest{})
	return fromStatus(err)
}

// Shutdown implements Daemon.
func (c *Client) Shutdown(ctx context.Context) error {
	r, err := c.grpc.Shutdown(ctx, &pb.ShutdownRequest{})
	if err != nil {
		return fromStatus(err)
	}
	if r.GetError() != "" {
		return errors.New(r.GetError())
	}
	return nil
}

// Session implements Daemon: it opens the session stream and passes batches
// between it and s until either ends. What the daemon sends is validated here:
// an error that wraps session.ErrInvalid means that it broke the protocol.
func (c *Client) Session(ctx context.Context, s session.Stream) error {
	defer s.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	stream, err := c.grpc.Session(ctx)
	if err != nil {
		return fromStatus(err)
	}
	downDone := make(chan struct{})
	go func() {
		defer close(downDone)
		defer cancel() // s was closed, or the daemon is gone
		for {
			batch, err := s.Recv()
			if err != nil || stream.Send(pb.FromDowns(batch)) != nil {
				return
			}
		}
	}()
	err = c.receive(stream, s)
	cancel()
	s.Close()
	<-downDone
	return err
}

// receive passes on what the daemon sends. It returns nil if the attachment was
// ended by either side in order.
func (c *Client) receive(stream grpc.BidiStreamingClient[pb.DownBatch, pb.UpBatch], s session.Stream) error {
	for {
		m, err := stream.Recv()
		if err == io.EOF || status.Code(err) == codes.Canceled {
			return nil
		}
		if err != nil {
			return fromStatus(err)
		}
		batch, err := pb.ToUps(m)
		if err != nil {
			return err
		}
		if err := s.Send(batch); err != nil {
			return nil
		}
	}
}

// fromStatus undoes asStatus.
func fromStatus(err error) error {
	if err == nil {
		return nil
	}
	st := status.Convert(err)
	switch st.Code() {
	case codes.Unavailable:
		return fmt.Errorf("%w: %s", ErrGone, st.Message())
	case codes.DeadlineExceeded:
		return fmt.Errorf("%w: %s", context.DeadlineExceeded, st.Message())
	case codes.Canceled:
		return fmt.Errorf("%w: %s", context.Canceled, st.Message())
	case codes.InvalidArgument:
		return fmt.Errorf("%w: %s", session.ErrInvalid, st.Message())
	}
	return errors.New(st.Message())
}
