package sshlog

import (
	"fmt"
	"strings"
	"testing"
	"time"
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

// TestEndedAtSameAge: sessions that all end after the same time show it, and
// those that end at any time do not.
func TestEndedAtSameAge(t *testing.T) {
	begin := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		about   string
		seconds []int
		end     string
		want    bool
	}{
		{"on the hour", []int{3600, 3601, 3600, 120}, "Connection closed by user deploy %s", true},
		{"reset on the hour", []int{3600, 3602, 3603}, "Connection reset by user deploy %s", true},
		{"lost on the hour", []int{3600, 3602, 3603}, "Read error from remote host %s: Connection timed out", true},
		{"at any time", []int{3600, 1800, 7200, 900, 60}, "Connection closed by user deploy %s", false},
		{"two only", []int{3600, 3600}, "Connection closed by user deploy %s", false},
		{"as many otherwise", []int{3600, 3600, 3600, 100, 200, 300}, "Connection closed by user deploy %s", false},
		{"the login's time", []int{20, 20, 20}, "Connection closed by user deploy %s", false},
		{"with a goodbye", []int{3600, 3600, 3600}, "Disconnected from user deploy %s", false},
	} {
		var log strings.Builder
		line := func(seconds int, format string, args ...any) {
			fmt.Fprintf(&log, "%s web1 sshd[7]: %s\n", begin.Add(time.Duration(seconds)*time.Second).Format(time.Stamp), fmt.Sprintf(format, args...))
		}
		for i, lasted := range c.seconds {
			who := fmt.Sprintf("192.0.2.%d port %d", i+1, 4000+i)
			line(10000*i, "Accepted publickey for deploy from %s ssh2: ED25519 SHA256:x", who)
			line(10000*i+lasted, c.end, who)
		}
		s := told(t, log.String())
		if got := s.Seen[EndedAtSameAge] != nil; got != c.want {
			t.Errorf("%s: %v, want %v (%s)", c.about, got, c.want, s.names())
		} else if got && (s.Seen[EndedAtSameAge].N < 3 || !s.Seen[EndedAtSameAge].Server) {
			t.Errorf("%s: %+v", c.about, s.Seen[EndedAtSameAge])
		}
	}
}

// TestAgesAreBounded: the latest count.
func TestAgesAreBounded(t *testing.T) {
	var a ages
	for i := range 3 * mostAges {
		a.add(time.Hour+time.Duration(i)*time.Minute, &Event{Line: "old"})
	}
	for range mostAges {
		a.add(time.Hour, &Event{Line: "new"})
	}
	if got := a.alike(); len(a.last) != mostAges || len(got) != mostAges || got[0].end.Line != "new" {
		t.Errorf("%d kept, %d alike", len(a.last), len(got))
	}
}
