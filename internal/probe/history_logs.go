package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/sshlog"
	"sshtay/internal/visible"
)

// Where syslog daemons write what sshd says, and what the kernel and systemd
// say; of each list the first that is there counts, because others repeat it.
var (
	sshdLogs   = []string{"auth.log", "secure", "messages", "syslog"}
	systemLogs = []string{"syslog", "messages", "kern.log"}
)

// What the journal is asked for, in the same two parts.
var (
	sshdEntries   = []string{"SYSLOG_IDENTIFIER=sshd", "SYSLOG_IDENTIFIER=sshd-session", "SYSLOG_IDENTIFIER=sshd-auth", "SYSLOG_IDENTIFIER=dropbear", "SYSLOG_IDENTIFIER=fail2ban.actions", "SYSLOG_IDENTIFIER=sshguard"}
	systemEntries = []string{"_TRANSPORT=kernel", "+", "UNIT=ssh.service", "UNIT=sshd.service", "UNIT=ssh.socket", "UNIT=sshd.socket", "+", "SYSLOG_IDENTIFIER=systemd-oomd"}
)

// A span is the time from the first to the last event of some logs; both are
// zero without events.
type span struct{ from, to time.Time }

func (s *span) add(t time.Time) {
	if t.IsZero() {
		return
	}
	if s.from.IsZero() || t.Before(s.from) {
		s.from = t
	}
	if t.After(s.to) {
		s.to = t
	}
}

// logs reads the files, and then of the journal what they have not: what was
// before them, and what came after.
func (r *HistoryRun) logs(ctx context.Context) {
	var ofSSHD span
	read := ""
	for _, name := range sshdLogs {
		if ofSSHD = r.set(ctx, name, false); !ofSSHD.from.IsZero() {
			read = name
			break
		}
	}
	system := read == "messages" || read == "syslog"
	for _, name := range systemLogs {
		if !system && name != read {
			system = !r.set(ctx, name, true).from.IsZero()
		}
	}
	r.set(ctx, "fail2ban.log", true)
	switch folder, readable := r.journal(); {
	case folder == "":
	case !readable && ofSSHD.from.IsZero():
		r.unread("the journal", "this account may not read it", "as root, or add the account to the group systemd-journal")
	case readable:
		if !system {
			r.entries(ctx, folder, r.Since, time.Time{}, systemEntries)
		}
		if ofSSHD.from.IsZero() {
			r.entries(ctx, folder, r.Since, time.Time{}, sshdEntries)
			return
		}
		if ofSSHD.from.Sub(r.Since) > time.Minute {
			r.entries(ctx, folder, r.Since, ofSSHD.from, sshdEntries)
		}
		r.entries(ctx, folder, ofSSHD.to.Add(time.Second), time.Time{}, sshdEntries)
	}
}

// set reads a log and its rotated predecessors, oldest first. The span is that
// of the events in it.
func (r *HistoryRun) set(ctx context.Context, name string, system bool) (all span) {
	for _, file := range r.rotated(name) {
		s, err := r.file(ctx, file, system)
		if !s.from.IsZero() {
			all.add(s.from)
			all.add(s.to)
		}
		if err != nil {
			r.failed(file, err)
		}
	}
	return all
}

// rotated are the files of a log that were written since the time, oldest
// first.
func (r *HistoryRun) rotated(name string) []string {
	folder := filepath.Join(r.Root+"/var/log", filepath.Dir(name))
	name = filepath.Base(name)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	is := regexp.MustCompile("^" + regexp.QuoteMeta(name) + `([.-][0-9_]+)?(\.(gz|zst|bz2|xz))?$`)
	var names []string
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(folder, e.Name()))
		if is.MatchString(e.Name()) && err == nil && info.Mode().IsRegular() && info.Size() > 0 && !info.ModTime().Before(r.Since) {
			names = append(names, filepath.Join(folder, e.Name()))
		}
	}
	return sshlog.InOrder(names)
}

func (r *HistoryRun) file(ctx context.Context, name string, system bool) (span, error) {
	f, err := r.Local.Open(name)
	if err != nil {
		return span{}, err
	}
	defer f.Close()
	now := r.Now
	if info, err := f.Stat(); err == nil {
		now = info.ModTime() // a year that lines do not have is the file's
	}
	text, err := sshlog.Decoded(f)
	if err != nil {
		return span{}, err
	}
	return r.read(ctx, text, sshlog.Options{Source: name, Now: now, Since: r.Since, System: system})
}

// read reads a log into the story, and notes that it was read when it had
// lines since the time.
func (r *HistoryRun) read(ctx context.Context, text io.Reader, o sshlog.Options) (s span, err error) {
	lines := 0
	err = sshlog.Read(ctx, text, o, func(b *sshlog.Batch) error {
		lines += b.Lines - b.Before
		for i := range b.Events {
			s.add(b.Events[i].Time)
		}
		r.story.Add(b)
		return nil
	})
	if lines > 0 {
		r.history.Sources = append(r.history.Sources, fact.LogRead{Name: strings.TrimPrefix(o.Source, r.Root), Lines: lines, From: s.from, To: s.to})
	}
	return s, err
}

// journal returns the folder of the journal, or "", and whether we may read
// the part of it that is the system's.
func (r *HistoryRun) journal() (folder string, readable bool) {
	for _, dir := range []string{"/var/log/journal", "/run/log/journal"} {
		found, _ := filepath.Glob(r.Root + dir + "/*/*.journal")
		if machines, err := os.ReadDir(r.Root + dir); folder == "" && (len(found) > 0 || err == nil && len(machines) > 0) {
			folder = r.Root + dir
		}
		for _, file := range found {
			if strings.HasPrefix(filepath.Base(file), "user-") {
				continue
			}
			if f, err := r.Local.Open(file); err == nil {
				f.Close()
				return r.Root + dir, true
			}
		}
	}
	return folder, false
}

// entries has journalctl print entries, which are read as they come: from a
// second on, and up to the begin of another one. A zero until is now.
func (r *HistoryRun) entries(ctx context.Context, folder string, since, until time.Time, which []string) {
	argv := []string{"journalctl", "--no-pager", "-q", "-o", "short-unix", "--since=@" + strconv.FormatInt(since.Unix(), 10)}
	if r.Root != "" {
		argv = append(argv, "-D", folder)
	}
	if !until.IsZero() {
		argv = append(argv, "--until=@"+strconv.FormatInt(until.Unix()-1, 10)+".999999")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		result, err := r.Local.Run(ctx, host.Command{Argv: append(argv, which...), Stdout: in, Limit: 4 << 10})
		if said := strings.TrimSpace(string(result.Stderr)); err == nil && (result.Exit != 0 || said != "") {
			first, _, _ := strings.Cut(said, "\n")
			err = errors.New(cmp.Or(visible.Line(first, 200), fmt.Sprintf("journalctl ended with status %d", result.Exit)))
		}
		in.Close()
		done <- err
	}()
	_, err := r.read(ctx, out, sshlog.Options{Source: "the journal", Now: r.Now, Since: since})
	out.Close()
	if ran := <-done; err == nil {
		err = ran
	}
	if err != nil {
		r.failed("the journal", err)
	}
}

// failed notes a log that could not be read, or not to its end.
func (r *HistoryRun) failed(name string, err error) {
	var path *fs.PathError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		r.unread(name, "the time ran out before its end", "sshtay explain --since 7d, which takes the time it needs")
	case errors.Is(err, fs.ErrPermission):
		r.unread(name, "this account may not read it", "as root, or add the account to the group that the file is for")
	case errors.Is(err, host.ErrNotFound):
		r.unread(name, "journalctl is not installed", "")
	case errors.As(err, &path):
		r.unread(name, path.Err.Error(), "")
	default:
		r.unread(name, err.Error(), "")
	}
}

func (r *HistoryRun) unread(name, why, do string) {
	name = strings.TrimPrefix(name, r.Root)
	for _, u := range r.history.Unread {
		if u.Name == name {
			return
		}
	}
	r.history.Unread = append(r.history.Unread, fact.LogNotRead{Name: name, Why: why, Do: do})
}
