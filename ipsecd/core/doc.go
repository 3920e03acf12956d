// Package core decides what an IKEv2 peer does (RFC 7296): IKE SAs and child SAs, for
// tunnels that are to be protected. The cryptography is behind ipsecd/suite.
//
// # Structures
//
//	tunnel    an interface with `tunnel protection` whose source is known
//	peer      another end of it that is to be secured, or is; by our address and its, or
//	          its alias
//	ikeSA     one IKE SA: keys, at most one request of ours that is not answered, a queue
//	          of those to come, the last answer that we gave
//	child     a pair of ESP SAs, which belongs to an IKE SA and to a peer
//
// Tunnels with the same source share peers, IKE SAs and child SAs. A peer is there as long
// as nhrpd wants it (Secure), a packet asked for it a short while ago (Acquire), or a
// child SA with it exists. While a peer is wanted and has no child SA, it is negotiated
// with, and tried again ever more slowly, every maxTry at last: by the IKE SA that there is,
// if its child SA was refused, or by another one.
//
// # An IKE SA
//
//	initiator                              responder
//	InitSent ──── IKE_SA_INIT ───────────▶ (cookie, wrong group: no state)
//	   │  ◀──────────────────────────────  InitAnswered
//	Intermediate ── IKE_INTERMEDIATE ────▶ Intermediate        for each additional exchange
//	   │  ◀──────────────────────────────
//	AuthSent ────── IKE_AUTH ────────────▶ Ready
//	Ready ◀──────────────────────────────
//	   │                                      │
//	Rekeyed   another has taken its children  Rekeyed
//	Deleting ───── DELETE ───────────────▶   gone
//	gone  ◀──────────────────────────────
//
// Requests of ours are tasks: what they say is decided when they are sent, since by then
// the world may be another. The table requests says which exchanges of the peer have a
// place in which state; all others are dropped and counted.
//
// # What is believed
//
// Until IKE_AUTH has been verified nothing that arrives ends an IKE SA or changes another:
// errors in an answer to IKE_SA_INIT are noted as the reason should no other answer come,
// and what cannot be opened is dropped. COOKIE and INVALID_KE_PAYLOAD are followed a few
// times, the latter to groups that are configured only. A request that was answered is
// answered again with the same octets, if it is authentic, or for IKE_SA_INIT the very
// same datagram.
//
// A stranger gets no more octets than it sent until it has shown by a cookie that it is
// where it says, and cannot use up what others need: cookies are wanted before the number
// of half-open IKE SAs is used up, and each address then has its share of them.
//
// # Who the peer is
//
// Its identity says which profile is its own, by `match identity remote`; the profile says
// by which methods it may authenticate itself. Only then its AUTH payload is looked at. A
// certificate (RFC 7296 section 3.6) must have the identity in it, as an alternative name or
// as its subject; the key of it must have signed; and one of the trust points of the profile
// must believe it: by a chain up to one of its authorities, in force at the time of day
// (WallClock), and with `revocation-check crl` by a CRL of each issuer that is in force too.
// The authorities of the system are nobody's, common names and wildcards are no identities,
// keys and hashes that are weak are refused (RFC 8247), and what a certificate names to be
// fetched from elsewhere is not looked at. Signatures are those of RFC 7427, for peers that
// announce it; for others those of RFC 4754, and of RSA with SHA-2, never SHA-1.
//
// That a certificate expires or is revoked ends no IKE SA that is established, but nothing
// takes its place: the peer is then authenticated anew, or the IKE SA ends with its
// lifetime.
//
// # Policies
//
// That GRE of a protected tunnel passes as ESP only is zebra's concern, and holds without
// this daemon. There are no policies for single peers: SAs are found by their addresses.
//
// # Behind a NAT
//
// Ports change from 500 to 4500, ESP goes in UDP, and follows the peer to other ports. GRE
// has none: of several peers behind one address the first one is known by that, each of the
// others by an alias (docs/decisions/peers-behind-one-nat.md):
//
//	        ESP in UDP, N:4501           GRE from A
//	peer ─────────────────────────▶ SA ───────────────▶ tunnel, nhrpd
//	     ◀───────────────────────── SA ◀───────────────
//	        ESP in UDP, N:4501           GRE to A, by a policy of its own
//
// The peer notices nothing. Its alias follows from our address, N and its identity; when it
// comes again it has the same one. nhrpd knows it by the alias; IKE never sends there, so
// who has one has to begin. Without an alias (IPv6, or too many) a peer beside another
// gets TS_UNACCEPTABLE until that is gone.
//
// # Replacing
//
// A child SA is replaced before its lifetime is over, or when the kernel says so; an IKE SA
// too; by an end that still wants the peer. What nobody wants ends with its lifetime. If both ends do so at once there are two new ones for a moment, and that of the
// exchange with the lowest nonce is deleted by who began it (RFC 7296 sections 2.8.1 and
// 2.8.2). Who asks for what cannot be now is told TEMPORARY_FAILURE, and asks again a little
// later (section 2.25). The responder of an exchange sends by a new child SA once the old
// one is deleted, so that each end always has what the other sends by.
//
// With additional key exchanges a CREATE_CHILD_SA makes nothing yet: IKE_FOLLOWUP_KE follow,
// one for each, and the SA comes with the last (RFC 9370 section 2.2.4). The responder keeps
// what there is until then for followWait, for a few at a time. If both ends begin at once,
// who has the lowest nonce goes no further; who comes too late for that is told
// TEMPORARY_FAILURE.
//
// An IKE SA that CREATE_CHILD_SA cannot replace, since the peer refuses or its certificate
// is not believed any more, is authenticated anew: another one is begun, with a child SA of its own, and the old one deleted a little
// later (make before break, RFC 7296 section 2.8.3). If that fails it is tried again; the
// old one stays until its lifetime is over.
//
// # Another life
//
// When this daemon dies its SAs go on in the kernel. The next life is told of them, keeps
// those that a tunnel is for (leftovers), and calls their peers secured at once. It knows no
// keys of them and has no IKE SA: peers that are wanted are negotiated with anew, not all
// at the same time, others when they come. Until it is known what there is nothing is
// begun.
//
//	restarted                                peer
//	sends and takes by the leftovers         by its child SA, of an IKE SA that is dead
//	IKE_SA_INIT, IKE_AUTH without INITIAL_CONTACT ──▶ takes by the new SA too
//	sends by the new one                     asks whether the old IKE SA is alive
//	                                         sends by the new one after outboundWait, or
//	                                         when it has found that the old one is dead
//	the leftovers go after leaveAfter
//
// A peer that cannot be negotiated with may be dead: its leftovers go orphanLife after the
// first negotiation that came to nothing.
//
// The responder waits because the initiator can take packets only once it has the answer;
// that is so whenever GRE passed before, and where both ends began at once as soon as this
// one has its own answer. INITIAL_CONTACT is not said while there are
// leftovers: our own peer, and strongSwan unless it has `unique = never`, would end the old
// SAs at once, when nothing has taken their place. Without it strongSwan keeps both IKE SAs
// (`no`, `never`), or lets the old one go ten seconds later (`replace`). A peer that wants
// no second one (`keep`) refuses; then it is said. A strongSwan that is the responder sends
// by the new SA at once: what it sends between its answer and our taking it is lost, which
// nobody but it can change.
//
// The other end: what is sent by an IKE SA that nobody knows any more is answered by
// INVALID_IKE_SPI, in clear, limited in rate. To who receives that it is a hint and no
// more: it asks at once whether the peer is alive, every hintEvery at most, and gives the
// IKE SA up after hintTries. Its child SAs then go on as leftovers for orphanLife, for their
// other end seems to be there, and a new IKE SA is negotiated. When an IKE SA without a hint
// gets no answer, its child SAs end with it; the peer is lost if there are no others.
//
// # Not here
//
// EAP, configuration payloads, IP compression,
// MOBIKE, redirection; tunnel mode. INVALID_SPI is neither sent nor looked at, nor is
// AUTH_LIFETIME (RFC 4478).
package core
