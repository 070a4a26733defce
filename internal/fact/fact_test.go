package fact

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestEveryFactHasAQuestionAndAPlace(t *testing.T) {
	if len(All()) < 50 {
		t.Fatalf("the vocabulary has only %d facts", len(All()))
	}
	for _, k := range All() {
		if !strings.Contains(k.Question(), "?") {
			t.Errorf("%s asks no question: %q", k.Name(), k.Question())
		}
		place, _, _ := strings.Cut(k.Name(), ".")
		if !strings.Contains(" client handshake path login session server log reset idle ", " "+place+" ") {
			t.Errorf("%s is about no known place", k.Name())
		}
	}
}

// TestReportCarriesFacts: what JSON carries out, it carries back in.
func TestReportCarriesFacts(t *testing.T) {
	s := &Set{}
	RTT.Put(s, 20300*time.Microsecond, "tcpinfo")
	Disks.Put(s, []Disk{{Mount: "/", Used: 0.5}}, "df")
	SSHDRunning.Put(s, false, "ss")
	MaxStartups.Put(s, "10:30:100", "sshd -T")
	back := &Set{}
	for name, e := range s.Entries() {
		raw, err := json.Marshal(Seconds(e.Value))
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Decode(name, raw, e.Source, e.At); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(s.Entries(), back.Entries()) {
		t.Errorf("sent %v\n got %v", s.Entries(), back.Entries())
	}
	if err := back.Decode("path.rtt", json.RawMessage(`"soon"`), "", time.Time{}); err == nil {
		t.Error("a word passed as a number of seconds")
	}
	if err := back.Decode("no.such", json.RawMessage(`1`), "", time.Time{}); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown name: %v", err)
	}
}

func TestAbsentIsNotFalse(t *testing.T) {
	s := &Set{}
	Miss(s, "needs root", SSHDRunning)
	Miss(s, "a later, farther reason", SSHDRunning)
	v := s.View()
	if _, ok := SSHDRunning.In(v); ok {
		t.Error("an open question has an answer")
	}
	if got := v.Why(SSHDRunning); got != "needs root" {
		t.Errorf("why = %q", got)
	}
	if !v.Open(SSHDRunning) || v.Open(ChannelTimeout) {
		t.Error("a question is open when its answer was looked for in vain")
	}
	SSHDRunning.Put(s, false, "ss")
	Miss(s, "too late", SSHDRunning)
	if got, ok := SSHDRunning.In(v); got || !ok {
		t.Error("an answer of false is not an answer")
	}
	if len(s.Missing()) != 0 {
		t.Error("an answered question is still missing")
	}
}

func TestStories(t *testing.T) {
	s, err := Parse("# comment\n\npath.rtt = 20ms\nlogin.methods = [\"publickey\"]\nsession.noise = two\\nlines\nserver.load1 ? no login\n")
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := RTT.Get(s); d != 20*time.Millisecond {
		t.Errorf("rtt = %v", d)
	}
	if n, _ := SessionNoise.Get(s); n != "two\nlines" {
		t.Errorf("noise = %q", n)
	}
	if s.Missing()["server.load1"] != "no login" {
		t.Errorf("missing = %v", s.Missing())
	}
	for _, bad := range []string{"path.rtt", "path.rtt 5ms", "path.rtt = soon", "who.knows = 1", "server.cpus = many"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// TestForget: what a later observation does not bear out is absent again.
func TestForget(t *testing.T) {
	s := &Set{}
	HandshakeReason.Put(s, "closed", "probe")
	HandshakeReason.Forget(s, "")
	if v, ok := HandshakeReason.Get(s); ok || len(s.Missing()) != 0 {
		t.Errorf("still %q, missing %v", v, s.Missing())
	}
	HandshakeReason.Put(s, "reset", "probe")
	HandshakeReason.Forget(s, "it passed")
	if _, ok := HandshakeReason.Get(s); ok || s.Missing()["handshake.reason"] != "it passed" {
		t.Errorf("missing %v", s.Missing())
	}
}
