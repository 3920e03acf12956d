// Package ospfpeers has routers of this suite, of FRRouting and of BIRD that speak OSPF, for
// tests in which they meet: the same acts and questions for all three, and their
// configurations in small pieces. The tests need Debian's packages frr (seen with 8.4.4),
// bird2 (seen with 2.0.12) and tshark.
package ospfpeers
