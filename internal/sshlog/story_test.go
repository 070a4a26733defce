package sshlog

import (
	"strings"
	"testing"
)

func told(t testing.TB, text string) *Story {
	t.Helper()
	var s Story
	all, sum := events(t, strings.NewReader(text))
	sum.Events = all
	s.Add(&sum)
	s.End()
	return &s
}

func (s *Story) names() string {
	var names []string
	for _, seen := range s.Seen {
		if seen != nil {
			names = append(names, seen.Symptom.String())
		}
	}
	return strings.Join(names, " ")
}

// TestStories: lines in their order tell more than each alone.
func TestStories(t *testing.T) {
	for _, c := range []struct{ about, text, symptoms, ended string }{
		{"one end in two lines", "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 192.0.2.7 port 22\n", "reset-at-banner", Banner},
		{"the stage of a line that does not tell it", "debug1: Connection established.\ndebug1: Remote protocol version 2.0, remote software version X\ndebug1: SSH2_MSG_KEXINIT sent\nConnection reset by 192.0.2.7 port 22\n", "reset-in-kex", Kex},
		{"a login that was cut", "debug1: SSH2_MSG_NEWKEYS received\nConnection closed by 192.0.2.7 port 22\n", "closed-in-auth", Auth},
		{"waiting for the large reply", "debug1: SSH2_MSG_KEXINIT sent\ndebug1: SSH2_MSG_KEXINIT received\ndebug1: expecting SSH2_MSG_KEX_ECDH_REPLY\n", "waiting-for-kex-reply", Kex},
		{"waiting, then an end", "debug1: expecting SSH2_MSG_KEX_ECDH_REPLY\nConnection to 192.0.2.7 port 22 timed out\n", "waiting-for-kex-reply timeout-in-kex", Kex},
		{"a reply that came", "debug1: expecting SSH2_MSG_KEX_ECDH_REPLY\ndebug1: SSH2_MSG_KEX_ECDH_REPLY received\ndebug1: SSH2_MSG_NEWKEYS received\ndebug1: Authenticated to x ([1.1.1.1]:22) using \"publickey\".\ndebug1: Exit status 0\n", "", ""},
		{"mute after the connection", "debug1: Connecting to web1 [192.0.2.7] port 22.\ndebug1: Connection established.\n", "banner-timeout", Banner},
		{"no connection", "debug1: Connecting to web1 [192.0.2.7] port 22.\n", "connect-timeout", Connect},
		{"a renewal of the keys", "Authenticated to x ([1.1.1.1]:22) using \"publickey\".\ndebug1: SSH2_MSG_KEXINIT sent\nclient_loop: send disconnect: Broken pipe\n", "broken-pipe rekey-broken", Session},
		{"HTTP in the place of a banner", "debug1: Connection established.\ndebug1: kex_exchange_identification: banner line 0: HTTP/1.1 400 Bad Request\nkex_exchange_identification: Connection closed by remote host\n", "not-ssh", Banner},
		{"what is said at a debug level is no failure", "debug1: /etc/ssh/ssh_config line 21: include /etc/ssh/ssh_config.d/* matched no files\ndebug1: Connecting to web1 [192.0.2.7] port 22.\nssh: connect to host web1 port 22: Connection refused\n", "refused", Connect},
		{"two attempts", "debug1: Connecting to web1 [192.0.2.7] port 22.\ndebug1: Connection established.\nkex_exchange_identification: Connection closed by remote host\ndebug1: Connecting to web1 [192.0.2.7] port 22.\nssh: connect to host web1 port 22: Connection refused\n", "refused closed-at-banner", Connect},

		{"a server's own file", "Server listening on 0.0.0.0 port 22.\nkex_exchange_identification: read: Connection reset by peer\nConnection reset by 192.0.2.9 port 4000\n", "client-reset-early", ""},
		{"a session at a server", "Nov 21 00:15:33 w sshd[1]: Accepted publickey for a from 192.0.2.9 port 4000 ssh2\nNov 21 00:16:33 w sshd[2]: Connection reset by 192.0.2.9 port 4000\n", "client-reset", ""},
		{"a session that went away", "Nov 21 00:15:33 w sshd[1]: Accepted publickey for a from 192.0.2.9 port 4000 ssh2\nNov 21 00:16:33 w sshd-session[2]: Connection closed by 192.0.2.9 port 4000\n", "client-left", ""},
		{"both sides quoted", "sshd[1365]: fatal: Missing privilege separation directory: /run/sshd\nkex_exchange_identification: read: Connection reset by peer\n", "reset-at-banner daemon-broken", Banner},
		{"what attackers choose", "Nov 21 00:15:33 w sshd[1]: Invalid user no more sessions from 198.51.100.1 port 4\n", "client-unknown-user", ""},
	} {
		s := told(t, c.text)
		if s.names() != c.symptoms || s.Ended != c.ended {
			t.Errorf("%s: %q at %q, want %q at %q", c.about, s.names(), s.Ended, c.symptoms, c.ended)
		}
	}
}

func TestWhatElseAStoryKnows(t *testing.T) {
	s := told(t, "Nov 21 00:15:33 w sshd[1]: drop connection #10 from [192.0.2.9]:4000 on [10.0.0.1]:22 past Maxstartups\n"+
		"Nov 20 00:15:33 w sshd[1]: Accepted publickey for a from 192.0.2.9 port 4001 ssh2\n")
	if s.Versions.String() != "9.8 to 9.9" || s.Backward != 1 || s.Clients != 2 || s.Logins != 1 || s.Attempts != 0 {
		t.Errorf("%+v", s)
	}
	s = told(t, "debug1: Connecting to web1 [192.0.2.7] port 2222.\ndebug1: Connection established.\ndebug1: Remote protocol version 2.0, remote software version OpenSSH_9.2\n")
	if s.Host != "web1" || s.Port != "2222" || s.Software != "OpenSSH_9.2" || s.Attempts != 1 {
		t.Errorf("%+v", s)
	}
	s = told(t, "Connection reset by XXX.XXX.XXX.XXX port 22\n")
	if s.Host != "" {
		t.Errorf("the X of who hides an address are a host: %q", s.Host)
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		ranges []string
		want   string
	}{
		{nil, ""}, {[]string{""}, ""}, {[]string{"8.0+"}, "8.0 or later"}, {[]string{"-7.9", "7.5+"}, "7.5 to 7.9"}, {[]string{"-7.9"}, "7.9 or earlier"},
		{[]string{"10.0+", "-7.9"}, ""},
	} {
		var v Versions
		for _, r := range c.ranges {
			v.narrow(parseVersions(r))
		}
		if v.String() != c.want {
			t.Errorf("%q: %q", c.ranges, v)
		}
	}
}
