package bundle

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestRedact: secrets go, and what a diagnosis needs stays.
func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----\nafter": gone + "\nafter",
		"-----BEGIN RSA PRIVATE KEY-----\ncut off":                                                gone,
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8 me@here":                                         "ssh-ed25519 " + gone + " me@here",
		"    SetEnv TOKEN=abc LANG=C":                                                             "    SetEnv " + gone,
		"setenv GH=1\nport 22":                                                                    "setenv " + gone + "\nport 22",
		"ProxyCommand corkscrew --password=hunter2 %h":                                            "ProxyCommand corkscrew --password=" + gone + " %h",
		"https://me:pw@proxy:3128/":                                                               "https://" + gone + "@proxy:3128/",
		"API_KEY='abc'; x":                                                                        "API_KEY='" + gone + "'; x",
		"ghp_abcdefghijklmnopqrstuvwxyz":                                                          gone,
		"Authorization: Bearer abc.def":                                                           "Authorization: Bearer " + gone,

		// settings and log lines are no secrets
		"-o PasswordAuthentication=no":              "-o PasswordAuthentication=no",
		"passwordauthentication no":                 "passwordauthentication no",
		"Failed password for bob from 192.0.2.1":    "Failed password for bob from 192.0.2.1",
		"permitrootlogin prohibit-password":         "permitrootlogin prohibit-password",
		"permituserenvironment no":                  "permituserenvironment no",
		"debug1: Next authentication method: token": "debug1: Next authentication method: token",
	} {
		if got := Redact(text); got != want {
			t.Errorf("%q\n gave %q\n want %q", text, got, want)
		}
	}
}

// TestNames: a name and an address become the same words wherever they stand,
// and only where they stand alone.
func TestNames(t *testing.T) {
	n := NewNames([]string{"deploy", "root"}, []string{"web1", "web1.example.com", "localhost"})
	n.Learn("Nov 21 sshd[1]: Accepted publickey for carol from 192.0.2.77 port 4 ssh2\n/home/dave/.ssh")
	for _, c := range []struct{ text, want string }{
		{"deploy@web1 and redeploy, web12", "user1@host1 and redeploy, web12"},
		{"web1.example.com", "host2"},
		{"root@localhost", "root@localhost"},
		{"for carol from 192.0.2.77", "for user2 from 203.0.113.1"},
		{"[192.0.2.77]:22", "[203.0.113.1]:22"},
		{"/home/dave/.ssh/config", "/home/user3/.ssh/config"},
		{"127.0.0.1 ::1 0.0.0.0 ::", "127.0.0.1 ::1 0.0.0.0 ::"},
		{"10.1.2.3", "10.99.0.1"},
		{"fe80::7 2001:db8:5::7 192.0.2.78", "fe80::1 2001:db8::2 203.0.113.3"},
		{"at 12:34:56, sshd 9.2.1.4p1, mac 1:2:3", "at 12:34:56, sshd 9.2.1.4p1, mac 1:2:3"},
	} {
		if got := n.Text(c.text); got != c.want {
			t.Errorf("%q\n gave %q\n want %q", c.text, got, c.want)
		}
	}
}

// TestAddressesStayApart: two addresses never become one, of whatever kind.
func TestAddressesStayApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := NewNames(nil, nil)
		all := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) netip.Addr {
			if rapid.Bool().Draw(t, "IPv4") {
				return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
			}
			return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")))
		}), 1, 300, rapid.ID).Draw(t, "addresses")
		seen := map[string]netip.Addr{}
		for _, a := range all {
			text := n.Text(a.String())
			if other, twice := seen[text]; twice && other.Unmap() != a.Unmap() && told(a) {
				t.Fatalf("%v and %v are both %s", other, a, text)
			}
			if to, err := netip.ParseAddr(text); err != nil || told(a) && (to.Is4() != a.Unmap().Is4() || to.IsPrivate() != a.Unmap().IsPrivate()) {
				t.Fatalf("%v became %s", a, text)
			}
			if n.Text("x "+a.String()+" y") != "x "+text+" y" {
				t.Fatalf("%v is not always %s", a, text)
			}
			seen[text] = a
		}
	})
}

// FuzzClean: any text is cleaned without harm, and cleaning it again changes
// nothing of what is a secret.
func FuzzClean(f *testing.F) {
	f.Add("Accepted publickey for bob from 192.0.2.1 port 22 ssh2: token=abc")
	f.Add(":::1::2")
	f.Fuzz(func(t *testing.T, text string) {
		n := NewNames(nil, nil)
		n.Learn(text)
		n.Text(Redact(text))
		if strings.Contains(Redact(text), "PRIVATE KEY-----\n") {
			t.Error("a private key is left")
		}
	})
}
