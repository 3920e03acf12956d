package packet

import "fmt"

// String returns the command's name, for the obsolete ones that of routed(8).
func (c Command) String() string {
	switch c {
	case Request:
		return "Request"
	case Response:
		return "Response"
	case 3:
		return "Traceon"
	case 4:
		return "Traceoff"
	case 5:
		return "Poll"
	case 6:
		return "Poll Entry"
	}
	return fmt.Sprintf("Command %d", uint8(c))
}

// String returns the algorithm's name in the words of RFC 4822 section 2.2.
func (a Algorithm) String() string {
	switch a {
	case NoAlgorithm:
		return "none"
	case SimplePassword:
		return "simple password"
	case KeyedMD5:
		return "Keyed-MD5"
	case HMACSHA1:
		return "HMAC-SHA-1"
	case HMACSHA256:
		return "HMAC-SHA-256"
	case HMACSHA384:
		return "HMAC-SHA-384"
	case HMACSHA512:
		return "HMAC-SHA-512"
	}
	return fmt.Sprintf("algorithm %d", uint8(a))
}

// String returns the type's name.
func (t AuthType) String() string {
	switch t {
	case AuthNone:
		return "none"
	case AuthPassword:
		return "simple password"
	case AuthCryptographic:
		return "cryptographic"
	}
	return fmt.Sprintf("type %d", uint16(t))
}

var reasonNames = map[Reason]string{
	ReasonTruncated:      "truncated",
	ReasonLength:         "length does not fit the entries",
	ReasonTooManyEntries: "too many entries",
	ReasonVersion:        "unsupported version",
	ReasonCommand:        "unknown command",
	ReasonMustBeZero:     "must-be-zero field is not zero",
	ReasonAuthType:       "unknown authentication type",
	ReasonTrailer:        "malformed authentication trailer",
	ReasonFamily:         "address family is not IP",
	ReasonMetric:         "metric is not 1 to 16",
	ReasonMask:           "subnet mask is not contiguous",
	ReasonAddress:        "destination address is not valid",
	ReasonNextHop:        "next hop is not an IPv4 address",
	ReasonKey:            "unusable key",
}

// String describes the reason in a few words.
func (r Reason) String() string {
	if s, ok := reasonNames[r]; ok {
		return s
	}
	return fmt.Sprintf("reason %d", uint8(r))
}
