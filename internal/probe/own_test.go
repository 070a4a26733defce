package probe

import (
	"net"
	"testing"

	"sshtay/internal/fact"
	"sshtay/internal/target"
)

// TestIsOwn: this machine is read in the server's place only where it is the
// server.
func TestIsOwn(t *testing.T) {
	mine := []net.Addr{&net.IPNet{IP: net.IPv4(192, 0, 2, 7), Mask: net.CIDRMask(24, 32)}}
	for name, c := range map[string]struct {
		port  int
		read  bool
		tried []string
		want  bool
	}{
		"loopback":               {22, false, []string{"::1", "127.0.0.1"}, true},
		"own address":            {22, false, []string{"192.0.2.7"}, true},
		"a neighbour":            {22, false, []string{"192.0.2.8"}, false},
		"one of each":            {22, false, []string{"192.0.2.7", "192.0.2.8"}, false},
		"a forwarded port":       {2222, false, []string{"127.0.0.1"}, false},
		"the login has read it":  {22, true, []string{"127.0.0.1"}, false},
		"no address was tried":   {22, false, nil, false},
		"an address with a zone": {22, false, []string{"fe80::1%eth0"}, false},
	} {
		facts := &fact.Set{}
		if c.read {
			fact.ServerVia.Put(facts, "login", "the login")
		}
		var tried []fact.Address
		for _, a := range c.tried {
			tried = append(tried, fact.Address{Address: a})
		}
		fact.HandshakeAddresses.Put(facts, tried, "handshake")
		if got := isOwn(&Env{Resolved: target.Resolved{Port: c.port}}, facts, mine); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
