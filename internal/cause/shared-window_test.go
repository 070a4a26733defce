package cause

import "testing"

// TestWindows: rules as nft 1.0.6 and iptables-save 1.8.9 print them.
func TestWindows(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{"inet filter input tcp dport 22 ct state new add @ssh4 { ip saddr timeout 1m limit rate over 5/minute } drop", "after 12 s, and one more every 12 s"},
		{"inet filter input tcp dport 22 ct state new update @ssh4 { ip saddr limit rate over 120/hour burst 5 packets } drop", "after 30 s, and one more every 30 s"},
		{"ip filter input tcp dport 22 ct state new meter ssh { ip saddr limit rate over 10/second burst 5 packets } drop", "after 0.1 s, and one more every 0.1 s"},
		{"ip filter input tcp dport 22 limit rate 3/minute burst 5 packets accept", "after 20 s, and one more every 20 s"},
		{"ip filter input tcp dport 22 ct state new add @c { ip saddr ct count over 3 } reject", "as soon as no more than 3 are open: one must end"},
		{"iptables filter -A ufw-user-input -p tcp -m tcp --dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 --name DEFAULT --mask 255.255.255.255 --rsource -j ufw-user-limit", "after 30 s without a try"},
		{"iptables filter -A ufw-user-input -p tcp -m tcp --dport 22 -j ufw-user-limit-accept", ""},
		{"iptables filter -A INPUT -p tcp -m tcp --dport 22 -m recent --set --name ssh --mask 255.255.255.255 --rsource", ""},
		{"iptables filter -A INPUT -p tcp -m tcp --dport 22 -m hashlimit --hashlimit-above 5/min --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name ssh -j DROP", "after 12 s, and one more every 12 s"},
		{"iptables filter -A INPUT -p tcp -m tcp --dport 22 -m limit --limit 3/min --limit-burst 3 -j ACCEPT", "after 20 s, and one more every 20 s"},
		{"iptables filter -A INPUT -p tcp -m tcp --dport 22 -m connlimit --connlimit-above 1 --connlimit-mask 32 --connlimit-saddr -j REJECT --reject-with tcp-reset", "as soon as no more than 1 is open: one must end"},
		{"ip filter input tcp dport 22 limit rate 0/minute accept", ""},
		{"ip filter input tcp dport 22 limit rate over 10 mbytes/second drop", ""},
	} {
		if got := windowOf(c.rule); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.rule, got, c.want)
		}
	}
}

func FuzzWindow(f *testing.F) {
	f.Add("limit rate over 5/minute")
	f.Add("-m recent --update --seconds 9999999 ")
	f.Add("--connlimit-above 0000000")
	f.Fuzz(func(t *testing.T, rule string) {
		if got := windowOf(rule); len(got) > 120 {
			t.Errorf("%q: %q", rule, got)
		}
	})
}
