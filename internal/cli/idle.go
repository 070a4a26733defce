package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/cause"
	"sshtay/internal/diagnose"
	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/idle"
	"sshtay/internal/report"
)

const idleHelp = `Idle measures how long a connection to a host may be silent before something
on the way forgets it. It logs in up to 24 times at once, with your own ssh,
lets these connections fall silent, and wakes them one after the other; one
talks all along. So it takes little more than the timeout itself to name one
that is common, and twice that to know any other to 2 % and to find the device.

Logins are made five at a time and 14 in 5 s at most; when one is not let in, or
the server is seen to limit new connections, four in 30 s from then on. --pace
4/30s is so from the beginning, --pace 100/30s is quicker for very short times.
Ctrl-C tells what is known so far. What was found is kept for this network, and
check cites it.

Through a jump host, the leg behind it is measured; the one to it is measured by
its own name. Where nobody can log in, a few connections are silent before the
login, for two minutes at most.

Exit status: 0 no timeout was found, 1 one was, 2 wrong usage or configuration,
3 nothing could be measured.`

func (sh *shell) idleCommand() *cobra.Command {
	var o checkOptions
	var ssh sshFlags
	var job string
	var asJSON, background, status bool
	cmd := &cobra.Command{
		Use:   "idle [ssh options] [user@]host",
		Short: "measure how long a connection may be silent on this path",
		Long:  idleHelp,
		Example: `  sshtay idle web1
  sshtay idle --up-to 10m web1
  sshtay idle --background web1
  sshtay idle --status`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if status {
				return sh.idleStatus(args)
			}
			if len(args) == 0 {
				return usage("sshtay idle HOST", "idle needs a host")
			}
			var err error
			if o.target, err = ssh.read("idle", args, nil); err != nil {
				return err
			}
			if err := o.read(asJSON); err != nil {
				return err
			}
			if background {
				return sh.idleBackground(cmd, o)
			}
			return sh.idle(cmd.Context(), o, job)
		},
	}
	f := cmd.Flags()
	ssh.add(f, "")
	f.DurationVar(&o.idle.UpTo, "up-to", 2*time.Hour, "try silences of up to `TIME`")
	f.StringVar(&o.pace, "pace", autoPace, "log in at most `N/TIME`")
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	f.BoolVar(&background, "background", false, "measure in the background, without the terminal")
	f.BoolVar(&status, "status", false, "show what is measured in the background")
	f.DurationVar(&o.timeout, "timeout", 20*time.Second, "give up a login that has not answered after `TIME`")
	f.StringVar(&job, "job", "", "leave the state of the run in a `FILE`")
	f.MarkHidden("job")
	o.maxConnections, o.format = 5, "text"
	return cmd
}

// idleCauses are what a measurement of silence is judged for.
var idleCauses = []string{"idle-timeout", "server-idle-policy", "keepalive", "unreachable", "auth"}

// idle measures, shows it live on a terminal, and prints what was found.
func (sh *shell) idle(ctx context.Context, o checkOptions, job string) error {
	signal.Ignore(syscall.SIGHUP) // a lost terminal is no reason to stop
	var last idle.View
	line := &progress{out: sh.err, on: isTerminal(sh.err)}
	screen := newIdleScreen(sh.err, o.target.Given)
	record := newIdleJob(job, o)
	o.idle.Watch = func(v idle.View) {
		last = v
		line.say("")
		screen.show(v)
		record.update(v)
	}
	defer keepTerminal(sh.in)()
	r := diagnose.Run(ctx, diagnose.Options{
		Target: o.target, Local: host.Local{}, Login: true, MaxConnections: o.maxConnections, Timeout: o.timeout,
		Idle: o.idle, Version: Version, Self: self(), Progress: line.say,
	})
	line.say("")
	screen.end()
	full := report.New(report.Input{
		Target: r.Target, Resolved: r.Resolved, Facts: r.Facts, Judgements: onlyIdle(r.Judgements),
		Version: Version, At: r.At, Took: r.Took, Connections: r.Connections,
	})
	result := newIdleResult(full, r, last)
	record.end(result)
	if o.format == "json" {
		enc := json.NewEncoder(sh.out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(result); err != nil {
			return usage("", "cannot write the result: %v", err)
		}
	} else if err := report.Text(sh.out, full, report.TextOptions{Width: width(sh.out), Color: isTerminal(sh.out) && !noColor()}); err != nil {
		return usage("", "cannot write the result: %v", err)
	} else if text := result.inWords(); text != "" {
		fmt.Fprintf(sh.out, "\n%s\n", text)
	}
	return result.exit()
}

// onlyIdle leaves out what a measurement of silence says nothing about.
func onlyIdle(all []cause.Judgement) []cause.Judgement {
	return slices.DeleteFunc(slices.Clone(all), func(j cause.Judgement) bool {
		return !slices.Contains(idleCauses, j.ID) || j.ID != "idle-timeout" && !j.IsFinding() && j.ID != "keepalive"
	})
}

// An idleResult is what idle --json prints: a contract, to which things are
// only added. Times are in seconds.
type idleResult struct {
	Schema  string        `json:"schema"`
	At      time.Time     `json:"at"`
	Version string        `json:"version"`
	Target  report.Target `json:"target"`

	Status   string   `json:"status"` // of the cause idle-timeout
	Reason   string   `json:"reason"`
	Timeout  *float64 `json:"timeout,omitempty"`
	Known    bool     `json:"known,omitempty"`
	Survived float64  `json:"survived"`
	Fatal    *float64 `json:"fatal,omitempty"`
	Came     string   `json:"came,omitempty"`
	AtServer string   `json:"at_server,omitempty"`
	Hop      *int     `json:"hop,omitempty"`
	NoHop    string   `json:"no_hop,omitempty"`
	Distance *int     `json:"distance,omitempty"`
	Speaks   *float64 `json:"server_speaks,omitempty"`

	Findings []report.Finding `json:"findings"`
	Samples  []idleSample     `json:"samples"`
	MostOpen int              `json:"most_open"` // connections open at once
	Spent    report.Spent     `json:"spent"`
}

// An idleSample is one silence and what came of it.
type idleSample struct {
	At      float64 `json:"at"` // since the first connection was asked for
	Silence float64 `json:"silence"`
	TTL     int     `json:"keepalive_ttl,omitempty"`
	Came    string  `json:"came"`
	Void    bool    `json:"void,omitempty"`
}

func newIdleResult(full report.Report, r diagnose.Result, last idle.View) idleResult {
	out := idleResult{
		Schema: "sshtay.idle/1", At: full.At, Version: full.Version, Target: full.Target, Findings: full.Findings, Spent: full.Spent,
		Samples: []idleSample{},
	}
	for _, j := range r.Judgements {
		if j.ID == "idle-timeout" {
			out.Status, out.Reason = j.Status.String(), j.Reason
		}
	}
	seconds := func(k fact.Key[time.Duration]) *float64 {
		if d, seen := k.Get(r.Facts); seen {
			s := d.Seconds()
			return &s
		}
		return nil
	}
	number := func(k fact.Key[int]) *int {
		if n, seen := k.Get(r.Facts); seen {
			return &n
		}
		return nil
	}
	out.Timeout, out.Fatal, out.Speaks = seconds(fact.IdleTimeout), seconds(fact.IdleFatal), seconds(fact.IdleSpeaks)
	out.Hop, out.Distance = number(fact.IdleHop), number(fact.IdleDistance)
	out.Known, _ = fact.IdleKnown.Get(r.Facts)
	out.Came, _ = fact.IdleCame.Get(r.Facts)
	out.AtServer, _ = fact.IdleAtServer.Get(r.Facts)
	survived, _ := fact.IdleSurvived.Get(r.Facts)
	out.Survived = survived.Seconds()
	if out.Timeout != nil && out.Hop == nil {
		out.NoHop = r.Facts.Missing()[fact.IdleHop.Name()]
	}
	out.MostOpen = last.Result.Most
	for _, s := range last.Result.Samples {
		out.Samples = append(out.Samples, idleSample{s.At.Seconds(), s.Silence.Seconds(), s.TTL, s.Came, s.Void})
	}
	return out
}

// inWords is what the text says where there is no finding.
func (r idleResult) inWords() string {
	if len(r.Findings) > 0 && r.Findings[0].Cause == "idle-timeout" {
		return ""
	}
	return "idle-timeout is " + r.Status + ": " + r.Reason
}

// exit is the error that ends the program with the right status.
func (r idleResult) exit() error {
	switch {
	case r.Status == "confirmed" || r.Status == "likely" || len(r.Findings) > 0:
		return exitError{code: exitFindings}
	case r.Status == "ruled-out":
		return nil
	}
	return exitError{code: exitUnknown}
}
