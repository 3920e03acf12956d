//go:build cgo

package privilege_test

const cgo = true
