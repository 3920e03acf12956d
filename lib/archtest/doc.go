// Package archtest keeps the architecture true: it reads the sources of the
// module, import by import and statement by statement, and says what breaks the
// rules of ARCHITECTURE.md, and why the rule is there.
//
// Load parses a module without building it, so that files of all platforms are
// seen. Each Rule looks at the parsed Module and returns Violations. The test of
// this package runs Rules over the whole repository, and proves by the small
// modules in testdata that each of them can fail.
//
// Tests are held to fewer rules than the code they test: they may use clocks,
// goroutines and the kernel, and may be long.
package archtest
