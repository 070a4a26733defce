package cli

import (
	"testing"

	"sshtay/internal/remedy"
)

// TestAsked: `--only CAUSE/REMEDY` is that remedy of the cause, though others
// are better; a cause by itself is all of them.
func TestAsked(t *testing.T) {
	all := []remedy.Remedy{{ID: "best"}, {ID: "other"}}
	for _, c := range []struct {
		only, except []string
		means        bool
		asked        int
	}{
		{nil, nil, true, 2},
		{[]string{"idle-timeout"}, nil, true, 2},
		{[]string{"idle-timeout/other"}, nil, true, 1},
		{[]string{"idle-timeout/other", "idle-timeout"}, nil, true, 2},
		{[]string{"idle-timeout/none"}, nil, true, 0},
		{[]string{"idle-timeout/other"}, []string{"idle-timeout"}, false, 1},
		{[]string{"keepalive/other"}, nil, false, 2},
	} {
		o := fixOptions{only: c.only, except: c.except}
		if got := o.means("idle-timeout"); got != c.means {
			t.Errorf("%q without %q: means %v, want %v", c.only, c.except, got, c.means)
		}
		if got := o.asked("idle-timeout", all); len(got) != c.asked {
			t.Errorf("%q: asked for %v, want %d", c.only, got, c.asked)
		}
	}
}

// TestAskedOfRouter: what is meant for a router, and a machine can do, is done on
// this machine when it is asked for by its name, or on the side that is named;
// unasked it stays the router's, and what is to be done by hand always does.
func TestAskedOfRouter(t *testing.T) {
	all := []remedy.Remedy{
		{ID: "clamp", Side: remedy.Network, Steps: []remedy.Step{{Kind: remedy.MSSClamp}}},
		{ID: "typed", Side: remedy.Network, Steps: []remedy.Step{{Kind: remedy.Advice}}},
	}
	for _, c := range []struct {
		only, side string
		want       remedy.Side
	}{
		{"path-mtu/clamp", "", remedy.Client},
		{"path-mtu/clamp", "server", remedy.Server},
		{"path-mtu/typed", "server", remedy.Network},
		{"path-mtu", "server", remedy.Network},
	} {
		o := fixOptions{only: []string{c.only}, side: c.side}
		if got := o.asked("path-mtu", all)[0].Side; got != c.want {
			t.Errorf("%s on %q: %s, want %s", c.only, c.side, got, c.want)
		}
	}
	if all[0].Side != remedy.Network {
		t.Error("what the check said has changed")
	}
}
