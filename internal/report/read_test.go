package report

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sshtay/internal/cause"
	"sshtay/internal/fact"
)

func TestRoundTrip(t *testing.T) {
	for story, tell := range stories {
		in := tell(t)
		sent := write(t, JSON, New(in))
		r, err := Read(bytes.NewReader(sent))
		if err != nil {
			t.Errorf("%s: %v", story, err)
			continue
		}
		if diff := cmp.Diff(string(sent), string(write(t, JSON, r))); diff != "" {
			t.Errorf("%s changed on the way (- sent, + came back)\n%s", story, diff)
		}
		set, ignored := FactSet(r)
		if len(ignored) > 0 || len(set.Entries()) != len(in.Facts.Entries()) || !reflect.DeepEqual(set.Missing(), in.Facts.Missing()) && story != "hostile" {
			t.Errorf("%s: the facts changed on the way; ignored %v", story, ignored)
		}
		if diff := cmp.Diff(string(sent), string(write(t, JSON, r.Rejudge(in.Judgements, in.Version)))); diff != "" {
			t.Errorf("%s: judged again by the same judges (- first, + again)\n%s", story, diff)
		}
	}
}

// TestRejudge: other judges, other findings; the observations stay.
func TestRejudge(t *testing.T) {
	before := New(brokenAtBanner(t))
	after := before.Rejudge(ruledOut("startup-throttle"), "9.9")
	if after.Verdict != Unknown || len(after.Findings) != 0 || after.Version != "9.9" {
		t.Errorf("%s by %s with %d findings", after.Verdict, after.Version, len(after.Findings))
	}
	if !reflect.DeepEqual(before.Facts, after.Facts) || !reflect.DeepEqual(before.Missing, after.Missing) || before.Verdict != Broken {
		t.Error("judging again changed what was observed")
	}
}

// small is a report with nothing in it that need not be.
const small = `{"schema": "sshtay.report/1", "at": "2026-11-20T11:00:00+01:00", "version": "1", "verdict": "healthy", "reached": "session"}`

func TestReadForgives(t *testing.T) {
	for name, text := range map[string]string{
		"what is left out":  small,
		"null":              strings.Replace(small, "{", `{"findings": null, "causes": null, "missing": null, "facts": null, "target": {"jumps": null},`, 1),
		"another zone":      strings.Replace(small, "{", `{"facts": {"path.rtt": {"value": 1, "at": "2026-11-20T11:00:00+01:00"}},`, 1),
		"a newer version's": strings.Replace(small, "{", `{"weather": {"is": "fine"},`, 1),
	} {
		r, err := Read(strings.NewReader(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out := write(t, JSON, r)
		if bytes.Contains(out, []byte("null")) || bytes.Contains(out, []byte("+01:00")) || !bytes.Contains(out, []byte(`"at": "2026-11-20T10:00:00Z"`)) {
			t.Errorf("%s became\n%s", name, out)
		}
	}
}

func TestFactSet(t *testing.T) {
	r, err := Read(strings.NewReader(strings.Replace(small, "{", `{
		"facts": {"path.rtt": {"value": 0.02, "unit": "s", "source": "x", "at": "2026-11-20T10:00:00Z"}, "path.colour": {"value": {"a": [1]}}},
		"missing": [{"fact": "server.load1", "reason": "no login"}, {"fact": "server.mood", "reason": "shy"}, {"fact": "path.colour", "reason": "dark"}],`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	set, ignored := FactSet(r)
	if want := []string{"path.colour", "server.mood"}; !slices.Equal(ignored, want) {
		t.Errorf("ignored %v, want %v", ignored, want)
	}
	e, _ := set.Entry("path.rtt")
	if d, ok := fact.RTT.Get(set); !ok || d.Milliseconds() != 20 || e.Source != "x" || !e.At.Equal(start) {
		t.Errorf("path.rtt = %v", e)
	}
	if set.Missing()["server.load1"] != "no login" || len(set.Missing()) != 1 {
		t.Errorf("missing %v", set.Missing())
	}
}

func TestReadRefuses(t *testing.T) {
	with := func(more string) string { return strings.Replace(small, "{", "{\n"+more+",\n", 1) }
	for name, c := range map[string]struct{ text, want string }{
		"nothing":             {" \n", "sshtay check --json"},
		"no JSON":             {"verdict: broken", "line 1 is not JSON"},
		"broken off":          {small[:40], "line 1 is not JSON"},
		"something after":     {small + "\n\n{}", "line 3 is not JSON"},
		"a list":              {"[]", "JSON array"},
		"not UTF-8":           {"{\"schema\": \"\xff\"}", "UTF-8"},
		"another schema":      {`{"schema": "nmap/7"}`, `"nmap/7"`},
		"no schema":           {`{}`, "no report of sshtay"},
		"a later contract":    {strings.Replace(small, "/1", "/2", 1), `reads "sshtay.report/1"`},
		"no time":             {`{"schema": "sshtay.report/1", "verdict": "healthy"}`, "time of the check is missing"},
		"no such time":        {strings.Replace(small, "11-20T", "13-45T", 1), `2026-13-45`},
		"verdict":             {strings.Replace(small, "healthy", "sick", 1), `verdict: "sick" is none of healthy at-risk broken unknown`},
		"reached":             {strings.Replace(small, `"session"`, `"moon"`, 1), `reached: "moon" is none of resolve`},
		"port":                {with(`"target": {"port": 65536}`), "65536 is not between"},
		"type":                {with(`"target": {"port": "ssh"}`), "line 2: target.port holds a string; want int"},
		"spent":               {with(`"spent": {"seconds": -1}`), "less than nothing"},
		"finding's status":    {with(`"findings": [{"status": "possible", "impact": "breaks"}]`), `findings[0].status: "possible" is none of likely confirmed`},
		"finding's impact":    {with(`"findings": [{"status": "likely", "impact": "kills"}]`), `findings[0].impact: "kills"`},
		"remedy's side":       {with(`"findings": [{"status": "likely", "impact": "risk", "remedies": [{"side": "left"}]}]`), `findings[0].remedies[0].side: "left"`},
		"remedy's risk":       {with(`"findings": [{"status": "likely", "impact": "risk", "remedies": [{"side": "client", "risk": "high"}]}]`), `risk: "high"`},
		"cause's status":      {with(`"causes": [{"status": "maybe"}]`), `causes[0].status: "maybe"`},
		"fact without value":  {with(`"facts": {"path.rtt": {"unit": "s"}}`), "has no value"},
		"fact of null":        {with(`"facts": {"no.such": {"value": null}}`), "has no value"},
		"fact of wrong type":  {with(`"facts": {"path.rtt": {"value": "soon"}}`), "path.rtt holds a string; want a number of seconds"},
		"fact out of range":   {with(`"facts": {"path.rtt": {"value": 1e300}}`), "out of range"},
		"terminal escape":     {`{"schema": "sshtay.report/\u001b[2J"}`, `\x1b[2J`},
		"larger than allowed": {small + strings.Repeat(" ", MaxSize), "larger than the 4 MiB"},
	} {
		_, err := Read(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q in it", name, err, c.want)
		}
		if err != nil && (len(err.Error()) > 300 || strings.ContainsRune(err.Error(), '\x1b')) {
			t.Errorf("%s: the error is not fit to print: %.400q", name, err)
		}
	}
}

// FuzzRead: whatever is read can be written, and read again as the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte(small))
	seeds := 0
	for _, file := range goldens(f, "json") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 10_000 { // the mutator gets nowhere with long ones
			f.Add(text)
			seeds++
		}
	}
	if seeds < 5 {
		f.Fatalf("only %d golden reports are short enough to begin with", seeds)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		r, err := Read(bytes.NewReader(doc))
		if err != nil {
			return
		}
		first := write(t, JSON, r)
		again, err := Read(bytes.NewReader(first))
		if err != nil {
			t.Fatalf("our own JSON is refused: %v\n%s", err, first)
		}
		if second := write(t, JSON, again); !bytes.Equal(first, second) {
			t.Fatalf("not stable: %s", cmp.Diff(string(first), string(second)))
		}
		write(t, text(80, true), r)
		set, _ := FactSet(r)
		r.Rejudge(cause.JudgeAll(set), "fuzz")
	})
}
