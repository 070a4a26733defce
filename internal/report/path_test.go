package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sshtay/internal/fact"
	"sshtay/internal/report/reporttest"
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

// TestPathSaysMore: what the one connection shows besides hops, and what the
// kernel knows of the user's own.
func TestPathSaysMore(t *testing.T) {
	server := fact.Hop{TTL: 2, Host: true, Addresses: []string{"203.0.113.10"}, By: "icmp", Answers: 2, Of: 2, RTT: 0.02, Verdict: "answers"}
	mtu := func(to, from, lostTo, lostFrom int, told bool) func(*fact.Set) {
		return func(s *fact.Set) {
			fact.PathMTUToServer.Put(s, to, "test")
			fact.PathFullToServer.Put(s, lostTo == 0, "test")
			if from > 0 {
				fact.PathMTUFromServer.Put(s, from, "test")
				fact.PathFullFromServer.Put(s, lostFrom == 0, "test")
			}
			if lostTo > 0 {
				fact.PathLostToServer.Put(s, lostTo, "test")
				fact.PathMTUHop.Put(s, fact.MTUHop{Reached: 1, ReachedBy: "192.168.7.1", Missed: 2, MissedBy: "198.51.100.1", Size: lostTo}, "test")
			}
			if lostFrom > 0 {
				fact.PathLostFromServer.Put(s, lostFrom, "test")
			}
			fact.PathMTUKernel.Put(s, 1500, "test")
			fact.PathMTUTold.Put(s, told, "test")
		}
	}
	mark := func(way, name string, passed bool) fact.Mark {
		return fact.Mark{Way: way, Name: name, TOS: 0x48, Class: "interactive", Passed: passed}
	}
	tests := []struct {
		name string
		put  func(*fact.Set)
		exit int
		want string
	}{
		{"both ways", mtu(1500, 1500, 0, 0, false), 0, "Packets of 1500 bytes pass both ways, and none are longer."},
		{"a narrow line that says so", mtu(1280, 1280, 0, 0, true), 0, "none are longer; a router said that no longer ones fit, or the route does."},
		{"not the same", mtu(1500, 1400, 0, 0, false), 0, "Packets of 1500 bytes pass to the server and of 1400 from it"},
		{"a short answer", mtu(1500, 0, 0, 0, false), 0, "The server had nothing so long to send; with a login it has: sshtay check web1"},
		{"a hole there", mtu(1400, 0, 1401, 0, false), 1, "LONG PACKETS VANISH on the way to the server: 1400 bytes pass, and 1401 do not. On the way there, long ones come to hop 1 (192.168.7.1), and not to hop 2 (198.51.100.1). What mends it: sshtay check web1"},
		{"a hole back", mtu(1500, 1380, 0, 1401, false), 1, "LONG PACKETS VANISH on the way from the server: 1380 bytes pass, and 1401 do not."},
		{"marks", func(s *fact.Set) {
			fact.PathMarks.Put(s, []fact.Mark{mark("to-server", "af21", true), mark("to-server", "cs1", false), mark("to-client", "ef", true)}, "test")
		}, 0, "What was marked cs1 was lost once on the way to the server, where what was not marked came through; whether it is each time: sshtay check web1 Packets marked af21 (IPQoS) get through to the server, and back from it marked ef."},
		{"the user's own", func(s *fact.Set) {
			fact.PathFlows.Put(s, []fact.Flow{{Whose: "check", Connected: true, Sent: 8}, {Whose: "user", Connected: true, Program: "ssh\x1b[2J", PID: 4711, Sent: 378, Again: 25, Had: 2}}, "test")
		}, 0, "(process 4711) lost 23 of the 378 segments that it has sent to the server so far."},
	}
	contract := closedSchema(t, reporttest.Path, 7)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := pathOf(test.put, server)
			var text, printed bytes.Buffer
			if err := PathText(&text, p, TextOptions{Width: 100}); err != nil {
				t.Fatal(err)
			}
			if got := unfolded(text.String()); !strings.Contains(got, test.want) || strings.Contains(got, "\x1b") {
				t.Errorf("does not say %q:\n%s", test.want, text.String())
			}
			if got := p.ExitCode(); got != test.exit {
				t.Errorf("exit %d, want %d", got, test.exit)
			}
			if err := PathJSON(&printed, p, TextOptions{}); err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(&printed)
			if err != nil {
				t.Fatal(err)
			}
			if err := contract.Validate(doc); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPathContractRefuses: ways to break the contract are noticed.
func TestPathContractRefuses(t *testing.T) {
	var b bytes.Buffer
	if err := PathJSON(&b, pathOf(nil, fact.Hop{TTL: 1, Answers: 1, Of: 1, By: "tcp", Verdict: "answers"}), TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := reporttest.CheckAs(reporttest.Path, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new string }{
		{`"sshtay.path/1"`, `"sshtay.path/2"`}, {`"reached": "kex"`, `"reached": "moon"`}, {`"verdict": "answers"`, `"verdict": "bad"`}, {`"by": "tcp"`, `"by": "smoke"`},
		{`"marks": []`, `"marks": null`}, {`"rtt": 0.02`, `"rtt": "20ms"`}, {`"ttl": 1`, `"ttl": -1`}, {`"told": false`, `"told": 0`}, {`"flows": [],`, ``},
	} {
		broken := strings.Replace(b.String(), c.old, c.new, 1)
		if broken == b.String() || reporttest.CheckAs(reporttest.Path, []byte(broken)) == nil {
			t.Errorf("%s in place of %s: accepted, or not found", c.new, c.old)
		}
	}
}
