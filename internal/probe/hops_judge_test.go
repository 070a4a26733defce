package probe

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sshtay/internal/fact"
)

func TestJudgeHops(t *testing.T) {
	const untrusted = "untrusted"
	tests := []struct {
		name    string
		answers []int // of 40; the last is the server's
		trust   string
		want    string
	}{
		{"all answer", []int{40, 40, 40}, "", "answers answers answers"},
		{"a shy router passes everything on", []int{40, 9, 40, 40}, "", "answers shy answers answers"},
		{"mute routers", []int{40, 0, 0, 40}, "", "answers silent silent answers"},
		{"all are shy, and nothing is lost", []int{30, 9, 20, 40}, "", "shy shy shy answers"},
		{"the last before a silent server is shy", []int{40, 20, 0}, "", "answers unclear silent"},
		{"a shy one before one that answers, and a silent server", []int{40, 20, 40, 0}, "", "answers shy answers silent"},
		{"loss from hop 3 on", []int{40, 40, 28, 30, 29}, "", "answers answers loss-begins loses loses"},
		{"a shy router before loss", []int{40, 12, 40, 27, 28}, "", "answers shy answers loss-begins loses"},
		{"a shy router where loss begins is not to blame", []int{40, 40, 4, 30, 29}, "", "answers answers shy loss-begins loses"},
		{"only the server loses", []int{40, 40, 40, 27}, "", "answers answers answers loss-begins"},
		{"mute routers before the loss", []int{40, 0, 0, 27, 28}, "", "answers silent silent loss-begins loses"},
		{"the server may limit its answers", []int{40, 40, 40, 27}, untrusted, "answers answers answers unclear"},
		{"too little is lost to say where", []int{40, 40, 40, 38}, "", "answers answers answers unclear"},
		{"all lose alike", []int{30, 30, 30}, "", "unclear unclear unclear"},
		{"nobody answers", []int{0, 0}, "", "silent silent"},
		{"no hop", nil, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			hops := asked(40, test.answers...)
			judgeHops(hops, test.trust == "")
			var got []string
			for _, h := range hops {
				got = append(got, h.Verdict)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), test.want)
			}
		})
	}
}

func asked(times int, answers ...int) (hops []fact.Hop) {
	for i, n := range answers {
		hops = append(hops, fact.Hop{TTL: i + 1, Answers: n, Of: times, Host: i == len(answers)-1})
	}
	return hops
}

// Whatever is answered: a verdict is one of the list; nobody is blamed where
// the server answers all, or may limit its answers; nor a hop that everything
// passed; and what is blamed is blamed once, with all that loses behind it.
func TestJudgeHopsBlamesNobodyWithoutReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.IntRange(1, 60).Draw(t, "times")
		hops := asked(times, rapid.SliceOfN(rapid.IntRange(0, times), 1, 12).Draw(t, "answers")...)
		trusted := rapid.Bool().Draw(t, "trusted")
		judgeHops(hops, trusted)
		host := hops[len(hops)-1]
		begins := -1
		for i, h := range hops {
			if !slices.Contains(fact.HopVerdicts, h.Verdict) {
				t.Fatalf("hop %d: %q is no verdict", i+1, h.Verdict)
			}
			if h.Verdict == "loss-begins" {
				if begins >= 0 {
					t.Fatal("blamed twice")
				}
				begins = i
			}
		}
		if begins < 0 {
			return
		}
		if !trusted || host.Answers == host.Of || host.Answers == 0 {
			t.Fatalf("hop %d is blamed, and the server answered %d of %d", begins+1, host.Answers, host.Of)
		}
		for i, h := range hops[begins:] {
			if h.Answers == h.Of || i > 0 && h.Verdict != "loses" && h.Verdict != "silent" {
				t.Fatalf("hop %d is blamed, and behind it one %s", begins+1, h.Verdict)
			}
		}
		if !slices.ContainsFunc(hops[:begins], func(h fact.Hop) bool { return lessLost(h, host) }) {
			t.Fatalf("hop %d is blamed, and no hop before it loses less", begins+1)
		}
	})
}

// A router that limits its answers at random, on a way that loses nothing, is
// never blamed; nor is any other.
func TestJudgeHopsOfAHealthyWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.IntRange(1, 60).Draw(t, "times")
		answers := rapid.SliceOfN(rapid.IntRange(0, times), 0, 12).Draw(t, "answers")
		hops := asked(times, append(answers, times)...)
		judgeHops(hops, true)
		for i, h := range hops {
			if v := h.Verdict; v != "answers" && v != "silent" && v != "shy" {
				t.Fatalf("hop %d: %s", i+1, v)
			}
		}
	})
}
