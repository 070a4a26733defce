package lab

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"sshtay/internal/testenv"
)

// TestEverySide: every kind of machine can be built beside the others, is
// reached by its name in either family, and is its own.
func TestEverySide(t *testing.T) {
	w := ordinary(t)
	w.IPv6, w.Jump, w.Second, w.Balancer, w.Port, w.User = true, true, true, "plain", 2222, "deploy"
	w.Files = []File{{Side: "client", Name: "ssh_config", Data: []byte("Host web1-behind\n    ProxyJump jump1\n    User deploy\n    Port 2222\n")}}
	live, err := newTestLab().Up(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Down()
	for _, c := range []struct{ line, says string }{
		{"ssh -4 web1 'hostname; id -un; echo $SSH_CONNECTION'", `^web1\ndeploy\n203\.0\.113\.30 \d+ 203\.0\.113\.10 2222`},
		{"ssh -6 web2 'hostname; echo $SSH_CONNECTION'", `^web2\n2001:db8:7::23 \d+ 2001:db8:113::11 2222`},
		{"ssh -4 jump1 'hostname; echo $SSH_CONNECTION'", `^jump1\n198\.51\.100\.7 \d+ 203\.0\.113\.20 22\n`},
		{"ssh web1-behind 'hostname; echo $SSH_CONNECTION'", `^web1\n(203\.0\.113\.20|2001:db8:113::20) \d+ `},
	} {
		r, err := live.shell(c.line, 30*time.Second)
		if err != nil || !regexp.MustCompile(c.says).Match(r.Stdout) {
			t.Errorf("%s: exit %d, %q %q, %v; want %s", c.line, r.Exit, r.Stdout, r.Stderr, err, c.says)
		}
	}
}

// TestBoxInTheWay: what the box on the link does, real ssh feels.
func TestBoxInTheWay(t *testing.T) {
	for _, c := range []struct {
		name string
		box  Box
		run  string
		exit int
		says string
	}{
		{"a reset at a byte count", Box{Resets: []Reset{{Bytes: 1000, To: ResetBoth}}}, "ssh web1 true", 255, "Connection reset by"},
		{"a reset after a time", Box{Resets: []Reset{{Time: 2 * time.Second, To: ResetClient}}}, "ssh web1 sleep 20", 255, "reset by peer|Broken pipe"},
		{"an idle time that resets who speaks", Box{Idle: 2 * time.Second, After: ResetSender}, "(sleep 4; echo) | ssh web1 cat", 255, "reset by peer|Broken pipe"},
		{"a full table", Box{Table: 1, Idle: time.Hour}, "ssh web1 true; ssh -o ConnectTimeout=3 web1 true", 255, "timed out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := ordinary(t)
			w.Box = c.box
			live, err := newTestLab().Up(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			defer live.Down()
			r, err := live.shell(c.run, 30*time.Second)
			if err != nil || r.Exit != c.exit || !regexp.MustCompile(c.says).Match(r.Stderr) {
				t.Errorf("%s: %d, %q, %v; want %d and %s", c.run, r.Exit, r.Stderr, err, c.exit, c.says)
			}
		})
	}
}

// TestRouters: what the routers say, a ping with a short life hears; in a
// world where they are mute it hears nothing.
func TestRouters(t *testing.T) {
	testenv.Need(t, "ping")
	for _, c := range []struct {
		routers string
		hops    int
		ttl     string
		says    string
	}{
		{"icmp", 0, "1", "From 192.168.7.1 "},
		{"icmp", 0, "2", "From 198.51.100.1 "},
		{"icmp", 0, "3", "from 203.0.113.10:"},
		{"icmp", 2, "4", "From 198.51.100.1 "},
		{"mute", 0, "2", "100% packet loss"},
	} {
		w := ordinary(t)
		w.Routers, w.Lanes[ToServer].Hops = c.routers, c.hops
		live, err := newTestLab().Up(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		r, err := live.shell("ping -n -c 1 -W 1 -t "+c.ttl+" 203.0.113.10", 10*time.Second)
		if err != nil || !strings.Contains(string(r.Stdout), c.says) {
			t.Errorf("%s, %d hops, TTL %s: %s %s, %v; want %q", c.routers, c.hops, c.ttl, r.Stdout, r.Stderr, err, c.says)
		}
		live.Down()
	}
}
