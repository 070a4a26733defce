package sshlog

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestHoles(t *testing.T) {
	for _, c := range []struct {
		form, text string
		want       Captured
		ok         bool
	}{
		{"no more sessions", "no more sessions", Captured{}, true},
		{"no more sessions", "no more sessions!", Captured{}, false},
		{"drop connection #{n}", "drop connection #12", Captured{Number: "12"}, true},
		{"drop connection #{n}", "drop connection #12 from", Captured{}, false},
		{"Connection reset by {id}", "Connection reset by 192.0.2.9 port 4000", Captured{Addr: "192.0.2.9", Port: "4000"}, true},
		{"Connection reset by {id}", "Connection reset by 2001:db8::1%eth0 port 4000", Captured{Addr: "2001:db8::1%eth0", Port: "4000"}, true},
		{"Connection reset by {id}", "Connection reset by authenticating user a port 7 192.0.2.9 port 4000", Captured{Addr: "192.0.2.9", Port: "4000", User: "a port 7"}, true},
		{"Connection reset by {id}", "Connection reset by invalid user x 192.0.2.9 port 4000 198.51.100.1 port 5", Captured{Addr: "198.51.100.1", Port: "5", User: "x 192.0.2.9 port 4000"}, true},
		{"Connection reset by {id}", "Connection reset by somebody else 192.0.2.9 port 4000", Captured{}, false},
		{"Connection reset by {id}", "Connection reset by XXX.XXX.XXX.XXX port XXXX", Captured{Addr: "XXX.XXX.XXX.XXX", Port: "XXXX"}, true},
		{"Unable to negotiate with {id}: no {*}", "Unable to negotiate with 192.0.2.9 port 4: no x port 5: no y", Captured{Addr: "192.0.2.9", Port: "4", Detail: "x port 5: no y"}, true},
		{"Read from {addr}: {*}", "Read from 2001:db8::1: gone", Captured{Addr: "2001:db8::1", Detail: "gone"}, true},
		{"Failed {word} for {user} from {addr} port {port} ssh2{*}", "Failed none for a from 1.1.1.1 port 2 ssh2 from 192.0.2.9 port 4 ssh2",
			Captured{Addr: "192.0.2.9", Port: "4", User: "a from 1.1.1.1 port 2 ssh2", Detail: "none"}, true},
		{"on [{word}]:{n} past", "on [::1]:22 past", Captured{Number: "22", Detail: "::1"}, true},
		{"{*} i/o timeout", " i/o timeout", Captured{}, true},
	} {
		f := compileForm(c.form)
		var got Captured
		ok := strings.HasPrefix(c.text, f.lead) && f.match(c.text, &got)
		got.tried = 0
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q of %q: %v %+v, want %v %+v", c.text, c.form, ok, got, c.ok, c.want)
		}
	}
}

// TestEveryMessageIsReadAsItself fills each form of the catalogue, and reads
// it as a line of its program.
func TestEveryMessageIsReadAsItself(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all := theCatalogue()
	for _, m := range all.all {
		for range 5 {
			text := filled(r, m.form)
			for who, known := range map[programs]*index{sshd: &all.sshdOnly, ssh: &all.sshOnly, kernel: &all.kernelOnly, unit: &all.unitOnly, dropbear: &all.dropbearOnly} {
				if m.by&who == 0 {
					continue
				}
				got := known.find(text, &Captured{})
				if got == nil || got.toldBy(who) != m.toldBy(who) && !strings.Contains(m.form, "{*}") {
					t.Errorf("%q of the form %q is read as %v", text, m.form, got)
				}
			}
			if got := all.any.find(text, &Captured{}); got == nil {
				t.Errorf("%q of the form %q is not read", text, m.form)
			}
		}
	}
	if len(all.all) < 300 {
		t.Errorf("only %d messages", len(all.all))
	}
}

// TestEverySymptomIsTold: by a message, by a story of several, or by packets.
func TestEverySymptomIsTold(t *testing.T) {
	told := map[Symptom]bool{
		WaitingForKexInit: true, WaitingForKexReply: true, ClosedInKex: true, ResetInKex: true, ClosedInAuth: true, ResetInAuth: true,
		ClientLeft: true, EndedAtSameAge: true, NoSymptom: true,
	}
	for _, m := range Messages() {
		told[m.tells], told[m.toldBy(sshd)] = true, true
	}
	for s := range symptoms {
		if !told[s] && !strings.HasPrefix(s.String(), "wire-") {
			t.Errorf("nothing tells %v (%d)", s, s)
		}
		if s != NoSymptom && (s.String() == "" || s.Says() == "") {
			t.Errorf("symptom %d has no name or no words", s)
		}
	}
}

// TestFragments: what people quote of a message is taken for it when it can
// be no other.
func TestFragments(t *testing.T) {
	for text, want := range map[string]Symptom{
		"POSSIBLE BREAK-IN ATTEMPT":               NameMismatch,
		"drop connection ... past MaxStartups":    StartupDrop,
		"Read from remote host":                   NoSymptom, // it may have been reset or timed out
		"the connection":                          NoSymptom,
		"I said that no more sessions were there": NoSymptom,
	} {
		got := NoSymptom
		if m := theCatalogue().fragment(text); m != nil {
			got = m.tells
		}
		if got != want {
			t.Errorf("%q is taken for %v, want %v", text, got, want)
		}
	}
}

func FuzzForm(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, m := range Messages() {
		f.Add(filled(r, m.form))
	}
	f.Fuzz(func(t *testing.T, text string) {
		var c Captured
		m := theCatalogue().any.find(text, &c)
		if m == nil {
			return
		}
		for _, part := range []string{c.Addr, c.Port, c.User, c.Detail, c.Number} {
			if !strings.Contains(text, part) {
				t.Errorf("%q is not in %q", part, text)
			}
		}
		if c.tried > maxTries+len(m.form) {
			t.Errorf("%d places were tried in %q", c.tried, text)
		}
	})
}
