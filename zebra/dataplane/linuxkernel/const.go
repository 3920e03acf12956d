package linuxkernel

// Numbers of the kernel's interface (include/uapi/linux) that x/sys lacks.
const (
	ifaProto = 11 // IFA_PROTO, linux/if_addr.h, kernel 5.18

	ndtaName       = 1  // NDTA_NAME, linux/neighbour.h
	ndtaParms      = 6  // NDTA_PARMS
	ndtpaIfindex   = 1  // NDTPA_IFINDEX
	ndtpaAppProbes = 9  // NDTPA_APP_PROBES: net.ipv4.neigh.*.app_solicit
	ndtpaUcast     = 10 // NDTPA_UCAST_PROBES
	ndtpaMcast     = 11 // NDTPA_MCAST_PROBES

	// RFC 2863 operational states and link modes, linux/if.h.
	operDormant = 5 // IF_OPER_DORMANT
	operUp      = 6 // IF_OPER_UP
	modeDefault = 0 // IF_LINK_MODE_DEFAULT
	modeDormant = 1 // IF_LINK_MODE_DORMANT

	greLink     = 1 // IFLA_GRE_LINK, linux/if_tunnel.h
	greIflags   = 2
	greOflags   = 3
	greIkey     = 4
	greOkey     = 5
	greLocal    = 6
	greRemote   = 7
	greTTL      = 8
	greTOS      = 9
	grePmtudisc = 10

	gre6Limit    = 11 // IFLA_GRE_ENCAP_LIMIT
	gre6Flow     = 12 // IFLA_GRE_FLOWINFO
	gre6Flags    = 13 // IFLA_GRE_FLAGS
	greExternal  = 18 // IFLA_GRE_COLLECT_METADATA
	gre6NoLimit  = 1  // IP6_TNL_F_IGN_ENCAP_LIMIT, linux/ip6_tunnel.h: no destination option
	gre6CopyTOS  = 2  // IP6_TNL_F_USE_ORIG_TCLASS
	arphrdIP6GRE = 823

	tcmLen        = 20                     // struct tcmsg, linux/rtnetlink.h
	tcClsact      = 0xfffffff1             // TC_H_CLSACT, linux/pkt_sched.h
	tcClsactMajor = 0xffff0000             // handle of a clsact or ingress queueing discipline
	tcIngress     = tcClsactMajor | 0xfff2 // TC_H_MIN_INGRESS
	tcEgress      = tcClsactMajor | 0xfff3 // TC_H_MIN_EGRESS

	bpfFD        = 6  // TCA_BPF_FD, linux/pkt_cls.h
	bpfName      = 7  // TCA_BPF_NAME
	bpfFlags     = 8  // TCA_BPF_FLAGS
	bpfID        = 11 // TCA_BPF_ID
	bpfActDirect = 1  // TCA_BPF_FLAG_ACT_DIRECT

	tcRoot       = 0xffffffff // TC_H_ROOT
	htbParms     = 1          // TCA_HTB_PARMS, linux/pkt_sched.h
	htbInit      = 2          // TCA_HTB_INIT
	htbRate64    = 6          // TCA_HTB_RATE64
	htbCeil64    = 7          // TCA_HTB_CEIL64
	htbVersion   = 3          // of struct tc_htb_glob
	htbParmsLen  = 44         // struct tc_htb_opt
	linkEthernet = 1          // TC_LINKLAYER_ETHERNET: nothing is added to a packet's length
	schedTick    = 64         // nanoseconds in which queueing disciplines count
	statsBasic   = 1          // TCA_STATS_BASIC, linux/gen_stats.h
	statsQueue   = 3          // TCA_STATS_QUEUE
	statsPackets = 8          // TCA_STATS_PKT64

	greKeyBit     = 0x2000 // GRE_KEY, linux/if_tunnel.h
	greVersionBit = 0x0007 // GRE_VERSION
)

// mark is the text in a device's IFLA_IFALIAS by which it is known as ours.
const mark = "godmvpn"

// addrMark is the IFA_PROTO of addresses of ours. The value is outside those
// that the kernel itself uses (1 … 3), and the same as that of static routes.
const addrMark = 196
