package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/explain"
	"sshtay/internal/fact"
	"sshtay/internal/pcap"
	"sshtay/internal/probe"
	"sshtay/internal/report"
	"sshtay/internal/sshlog"
)

const explainHelp = `Explain reads what ssh, sshd or another program of either side printed or logged
when a connection failed, and weighs what may have caused it: with the lines that
speak for each cause and against it, and the command that would settle it.

It knows the output of ssh (-v to -vvv), the logs of sshd 6.6 to 10.x and dropbear,
and what PuTTY, libssh, paramiko, Go programs, git, rsync, scp, Ansible and VS Code
say; as files of syslog, from journalctl (text or JSON), Windows, Docker and
Kubernetes; packed with gzip, zstd or bzip2; rotated files in any order. Of a
capture (pcap, pcapng) it tells the story of each SSH connection: its stages, its
stalls, what was lost, and who reset it. Without a file it reads standard input.
Nothing is sent anywhere.

With --since and no file it reads the logs of this machine, the files of syslog and
the journal alike, and tells of all connections to its sshd: how many failed, in
which ways, from which networks and when, and what was changed on the machine
meanwhile. With a file it passes over what is older.`

// explainMemory is at how much memory the collector runs, and not before: what
// is in use at a time is a fraction of it, however large the log is.
const explainMemory = 44 << 20

func (sh *shell) explainCommand() *cobra.Command {
	var asJSON bool
	var sinceText string
	cmd := &cobra.Command{
		Use:   "explain [FILE...|-]",
		Short: "say what may have caused what a log or ssh's output tells",
		Long:  explainHelp,
		Example: `  ssh -vvv web1 2>&1 | sshtay explain
  sshtay explain /var/log/auth.log*
  journalctl -u ssh -o json --since today | sshtay explain --json | jq .ranking
  sudo sshtay explain --since 7d`,
		RunE: func(cmd *cobra.Command, args []string) error {
			debug.SetMemoryLimit(explainMemory)
			debug.SetGCPercent(400)
			since, err := parseSince(sinceText, time.Now())
			if err != nil {
				return err
			}
			read := sh.readLogs
			if sinceText != "" && len(args) == 0 {
				read = sh.readMachine
			}
			r, err := read(cmd.Context(), args, since)
			if err != nil {
				return err
			}
			e := explain.Of(&r.story)
			e.Next = known(cmd.Root(), e.Next)
			e.Read.Files, e.Read.Problems, e.Flows, e.History = append([]string{}, args...), r.problems, r.flows, r.history
			return sh.explained(e, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the explanation as JSON")
	cmd.Flags().StringVar(&sinceText, "since", "", "only what was logged since `TIME`: 7d, 36h, 2026-11-20 or \"2026-11-20 10:00\"; without a file, in this machine's logs")
	return cmd
}

// A logReading is what was read of logs and captures.
type logReading struct {
	story    sshlog.Story
	flows    []report.Flow
	problems []string
	history  *fact.History
}

// readLogs reads logs, the rotated ones in their order, and captures. What
// cannot be read is a problem to be told; it is an error when there is nothing
// else.
func (sh *shell) readLogs(ctx context.Context, names []string, since time.Time) (*logReading, error) {
	if len(names) == 0 {
		names = []string{"-"}
		if isTerminal(sh.in) {
			fmt.Fprintln(sh.err, "sshtay: reading standard input: paste the lines, then type Ctrl-D")
		}
	}
	var r logReading
	for _, name := range sshlog.InOrder(names) {
		if err := sh.readLog(ctx, name, since, &r); err != nil {
			if ctx.Err() != nil {
				return nil, exitError{exitUsage, "interrupted", ""}
			}
			r.problems = append(r.problems, fmt.Sprintf("%s: %v", name, plainError(err)))
		}
	}
	r.story.End()
	if r.story.Lines+r.story.Packets == 0 && len(r.problems) > 0 {
		return nil, exitError{exitUsage, strings.Join(r.problems, "\n"), "sshtay explain --help"}
	}
	if r.story.Attempts == 0 && r.story.Clients > 1 { // a server's log
		h := probe.HistoryOf(&r.story)
		h.Since = since
		r.history = &h
	}
	return &r, nil
}

// readMachine reads this machine's own logs.
func (sh *shell) readMachine(ctx context.Context, _ []string, since time.Time) (*logReading, error) {
	var r logReading
	run := probe.HistoryRun{Since: since, Now: time.Now()}
	h := run.Read(ctx, &r.story)
	if ctx.Err() != nil {
		return nil, exitError{exitUsage, "interrupted", ""}
	}
	if len(h.Sources) == 0 && len(h.Unread) > 0 {
		u := h.Unread[0]
		return nil, exitError{exitUnknown, u.Name + ": " + u.Why, u.Do}
	}
	r.history = &h
	return &r, nil
}

func (sh *shell) readLog(ctx context.Context, name string, since time.Time, r *logReading) error {
	in, now := sh.in, time.Now()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			now = info.ModTime() // a year that lines do not have is the file's
		}
		in = f
	}
	decoded, err := sshlog.Decoded(in)
	if err != nil {
		return err
	}
	text := bufio.NewReader(decoded)
	if begin, _ := text.Peek(4); pcap.Is(begin) {
		stories, tally, err := pcap.Stories(text, sshPort)
		flows, problems := explain.AddPackets(&r.story, stories, tally)
		r.flows, r.problems = append(r.flows, flows...), append(r.problems, problems...)
		return err
	}
	return sshlog.Read(ctx, text, sshlog.Options{Source: name, Now: now, Since: since}, func(b *sshlog.Batch) error {
		r.story.Add(b)
		return nil
	})
}

// sshPort is taken for SSH in a capture that has not the begin of a
// connection.
const sshPort = 22

// plainError says a file's trouble without its name, which stands before it.
func plainError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// known keeps the commands whose verb this program has.
func known(root *cobra.Command, commands []string) []string {
	kept := []string{}
	for _, c := range commands {
		words := strings.Fields(c)
		found, _, err := root.Find(words[1:])
		if err != nil || found == root {
			words[1] = "check"
			c = strings.Join(words, " ")
		}
		if !slices.Contains(kept, c) {
			kept = append(kept, c)
		}
	}
	return kept
}

func (sh *shell) explained(e report.Explanation, asJSON bool) error {
	var err error
	if asJSON {
		err = report.ExplainJSON(sh.out, e)
	} else {
		err = report.ExplainText(sh.out, e, report.TextOptions{Width: width(sh.out), Color: isTerminal(sh.out) && !noColor()})
	}
	switch {
	case err != nil && !errors.Is(err, io.ErrClosedPipe):
		return exitError{exitUsage, err.Error(), ""}
	case e.History != nil && e.Read.Lines == 0:
		return exitError{exitUnknown, "", ""}
	case e.History != nil && len(e.History.Troubles) == 0:
		return nil // strangers whose logins fail are every server's daily bread
	case len(e.Ranking) > 0:
		return exitError{exitFindings, "", ""}
	case e.Read.Attempts+e.Read.Connections == 0:
		return exitError{exitUnknown, "", ""}
	}
	return nil
}
