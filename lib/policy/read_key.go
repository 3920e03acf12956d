package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// maxSecret is the longest key-string, in bytes, as on IOS.
const maxSecret = 80

// keyChain reads a key chain. Keys that have no secret yet are left out.
func (r *reader) keyChain(n *conf.Node) {
	c := &KeyChain{Name: n.Args.String("name")}
	r.set.chains[c.Name] = c
	r.inside(n, func(line *conf.Node) {
		if line.ID != cmdKey {
			return
		}
		k := Key{ID: uint32(line.Args.Uint("id"))}
		r.inside(line, func(l *conf.Node) { r.keyLine(&k, l) })
		if k.Secret.text != nil {
			c.Keys = append(c.Keys, k)
		}
	})
	slices.SortFunc(c.Keys, func(a, b Key) int { return cmp.Compare(a.ID, b.ID) })
}

func (r *reader) keyLine(k *Key, n *conf.Node) {
	var err error
	switch n.ID {
	case cmdKeyString:
		var wrong string
		if k.Secret, wrong = ReadSecret(n.Args, maxSecret); wrong != "" {
			r.refuse(n, "%s", wrong)
		}
	case cmdAccept:
		k.Accept, err = readLifetime(n.Args)
	case cmdSend:
		k.Send, err = readLifetime(n.Args)
	case cmdAlgorithm:
		k.Algorithm = Algorithm(max(slices.Index(algorithmNames[:], n.Args.String("algorithm")), 0))
	}
	if err != nil {
		r.refuse(n, "%v", err)
	}
}

// readLifetime reads accept-lifetime and send-lifetime.
func readLifetime(a cli.Args) (Lifetime, error) {
	var l Lifetime
	var err error
	if l.Start, err = readTime(a.String("start"), a.String("month"), a.Uint("day"), a.Uint("year")); err != nil {
		return Lifetime{}, err
	}
	switch {
	case a.Has("seconds"):
		l.End = l.Start.Add(time.Duration(a.Uint("seconds")) * time.Second)
	case a.Has("end"):
		if l.End, err = readTime(a.String("end"), a.String("endmonth"), a.Uint("endday"), a.Uint("endyear")); err != nil {
			return Lifetime{}, err
		}
		if !l.End.After(l.Start) {
			return Lifetime{}, errors.New("the lifetime ends before it begins")
		}
	}
	return l, nil
}

// readTime reads "hh:mm:ss", a month that may be cut short, day and year, in UTC.
func readTime(clock, month string, day, year uint64) (time.Time, error) {
	c, err := time.Parse("15:04:05", clock)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time of day: hh:mm:ss", clock)
	}
	m := time.Month(0)
	for i := time.January; i <= time.December && len(month) >= 3; i++ {
		if len(month) <= len(i.String()) && strings.EqualFold(i.String()[:len(month)], month) {
			m = i
		}
	}
	if m == 0 {
		return time.Time{}, fmt.Errorf("%q is no month", month)
	}
	t := time.Date(int(year), m, int(day), c.Hour(), c.Minute(), c.Second(), 0, time.UTC)
	if t.Day() != int(day) {
		return time.Time{}, fmt.Errorf("%s %d has no day %d", m, year, day)
	}
	return t, nil
}
