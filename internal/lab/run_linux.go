package lab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"sshtay/internal/host"
)

// checkLimit is how long a check may take before it is given up, where it leaves
// nothing silent.
const checkLimit = 3 * time.Minute

// Run puts the program to the test of one scenario: is the fault there, is it
// gone when mended, does the check find it, and can the user log in after it?
// Each look is at a world of its own, for every connection leaves traces; where
// they mostly wait, they do so side by side.
func (l *Lab) Run(ctx context.Context, s Scenario) Result {
	r := Result{Name: s.Name, Wanted: s.Want.First}
	var truth error
	see := func() {
		start := time.Now()
		if !l.Trust {
			truth = l.truth(ctx, s)
		}
		r.Spent.Truth = time.Since(start).Seconds()
	}
	var seeing sync.WaitGroup
	if s.Silence() > 0 {
		seeing.Go(see)
	} else if see(); truth != nil {
		return r.end(ctx, truth)
	}
	err := l.check(ctx, s, &r)
	seeing.Wait()
	if err := cmp.Or(truth, err); err != nil {
		return r.end(ctx, err)
	}
	if s.Fix != nil {
		start := time.Now()
		if err := l.fix(ctx, s, &r); err != nil {
			return r.end(ctx, err)
		}
		r.Spent.Fix = time.Since(start).Seconds()
	}
	return r
}

// untrue is the error for a world in which plain ssh does something else than
// the scenario says.
type untrue struct{ error }

// end gives a result that could not be judged its verdict.
func (r Result) end(ctx context.Context, err error) Result {
	r.Problems = append(r.Problems, err.Error())
	switch {
	case ctx.Err() != nil:
		r.Verdict = Stopped
	case errors.As(err, &untrue{}):
		r.Verdict = Untrue
	default:
		r.Verdict = Failed
	}
	return r
}

// truth sees with plain ssh that the fault is there, and that without it all
// is well.
func (l *Lab) truth(ctx context.Context, s Scenario) error {
	faulty := s.Truth.Ends != 0 || s.Truth.Never
	err := l.in(ctx, s.World, func(live *Live) error {
		if faulty && s.Truth.Login != "" {
			if err := live.logsIn(s.Truth); err != nil {
				return untrue{fmt.Errorf("says that a login works in spite of the fault, but %w", err)}
			}
		}
		if err := live.sees(s.Truth); err != nil {
			return untrue{err}
		}
		return nil
	})
	if err != nil || s.Want.First == Healthy {
		return err
	}
	return l.in(ctx, s.Mended, func(live *Live) error {
		mended := Truth{Run: s.Truth.Run, Within: s.Truth.Within}
		if err := live.sees(mended); err != nil {
			return untrue{fmt.Errorf("without the fault: %w", err)}
		}
		return nil
	})
}

// in builds a world, uses it and takes it down.
func (l *Lab) in(ctx context.Context, w World, use func(*Live) error) error {
	live, err := l.Up(ctx, w)
	if err != nil {
		return err
	}
	defer live.Down()
	return use(live)
}

// shell runs a command line as the client's user.
func (l *Live) shell(line string, within time.Duration) (host.Result, error) {
	return l.shellOf(alice, line, within)
}

// shellOf runs a command line on the client as somebody.
func (l *Live) shellOf(who user, line string, within time.Duration) (host.Result, error) {
	ctx, cancel := context.WithTimeout(l.ctx, within)
	defer cancel()
	return l.machines["client"].run(ctx, who, host.Command{Argv: []string{"bash", "-c", line}})
}

// sees holds what plain ssh does against what the scenario says.
func (l *Live) sees(t Truth) error {
	r, err := l.shell(t.Run, t.Within)
	out := string(r.Stdout) + string(r.Stderr)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		if !t.Never {
			return fmt.Errorf("`%s` did not end within %s: %s", t.Run, t.Within, excerpt(out))
		}
	case err != nil:
		return err
	case t.Never:
		return fmt.Errorf("`%s` ended with %d, and was to hang: %s", t.Run, r.Exit, excerpt(out))
	case r.Exit != t.Ends:
		return fmt.Errorf("`%s` ended with %d, not with %d: %s", t.Run, r.Exit, t.Ends, excerpt(out))
	}
	for _, p := range t.Says {
		if !p.MatchString(out) {
			return fmt.Errorf("`%s` does not say %q: %s", t.Run, p, excerpt(out))
		}
	}
	return nil
}

// logsIn is an error when the scenario's login does not work.
func (l *Live) logsIn(t Truth) error {
	return l.sees(Truth{Run: t.Login, Within: 30 * time.Second})
}

// excerpt is the end of what a program said, on one line.
func excerpt(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return s[max(0, len(s)-400):]
}

// check runs the check in a world of its own, sees whether the user can still
// log in, and judges.
func (l *Lab) check(ctx context.Context, s Scenario, r *Result) error {
	start := time.Now()
	live, err := l.Up(ctx, s.World)
	if err != nil {
		return err
	}
	up := time.Since(start)
	exit, report, err := live.check(s.Want, checkLimit+3*s.Silence(), r)
	if err == nil && s.Truth.Login != "" {
		if err := live.logsIn(s.Truth); err != nil {
			r.Harm = "after the check " + err.Error()
		}
	}
	start = time.Now()
	live.Down()
	r.Spent.World = (up + time.Since(start)).Seconds()
	if err != nil {
		return err
	}
	r.judge(s.Want, exit, report)
	return nil
}

// check runs the program as a user would and reads its report.
func (l *Live) check(w Want, limit time.Duration, r *Result) (exit int, report Report, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, limit)
	defer cancel()
	m, as := l.machines["client"], alice
	if w.On == "server" {
		m, as = l.machines["server"], root
	}
	argv := append([]string{"sshtay", "check", "--json"}, strings.Fields(w.Check)...)
	if w.Capture {
		argv, as.Owner = append(withCapability(as, "net_raw"), argv...), root.Owner
	}
	before := l.pump.connections()
	// Nothing outlives a check, so all that it printed may be waited for: on a busy
	// machine it is not read at once.
	res, err := m.run(ctx, as, host.Command{Argv: argv, Limit: 16 << 20, Grace: 10 * time.Second})
	r.Spent.Seconds, r.Spent.Connections = res.Took.Seconds(), l.pump.connections()-before
	if err != nil {
		return 0, report, fmt.Errorf("the check did not end: %w: %s", err, excerpt(string(res.Stderr)))
	}
	if err := json.NewDecoder(bytes.NewReader(res.Stdout)).Decode(&report); err != nil {
		return 0, report, fmt.Errorf("the check ended with %d and without a report: %s%s", res.Exit, excerpt(string(res.Stdout)), excerpt(string(res.Stderr)))
	}
	r.Spent.Reported = report.Spent.Connections
	return res.Exit, report, nil
}

// withCapability begins a command line that root runs as somebody else, who
// may do one thing more than others.
func withCapability(as user, name string) []string {
	return []string{"setpriv", fmt.Sprintf("--reuid=%d", as.UID), fmt.Sprintf("--regid=%d", as.GID), "--clear-groups", "--inh-caps=+" + name, "--ambient-caps=+" + name, "--"}
}

// Shell builds the scenario's world and gives the terminal to a shell of the
// client's user there. All is gone when the shell ends.
func (l *Lab) Shell(ctx context.Context, s Scenario) (exit int, err error) {
	err = l.in(ctx, s.World, func(live *Live) error {
		r, err := live.machines["client"].run(ctx, alice, host.Command{
			Argv: []string{"bash", "--norc", "-i"}, Standard: true, Terminal: true,
			Env: []string{`PS1=lab:` + s.Name + `$ `, "TERM=" + cmp.Or(os.Getenv("TERM"), "dumb")},
		})
		exit = r.Exit
		return err
	})
	return exit, err
}
