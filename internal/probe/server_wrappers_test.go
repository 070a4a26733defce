package probe

import (
	"net/netip"
	"testing"
)

// TestWrapped holds the rules of hosts_access(5) to addresses.
func TestWrapped(t *testing.T) {
	for _, c := range []struct {
		rule, client string
		found, sure  bool
	}{
		{"1:ALL : ALL", "192.0.2.9", true, true},
		{"1:sshd, in.ftpd : 192.0.2.9 198.51.100.1", "192.0.2.9", true, true},
		{"1:sshd : 192.0.2.9", "192.0.2.99", false, true},
		{"1:in.ftpd : ALL", "192.0.2.9", false, true},
		{"1:sshd : 192.0.2.", "192.0.2.9", true, true},
		{"1:sshd : 192.0.2.", "192.0.20.9", false, true},
		{"1:sshd : 192.0.2.0/24 : deny", "192.0.2.9", true, true},
		{"1:sshd : 192.0.2.0/255.255.255.0", "192.0.2.9", true, true},
		{"1:sshd : 192.0.3.0/255.255.255.0", "192.0.2.9", false, true},
		{"1:sshd : [2001:db8::]/32", "2001:db8::9", true, true},
		{"1:sshd : [2001:db8::1]", "2001:db8::9", false, true},
		{"1:sshd : 192.0.2.0/255.255.255.0", "2001:db8::9", false, true},
		{"1:sshd : ALL EXCEPT 192.0.2.9", "192.0.2.9", false, true},
		{"1:sshd : ALL EXCEPT 192.0.2.8", "192.0.2.9", true, true},
		{"1:sshd : .example.com", "192.0.2.9", false, false},
		{"1:sshd : LOCAL, 192.0.2.9", "192.0.2.9", true, true},
		{"1:sshd : ALL EXCEPT LOCAL", "192.0.2.9", false, false},
		{"1:sshd", "192.0.2.9", false, true},
		{"nonsense", "192.0.2.9", false, true},
	} {
		rule, found, sure := wrapped([]string{c.rule}, netip.MustParseAddr(c.client))
		if found != c.found || sure != c.sure || found && rule.line != "1" {
			t.Errorf("%q and %s: %+v, found %v, sure %v", c.rule, c.client, rule, found, sure)
		}
	}
}
