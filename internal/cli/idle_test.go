package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sshtay/internal/idle"
)

// TestIdleUsage: what cannot be measured is refused with what to type.
func TestIdleUsage(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	for _, c := range []struct {
		args []string
		exit int
		says string
	}{
		{[]string{"idle"}, exitUsage, "needs a host"},
		{[]string{"idle", "--pace", "5", "web1"}, exitUsage, "want auto, or logins in a time"},
		{[]string{"idle", "--pace", "0/30s", "web1"}, exitUsage, "or logins in a time"},
		{[]string{"idle", "--up-to", "1s", "web1"}, exitUsage, "want a time from 2s to 48h"},
		{[]string{"idle", "-o", "FILE", "web1"}, exitUsage, "want an option of ssh"},
		{[]string{"check", "--idle", "30m"}, exitUsage, "needs a host"},
		{[]string{"check", "--idle", "30m", "--no-login", "web1"}, exitUsage, "exclude each other"},
		{[]string{"idle", "--status"}, exitUnknown, ""},
	} {
		var out, errOut bytes.Buffer
		if exit := Main(t.Context(), c.args, strings.NewReader(""), &out, &errOut); exit != c.exit || !strings.Contains(errOut.String(), c.says) {
			t.Errorf("%q ends with %d: %s%s", c.args, exit, &out, &errOut)
		}
	}
}

// TestDrawIdle: the picture fits the terminal, and says what is known.
func TestDrawIdle(t *testing.T) {
	v := idle.View{
		Now: 95 * time.Second, UpTo: 10 * time.Minute, Left: 3 * time.Minute,
		Result: idle.Result{Low: 60 * time.Second, High: 75 * time.Second},
		Bars: []idle.Bar{
			{ID: 0, State: "talks"}, {ID: 1, State: "silent", Silence: 30 * time.Second, Target: 72 * time.Second},
			{ID: 2, State: "woken", Silence: 75 * time.Second, Target: 75 * time.Second},
			{ID: 3, State: "silent", Silence: 50 * time.Second, Target: 77 * time.Second, TTL: 4},
			{ID: 4, State: "silent", Silence: 50 * time.Second, Target: 77 * time.Second, TTL: idle.Full},
			{ID: 5, State: "silent", Silence: 5 * time.Second}, {ID: 6, State: "opening"},
		},
	}
	all := strings.Join(drawIdle("web1", v, 80, 40), "\n")
	for _, want := range []string{"between 1m00s and 1m15s", "running for 1m35s", "at most 3m00s", "30s of 1m12s", "to hop 4", ", keepalives", "logs in", "is woken", "talks", "█"} {
		if !strings.Contains(all, want) {
			t.Errorf("lacks %q:\n%s", want, all)
		}
	}
	few := drawIdle("web1", v, 60, 6)
	if len(few) != 6 || !strings.Contains(few[5], "and 5 more") {
		t.Errorf("in six lines:\n%s", strings.Join(few, "\n"))
	}
	for _, columns := range []int{1, 20, 46, 80, 100} {
		for _, line := range drawIdle("web1", v, columns, 40) {
			if n := len([]rune(line)); n >= columns && n > 0 {
				t.Errorf("%d of %d columns: %s", n, columns, line)
			}
		}
	}
	if narrow := drawIdle("web1", v, 46, 40); !strings.Contains(narrow[6], "50s of 1m17s, to hop 4") {
		t.Errorf("in 46 columns:\n%s", strings.Join(narrow, "\n"))
	}
}

// TestHeadline goes from knowing nothing to a name.
func TestHeadline(t *testing.T) {
	for want, r := range map[string]idle.Result{
		"fall silent":                {},
		"longer than 30s":            {Low: 30 * time.Second},
		"between 30s and 40s":        {Low: 30 * time.Second, High: 40 * time.Second},
		"the timeout is 5m50s (5m46": {Low: 346 * time.Second, High: 352 * time.Second, Timeout: 350 * time.Second, Known: true},
	} {
		if got := headline("web1", idle.View{UpTo: time.Hour, Result: r}); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestJobInWords: a job that writes runs, one with a result is done, and one
// that fell silent is gone and is not started again.
func TestJobInWords(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	j := idleJob{Host: "web1\x1b[2J", Args: []string{"idle", "--up-to", "1h", "web1"}, Begun: now.Add(-time.Hour), Seen: now, Headline: "web1: longer than 5m", Left: time.Minute}
	for _, c := range []struct {
		change func(*idleJob)
		want   string
	}{
		{func(*idleJob) {}, "running since 2026-11-21 11:00\n    web1: longer than 5m\n    at most 1m00s"},
		{func(j *idleJob) { j.Seen = now.Add(-time.Hour) }, "ended without a result at 11:00 (killed, or the machine was restarted); to begin anew:\n    sshtay idle --up-to 1h web1"},
		{func(j *idleJob) { j.Result = &idleResult{Status: "confirmed", Reason: "because"} }, "idle-timeout is confirmed: because"},
	} {
		k := j
		c.change(&k)
		got := k.inWords(now)
		if !strings.Contains(got, c.want) || strings.Contains(got, "\x1b") {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestJobFile: a job leaves its state whole, and what is no job is not read.
func TestJobFile(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	path, err := jobPath("web1")
	if err != nil {
		t.Fatal(err)
	}
	j := newIdleJob(path, checkOptions{})
	j.end(idleResult{Status: "likely"})
	back, err := readJob(path)
	if err != nil || back.Result == nil || back.Result.Status != "likely" || back.running() {
		t.Errorf("%+v, %v", back, err)
	}
	back.path, back.Schema = path, "something/1"
	back.write()
	if _, err := readJob(path); err == nil {
		t.Error("read a file of another schema")
	}
}
