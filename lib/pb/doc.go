// Package pb holds the .proto files of the suite, the code generated from them,
// and the conversion between them and the Go values of lib/rib and lib/session.
//
// Daemon is the service of a plugin (see lib/plugin), Control that of zebra for
// vtysh. Encoding never fails for values that session.Check and its relatives
// accept. Decoding trusts nothing: a kind that is unknown, a prefix with host
// bits, a name that is too long is an error that wraps session.ErrInvalid.
//
// Grammars, arguments and configuration trees travel as the JSON of lib/cli and
// lib/conf inside of bytes fields.
package pb

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative rib.proto daemon.proto control.proto
