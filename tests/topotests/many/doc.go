// Package many runs a hub with fifty spokes, each three processes in a network namespace
// of its own, in one kernel.
package many
