package policy

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
		k.Secret, err = readSecret(n.Args)
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

// readSecret reads a key-string. Its errors do not show it.
func readSecret(a cli.Args) (Secret, error) {
	text := a.String("secret")
	if a.String("type") == "7" {
		plain, ok := decodeType7(text)
		if !ok {
			return Secret{}, errors.New("the key is not in Cisco's type 7")
		}
		text = plain
	}
	if len(text) > maxSecret {
		return Secret{}, fmt.Errorf("the key is longer than %d characters", maxSecret)
	}
	return NewSecret(text), nil
}

// type7 is the constant text that Cisco's type 7 combines with a secret.
const type7 = "dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87"

// DecodeType7 reads a secret in Cisco's type 7; ok is false if it is not in it.
func DecodeType7(text string) (s Secret, ok bool) {
	plain, ok := decodeType7(text)
	if !ok {
		return Secret{}, false
	}
	return NewSecret(plain), true
}

// decodeType7 reads Cisco's type 7: two decimal digits say where in the constant
// to begin, then each byte, in hexadecimal, is the exclusive or of the secret's
// and the constant's, which repeats. It hides a secret from a glance only.
func decodeType7(text string) (string, bool) {
	if len(text) < 4 {
		return "", false
	}
	at, err := strconv.ParseUint(text[:2], 10, 8)
	b, err2 := hex.DecodeString(text[2:])
	if err != nil || err2 != nil || at >= uint64(len(type7)) {
		return "", false
	}
	for i := range b {
		b[i] ^= type7[(int(at)+i)%len(type7)]
		if b[i] < ' ' || b[i] > '~' {
			return "", false
		}
	}
	return string(b), true
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
