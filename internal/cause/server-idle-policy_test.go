package cause

import (
	"testing"
	"time"
)

// TestTimeoutRules: the first pattern that fits a type counts, and times are
// written as OpenSSH reads them.
func TestTimeoutRules(t *testing.T) {
	for _, c := range []struct {
		text, channel string
		want          time.Duration
	}{
		{"session:*=5m", "session:shell", 5 * time.Minute},
		{"session:*=5m", "direct-tcpip", 0},
		{"session=5m", "session:shell", 0},
		{"*=1h30m", "session:subsystem:sftp", 90 * time.Minute},
		{"session:shell=0 *=1d", "session:shell", 0},
		{"session:shell=0 *=1d", "session:command", 24 * time.Hour},
		{"session:s?ell=90", "session:shell", 90 * time.Second},
		{"session:(shell=90", "session:shell", 0},
		{"session:shell=soon", "session:shell", 0},
		{"session:shell=99999999999999999999", "session:shell", 0},
		{"session:shell=999999999w999999999w", "session:shell", 0},
		{"none", "session:shell", 0},
		{"", "session:shell", 0},
	} {
		if got := timeoutRules(c.text).after(c.channel); got != c.want {
			t.Errorf("ChannelTimeout %q closes %s after %v, want %v", c.text, c.channel, got, c.want)
		}
	}
}

// FuzzTimeoutRules: whatever a server's configuration holds, no time is
// negative.
func FuzzTimeoutRules(f *testing.F) {
	for _, seed := range []string{"session:*=5m", "*=1h30m global=9w", "a=0b=1", "=", "[=1", "x=999999999w"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rules := timeoutRules(text)
		for _, channel := range []string{"session:shell", "global"} {
			if after := rules.after(channel); after < 0 {
				t.Errorf("%q closes %s after %v", text, channel, after)
			}
		}
	})
}
