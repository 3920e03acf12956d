package core_test

import (
	"math/rand/v2"
	"time"
)

// What befalls a network. Each act is done at once; what the routers cannot see,
// such as a cut in the middle of a wire, they are not told.

// partition brings the links in line with what is apart.
func (n *simNet) partition() {
	for k, on := range n.simState.links {
		l := n.wires[k]
		l.Heal()
		for place, r := range on {
			if side := n.side[r]*64 + n.apart[k][r]; side != 0 {
				l.Partition(side, n.routers[r].portOn(k, place))
			}
		}
	}
}

func (n *simNet) cutLink(rng *rand.Rand, k int) {
	on := n.simState.links[k]
	switch rng.IntN(4) {
	case 0: // in the middle: nobody sees it
		for place, r := range on {
			n.apart[k][r] = place
		}
	case 1: // a LAN falls into two
		for _, r := range on {
			n.apart[k][r] = rng.IntN(2)
		}
	case 2: // one end
		n.switchOff(k, on[rng.IntN(len(on))])
	case 3: // all ends
		for _, r := range on {
			n.switchOff(k, r)
		}
	}
	n.partition()
}

func (n *simNet) switchOff(k, router int) {
	n.off[k][router] = true
	n.relink(k, router)
}

// relink tells a router of an interface's state.
func (n *simNet) relink(k, router int) {
	r := n.routers[router]
	for _, p := range r.ports {
		if p.link == k {
			r.link(p)
		}
	}
}

func (n *simNet) mendLink(k int) {
	clear(n.apart[k])
	for _, r := range n.simState.links[k] {
		if n.off[k][r] {
			delete(n.off[k], r)
			n.relink(k, r)
		}
	}
	n.partition()
}

// crash ends a whole router; its forwarding table goes with it.
func (n *simNet) crash(router int) {
	n.simState.dead[router] = true
	r := n.routers[router]
	r.node.Crash()
	for k := range r.rib {
		r.rib[k] = simRoute{}
	}
}

func (n *simNet) revive(router int) {
	n.simState.dead[router] = false
	n.routers[router].boot()
}

// restartDaemon ends a daemon, and starts it again after a while; forwarding goes
// on meanwhile.
func (n *simNet) restartDaemon(router int, after time.Duration) {
	r := n.routers[router]
	life := r.life
	r.node.Crash()
	n.After(after, func() {
		if !n.simState.dead[router] && r.life == life {
			r.boot()
		}
	})
}

// split puts a part of the network on a side of its own: who is near to a router.
func (n *simNet) split(router, size int) {
	clear(n.side)
	queue, seen := []int{router}, map[int]bool{router: true}
	for len(queue) > 0 && size > 0 {
		r := queue[0]
		queue, size = queue[1:], size-1
		n.side[r] = 1
		for _, h := range n.intact.near[r] {
			if !seen[h.router] {
				seen[h.router] = true
				queue = append(queue, h.router)
			}
		}
	}
	n.partition()
}

func (n *simNet) heal() {
	clear(n.side)
	n.partition()
}

// befall does something at random. Somewhat more is broken than mended.
func (n *simNet) befall(rng *rand.Rand) {
	router := rng.IntN(n.simState.routers)
	link := rng.IntN(len(n.simState.links))
	alive := !n.simState.dead[router] && n.routers[router].node.Alive()
	switch x := rng.IntN(100); {
	case x < 35:
		if !n.broken(link) {
			n.cutLink(rng, link)
		}
	case x < 60:
		for k := range n.simState.links { // the next that is broken
			if k = (k + link) % len(n.simState.links); n.broken(k) {
				n.mendLink(k)
				break
			}
		}
	case x < 70:
		if alive {
			n.crash(router)
		}
	case x < 80:
		for k := range n.simState.routers {
			if k = (k + router) % n.simState.routers; n.simState.dead[k] {
				n.revive(k)
				break
			}
		}
	case x < 88:
		if alive {
			n.restartDaemon(router, time.Duration(1+rng.IntN(20))*time.Second)
		}
	case x < 96:
		n.stubOff[router] = !n.stubOff[router]
		n.routers[router].stub()
	default:
		if n.side[router] == 0 {
			n.split(router, n.simState.routers/8+rng.IntN(n.simState.routers/4))
		} else {
			n.heal()
		}
	}
}
