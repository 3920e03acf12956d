package zebra

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/godmvpn/godmvpn/lib/plugin"
	librib "github.com/godmvpn/godmvpn/lib/rib"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
	"github.com/godmvpn/godmvpn/zebra/probe"
)

// probe runs ping and traceroute in zebra's own network namespace.
func (r *router) probe(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	a := cmd.Args
	var all []librib.Interface
	if err := r.engine.Do(ctx, func() { all = r.engine.Interfaces().Interfaces() }); err != nil {
		return err
	}
	request := probe.Request{VRF: a.String("vrf"), Target: a.String("target"), Source: a.String("source")}
	path, err := probe.Resolve(ctx, request, all, net.DefaultResolver)
	if err != nil {
		return err
	}
	timeout := func(def time.Duration) time.Duration {
		return time.Duration(a.UintOr("seconds", uint64(def/time.Second))) * time.Second
	}
	if cmd.ID == zcli.ExecTraceroute {
		return probe.Traceroute(ctx, probe.TraceOptions{Path: path, Probes: int(a.UintOr("probes", probe.DefaultProbes)),
			Hops: int(a.UintOr("hops", probe.DefaultHops)), Timeout: timeout(probe.DefaultTraceWait)}, out, cmd.JSON)
	}
	return probe.Ping(ctx, probe.PingOptions{Path: path, Count: int(a.UintOr("count", probe.DefaultCount)),
		Size: int(a.UintOr("bytes", probe.DefaultSize)), Timeout: timeout(probe.DefaultTimeout), DF: a.Has("df-bit")}, out, cmd.JSON)
}
