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

// TestBannedByASet: an address that a set of nft holds is banned when a rule
// refuses whom the set holds, and until the set forgets it.
func TestBannedByASet(t *testing.T) {
	const (
		refuses = "rule inet bad input ip saddr @bad counter packets 3 bytes 180 drop\n"
		adds    = "rule inet bad input tcp dport 22 ct state new limit rate over 3/minute add @bad { ip saddr timeout 10m } drop\n"
	)
	for _, c := range []struct{ firewall, want string }{
		{refuses + "holds inet bad bad elements = { 192.0.2.8 timeout 10m expires 9m, 192.0.2.9 timeout 10m expires 7m33s996ms,\n",
			"firewall: inet bad bad elements = { 192.0.2.8 timeout 10m expires 9m, 192.0.2.9 timeout 10m expires 7m33s996ms,, until 2026-11-28 11:47:33 by the server's clock"},
		{refuses + "holds inet bad bad elements = { 192.0.2.9 counter packets 3 bytes 180 timeout 2d expires 1d2h }\n",
			"firewall: inet bad bad elements = { 192.0.2.9 counter packets 3 bytes 180 timeout 2d expires 1d2h }, until 2026-11-29 13:40:00 by the server's clock"},
		{refuses + "holds inet bad bad elements = { 192.0.2.9 }\n", "firewall: inet bad bad elements = { 192.0.2.9 }"},
		{adds + "holds inet bad bad elements = { 192.0.2.9 timeout 10m expires 9m }\n", ""},
		{refuses + "holds inet good bad elements = { 192.0.2.9 timeout 10m expires 9m }\n", ""},
	} {
		facts := &fact.Set{}
		putServer(facts, sections{"env": "uid 0\nuser root\nclient 192.0.2.9\ndate 1795866000 +0000\n", "deep": "0", "firewall": c.firewall}, "test")
		if got, _ := fact.BannedBy.Get(facts); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.firewall, got, c.want)
		}
	}
}

func FuzzNFTTime(f *testing.F) {
	f.Add("1d2h3m4s56ms")
	f.Add("9999d")
	f.Fuzz(func(t *testing.T, text string) {
		if left, ok := nftTime(text); ok && left < 0 {
			t.Errorf("%q is %v", text, left)
		}
	})
}

// TestRulesOfIptables: nft lists them as well, without what they say.
func TestRulesOfIptables(t *testing.T) {
	const (
		listed = "rule ip filter INPUT tcp dport 22 ct state new xt match recent counter packets 12 bytes 720 drop\n"
		set    = "rule iptables filter -A INPUT -p tcp -m tcp --dport 22 -m recent --set --name ssh --mask 255.255.255.255 --rsource\n"
		update = "rule iptables filter -A INPUT -p tcp -m tcp --dport 22 -m recent --update --seconds 30 --hitcount 6 --name ssh --mask 255.255.255.255 --rsource -j DROP\n"
	)
	for _, c := range []struct{ firewall, want string }{{listed + set + update, update}, {listed, listed}} {
		facts := &fact.Set{}
		putServer(facts, sections{"env": "uid 0\nuser root\nclient 192.0.2.9\n", "deep": "0", "firewall": c.firewall}, "test")
		if got, _ := fact.FirewallLimits.Get(facts); len(got) != 1 || "rule "+got[0]+"\n" != c.want {
			t.Errorf("%s is read as %q", c.firewall, got)
		}
	}
}
