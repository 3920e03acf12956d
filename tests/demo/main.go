// Demo brings up a DMVPN cloud, a hub and two spokes, on this machine and leaves it
// up for a person to look at:
//
//	demo up             starts it and shows what it does
//	demo shell ROUTER   a vtysh on hub, spoke1 or spoke2
//	demo down           ends it
//
// It is run by make demo, make demo-shell and make demo-down.
package main

import (
	"os"

	"github.com/godmvpn/godmvpn/tests/topotests/demo"
	"github.com/godmvpn/godmvpn/tests/topotests/uml"
)

func main() {
	uml.InitIfRequested()
	os.Exit(demo.Main(os.Args[1:]))
}
