//go:build !unix

package sock

import (
	"errors"
	"net/netip"
)

func tryBind(netip.AddrPort) error { return errors.ErrUnsupported }
