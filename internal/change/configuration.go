package change

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
	"sshtay/internal/sshconf"
)

// What edits of ssh_config and of sshd_config have in common.

// reader reads files of a machine for sshconf: each once, for a plan looks at
// the same ones again and again. It begins at once to look at those of the
// patterns of sh, in one go, for far away each look is a round trip; what was not
// seen then, and would have been, is not there.
func reader(ctx context.Context, m host.Host, patterns ...string) func(name string, max int64) ([]byte, error) {
	type answer struct {
		data []byte
		err  error
	}
	odd := map[string]bool{}
	looked := early(func() map[string]answer {
		known := map[string]answer{}
		if len(patterns) == 0 {
			return known
		}
		all, err := look(ctx, m, patterns...)
		if err != nil {
			patterns = nil // what cannot be read so is asked for by itself
		}
		for _, s := range all {
			odd[s.Name] = s.Odd
			if !s.Odd {
				known[s.Name] = answer{s.Data, nil}
			}
		}
		return known
	})
	missed := func(name string) bool {
		return !odd[name] && !strings.HasPrefix(path.Base(name), ".") && slices.ContainsFunc(patterns, func(p string) bool {
			match, err := path.Match(p, name)
			return err == nil && match
		})
	}
	return func(name string, max int64) ([]byte, error) {
		known := looked()
		a, is := known[name]
		if !is && missed(name) {
			return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
		}
		if !is {
			a.data, a.err = m.ReadFile(ctx, name, int(max))
			if errors.Is(a.err, host.ErrTooLarge) {
				a.err = sshconf.ErrTooLarge
			}
			known[name] = a
		}
		if int64(len(a.data)) > max {
			return a.data[:max], sshconf.ErrTooLarge
		}
		return a.data, a.err
	}
}

// lister lists folders of a machine, each once. It begins at once with those that
// are named.
func lister(ctx context.Context, m host.Host, dirs ...string) func(dir string) []string {
	known := map[string]func() []string{}
	list := func(dir string) func() []string {
		return early(func() []string {
			r, err := m.Run(ctx, host.Command{Argv: []string{"ls", "-1a", "--", dir}, Env: []string{"LC_ALL=C"}})
			if err != nil || r.Exit != 0 {
				return nil
			}
			return strings.Split(string(r.Stdout), "\n")
		})
	}
	for _, dir := range dirs {
		known[dir] = list(dir)
	}
	return func(dir string) []string {
		if known[dir] == nil {
			known[dir] = list(dir)
		}
		return known[dir]()
	}
}

// early begins at once with what is asked for later, and waits for it then.
func early[T any](work func() T) func() T {
	once := sync.OnceValue(work)
	go once()
	return once
}

// realPaths are the files that paths lead to. What is not there yet is where it
// will be.
func realPaths(ctx context.Context, m host.Host, paths []string) ([]string, error) {
	const script = `for f do
	r=$(readlink -f -- "$f" 2>/dev/null)
	[ -n "$r" ] || { [ -L "$f" ] && exit 1; r=$f; }
	printf '%s\n' "$r"
done`
	r, err := m.Run(ctx, host.Command{Argv: append([]string{"sh", "-c", script, "sh"}, paths...)})
	if err != nil {
		return nil, err
	}
	real := strings.Split(strings.TrimSuffix(string(r.Stdout), "\n"), "\n")
	if r.Exit != 0 || len(real) != len(paths) {
		return nil, fmt.Errorf("cannot see where %s leads: is it a broken symbolic link?", strings.Join(paths, ", "))
	}
	return real, nil
}

// effects turns edits into effects on the files themselves.
func effects(ctx context.Context, m host.Host, e *sshconf.Edits) ([]Effect, error) {
	var paths []string
	for _, f := range e.Files {
		paths = append(paths, f.Path)
	}
	if len(paths) == 0 {
		return nil, nil
	}
	real, err := realPaths(ctx, m, paths)
	if err != nil {
		return nil, err
	}
	var all []Effect
	taken := map[string]string{}
	for i, f := range e.Files {
		if other, twice := taken[real[i]]; twice {
			return nil, fmt.Errorf("%s and %s are one file: make them two, or put the options in by hand", other, f.Path)
		}
		taken[real[i]] = f.Path
		verb := "change "
		if f.Old == nil {
			verb = "write "
		}
		all = append(all, Effect{Title: verb + real[i], File: &File{Path: real[i], Old: f.Old, New: f.New, Mode: f.Mode}})
	}
	return all, nil
}

// titleOf names options: "set ClientAliveInterval 60 and MaxSessions 20".
func titleOf(set []sshconf.Assignment) string {
	var all []string
	for _, a := range set {
		all = append(all, a.String())
	}
	if last := len(all) - 1; last > 0 {
		all = append(all[:last-1], all[last-1]+" and "+all[last])
	}
	return "set " + strings.Join(all, ", ")
}

// proofs are lines that prove options by a dump of a program. Of a keyword of
// which every line counts, each value is looked for.
func proofs(program, dump string, placed []sshconf.Placed) (all []Verification) {
	for _, p := range placed {
		key := strings.ToLower(p.After.Keyword)
		if len(p.After.Values) == 0 {
			all = append(all, Verification{Title: program + " says no " + key, Run: "! " + dump + " | grep -qi " + host.Quote("^"+key+" ")})
		}
		for _, v := range p.After.Values {
			line := key + " " + v.Text
			all = append(all, Verification{Title: program + " says " + line, Run: dump + " | grep -qixF -e " + host.Quote(line)})
		}
	}
	return all
}

// doubts are reasons not to trust an edit: what the program itself says of the
// options now is not what we read in its files.
func doubts(dump []byte, ours *sshconf.Resolved, set []sshconf.Assignment) error {
	d, err := sshconf.ParseDump(dump)
	if err != nil {
		return err
	}
	for _, disagreement := range sshconf.Explain(d, ours).Disagreements {
		for _, a := range set {
			if strings.EqualFold(a.Keyword, disagreement.Keyword) {
				return fmt.Errorf("sshtay does not read this configuration as OpenSSH does, and leaves it alone: %s", disagreement)
			}
		}
	}
	return nil
}

// firstLine is what a program complained of first.
func firstLine(said []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(said), []byte("\n"))
	return strings.ToValidUTF8(string(bytes.TrimSpace(line)), "?")
}

// tame are the options of sshd that refuse nobody who could log in before.
var tame = strings.Fields(`clientaliveinterval clientalivecountmax tcpkeepalive logingracetime maxstartups maxsessions
	persourcemaxstartups persourcenetblocksize persourcepenalties persourcepenaltyexemptlist usedns rekeylimit ipqos
	unusedconnectiontimeout channeltimeout loglevel`)

// riskOf is the worst that options of sshd can do.
func riskOf(set []sshconf.Assignment) remedy.Risk {
	for _, a := range set {
		known := false
		for _, t := range tame {
			known = known || strings.EqualFold(t, a.Keyword)
		}
		if !known {
			return remedy.CanLockOut
		}
	}
	return remedy.ReloadsSSHD
}
