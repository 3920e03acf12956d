package dual

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
)

// world is a router under a script:
//
//	up 1 on=1 cost=2 [stub]      neighbour 1 is up on interface 1
//	down 1; cost 1 7             it is gone; its link costs 7
//	rx 1 update 10.0.0.0/8 5     it says so; inf is unreachable, active the flag of SIA-REPLY
//	own 10.0.0.0/8 3 [source=1] [external]; gone 10.0.0.0/8 [source=1]
//	interface 1 [no-split-horizon]
//	config [paths=4] [variance=2] [active=3m]
//	advance 90s; show
type world struct {
	*scripttest.Stage[Input, Effect]
	r *router
}

func birth(testing.TB) scripttest.World {
	w := &world{r: newRouter(Config{})}
	w.Stage = &scripttest.Stage[Input, Effect]{Machine: w.r, Tick: Tick{}, Effect: func(e Effect) { w.Printf("%s", print(e)) }}
	return w
}

func TestScripts(t *testing.T)      { scripttest.Run(t, birth) }
func TestScriptsTwice(t *testing.T) { scripttest.Repeat(t, 2, birth) }
func TestScriptsCite(t *testing.T)  { scripttest.Cite(t, "RFC ") }

var kindWords = map[string]Kind{"update": Update, "query": Query, "reply": Reply, "sia-query": SIAQuery, "sia-reply": SIAReply, "nonsense": 99}

func (w *world) Command(line string) {
	a := scripttest.ParseArgs(line)
	switch a.Words[0] {
	case "up":
		id := neighborWord(a.Word(1))
		w.r.arithmetic.cost[id] = Distance(a.Number("cost", 1))
		w.Step(NeighborUp{id, InterfaceID(a.Number("on", int(id))), a.Has("stub")})
	case "down":
		w.Step(NeighborDown{neighborWord(a.Word(1))})
	case "cost":
		id := neighborWord(a.Word(1))
		w.r.arithmetic.cost[id] = Distance(scripttest.Must(strconv.Atoi(a.Word(2))))
		w.Step(LinkChanged{Neighbor: id})
	case "rx":
		m := Message[vector]{Kind: kindWords[a.Word(2)], Prefix: netip.MustParsePrefix(a.Word(3)), Active: a.Has("active")}
		if m.Unreachable = a.Word(4) == "inf"; !m.Unreachable {
			m.Attribute.metric = metricWord(a, 4)
		}
		w.Step(Received[vector]{neighborWord(a.Word(1)), m})
	case "own":
		w.Step(Own[vector]{netip.MustParsePrefix(a.Word(1)), Source(a.Number("source", 0)), vector{metric: metricWord(a, 2)}})
	case "gone":
		w.Step(OwnGone{netip.MustParsePrefix(a.Word(1)), Source(a.Number("source", 0))})
	case "interface":
		w.Step(Interface{InterfaceID(neighborWord(a.Word(1))), a.Has("no-split-horizon")})
	case "config":
		w.Step(Config{a.Number("paths", 0), a.Number("variance", 0), a.Duration("active", 0)})
	case "advance":
		w.Advance(scripttest.Must(time.ParseDuration(a.Word(1))))
	case "show":
		w.show()
	default:
		panic("unknown command: " + line)
	}
}

func neighborWord(s string) NeighborID { return NeighborID(scripttest.Must(strconv.Atoi(s))) }

func metricWord(a scripttest.Args, n int) Distance {
	metric := Distance(scripttest.Must(strconv.Atoi(a.Word(n))))
	if a.Has("external") {
		return External(uint64(metric))
	}
	return metric
}

func (w *world) show() {
	for e := range w.r.Entries() {
		sia := ""
		if e.SIAQueries > 0 {
			sia = fmt.Sprintf(" sia=%d", e.SIAQueries)
		}
		w.Printf("%v %v fd=%s rd=%s used=%d waiting=%v%s", e.Prefix, e.State, printDistance(e.Feasible), printDistance(e.Reported), e.Used, e.Waiting, sia)
		for _, p := range e.Paths {
			w.Printf("  %s", printPath(p))
		}
	}
}
