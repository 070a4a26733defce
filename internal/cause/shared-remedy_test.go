package cause

import (
	"strings"
	"testing"

	"sshtay/internal/fact"
)

func TestClientPlace(t *testing.T) {
	for source, want := range map[string]string{
		"ssh -G; ~/.ssh/config:14, which hides 60 in /etc/ssh/ssh_config:52": "in ~/.ssh/config:14, where it is set now",
		"ssh -G; /etc/ssh/ssh_config:52":                                     "in /etc/ssh/ssh_config:52, where it is set now",
		"ssh -G; the default":                                                ownHost,
		"ssh -G; the command line":                                           ownHost,
		"ssh -G":                                                             ownHost,
		"":                                                                   ownHost,
	} {
		s := &fact.Set{}
		fact.ServerAliveCountMax.Put(s, 3, source)
		if got := clientPlace(s.View(), fact.ServerAliveCountMax); got != want {
			t.Errorf("source %q: %q, want %q", source, got, want)
		}
	}
	if !strings.Contains(ownHost, "Host *") {
		t.Error("the place does not say what would hide it")
	}
}
