package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/diagnose"
	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/probe"
	"sshtay/internal/report"
	"sshtay/internal/target"
)

const pathHelp = `Path shows the way to a host, router by router, and where on it packets are
lost. It connects once, to see how far away the host is, and then sends packets
that die on the way; none of them begins a connection, and no privileges are
needed. A router that answers k of n says little of itself: it is blamed only
when what is lost up to the server begins there. The one connection also shows
how long packets may be in each direction, and whether marked ones get through;
only where it gets stuck by that, up to four more are made. What your running
ssh has lost on the same way is told by the kernel.

On a terminal it goes on until Ctrl-C, elsewhere it asks ten times. The host and
-F -p -i -J -l -o -4 -6 mean what they mean to ssh.

Exit status: 0 nothing is wrong, 1 packets are lost, long ones vanish or the
host cannot be connected to, 2 wrong usage or configuration, 3 nothing could be seen.`

// pathOptions are what the flags of path say.
type pathOptions struct {
	target  target.Target
	trace   probe.TraceOptions
	timeout time.Duration
	json    bool
}

func (sh *shell) pathCommand() *cobra.Command {
	var o pathOptions
	var ssh sshFlags
	cmd := &cobra.Command{
		Use:   "path [ssh options] [user@]host",
		Short: "show the way to a host, hop by hop, and where packets are lost",
		Long:  pathHelp,
		Example: `  sshtay path web1
  sshtay path --count 1 web1
  sshtay path --json --names web1 | jq .hops`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.target, err = ssh.read("path", args, nil); err != nil {
				return err
			}
			switch {
			case o.trace.Rounds < 0:
				return usage("", "--count %d: want a number above 0", o.trace.Rounds)
			case o.trace.Interval < time.Second:
				return usage("", "--interval %s: routers answer one packet a second; want 1s or more", o.trace.Interval)
			case o.timeout <= 0:
				return usage("", "--timeout %s: want a time above 0, such as 20s", o.timeout)
			}
			return sh.path(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	ssh.add(f, "")
	f.BoolVar(&o.json, "json", false, "print what was found as JSON")
	f.IntVar(&o.trace.Rounds, "count", 0, "ask each hop `N` times; 0 is until Ctrl-C on a terminal, and 10 elsewhere")
	f.DurationVar(&o.trace.Interval, "interval", time.Second, "the `TIME` from one round to the next")
	f.BoolVar(&o.trace.Names, "names", false, "show the names of addresses")
	f.DurationVar(&o.timeout, "timeout", 20*time.Second, "give up connecting after `TIME`")
	return cmd
}

// path follows the way and prints it, live on a terminal.
func (sh *shell) path(ctx context.Context, o pathOptions) error {
	shown := &screen{out: sh.out, width: width(sh.out)}
	switch {
	case isTerminal(sh.out) && !o.json:
		o.trace.Watch = shown.show
	case o.trace.Rounds == 0:
		o.trace.Rounds = 10
	}
	line := &progress{out: sh.err, on: isTerminal(sh.err)}
	r := diagnose.Path(ctx, diagnose.Options{
		Target: o.target, Local: host.Local{}, MaxConnections: 5, Timeout: o.timeout, Version: Version, Progress: line.say,
	}, o.trace)
	line.say("")
	shown.clear()
	if reason, refused := fact.ClientConfigError.Get(r.Facts); refused {
		return usage("", "ssh refuses its configuration: %s", reason)
	}
	if r.Detour != "" {
		return exitError{exitUnknown, r.Detour, r.Instead}
	}
	p := report.NewPath(report.Input{
		Target: r.Target, Resolved: r.Resolved, Facts: r.Facts, Version: Version, At: r.At, Took: r.Took, Connections: r.Connections,
	})
	p.TraceSeconds = r.Traced.Seconds()
	print := report.PathText
	if o.json {
		print = report.PathJSON
	}
	if err := print(sh.out, p, report.TextOptions{Width: width(sh.out), Color: isTerminal(sh.out) && !noColor()}); err != nil {
		return err
	}
	if code := p.ExitCode(); code != exitHealthy {
		return exitError{code: code}
	}
	return nil
}

// A screen shows the hops on a terminal, each time in place of the last.
type screen struct {
	out   io.Writer
	width int
	lines int // shown now
}

// show writes all at once, so that nothing flickers.
func (s *screen) show(hops []fact.Hop) {
	lines := report.PathLines(hops, s.width)
	fmt.Fprint(s.out, s.back()+strings.Join(lines, "\n")+"\n")
	s.lines = len(lines)
}

// clear takes away what is shown.
func (s *screen) clear() {
	fmt.Fprint(s.out, s.back())
	s.lines = 0
}

// back goes to where the shown begins, and erases it.
func (s *screen) back() string {
	if s.lines == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\x1b[J", s.lines)
}
