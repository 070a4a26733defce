//go:build !linux

package sock

import (
	"context"
	"errors"
	"net/netip"
)

func trace(context.Context, netip.Addr, netip.AddrPort, []TTLProbe, func(TTLReply)) error {
	return errors.ErrUnsupported
}
