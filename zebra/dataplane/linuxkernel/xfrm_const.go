package linuxkernel

// Numbers of the kernel's interface (include/uapi/linux/xfrm.h) that x/sys lacks.
const (
	xfrmNewSA       = 0x10 // XFRM_MSG_NEWSA
	xfrmDelSA       = 0x11
	xfrmGetSA       = 0x12
	xfrmNewPolicy   = 0x13
	xfrmDelPolicy   = 0x14
	xfrmGetPolicy   = 0x15
	xfrmAcquire     = 0x17
	xfrmExpire      = 0x18
	xfrmUpdPolicy   = 0x19 // makes one, or puts it in the place of another
	xfrmUpdSA       = 0x1a
	xfrmFlushSA     = 0x1c
	xfrmFlushPolicy = 0x1d
	xfrmMapping     = 0x26

	// Attributes.
	xfrmaCrypt      = 2  // XFRMA_ALG_CRYPT
	xfrmaEncap      = 4  // XFRMA_ENCAP
	xfrmaTemplate   = 5  // XFRMA_TMPL
	xfrmaSA         = 6  // XFRMA_SA
	xfrmaPolicy     = 7  // XFRMA_POLICY
	xfrmaAEAD       = 18 // XFRMA_ALG_AEAD
	xfrmaAuthTrunc  = 20 // XFRMA_ALG_AUTH_TRUNC
	xfrmaReplayESN  = 23 // XFRMA_REPLAY_ESN_VAL
	xfrmaMappingAge = 32 // XFRMA_MTIMER_THRESH, kernel 5.17

	// Groups of notifications.
	xfrmGroupAcquire = 1 // XFRMNLGRP_ACQUIRE
	xfrmGroupExpire  = 2
	xfrmGroupSA      = 3
	xfrmGroupPolicy  = 4
	xfrmGroupMapping = 8

	xfrmTransport = 0 // XFRM_MODE_TRANSPORT
	xfrmBEET      = 4 // XFRM_MODE_BEET
	xfrmIn        = 0 // XFRM_POLICY_IN
	xfrmOut       = 1 // XFRM_POLICY_OUT
	xfrmESN       = 128
	udpEncapESP   = 2 // UDP_ENCAP_ESPINUDP, linux/udp.h: RFC 3948
	protoGRE      = 47
	protoESP      = 50
	algoNameLen   = 64
	xfrmLimitMax  = ^uint64(0) // XFRM_INF
)

// Sizes of structures.
const (
	selectorLen   = 56
	lifetimeLen   = 64
	saLen         = 224 // struct xfrm_usersa_info
	saIDLen       = 24  // struct xfrm_usersa_id
	policyLen     = 168 // struct xfrm_userpolicy_info
	policyIDLen   = 64  // struct xfrm_userpolicy_id
	templateLen   = 64  // struct xfrm_user_tmpl
	acquireLen    = 280 // struct xfrm_user_acquire
	expireLen     = 232 // struct xfrm_user_expire
	mappingLen    = 64  // struct xfrm_user_mapping
	replayESNLen  = 24  // struct xfrm_replay_state_esn, without its bitmap
	xfrmHeaderMin = saIDLen
)

// mappingAge is how often, in seconds, the kernel tells that an SA's peer has the same
// other port: without it every packet is told.
const mappingAge = 1

// reqid is the number by which the kernel ties policies and SAs together, and by which
// ours are known: "gdvp".
const reqid = 0x67647670

// algorithm is how the kernel calls an algorithm.
type algorithm struct {
	name string
	bits uint32 // of the ICV
}
