package sock

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// TestTryBind: a port is taken while somebody listens, also on all addresses,
// and free again when nobody does, though a connection has only just ended.
func TestTryBind(t *testing.T) {
	for _, c := range []struct{ network, listens, tries string }{
		{"tcp4", "127.0.0.1:0", "127.0.0.1"}, {"tcp4", "0.0.0.0:0", "127.0.0.1"}, {"tcp6", "[::1]:0", "::1"}, {"tcp", "[::]:0", "127.0.0.1"},
	} {
		l, err := net.Listen(c.network, c.listens)
		if err != nil {
			t.Fatal(err)
		}
		to := netip.AddrPortFrom(netip.MustParseAddr(c.tries), uint16(l.Addr().(*net.TCPAddr).Port))
		if err := TryBind(to); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s, while somebody listens on %s: %v", to, c.listens, err)
		}
		near, err := net.Dial("tcp", to.String())
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		far.Close() // the first to close remembers the port for a while
		near.Close()
		l.Close()
		if err := TryBind(to); err != nil {
			t.Errorf("%s, when nobody listens any more: %v", to, err)
		}
	}
}
