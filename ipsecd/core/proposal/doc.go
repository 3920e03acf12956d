// Package proposal settles which algorithms two ends use: it writes what an initiator
// offers, chooses from an offer what a responder accepts, and checks what the initiator
// gets back (RFC 7296 sections 2.7, 3.3 and 3.3.6, RFC 9370 section 2.2.1). Everything is
// a pure function.
//
//	initiator                                responder
//	OfferIKE(policy)  ── SA payload ──▶      ChooseIKE(offer, policy)
//	Accept(offer, answer)  ◀── SA payload ── Choice.Answer
//
// An IKE is one `crypto ikev2 proposal`, an ESP one `crypto ipsec transform-set` with
// its profile's PFS: lists of what may be used, the best first. A policy is several.
//
// # Who decides
//
// Of several proposals in an offer the first that fits any of the policy is taken, since
// the initiator has put them in its order; within that, the responder's order counts.
// There is one exception: if the group of the KE payload is one of those that fit, it is
// taken, since another one costs a round trip. If it is not, the answer is *WrongGroup.
//
// # What fits
//
// A proposal is passed over if it has a transform type that is not known, lacks one that
// its protocol needs, or has an SPI of another length than this exchange has. A
// transform is passed over if its ID is not known or it has an attribute that is not. A
// type that is offered has to be answered by one of its transforms; integrity may be
// missing, or NONE, beside an AEAD cipher only (RFC 7296 section 3.3). Key exchanges may
// not use the same method twice (RFC 9370 section 2.2.1), and additional ones are only
// used in IKE_SA_INIT where both ends support IKE_INTERMEDIATE. A peer that does not know
// their types passes over a proposal that has them: where they are optional, the same one
// follows without.
//
// In IKE_AUTH there is no key exchange for the child SA: groups of such an offer are
// ignored (RFC 7296 section 1.2). A transform set without PFS accepts any group that the
// peer wants in CREATE_CHILD_SA, as IOS does.
//
// # Not here
//
// Which policy belongs to a peer, and the round trips that follow from an answer: the
// core's. ESP's protocol AH is not supported.
package proposal
