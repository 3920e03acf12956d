package telemetry

import (
	"bufio"
	"io"
	"slices"
	"strconv"
	"strings"
)

// MetricsContentType is the Content-Type of what WriteMetrics writes.
const MetricsContentType = "text/plain; version=0.0.4; charset=utf-8"

// Metrics is what one program counts: that of this process, or what another sent.
type Metrics struct {
	Daemon  string // name of the program, the value of the label "daemon"
	Descs   []Desc
	Samples []Sample
}

// WriteMetrics writes samples in Prometheus' text exposition format, version
// 0.0.4: counters as godmvpn_NAME_total, gauges as godmvpn_NAME. Where programs
// declare the same name, the first one's declaration counts. Samples that are
// not declared, or there twice, are left out, so that one program's mistake does
// not spoil the page.
func WriteMetrics(w io.Writer, programs ...Metrics) error {
	descs := map[string]Desc{}
	for _, p := range programs {
		for _, d := range p.Descs {
			if _, ok := descs[d.Name]; !ok && validName(d.Name) && (d.Label == "" || validName(d.Label)) {
				descs[d.Name] = d
			}
		}
	}
	lines := map[string][]string{}
	seen := map[string]bool{}
	for _, p := range programs {
		for _, s := range p.Samples {
			d, ok := descs[s.Name]
			line := metricName(d) + `{daemon=` + quote(p.Daemon)
			if d.Label != "" {
				line += "," + d.Label + "=" + quote(s.Label)
			}
			if line += "} "; !ok || seen[line] || d.Label == "" && s.Label != "" {
				continue
			}
			seen[line] = true
			lines[s.Name] = append(lines[s.Name], line+strconv.FormatUint(s.Value, 10)+"\n")
		}
	}
	return writeLines(w, descs, lines)
}

func writeLines(w io.Writer, descs map[string]Desc, lines map[string][]string) error {
	var names []string
	for name := range lines {
		names = append(names, name)
	}
	slices.Sort(names)
	out := bufio.NewWriter(w)
	for _, name := range names {
		d, kind := descs[name], "counter"
		if d.Gauge {
			kind = "gauge"
		}
		help := strings.NewReplacer("\\", `\\`, "\n", `\n`).Replace(d.Help)
		out.WriteString("# HELP " + metricName(d) + " " + help + "\n")
		out.WriteString("# TYPE " + metricName(d) + " " + kind + "\n")
		slices.Sort(lines[name])
		for _, line := range lines[name] {
			out.WriteString(line)
		}
	}
	return out.Flush()
}

func metricName(d Desc) string {
	if d.Gauge {
		return "godmvpn_" + d.Name
	}
	return "godmvpn_" + d.Name + "_total"
}

// quote quotes a label value as the format wants it.
func quote(s string) string {
	s = strings.ToValidUTF8(s, "?")
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
