package sock

import "net/netip"

// TryBind says why a program of ours could not listen at an address of this
// machine, or nil. It never listens: nobody can connect meanwhile, and another
// program that begins to listen at that moment is not in its way.
func TryBind(to netip.AddrPort) error { return tryBind(to) }
