package sshlog

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMachine: who was hit by what, how often, and when.
func TestMachine(t *testing.T) {
	const at = "Nov 21 00:15:3"
	s := told(t, at+"0 w sshd[9]: Server listening on 0.0.0.0 port 22.\n"+
		at+"0 w sshd[9]: Server listening on :: port 22.\n"+
		at+"1 w sshd[1]: Accepted publickey for a from 192.0.2.9 port 4000 ssh2\n"+
		at+"2 w sshd[1]: Connection reset by 192.0.2.9 port 4000\n"+
		at+"2 w sshd[1]: error: beginning MaxStartups throttling\n"+
		at+"2 w sshd[1]: drop connection #10 from [192.0.2.77]:4001 on [10.0.0.1]:22 past MaxStartups\n"+
		at+"3 w sshd[1]: exited MaxStartups throttling after 00:05:00, 12 connections dropped\n"+
		at+"3 w sshd[2]: Invalid user x from 203.0.113.4 port 5000\n"+
		at+"3 w sshd[2]: Failed password for invalid user x from 203.0.113.4 port 5000 ssh2\n"+
		at+"3 w sshd[2]: Connection closed by invalid user x 203.0.113.4 port 5000 [preauth]\n"+
		at+"4 w sshd[3]: Connection closed by 203.0.113.5 port 5001 [preauth]\n"+
		at+"4 w sshd[4]: fatal: Timeout before authentication for 2001:db8:1:2::7 port 5002\n"+
		at+"5 w fail2ban.actions[1]: NOTICE [sshd] Ban 203.0.113.4\n"+
		at+"5 w fail2ban.actions[1]: NOTICE [nginx] Ban 203.0.113.4\n"+
		"Nov 21 01:15:30 w sshd[9]: Received SIGHUP; restarting.\n"+
		"Nov 21 01:15:30 w kernel: Out of memory: Killed process 1 (x)\n")
	m := &s.Machine
	if m.Failures != 15 || m.FailedLogins != 1 || s.Clients != 5 || len(m.Starts) != 2 || m.Starts[0].Reload || !m.Starts[1].Reload {
		t.Errorf("failures %d, failed logins %d, connections %d, starts %v", m.Failures, m.FailedLogins, s.Clients, m.Starts)
	}
	var troubles, places []string
	for _, x := range m.Troubles() {
		troubles = append(troubles, fmt.Sprint(x.Symptom, " ", x.N, " ", x.Symptom.Cause()))
	}
	if got, want := strings.Join(troubles, ", "), "startup-drop 12 startup-throttle, address-banned 1 source-refused, grace-timeout 1 login-grace, out-of-memory 1 server-resources, client-closed-early 1 , client-reset 1 "; !sameWords(got, want) {
		t.Errorf("troubles: %s", got)
	}
	for _, p := range m.Places() {
		places = append(places, fmt.Sprintf("%v %d/%d", p.Network, p.Failures, p.Connections))
	}
	if got := strings.Join(places, ", "); got != "192.0.2.0/24 2/2, 203.0.113.0/24 1/2, 2001:db8:1:2::/64 1/1" {
		t.Errorf("places: %s", got)
	}
	if hours := m.Hours(); len(hours) != 2 || hours[0].Failures != 15 || hours[1].Failures != 0 || hours[0].Kinds[Throttle] != 12 || hours[1].Kinds[Short] != 1 {
		t.Errorf("hours: %+v", hours)
	}
}

func sameWords(a, b string) bool {
	return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
}

// TestSince: what is older is passed over, and counted.
func TestSince(t *testing.T) {
	var s Story
	text := "Nov 20 00:15:30 w sshd[1]: error: no more sessions\nNov 21 00:15:30 w sshd[1]: error: no more sessions\nNov 21 00:15:31 w kernel: Out of memory: x\n"
	for _, c := range []struct {
		o                Options
		events, sessions int
	}{
		{Options{}, 3, 2}, {Options{Since: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}, 2, 1}, {Options{System: true}, 1, 0},
	} {
		c.o.Now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		events := 0
		s = Story{}
		err := Read(context.Background(), strings.NewReader(text), c.o, func(b *Batch) error {
			events += len(b.Events)
			s.Add(b)
			return nil
		})
		sessions := 0
		if seen := s.Seen[NoMoreSessions]; seen != nil {
			sessions = seen.N
		}
		if err != nil || events != c.events || sessions != c.sessions || s.Before != (map[bool]int{true: 1})[!c.o.Since.IsZero()] {
			t.Errorf("%+v: %v, %d events, %d sessions, %d before", c.o, err, events, sessions, s.Before)
		}
	}
}

func TestNetworks(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "255.255.255.255": "255.255.255.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "2001:db8::1": "2001:db8::/64", "2001:db8:0:1:2::1": "2001:db8:0:1::/64",
		"fe80::1%eth0": "fe80::/64", "127.0.0.1": "127.0.0.0/24", "::1": "127.0.0.0/24",
	} {
		if got := networkOf(addr); got == 0 || got.String() != want {
			t.Errorf("%s is in %v, want %s", addr, got, want)
		}
	}
	for _, none := range []string{"", "web1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.1234", "UNKNOWN", "1..2.3", "a:b"} {
		if got := networkOf(none); got != 0 {
			t.Errorf("%q is in %v", none, got)
		}
	}
}

// TestPlaces: whoever fails often is kept, however many others knock once.
func TestPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Machine
		guest := Network(rapid.Uint64Range(1<<33, 1<<63).Draw(t, "guest"))
		seed := rapid.Uint64().Draw(t, "seed") | 1
		drawn := rapid.IntRange(1, 50).Draw(t, "times")
		for range drawn {
			m.place(guest).Failures++
		}
		if drawn > 1 {
			for i := range uint64(20000) {
				m.place(Network(seed*(i+1))).Failures++
			}
		}
		if p := m.Places()[0]; drawn > 1 && (p.Network != guest || int(p.Failures) != drawn) {
			t.Fatalf("the guest failed %d times, and the worst is %+v", drawn, p)
		}
	})
}
