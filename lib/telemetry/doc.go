// Package telemetry is how a program tells what it does: log and counters.
//
// A Log is where a program's slog.Logger writes: to a file or a descriptor, as
// text or JSON, to a ring of recent records for `show logging`, and to
// subscribers, such as the session to zebra or a terminal monitor. Messages that
// network engineers know have Cisco's form, "%DMVPN-5-CRYPTO_SS: …"; see
// Message. What strangers can cause at will is logged through a Limiter.
//
// Debug holds what a process debugs at the moment, and emits lines of that, which
// no level holds back.
//
// A Registry holds counters and gauges: plain numbers under the names that the
// program declares as constants, taken together in a snapshot. Cores count in
// fields of their own and are asked through a source. WriteMetrics writes them in
// the text format of Prometheus; nothing here listens on a port.
//
// Keys and passwords are never given to a logger.
package telemetry
