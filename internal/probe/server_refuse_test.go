package probe

import (
	"testing"

	"sshtay/internal/fact"
)

// TestBannedUntil: what fail2ban prints of an address that two jails have
// banned, recorded from fail2ban 1.0.2.
func TestBannedUntil(t *testing.T) {
	for _, c := range []struct{ until, want string }{
		{"192.0.2.9 \t2026-11-28 11:39:10 + 600 = 2026-11-28 11:49:10\n192.0.2.9 \t2026-11-28 11:39:10 + 604800 = 2026-12-05 11:39:10\n192.0.2.99 \t2026-11-28 11:39:10 + 600 = 2027-11-28 11:49:10\n", "fail2ban: [['sshd', 'recidive']], until 2026-12-05 11:39:10 by the server's clock"},
		{"192.0.2.9 \t2026-11-28 11:39:10 + -1 = never\n = \n", "fail2ban: [['sshd', 'recidive']]"},
		{"", "fail2ban: [['sshd', 'recidive']]"},
	} {
		facts := &fact.Set{}
		putServer(facts, sections{"env": "uid 0\nuser root\nclient 192.0.2.9\n", "deep": "0", "fail2ban": "[['sshd', 'recidive']]\n", "fail2ban-until": c.until}, "test")
		if got, _ := fact.BannedBy.Get(facts); got != c.want {
			t.Errorf("%q: %q, want %q", c.until, got, c.want)
		}
	}
}

// TestBannedUsers: only addresses are believed, and only where the check is made
// on the server itself.
func TestBannedUsers(t *testing.T) {
	for client, want := range map[string]int{"": 2, "client 192.0.2.9\n": 0} {
		facts := &fact.Set{}
		putServer(facts, sections{"env": "uid 0\nuser root\n" + client, "deep": "0", "fail2ban-users": "192.0.2.7\n2001:db8::7\n; reboot\nfe80::1%eth0\n"}, "test")
		if got, _ := fact.BannedUsers.Get(facts); len(got) != want {
			t.Errorf("%q: %q, want %d addresses", client, got, want)
		}
	}
}
