package policy

import (
	"fmt"
	"strings"
)

// names lists what the clause refers to.
func names[L any](refs []ref[L]) []string {
	var out []string
	for _, r := range refs {
		out = append(out, r.name)
	}
	return out
}

// texts lists values by their text.
func texts[V any](values []V) []string {
	var out []string
	for _, v := range values {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// String is Cisco's text of a match source-protocol value.
func (p protocol) String() string {
	if p.instance > 0 {
		return fmt.Sprintf("%v %d", p.protocol, p.instance)
	}
	return p.protocol.String()
}

// lines are the match clauses as "show route-map" has them.
func (m *matches) lines() []string {
	out := []string{}
	add := func(head string, values []string) {
		if len(values) > 0 {
			out = append(out, head+" "+strings.Join(values, " "))
		}
	}
	add("ip address (access-lists):", names(m.address))
	add("ip address prefix-lists:", names(m.prefix4))
	add("ipv6 address prefix-lists:", names(m.prefix6))
	add("as-path (as-path filter):", names(m.paths))
	out = append(out, communityLines("community (community-list filter):", m.communities)...)
	out = append(out, communityLines("extcommunity (extcommunity-list filter):", m.extended)...)
	out = append(out, communityLines("large-community (large-community-list filter):", m.large)...)
	add("local-preference", texts(m.prefs))
	add("interface", m.interfaces)
	add("ip next-hop (access-lists):", names(m.nextHop))
	add("ip next-hop prefix-lists:", names(m.nextHopPrefix))
	add("ip route-source (access-lists):", names(m.source))
	add("metric", texts(m.metrics))
	add("source-protocol", texts(m.protocols))
	add("tag", texts(m.tags))
	return out
}

// communityLines are the match clauses about a kind of communities.
func communityLines[C communityValue[C]](head string, refs []communityRef[C]) (out []string) {
	for _, c := range refs {
		line := head + " " + c.name
		if c.exact {
			line += " exact-match"
		}
		out = append(out, line)
	}
	return out
}

// lines are the set clauses as "show route-map" has them.
func (c *changes) lines() []string {
	out := []string{}
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if m := c.metric; m != nil {
		switch v := m.vector; {
		case m.whole:
			add("metric %d %d %d %d %d", v.Bandwidth, v.Delay, v.Reliability, v.Load, v.MTU)
		case m.set:
			add("metric %d", m.value)
		default:
			add("metric %+d", m.value)
		}
	}
	if c.metricType != MetricTypeNone {
		add("metric-type type-%d", c.metricType)
	}
	if c.tag != nil {
		add("tag %d", *c.tag)
	}
	if c.nextHop4.IsValid() {
		add("ip next-hop %v", c.nextHop4)
	}
	if c.nextHop6.IsValid() {
		add("ipv6 next-hop %v", c.nextHop6)
	}
	if c.localPref != nil {
		add("local-preference %d", *c.localPref)
	}
	switch {
	case c.community && len(c.communities) == 0:
		add("community none")
	case c.community && c.additive:
		add("community %s additive", strings.Join(texts(c.communities), " "))
	case c.community:
		add("community %s", strings.Join(texts(c.communities), " "))
	}
	out = append(out, c.extLines()...)
	if c.without != nil {
		add("comm-list %s delete", c.without.name)
	}
	if c.prepend != nil {
		add("as-path prepend %s", strings.Join(texts(c.prepend), " "))
	}
	if c.weight != nil {
		add("weight %d", *c.weight)
	}
	if c.origin != "" {
		add("origin %s", c.origin)
	}
	return out
}

// extLines are those about extended and large communities.
func (c *changes) extLines() (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	more := func(additive bool) string {
		if additive {
			return " additive"
		}
		return ""
	}
	if c.targets != nil {
		add("extcommunity %s%s", strings.Join(texts(c.targets), " "), more(c.moreTargets))
	}
	if c.origins != nil {
		add("extcommunity %s", strings.Join(texts(c.origins), " "))
	}
	if c.withoutExt != nil {
		add("extcomm-list %s delete", c.withoutExt.name)
	}
	switch {
	case c.setLarge && len(c.large) == 0:
		add("large-community none")
	case c.setLarge:
		add("large-community %s%s", strings.Join(texts(c.large), " "), more(c.moreLarge))
	}
	if c.withoutLarge != nil {
		add("large-comm-list %s delete", c.withoutLarge.name)
	}
	return out
}
