// Package client is the shell's connection to zebra: gRPC over the control
// socket in zebra's run directory.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/user"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/pb"
	"github.com/godmvpn/godmvpn/vtysh/shell"
)

// SocketName is the name of zebra's control socket in its run directory.
const SocketName = "zebra.vty"

// maxMessage bounds a message from zebra.
const maxMessage = conf.MaxText + 1<<20

// Client implements shell.Backend. Its calls may overlap.
type Client struct {
	conn *grpc.ClientConn
	api  pb.ControlClient
	user string

	grammar  *cli.Grammar
	revision uint64 // of grammar
}

// Dial connects to the zebra of a run directory.
func Dial(rundir string) (*Client, error) {
	socket, err := filepath.Abs(filepath.Join(rundir, SocketName))
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, api: pb.NewControlClient(conn)}
	if u, err := user.Current(); err == nil {
		c.user = u.Username
	}
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// plain turns an error of gRPC into one for people.
func (c *Client) plain(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch s.Code() {
	case codes.Unavailable:
		return errors.New("zebra does not answer: it does not run, its run directory is another one (--rundir), or you may not open its socket")
	case codes.Canceled:
		return context.Canceled
	}
	return errors.New(s.Message())
}

// Refresh implements shell.Backend.
func (c *Client) Refresh(ctx context.Context) (shell.State, error) {
	hello, err := c.api.Hello(ctx, &pb.ControlHelloRequest{})
	if err != nil {
		return shell.State{}, c.plain(err)
	}
	if c.grammar == nil || hello.GrammarRevision != c.revision {
		if err := c.fetch(ctx); err != nil {
			return shell.State{}, err
		}
	}
	return shell.State{Hostname: hello.Hostname, Grammar: c.grammar}, nil
}

func (c *Client) fetch(ctx context.Context) error {
	reply, err := c.api.Grammar(ctx, &pb.ControlGrammarRequest{})
	if err != nil {
		return c.plain(err)
	}
	var trees []cli.Owned
	for _, t := range reply.Trees {
		owned := cli.Owned{Owner: t.Owner}
		if err := json.Unmarshal(t.Tree, &owned.Tree); err != nil {
			return fmt.Errorf("zebra's grammar of %s is not readable: %w", t.Owner, err)
		}
		trees = append(trees, owned)
	}
	g, err := cli.Merge(trees...)
	if err != nil {
		return fmt.Errorf("zebra's grammar does not fit together: %w", err)
	}
	c.grammar, c.revision = g, reply.Revision
	return nil
}

// Exec implements shell.Backend.
func (c *Client) Exec(ctx context.Context, line string, asJSON bool, out io.Writer) error {
	stream, err := c.api.Exec(ctx, &pb.ControlExecRequest{Line: line, Json: asJSON, Privileged: true, User: c.user})
	if err != nil {
		return c.plain(err)
	}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return c.plain(err)
		}
		if _, err := out.Write(chunk.Data); err != nil {
			return err
		}
	}
}

// Apply implements shell.Backend.
func (c *Client) Apply(ctx context.Context, path []string, line string) error {
	reply, err := c.api.Apply(ctx, &pb.ApplyRequest{Path: path, Line: line, User: c.user})
	if err != nil {
		return c.plain(err)
	}
	var errs []error
	for _, e := range reply.Errors {
		errs = append(errs, &cli.Error{Kind: cli.ErrRefused, Line: e.Text, Column: int(e.Column), Msg: e.Message})
	}
	return errors.Join(errs...)
}

// monitored is the level from which log messages are shown on a terminal.
const monitored = slog.LevelDebug

// Monitor implements shell.Backend.
func (c *Client) Monitor(ctx context.Context, out io.Writer) error {
	stream, err := c.api.Logs(ctx, &pb.LogsRequest{Level: int32(monitored), Follow: true})
	if err != nil {
		return c.plain(err)
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return c.plain(err)
		}
		at := time.Unix(0, r.TimeNs).Format("Jan _2 15:04:05.000")
		if _, err := fmt.Fprintf(out, "*%s: %s\n", at, r.Message); err != nil {
			return err
		}
	}
}
