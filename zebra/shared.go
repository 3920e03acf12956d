package zebra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
)

// sharedWithin is how long one contributor may take over its part of a shared
// command, and maxPart how many bytes its part may have.
const (
	sharedWithin = 5 * time.Second
	maxPart      = 8 << 20
)

// part is what one contributor says to a shared command.
type part struct {
	owner string
	text  bytes.Buffer
	fault string // why it did not say all, for people; "" if it did
}

// execShared runs a command on all who contribute it and run, at the same time, and
// joins what they say in their order. Trouble with one of them is part of the
// output and costs nothing of the others'.
func (r *router) execShared(ctx context.Context, owners []string, cmd plugin.Command, out io.Writer) error {
	owners = r.daemons.wanted(owners)
	parts := make([]part, len(owners))
	var all sync.WaitGroup
	for i, owner := range owners {
		parts[i].owner = owner
		all.Go(func() { r.contribute(ctx, &parts[i], cmd) })
	}
	all.Wait()
	if err := ctx.Err(); err != nil { // nobody waits for an answer any more
		return err
	}
	if cmd.JSON {
		return cli.WriteJSON(out, joinJSON(parts))
	}
	_, err := out.Write(joinText(parts))
	return err
}

// contribute runs a command on one contributor.
func (r *router) contribute(ctx context.Context, p *part, cmd plugin.Command) {
	ctx, cancel := context.WithTimeout(ctx, sharedWithin)
	defer cancel()
	switch err := r.execOn(ctx, p.owner, cmd, &limited{&p.text}); {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		p.fault = p.owner + " does not answer"
	case errors.Is(err, errNotRunning), errors.Is(err, plugin.ErrGone), errors.Is(err, context.Canceled):
		p.fault = p.owner + " is not running"
	default:
		p.fault = p.owner + ": " + err.Error()
	}
}

// limited is a buffer that takes maxPart bytes.
type limited struct{ b *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.b.Len()+len(p) > maxPart {
		return 0, errors.New("the answer is too long")
	}
	return l.b.Write(p)
}

// joinText puts an empty line between the parts that are not empty.
func joinText(parts []part) []byte {
	var out []byte
	for _, p := range parts {
		text := p.text.Bytes()
		if len(text) > 0 && text[len(text)-1] != '\n' {
			text = append(text, '\n')
		}
		if p.fault != "" {
			text = fmt.Appendf(text, "%% %s\n", p.fault)
		}
		if len(out) > 0 && len(text) > 0 {
			out = append(out, '\n')
		}
		out = append(out, text...)
	}
	return out
}

// keyErrors is where joined JSON has the faults by contributor.
const keyErrors = "errors"

// joinJSON merges the objects of the parts. Whoever failed, or says something that
// cannot be merged, is below "errors" only.
func joinJSON(parts []part) map[string]json.RawMessage {
	whole, faults := map[string]json.RawMessage{}, map[string]string{}
	for _, p := range parts {
		fault := p.fault
		if fault == "" {
			next, err := addJSON(whole, p.text.Bytes())
			if whole = next; err != nil {
				fault = fmt.Sprintf("%s: %v", p.owner, err)
			}
		}
		if fault != "" {
			faults[p.owner] = fault
		}
	}
	if len(faults) > 0 {
		whole[keyErrors], _ = json.Marshal(faults) // strings
	}
	return whole
}

// addJSON returns the object whole with another one merged into it, or whole itself
// and an error.
func addJSON(whole map[string]json.RawMessage, text []byte) (map[string]json.RawMessage, error) {
	var more map[string]json.RawMessage
	if err := json.Unmarshal(text, &more); err != nil || more == nil {
		return whole, errors.New("the answer is no JSON object")
	}
	if _, taken := more[keyErrors]; taken {
		return whole, fmt.Errorf("the answer has the key %q", keyErrors)
	}
	merged, err := mergeObjects(whole, more)
	if err != nil {
		return whole, err
	}
	return merged, nil
}

func mergeObjects(a, b map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	out := maps.Clone(a)
	for _, key := range slices.Sorted(maps.Keys(b)) {
		old, both := out[key]
		if !both {
			out[key] = b[key]
			continue
		}
		merged, err := mergeValues(old, b[key])
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", key, err)
		}
		out[key] = merged
	}
	return out, nil
}

// mergeValues joins two lists or two objects; of other values there can be only one.
func mergeValues(a, b json.RawMessage) (json.RawMessage, error) {
	var lists [2][]json.RawMessage
	if json.Unmarshal(a, &lists[0]) == nil && json.Unmarshal(b, &lists[1]) == nil && lists[0] != nil && lists[1] != nil {
		return json.Marshal(append(lists[0], lists[1]...))
	}
	var objects [2]map[string]json.RawMessage
	if json.Unmarshal(a, &objects[0]) == nil && json.Unmarshal(b, &objects[1]) == nil && objects[0] != nil && objects[1] != nil {
		merged, err := mergeObjects(objects[0], objects[1])
		if err != nil {
			return nil, err
		}
		return json.Marshal(merged)
	}
	return nil, errors.New("another daemon has answered it already")
}
