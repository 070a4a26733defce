package lab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sshtay/internal/host"
)

// fixLimit is how long a fix may take, its checks included.
const fixLimit = 3 * time.Minute

// fix mends a fresh world with the fault, sees that plain ssh then works and
// that the check agrees, puts everything back, and sees that every byte is as
// it was and the fault is there again.
func (l *Lab) fix(ctx context.Context, s Scenario, r *Result) error {
	return l.in(ctx, s.World, func(live *Live) error {
		before, err := live.files()
		if err != nil {
			return err
		}
		said, exit, err := live.sshtay(s.Fix.On, "fix", s.Fix.Run)
		if err != nil || exit != s.Fix.Exit {
			r.miss("`sshtay fix %s` ended with %d, not with %d: %s", s.Fix.Run, exit, s.Fix.Exit, because(err, said))
			return nil
		}
		defer func() {
			if r.Verdict == Wrong {
				r.miss("the fix had said: %s", excerpt(said))
			}
		}()
		expect(r, "fix", said, s.Fix.Says)
		if s.Fix.Nothing {
			return live.unchanged(s, r, before)
		}
		if err := live.sees(Truth{Run: cmp.Or(s.Fix.Mends, s.Truth.Run), Within: s.Truth.Within}); err != nil {
			r.miss("after the fix: %v", err)
		}
		if err := live.cured(s, r); err != nil {
			return err
		}
		for _, args := range s.Fix.Rollback {
			if out, exit, err := live.sshtay(s.Fix.On, "rollback", args); err != nil || exit != 0 {
				r.miss("`sshtay rollback %s` ended with %d: %s", args, exit, because(err, out))
				return nil
			}
		}
		after, err := live.files()
		if err != nil {
			return err
		}
		if d := differ(before, after); len(d) > 0 {
			r.miss("the rollback left differences: %s", strings.Join(d, "; "))
		}
		if err := live.sees(s.Truth); err != nil && s.Fix.Returns {
			r.miss("after the rollback: %v", err)
		}
		return nil
	})
}

// expect holds what a verb said against what it must say.
func expect(r *Result, verb, said string, want []pattern) {
	line := strings.Join(strings.Fields(said), " ") // however it was folded
	for _, p := range want {
		if !p.MatchString(line) {
			r.miss("`sshtay %s` does not say %q: %s", verb, p, excerpt(said))
		}
	}
}

// rollbackLimit is how long a machine may take to put everything back by
// itself: a scenario in which it has to gives it little patience.
const rollbackLimit = 30 * time.Second

// unchanged sees that every byte is as it was, once what was armed has run, and
// that the fault, if there is one, is there as before.
func (l *Live) unchanged(s Scenario, r *Result, before map[string][]string) error {
	var d []string
	for end := time.Now().Add(rollbackLimit); ; time.Sleep(100 * time.Millisecond) {
		after, err := l.files()
		if err != nil {
			return err
		}
		if d = differ(before, after); len(d) == 0 || time.Now().After(end) {
			break
		}
	}
	if len(d) > 0 {
		r.miss("the fix was to change nothing, and left differences: %s", strings.Join(d, "; "))
	}
	if len(s.Fix.History) > 0 {
		l.remembers(s, r)
	}
	if s.Fix.Returns {
		if err := l.sees(s.Truth); err != nil {
			r.miss("after the fix that changed nothing: %v", err)
		}
	}
	return nil
}

// remembers sees what the machine has noted. The files are as they were a moment before
// sshd takes notice, and it accepts nobody while it does.
func (l *Live) remembers(s Scenario, r *Result) {
	for end := time.Now().Add(rollbackLimit); ; time.Sleep(100 * time.Millisecond) {
		seen := Result{}
		said, exit, err := l.sshtay(s.Fix.On, "history", cmp.Or(s.Fix.Rollback...))
		if err != nil || exit != 0 {
			seen.miss("`sshtay history` ended with %d: %s", exit, because(err, said))
		}
		expect(&seen, "history", said, s.Fix.History)
		if seen.Verdict != Wrong {
			return
		}
		if time.Now().After(end) {
			r.miss("%s", strings.Join(seen.Problems, "; "))
			return
		}
	}
}

func because(err error, out string) string {
	if err != nil {
		return err.Error() + ": " + excerpt(out)
	}
	return excerpt(out)
}

// cured sees that a check no longer finds the fault.
func (l *Live) cured(s Scenario, r *Result) error {
	ctx, cancel := context.WithTimeout(l.ctx, checkLimit)
	defer cancel()
	m, as := l.side(s.Want.On)
	res, err := m.run(ctx, as, host.Command{Argv: append([]string{"sshtay", "check", "--json"}, strings.Fields(s.Want.Check)...), Limit: 16 << 20})
	if err != nil {
		return fmt.Errorf("the check after the fix did not end: %w", err)
	}
	var report Report
	if err := json.NewDecoder(bytes.NewReader(res.Stdout)).Decode(&report); err != nil {
		return fmt.Errorf("the check after the fix ended with %d and without a report: %s", res.Exit, excerpt(string(res.Stderr)))
	}
	for _, f := range report.Findings {
		if !slices.Contains(s.Fix.Left, f.Cause) {
			r.miss("the check after the fix finds %s (%s)", f.Cause, f.Status)
		}
	}
	return nil
}

// side is the machine on which something is typed, and by whom.
func (l *Live) side(on string) (*machine, user) {
	switch on {
	case "server":
		return l.machines["server"], root
	case "root":
		return l.machines["client"], root
	}
	return l.machines["client"], alice
}

// sshtay runs one of its verbs.
func (l *Live) sshtay(on, verb, args string) (out string, exit int, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, fixLimit)
	defer cancel()
	m, as := l.side(on)
	r, err := m.run(ctx, as, host.Command{Argv: append([]string{"sshtay", verb}, strings.Fields(args)...)})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("it did not end within %s", fixLimit)
	}
	return string(r.Stdout) + string(r.Stderr), r.Exit, err
}

// listFiles prints each file that a change may touch: its mode, owner, name,
// what it links to, and the checksum of its content; and the settings of the
// kernel and the rules of nft that our remedies set. What useradd keeps of its own files (passwd-, shadow+),
// its locks and the accounts of our own tests are those of the system below, where
// somebody may install a package or run these meanwhile.
const listFiles = `list() { from=$1; shift; find $from -xdev ! -name mtab ! -name 'known_hosts*' ! -name '*[-+]' ! -name '*.lock' ! -path '/etc/sudoers.d/sshtay*' "$@"; }
for d in /etc /run/sshd /var/spool/cron /root/.ssh /home/*/.ssh; do
	[ ! -d $d ] || list $d -printf '%M %U %G %p %l\n'
	[ ! -d $d ] || list $d -type f -exec sha256sum {} +
done 2>/dev/null
for n in tcp_keepalive_time tcp_keepalive_intvl tcp_keepalive_probes tcp_mtu_probing; do printf '%s ' $n; cat /proc/sys/net/ipv4/$n; done
cat /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established 2>/dev/null
ip route; ip -6 route; ip -o link show | sed 's/^[0-9]*: //'; nft -s -t list ruleset 2>/dev/null
true`

// files lists what is on the machines, by machine.
func (l *Live) files() (map[string][]string, error) {
	all := map[string][]string{}
	for name, m := range l.machines {
		r, err := m.run(l.ctx, root, host.Command{Argv: []string{"bash", "-c", listFiles}, Limit: 8 << 20})
		if err != nil || r.Exit != 0 || r.Truncated {
			return nil, fmt.Errorf("the files of %s cannot be listed: %w: %s", name, err, excerpt(string(r.Stderr)))
		}
		all[name] = strings.Split(string(r.Stdout), "\n")
	}
	return all, nil
}

// differ names the lines that only one of two lists has.
func differ(before, after map[string][]string) (all []string) {
	for name := range before {
		for _, pair := range []struct {
			sign        string
			some, else_ []string
		}{{"-", before[name], after[name]}, {"+", after[name], before[name]}} {
			have := map[string]bool{}
			for _, line := range pair.else_ {
				have[line] = true
			}
			for _, line := range pair.some {
				if !have[line] && len(all) < 10 {
					all = append(all, fmt.Sprintf("%s: %s %s", name, pair.sign, line))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}
