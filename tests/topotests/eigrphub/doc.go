// Package eigrphub tests EIGRP at the hubs of a DMVPN cloud: two hubs that tell several
// next hops of a network (`add-paths`).
package eigrphub
