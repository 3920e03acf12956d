// Package ipsecdmvpn runs the three labs of package labs as they are, with their lines
// about encryption. What is seen of them is what the provider sees: ESP and IKE, and from
// before the first router starts until the last has ended not one GRE packet, whatever
// is killed. That routing converges and packets arrive is looked at by the metrics that
// IOS has in the same labs and by paths, as without encryption.
package ipsecdmvpn
