package probe

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
)

// TestPartingMarks: what is tried on the way out is each mark once, and on the
// way back what a server of that banner would mark a terminal by.
func TestPartingMarks(t *testing.T) {
	for _, test := range []struct {
		config, banner string
		out            []int
		back           int
	}{
		{"af21 cs1", "SSH-2.0-OpenSSH_9.9", []int{0x48, 0x20}, 0x48},
		{"af21 cs1", "SSH-2.0-OpenSSH_10.2", []int{0x48, 0x20, 0xb8}, 0xb8},
		{"lowdelay throughput", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", []int{0x10, 0x08}, 0x10},
		{"none none", "SSH-2.0-OpenSSH_7.4", []int{0x10}, 0x10},
		{"ef ef", "SSH-2.0-dropbear_2022.83", []int{0xb8}, 0},
		{"0x2c cs0", "SSH-2.0-tinyssh", []int{0x2c}, 0},
		{"", "", nil, 0},
	} {
		p := newParting(test.config, test.banner)
		var out []int
		for _, m := range p.out {
			out = append(out, m.TOS)
		}
		if diff := cmp.Diff(test.out, out); diff != "" || p.back.TOS != test.back {
			t.Errorf("%s, %s: back %#x, %s", test.config, test.banner, p.back.TOS, diff)
		}
	}
}

// TestArrived: each sum of lost pieces names them, and what is no such sum
// names nothing.
func TestArrived(t *testing.T) {
	marks := []fact.Mark{{TOS: 1}, {TOS: 2}, {TOS: 3}}
	const goodbye = 64
	for resent := -1; resent <= 2*goodbye; resent++ {
		seen := arrived(marks, goodbye, resent)
		pieces := resent
		if resent >= goodbye-7 {
			pieces -= goodbye - 7
		}
		if (seen != nil) != (pieces >= 0 && pieces <= 7) {
			t.Fatalf("%d bytes sent again: %v", resent, seen)
		}
		for i, m := range seen {
			if m.Passed == (pieces>>i&1 == 1) {
				t.Errorf("%d bytes sent again: the mark %d passed: %v", resent, m.TOS, m.Passed)
			}
		}
	}
}

// TestThroughBetween: only silence after a second sending is a loss, and what
// was on its way before counts for what it was sent under last.
func TestThroughBetween(t *testing.T) {
	quiet := sock.Info{BytesAcked: 100, TotalRetrans: 1, DataSegmentsOut: 7}
	stuck := sock.Info{BytesAcked: 100, TotalRetrans: 3, DataSegmentsOut: 10, Unacked: 1, Backoff: 1}
	for _, test := range []struct {
		name        string
		before, now sock.Info
		want        outcome
	}{
		{"nothing was sent", quiet, quiet, outcome{}},
		{"it is on its way", quiet, sock.Info{BytesAcked: 100, TotalRetrans: 1, DataSegmentsOut: 8, Unacked: 1}, outcome{}},
		{"it came", quiet, sock.Info{BytesAcked: 136, TotalRetrans: 1, DataSegmentsOut: 8}, outcome{getsThrough, 1, 0}},
		{"it came at the second time", quiet, sock.Info{BytesAcked: 136, TotalRetrans: 2, DataSegmentsOut: 9}, outcome{getsThrough, 2, 1}},
		{"it came twice", quiet, sock.Info{BytesAcked: 136, TotalRetrans: 2, DataSegmentsOut: 9, Duplicates: 1}, outcome{getsThrough, 2, 0}},
		{"it was sent again once", quiet, sock.Info{BytesAcked: 100, TotalRetrans: 2, DataSegmentsOut: 9, Unacked: 1}, outcome{}},
		{"it was sent again twice", quiet, stuck, outcome{isLost, 3, 3}},
		{"what was stuck goes on", stuck, sock.Info{BytesAcked: 136, TotalRetrans: 4, DataSegmentsOut: 11}, outcome{getsThrough, 1, 0}},
		{"what was stuck goes on later", stuck, sock.Info{BytesAcked: 136, TotalRetrans: 5, DataSegmentsOut: 12}, outcome{getsThrough, 2, 1}},
		{"what was stuck was only late", stuck, sock.Info{BytesAcked: 136, TotalRetrans: 3, DataSegmentsOut: 10}, outcome{getsThrough, 0, 0}},
	} {
		if got := throughBetween(test.before, test.now); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

// TestSuspicion: a session is spent only where something points to it.
func TestSuspicion(t *testing.T) {
	af21 := fact.Mark{Way: toServer, Name: "af21", TOS: 0x48, Class: interactive, Passed: true}
	cs1 := fact.Mark{Way: toServer, Name: "cs1", TOS: 0x20, Class: bulk, Passed: true}
	back := fact.Mark{Way: toClient, Name: "af21", TOS: 0x48, Passed: true}
	lost := func(m fact.Mark) fact.Mark { m.Passed = false; return m }
	for _, test := range []struct {
		name          string
		marks         []fact.Mark
		stage, reason string
		qos           string
		trials        []string
		client        bool
	}{
		{"healthy", []fact.Mark{af21, cs1, back}, "session", "", "af21 cs1", nil, false},
		{"nothing seen", nil, "session", "no-answer", "", nil, false},
		{"a mark is lost", []fact.Mark{af21, lost(cs1), back}, "session", "no-answer", "", []string{"switched cs1"}, false},
		{"all are lost", []fact.Mark{lost(af21), lost(cs1)}, "session", "no-answer", "", []string{"switched cs1 af21", "constant cs1"}, false},
		{"the way back", []fact.Mark{af21, cs1, lost(back)}, "session", "", "af21 cs1", nil, true},
		{"the session hangs", []fact.Mark{af21, cs1, back}, "session", "no-answer", "", nil, true},
		{"the login is refused", []fact.Mark{af21, cs1, back}, "kex", "permission-denied", "", nil, false},
		{"another mark of the server's", []fact.Mark{af21, cs1, back}, "session", "", "ef cs1", nil, true},
		{"the server marks all alike", []fact.Mark{af21, cs1, back}, "session", "", "ef ef", nil, false},
		{"the server marks nothing", []fact.Mark{af21, cs1, back}, "session", "", "none cs1", nil, false},
	} {
		facts := &fact.Set{}
		if test.marks != nil {
			fact.PathMarks.Put(facts, test.marks, "")
		}
		fact.LoginStage.Put(facts, test.stage, "")
		if test.reason != "" {
			fact.LoginReason.Put(facts, test.reason, "")
		}
		if test.qos != "" {
			fact.ServerIPQoS.Put(facts, test.qos, "")
		}
		s := suspicionOf(facts)
		var trials []string
		for _, m := range s.toServer {
			for _, k := range m.marks {
				m.kind += " " + k.Name
			}
			trials = append(trials, m.kind)
		}
		if diff := cmp.Diff(test.trials, trials); diff != "" || s.toClient != test.client {
			t.Errorf("%s: the way back %v, %s", test.name, s.toClient, diff)
		}
	}
}

// TestMarksOnLoopback: a real sshd and two real kernels, where every mark
// passes both ways.
func TestMarksOnLoopback(t *testing.T) {
	s := newServer(t, "")
	env := newEnv(s.target("root", "user", "known"))
	env.Resolved.Host, env.Resolved.Port = "127.0.0.1", s.port
	env.Config = map[string][]string{"ipqos": {"af21 cs1"}}
	facts := &fact.Set{}
	Handshake.Run(t.Context(), env, facts)
	marks, _ := fact.PathMarks.Get(facts)
	var ways []string
	for _, m := range marks {
		if !m.Passed {
			t.Errorf("%+v is lost", m)
		}
		ways = append(ways, m.Way)
	}
	if len(ways) < 3 || ways[len(ways)-1] != toClient {
		t.Errorf("tried were %v: %s", ways, facts.Missing()[fact.PathMarks.Name()])
	}
}
