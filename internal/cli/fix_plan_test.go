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
