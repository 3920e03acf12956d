package zebra

import (
	"errors"
	"log/slog"

	"github.com/godmvpn/godmvpn/lib/privilege"
)

// umask lets the group read what zebra writes, and nobody else.
const umask = 0o027

// limit gives up what zebra does not need any more once its control socket, which
// it gives to a group, is there. What stays is what it needs itself and what the
// daemons, its children, may need: devices, routes and their parameters,
// security associations and policies (CAP_NET_ADMIN, and only zebra has it), the program of adjust-mss (CAP_BPF), raw sockets and VRFs (CAP_NET_RAW), ports such as
// that of BGP (CAP_NET_BIND_SERVICE). Its memory holds the keys of the
// configuration.
func limit(log *slog.Logger) {
	err := errors.Join(privilege.Conceal(),
		privilege.Limit(privilege.NetAdmin, privilege.BPF, privilege.NetRaw, privilege.NetBindService))
	if err != nil {
		log.Warn("zebra has more privileges than it needs", "error", err)
	}
}
