package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/target"
)

// pathOf is a Path of these hops.
func pathOf(put func(*fact.Set), hops ...fact.Hop) Path {
	facts := &fact.Set{}
	fact.HandshakeStage.Put(facts, "kex", "test")
	fact.RTT.Put(facts, 20*time.Millisecond, "test")
	fact.HandshakeAddresses.Put(facts, []fact.Address{{Address: "192.0.2.9"}, {Address: "203.0.113.10", Stage: "kex"}}, "test")
	if hops != nil {
		fact.PathHops.Put(facts, hops, "test")
	}
	if put != nil {
		put(facts)
	}
	return NewPath(Input{
		Target: target.Target{Given: "web1"}, Resolved: target.Resolved{User: "root", Host: "203.0.113.10", Port: 22},
		Facts: facts, Version: "1", At: time.Unix(0, 0), Took: time.Second, Connections: 1,
	})
}

func TestPathText(t *testing.T) {
	first := fact.Hop{TTL: 1, Addresses: []string{"192.168.7.1"}, By: "tcp", Answers: 10, Of: 10, RTT: 0.0003, Jitter: 0.0001, Verdict: "answers"}
	server := fact.Hop{TTL: 3, Host: true, Addresses: []string{"203.0.113.10"}, By: "udp", Answers: 10, Of: 10, RTT: 0.021, Jitter: 0.001, Verdict: "answers"}
	with := func(h fact.Hop, change func(*fact.Hop)) fact.Hop { change(&h); return h }
	distance := func(there, back int) func(*fact.Set) {
		return func(s *fact.Set) {
			fact.PathDistance.Put(s, there, "test")
			fact.PathDistanceBack.Put(s, back, "test")
		}
	}
	tests := []struct {
		name string
		path Path
		exit int
		want []string
	}{
		{"healthy", pathOf(distance(3, 3), first, fact.Hop{TTL: 2, Of: 10, Verdict: "silent"}, server), 0, []string{
			"web1: 203.0.113.10 port 22, 20 ms, 3 hops.", "  1  192.168.7.1    10 of 10    0.3 ms    0.1 ms\n", "  2  ?               0 of 10                      silent\n",
			"  3  203.0.113.10   10 of 10     21 ms    1.0 ms  the server\n", "answered all 10.", "1 hop never answered, which alone means nothing."}},
		{"asymmetric", pathOf(distance(3, 9), first, server), 0, []string{"3 hops there and 9 back."}},
		{"a distance from its packets alone", pathOf(func(s *fact.Set) { fact.PathDistanceBack.Put(s, 9, "test") },
			first, with(server, func(h *fact.Hop) { h.TTL, h.Answers, h.Verdict = 0, 0, "silent" })), 0,
			[]string{"9 hops back from there.", "     203.0.113.10    0 of 10                      the server, silent\n", "loss up to it was not measured", "how many routers there are between it and the server is not known."}},
		{"equal routes, shy", pathOf(distance(2, 2), with(first, func(h *fact.Hop) { h.Addresses, h.Answers, h.Verdict = []string{"198.18.0.1", "198.18.8.1"}, 7, "shy" }), server), 0,
			[]string{"198.18.0.1 198.18.8.1    7 of 10", "shy", "equal routes", "1 hop answered less often than asked, and passed everything on"}},
		{"loss", pathOf(distance(2, 2), first, with(server, func(h *fact.Hop) { h.By, h.Answers, h.Verdict = "icmp", 6, "loss-begins" })), 1,
			[]string{"LOSS BEGINS", "Of 10 packets to the server 4 were lost. That begins at hop 2 (203.0.113.10)"}},
		{"answers that may be limited", pathOf(distance(2, 2), first, with(server, func(h *fact.Hop) { h.Answers, h.Verdict = 8, "unclear" })), 0, []string{"Systems limit such answers"}},
		{"unreachable", pathOf(func(s *fact.Set) {
			fact.HandshakeStage.Put(s, "resolve", "test")
			fact.HandshakeDetail.Put(s, "network is unreachable", "test")
		}, first, fact.Hop{TTL: 2, Addresses: []string{"198.51.100.1"}, Of: 10, Says: "knows no way", Verdict: "silent"}, fact.Hop{Host: true, Of: 10, Verdict: "silent"}), 1,
			[]string{"It cannot be connected to: network is unreachable.", "Hop 2 (198.51.100.1) says that it knows no way.", "Behind hop 2 (198.51.100.1) nobody answers."}},
		{"names", pathOf(distance(2, 2), with(first, func(h *fact.Hop) { h.Names = []string{"gw.example"} }), server), 0, []string{"  1  gw.example "}},
		{"nothing seen", pathOf(nil), 3, []string{"web1: 203.0.113.10 port 22, 20 ms."}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := PathText(&b, test.path, TextOptions{Width: 100}); err != nil {
				t.Fatal(err)
			}
			text := b.String()
			for _, want := range test.want {
				if !strings.Contains(unfolded(text), want) && !strings.Contains(text, want) {
					t.Errorf("does not say %q:\n%s", want, text)
				}
			}
			if got := test.path.ExitCode(); got != test.exit {
				t.Errorf("exit %d, want %d", got, test.exit)
			}
		})
	}
}

// unfolded joins the lines of paragraphs.
func unfolded(text string) string { return strings.Join(strings.Fields(text), " ") }

// TestPathLinesFit: however long the names, a line is no longer than the
// terminal, so that the live view can be drawn over.
func TestPathLinesFit(t *testing.T) {
	hop := fact.Hop{TTL: 1, Names: []string{strings.Repeat("a-long-name.", 20)}, Addresses: []string{"2001:db8::1"}, Answers: 100000, Of: 100000, RTT: 0.5, Jitter: 0.3, Says: "does not pass on icmp", Verdict: "loss-begins"}
	for _, width := range []int{40, 60, 80, 110} {
		for _, l := range PathLines([]fact.Hop{hop}, width) {
			if cells(l) > width {
				t.Errorf("%d columns of %d: %q", cells(l), width, l)
			}
		}
	}
}

func TestPathJSON(t *testing.T) {
	var b bytes.Buffer
	p := pathOf(func(s *fact.Set) { fact.Miss(s, "nobody says", fact.PathDistance, fact.HandshakeTTL) }, fact.Hop{TTL: 1, Names: []string{"evil\x1b[2J\u202e"}, Verdict: "answers"})
	if err := PathJSON(&b, p, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\u202e") {
		t.Error("it holds control characters")
	}
	var back Path
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if back.Schema != "sshtay.path/1" || back.Address != "203.0.113.10" || len(back.Hops) != 1 || len(back.Missing) != 1 || back.Missing[0].Fact != "path.distance" {
		t.Errorf("%+v", back)
	}
}
