package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/cause"
	"sshtay/internal/diagnose"
	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/probe"
	"sshtay/internal/report"
	"sshtay/internal/target"
	"sshtay/internal/visible"
)

// checkOptions are what the flags of check say.
type checkOptions struct {
	target         target.Target
	noLogin        bool
	maxConnections int
	timeout        time.Duration
	format, output string
	replay, bundle string
	terminal       bool
	idle           probe.IdleRun
	pace           string
	progress       func(string)
	asking         func(bool)
	stay           *diagnose.Stay
	keep           func(name, text string)
}

const checkHelp = `Check finds out why SSH connections to a host are refused, reset, dropped or
frozen. It resolves the name as ssh would, follows the handshake stage by stage,
logs in once with your own ssh and reads the server's side over that login;
nothing is installed and nothing is changed. Without a host it looks at this
machine: as a client, and as a server if it runs sshd.

The host and -F -p -i -J -l -o -4 -6 mean what they mean to ssh. As ssh's -o
always takes an assignment, -o FILE without one writes the report to FILE.

Exit status: 0 healthy, 1 findings, 2 wrong usage or configuration, 3 nothing
could be judged.`

func (sh *shell) checkCommand() *cobra.Command {
	var o checkOptions
	var ssh sshFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [ssh options] [user@]host",
		Short: "find out what is wrong with SSH connections to a host",
		Long:  checkHelp,
		Example: `  sshtay check web1
  sshtay check -p 2222 -J bastion deploy@10.0.0.5
  sshtay check web1 --json | jq .findings
  sshtay check`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.target, err = ssh.read("check", args, &o.output); err != nil {
				return err
			}
			if err := o.read(asJSON); err != nil {
				return err
			}
			return sh.check(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	ssh.add(f, "; or the report's file")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON, as --format json")
	f.StringVar(&o.format, "format", "text", "`text`, json, markdown or html")
	f.StringVar(&o.output, "output", "", "write the report to `FILE`")
	f.StringVar(&o.replay, "replay", "", "judge the facts of a JSON report `FILE` again, without touching any host")
	f.StringVar(&o.bundle, "bundle", "", "judge what is in the `FILE` of sshtay bundle, without touching any host")
	f.BoolVar(&o.noLogin, "no-login", false, "do not log in")
	f.IntVar(&o.maxConnections, "max-connections", 5, "make at most `N` unauthenticated connections to the host")
	f.DurationVar(&o.idle.UpTo, "idle", 0, "also leave connections silent for up to `TIME`, such as 30m")
	f.StringVar(&o.pace, "pace", autoPace, "log in at most `N/TIME` for that")
	f.DurationVar(&o.timeout, "timeout", 20*time.Second, "give up what has not answered after `TIME`")
	return cmd
}

// read checks the flags of check itself.
func (o *checkOptions) read(asJSON bool) error {
	if asJSON {
		o.format = "json"
	}
	if err := oneOf("format", o.format, "text", "json", "markdown", "html"); err != nil {
		return err
	}
	if o.maxConnections < 1 {
		return usage("", "--max-connections %d: at least one connection is needed; leave the host out to look at this machine", o.maxConnections)
	}
	if o.timeout <= 0 {
		return usage("", "--timeout %s: want a time above 0, such as 20s", o.timeout)
	}
	return o.readIdle()
}

// check runs the diagnosis, or judges an old one again, and prints it.
func (sh *shell) check(ctx context.Context, o checkOptions) error {
	r, err := sh.observe(ctx, o)
	if err != nil {
		return err
	}
	if err := sh.print(o, r); err != nil {
		return err
	}
	if _, refused := r.Facts[fact.ClientConfigError.Name()]; refused {
		return exitError{code: exitUsage}
	}
	if code := r.ExitCode(); code != exitHealthy {
		return exitError{code: code}
	}
	return nil
}

// observe runs the diagnosis, or judges an old one again.
func (sh *shell) observe(ctx context.Context, o checkOptions) (report.Report, error) {
	return watched(ctx, sh, &o, func() (report.Report, error) {
		switch {
		case o.replay != "":
			return sh.replay(o.replay)
		case o.bundle != "":
			return sh.unbundle(o.bundle)
		}
		return runCheck(ctx, o)
	})
}

// watched does work that says on the terminal what it is doing, may be
// interrupted, and may let ssh ask the user; o learns of these.
func watched[T any](ctx context.Context, sh *shell, o *checkOptions, work func() (T, error)) (T, error) {
	line := &progress{out: sh.err, on: isTerminal(sh.err)}
	o.progress, o.asking = line.say, line.giveWay
	o.terminal = isTerminal(sh.in) && isTerminal(sh.err)
	if o.terminal {
		line.after = time.Second
	}
	defer keepTerminal(sh.in)()
	r, err := interruptible(ctx, work)
	line.say("")
	return r, err
}

// patience is how long an interrupted check may take to end what it started.
const patience = 2 * time.Second

// interruptible runs work until it is done or, when ctx is done first, for as
// long as our patience lasts: what hangs on a dead disk hears no signal.
func interruptible[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type outcome struct {
		result T
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := work()
		done <- outcome{r, err}
	}()
	interrupted := exitError{130, "interrupted", ""}
	select {
	case o := <-done:
		if o.err == nil && ctx.Err() != nil {
			o.err = interrupted
		}
		return o.result, o.err
	case <-ctx.Done():
	}
	select {
	case <-done:
	case <-time.After(patience):
	}
	var none T
	return none, interrupted
}

// runCheck is the main job: diagnose and report.
func runCheck(ctx context.Context, o checkOptions) (report.Report, error) {
	_, r := runDiagnosis(ctx, o)
	return r, nil
}

// runDiagnosis does that, and keeps what the judges saw.
func runDiagnosis(ctx context.Context, o checkOptions) (diagnose.Result, report.Report) {
	d := diagnose.Run(ctx, o.diagnosis())
	return d, o.reported(d)
}

// diagnosis says the same to package diagnose.
func (o checkOptions) diagnosis() diagnose.Options {
	return diagnose.Options{
		Target: o.target, Local: host.Local{}, Login: !o.noLogin, Terminal: o.terminal,
		MaxConnections: o.maxConnections, Timeout: o.timeout, Idle: o.idle, Version: Version, Self: self(), Progress: o.progress, Asking: o.asking, Stay: o.stay, Keep: o.keep,
	}
}

func (o checkOptions) reported(d diagnose.Result) report.Report {
	return report.New(report.Input{
		Target: d.Target, Resolved: d.Resolved, Facts: d.Facts, Judgements: d.Judgements,
		Version: Version, At: d.At, Took: d.Took, Connections: d.Connections, NoLogin: o.noLogin,
	})
}

// replay judges the facts of a report again.
func (sh *shell) replay(file string) (report.Report, error) {
	f, err := os.Open(file)
	if err != nil {
		return report.Report{}, usage("sshtay check HOST --json -o "+strconv.Quote(file), "cannot read the report: %v", err)
	}
	defer f.Close()
	return sh.rejudge(file, f)
}

// rejudge judges the facts of a report, which is in the file, again.
func (sh *shell) rejudge(file string, f io.Reader) (report.Report, error) {
	old, err := report.Read(f)
	if err != nil {
		return report.Report{}, usage("", "%s: %v", file, err)
	}
	facts, unknown := report.FactSet(old)
	if len(unknown) > 0 {
		fmt.Fprintf(sh.err, "sshtay: %s was written by version %s; passed over what this one (%s) does not know: %s\n",
			file, visible.Line(old.Version, 40), Version, visible.Line(strings.Join(unknown, ", "), 400))
	}
	return old.Rejudge(cause.JudgeAll(facts), Version), nil
}

// print writes the report where and how it is wanted.
func (sh *shell) print(o checkOptions, r report.Report) error {
	if o.output == "" {
		if err := render(sh.out, o.format, r, width(sh.out), isTerminal(sh.out) && !noColor()); err != nil {
			return usage("", "cannot write the report: %v", err)
		}
		return nil
	}
	var b bytes.Buffer
	if err := render(&b, o.format, r, width(nil), false); err != nil {
		return err
	}
	if err := (host.Local{}).WriteFile(o.output, b.Bytes(), 0o644); err != nil {
		sh.out.Write(b.Bytes()) // what was found shall not be lost
		return usage("", "cannot write the report: %v; it is on standard output instead", err)
	}
	fmt.Fprintf(sh.err, "sshtay: %s; the report is in %s\n", r.Verdict, o.output)
	return nil
}

func render(w io.Writer, format string, r report.Report, columns int, color bool) error {
	switch format {
	case "json":
		return report.JSON(w, r)
	case "markdown":
		return report.Markdown(w, r)
	case "html":
		return report.HTML(w, r)
	}
	return report.Text(w, r, report.TextOptions{Width: columns, Color: color})
}

// self is the path of our own program, which ssh is to run again.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}
