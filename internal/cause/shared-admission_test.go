package cause

import "testing"

// TestRefuses holds the chance to sshd's own integer arithmetic.
func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		limit      startups
		held, want int
	}{
		{startups{10, 30, 100}, 9, 0},
		{startups{10, 30, 100}, 10, 30},
		{startups{10, 30, 100}, 20, 37},
		{startups{10, 30, 100}, 34, 48},
		{startups{10, 30, 100}, 55, 65},
		{startups{10, 30, 100}, 99, 99},
		{startups{10, 30, 100}, 100, 100},
		{startups{10, 100, 100}, 10, 100},
		{startups{50, 30, 50}, 49, 0},
		{startups{50, 30, 50}, 50, 100},
	} {
		if got := c.limit.refuses(c.held); got != c.want {
			t.Errorf("MaxStartups %v with %d held: %d %%, want %d %%", c.limit, c.held, got, c.want)
		}
	}
}

func TestParseStartups(t *testing.T) {
	for _, c := range []struct {
		text string
		by   release
		want startups
		ok   bool
	}{
		{"10:30:100", release{}, startups{10, 30, 100}, true},
		{"50", release{9, 9}, startups{50, 30, 50}, true},
		{"50", release{10, 1}, startups{10, 30, 50}, true},
		{"50", release{10, 3}, startups{50, 30, 50}, true},
		{"10:30", release{}, startups{}, false},
		{"10:101:100", release{}, startups{}, false},
		{"10:30:5", release{}, startups{}, false},
		{"0", release{}, startups{}, false},
		{"", release{}, startups{}, false},
	} {
		got, ok := parseStartups(c.text, c.by)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("MaxStartups %q by %v: %v %v, want %v %v", c.text, c.by, got, ok, c.want, c.ok)
		}
	}
}

func TestParseRelease(t *testing.T) {
	for text, want := range map[string]release{
		"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10":            {9, 2},
		"OpenSSH_10.0p2, OpenSSL 3.5.1 1 Jul 2025":           {10, 0},
		"SSH-2.0-OpenSSH_for_Windows_9.5":                    {9, 5},
		"SSH-2.0-OpenSSH_9.6-hpn14v15":                       {9, 6},
		"SSH-2.0-dropbear_2022.83":                           {},
		"SSH-2.0-OpenSSH_99999999999999999999999999999999.1": {},
	} {
		if got, _ := parseRelease(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if !(release{10, 0}).since(9, 9) || (release{9, 9}).since(10, 0) || !(release{9, 8}).since(9, 8) {
		t.Error("releases are not in order: 9.9 is before 10.0")
	}
}
