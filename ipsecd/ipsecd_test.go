package ipsecd_test

import (
	"testing"
	"testing/synctest"
)

// TestSecured: two daemons secure each other over sockets since nhrpd of one wants it, and
// tell zebra and nhrpd.
func TestSecured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secured(t)
	})
}
