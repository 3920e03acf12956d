package harness

import "encoding/binary"

// IsTCP matches TCP segments from or to a port that are signed by the MD5 option of RFC
// 2385, or those that are not. A reset that is not signed is neither: it is of a kernel that
// has no socket there, and so no key, and who has a key does not heed it.
func IsTCP(port uint16, signed bool) Match {
	return func(f Frame) bool {
		const tcp, header, reset, end, nop, md5 = 6, 20, 4, 0, 1, 19
		p := f.Payload
		if !f.IP || f.GRE || f.Protocol != tcp || len(p) < header ||
			binary.BigEndian.Uint16(p) != port && binary.BigEndian.Uint16(p[2:]) != port {
			return false
		}
		unsigned := !signed && p[13]&reset == 0
		options := p[header:max(header, min(len(p), int(p[12]>>4)*4))]
		for len(options) > 1 && options[0] != end {
			switch n := int(options[1]); {
			case options[0] == nop:
				options = options[1:]
			case options[0] == md5:
				return signed
			case n < 2 || n > len(options):
				return unsigned
			default:
				options = options[n:]
			}
		}
		return unsigned
	}
}
