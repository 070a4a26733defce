package change

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sshtay/internal/host"
)

// says is a machine that answers every look with the same words.
type says string

func (s says) Run(context.Context, host.Command) (host.Result, error) {
	return host.Result{Stdout: []byte(s)}, nil
}
func (s says) ReadFile(context.Context, string, int) ([]byte, error) { return []byte(s), nil }

// TestHostileWords: nothing that a remedy asks for, and nothing that a machine
// says, becomes part of a command line if a shell would read more in it than a
// word.
func TestHostileWords(t *testing.T) {
	for _, bad := range []string{"$(id)", "`id`", "a;id", "a\nid", "'", `"`, "-x", "a|b", "a>b", "", "ä", "*"} {
		for name, refuses := range map[string]func() (Change, error){
			"sysctl name": func() (Change, error) { return Sysctl(t.Context(), nowhere{}, map[string]string{bad: "1"}) },
			"sysctl value": func() (Change, error) {
				return Sysctl(t.Context(), nowhere{}, map[string]string{"net.ipv4.tcp_keepalive_time": bad})
			},
			"socket name": func() (Change, error) { return SocketLimits(t.Context(), nowhere{}, map[string]string{bad: "1"}) },
			"socket value": func() (Change, error) {
				return SocketLimits(t.Context(), nowhere{}, map[string]string{"MaxConnections": bad})
			},
			"device": func() (Change, error) { return InterfaceMTU(t.Context(), nowhere{}, bad, 1400) },
			"zone": func() (Change, error) {
				return RouteMTU(t.Context(), nowhere{}, netip.MustParseAddr("fe80::1").WithZone(bad+"x"), 1400)
			},
			"jail": func() (Change, error) {
				return Unban(t.Context(), says(bad+"x 192.0.2.7\n"), netip.MustParseAddr("192.0.2.7"))
			},
			"banned zone": func() (Change, error) {
				return Unban(t.Context(), nowhere{}, netip.MustParseAddr("fe80::1").WithZone(bad+"x"))
			},
			"allowed zone": func() (Change, error) {
				return HostsAllow(t.Context(), nowhere{}, netip.MustParseAddr("fe80::1").WithZone(bad+"x"))
			},
			"route": func() (Change, error) {
				return RouteMTU(t.Context(), says("default via 192.0.2.1 dev "+bad+"\n"), netip.MustParseAddr("198.51.100.7"), 1400)
			},
			"folder":  func() (Change, error) { return PrivsepDir(t.Context(), says("0 0 "+bad+"\n")) },
			"starter": func() (Change, error) { return StartSSHD(t.Context(), says("systemd "+bad+"\ndead\n")) },
			"chain": func() (Change, error) {
				name, _ := json.Marshal(bad)
				return PassICMP(t.Context(), says(fmt.Sprintf(`{"nftables": [{"chain": {"family": "ip", "table": "filter", "name": %s, "type": "filter", "hook": "input", "policy": "drop"}}]}`, name)), "4")
			},
			"unit": func() (Change, error) {
				return SocketLimits(t.Context(), says(bad), map[string]string{"MaxConnections": "9"})
			},
			"old value": func() (Change, error) {
				return Sysctl(t.Context(), old(bad), map[string]string{"net.ipv4.tcp_keepalive_time": "600"})
			},
		} {
			c, err := refuses()
			if err != nil {
				continue
			}
			for _, e := range c.Effects {
				if e.Commands != nil && strings.Contains(e.Commands.Done+e.Commands.Apply+e.Commands.Undo, bad) && bad != "" {
					t.Errorf("%s: %q became a command: %s", name, bad, e.Commands.Apply)
				}
			}
			if (name == "jail" || name == "route" || name == "chain") && bad != "" && bad != "a\nid" {
				t.Errorf("%s: %q was taken", name, bad)
			}
		}
	}
}

// old is a machine whose kernel has an odd value.
func old(value string) host.Host { return sysctls{"net.ipv4.tcp_keepalive_time": value} }

// TestOutOfBounds: what would take a machine off the network is refused.
func TestOutOfBounds(t *testing.T) {
	for name, make := range map[string]func() (Change, error){
		"an MTU that IPv6 does not live with": func() (Change, error) {
			return RouteMTU(t.Context(), nowhere{}, netip.MustParseAddr("2001:db8::7"), 1279)
		},
		"an interface's": func() (Change, error) { return InterfaceMTU(t.Context(), nowhere{}, "eth0", 1279) },
		"a tiny MSS":     func() (Change, error) { return MSSClamp(t.Context(), nowhere{}, 100) },
		"no keepalive time": func() (Change, error) {
			return Sysctl(t.Context(), nowhere{}, map[string]string{"net.ipv4.tcp_keepalive_time": "0"})
		},
		"a table of nothing": func() (Change, error) {
			return Sysctl(t.Context(), nowhere{}, map[string]string{"net.netfilter.nf_conntrack_max": "1"})
		},
		"the machine itself": func() (Change, error) {
			return RouteMTU(t.Context(), says("local 192.0.2.7 dev lo table local\n"), netip.MustParseAddr("192.0.2.7"), 1400)
		},
		"several ways": func() (Change, error) {
			return RouteMTU(t.Context(), says("default nexthop via 192.0.2.1 dev a weight 1 nexthop via 192.0.2.2 dev b weight 1\n"), netip.MustParseAddr("198.51.100.7"), 1400)
		},
		"a ban of many": func() (Change, error) {
			return Unban(t.Context(), says("sshd 198.51.100.0/24\n"), netip.MustParseAddr("198.51.100.7"))
		},
		"a table that is not ours": func() (Change, error) {
			return MSSClamp(t.Context(), says("table inet sshtay {\n\tchain mss_input {\n\t\taccept\n\t}\n}\n"), 1240)
		},
	} {
		if c, err := make(); err == nil || len(c.Effects) > 0 || err == errNoMachine {
			t.Errorf("%s: %v, %+v", name, err, c.Effects)
		}
	}
}

// FuzzSightings: whatever a machine prints, it is files or an error.
func FuzzSightings(f *testing.F) {
	seeds := []string{"", "F/a\n/b\n3\nabc\n", "F/a\n/a\n0\n\nO/c\n", "F/a\n/b\n99\nabc\n", "F/a\n/b\n-1\n\n", "F\n\n0\n\n", "O\n"}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	if len(seeds) != 7 {
		f.Fatal("seeds are missing")
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		all, err := parseSightings(out)
		total := 0
		for _, s := range all {
			total += len(s.Name) + len(s.Path) + len(s.Data)
			if s.Name == "" {
				t.Error("a file without a name")
			}
		}
		if err == nil && total > len(out) {
			t.Errorf("%d bytes of %d", total, len(out))
		}
	})
}

// FuzzSysctlLines: a value that was set is read again, and what is not ours stays.
func FuzzSysctlLines(f *testing.F) {
	for _, s := range []string{"", "net.ipv4.tcp_mtu_probing=0", "# a\r\nnet/ipv4/tcp_mtu_probing = 2 \r\nx=1\n", "-net.ipv4.tcp_mtu_probing =\n", " net.ipv4.tcp_mtu_probing=a=b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set := setSysctlLines(data, map[string]string{"net.ipv4.tcp_mtu_probing": "1"}, true)
		found := false
		for _, l := range sysctlLines(set) {
			if l.name == "net.ipv4.tcp_mtu_probing" {
				found = true
				if l.value != "1" {
					t.Errorf("%q became %q", data, set)
				}
			}
		}
		if again := setSysctlLines(set, map[string]string{"net.ipv4.tcp_mtu_probing": "1"}, true); !found || string(again) != string(set) {
			t.Errorf("%q became %q, and then %q", data, set, again)
		}
	})
}
