package cli

import "testing"

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"healthy", "healthy", true},
		{"healthy", "healthy-far", false},
		{"healthy*", "healthy", true},
		{"healthy-*", "healthy-far", true},
		{"*-far", "healthy-far", true},
		{"*a*f*", "healthy-far", true},
		{"*a*q*", "healthy-far", false},
		{"*", "", true},
		{"", "healthy", false},
	} {
		if got := matches(c.pattern, c.name); got != c.want {
			t.Errorf("matches(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}
