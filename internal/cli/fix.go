package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/diagnose"
	"sshtay/internal/remedy"
	"sshtay/internal/report"
)

// fixOptions are what the flags of fix say.
type fixOptions struct {
	checkOptions
	dryRun, yes, script bool
	only, except        []string
	side                string
	accept              []string
	patience            time.Duration
	ahead               *advance   // of who checks first
	through             []string   // ssh's options for a login through the hole that the check found
	knocked             func() int // how this machine's own door was before anything changed
}

const fixHelp = `Fix checks a host, shows what it would change - on this machine and on the
server, file by file -, asks, and does it. Every change is undone by itself
after two minutes, by a timer on the machine that changed, unless a new
connection has logged in and the same check no longer finds what was wrong.

Files are replaced whole, with owner, mode and labels kept; sshd is reloaded
after sshd -t has found nothing wrong, and no session ends. (Where systemd
listens for sshd, a reload would end sshd: there it is started anew.) Nothing is
installed on the server; it is reached by your own ssh, as root or with sudo.

What cannot be changed from here is told: what to do by hand, and what to send
to whom.

Exit status: 0 done and proven, or nothing to do; 1 a plan only, or not all
that was found is mended; 2 wrong usage or configuration; 3 nothing could be
judged; 4 a change did not prove itself and was undone.`

const exitUndone = 4

func (sh *shell) fixCommand() *cobra.Command {
	var o fixOptions
	var ssh sshFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fix [ssh options] [[user@]host]",
		Short: "mend what check finds, prove it, and undo what does not prove itself",
		Long:  fixHelp,
		Example: `  sshtay fix web1 --dry-run
  sshtay fix web1 --only keepalive --side client
  sshtay fix web1 --yes
  sshtay fix web1 --side server --script > fix.sh`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.target, err = ssh.read("fix", args, nil); err != nil {
				return err
			}
			if err := o.read(asJSON); err != nil {
				return err
			}
			return sh.fix(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	ssh.add(f, "")
	f.BoolVar(&o.dryRun, "dry-run", false, "show the plan only")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	f.BoolVar(&o.script, "script", false, "print the plan for one machine as a shell script that does it, with the same rollback")
	f.StringSliceVar(&o.only, "only", nil, "mend this `CAUSE` only; CAUSE/REMEDY: by this remedy, as check --json names it")
	f.StringSliceVar(&o.except, "except", nil, "do not mend this `CAUSE`")
	f.StringVar(&o.side, "side", "", "change the `client` or the server only")
	f.StringSliceVar(&o.accept, "accept-risk", nil, "also do what has this `RISK`: can-lock-out")
	f.DurationVar(&o.patience, "patience", 2*time.Minute, "undo a change that is not confirmed after `TIME`")
	f.BoolVar(&asJSON, "json", false, "print the plan, or what came of it, as JSON")
	f.DurationVar(&o.idle.UpTo, "idle", 0, "also leave connections silent for up to `TIME` in each check, such as 30m")
	f.StringVar(&o.pace, "pace", autoPace, "log in at most `N/TIME` for that")
	f.IntVar(&o.maxConnections, "max-connections", 5, "make at most `N` unauthenticated connections to the host in each check")
	f.DurationVar(&o.timeout, "timeout", 20*time.Second, "give up what has not answered after `TIME`")
	o.format = "text"
	return cmd
}

// read checks the flags of fix itself.
func (o *fixOptions) read(asJSON bool) error {
	if err := o.checkOptions.read(asJSON); err != nil {
		return err
	}
	for flag, names := range map[string][]string{"only": o.only, "except": o.except} {
		for _, name := range names {
			id := name
			if flag == "only" {
				id, _, _ = strings.Cut(name, "/")
			}
			if !slices.Contains(causeIDs(), id) {
				return usage("sshtay fix --help", "--%s %s: there is no such cause; there are %s", flag, id, strings.Join(causeIDs(), ", "))
			}
		}
	}
	for _, r := range o.accept {
		if err := oneOf("accept-risk", r, string(remedy.CanLockOut), string(remedy.ReloadsSSHD), string(remedy.Harmless)); err != nil {
			return err
		}
	}
	if o.side != "" {
		if err := oneOf("side", o.side, string(remedy.Client), string(remedy.Server)); err != nil {
			return err
		}
	}
	if o.patience < 10*time.Second || o.patience > time.Hour {
		return usage("", "--patience %s: want 10s to 1h: long enough to log in, short enough to wait for", o.patience)
	}
	return nil
}

// fix is the whole story: check, plan, consent, change, proof.
func (sh *shell) fix(ctx context.Context, o fixOptions) error {
	check, drop := o.inAdvance(ctx)
	defer drop()
	before, r, err := sh.diagnosed(ctx, check.checkOptions)
	if err != nil {
		return err
	}
	if o.target.Local() && len(r.Findings) > 0 && !o.dryRun && !o.script && (o.yes || isTerminal(sh.in)) {
		knocking, stop := context.WithCancel(ctx)
		o.knocked = o.knock(knocking)
		defer func() { stop(); o.knocked() }()
	}
	work, err := sh.planFor(ctx, check, before, r)
	if err != nil {
		return err
	}
	defer work.close()
	switch {
	case o.script:
		return sh.printScript(work)
	case work.plan.Empty() || o.dryRun:
		return sh.planOnly(o, work, r)
	case o.format == "text":
		if err := sh.showPlan(work.plan, r); err != nil {
			return err
		}
	}
	if !o.yes && !sh.consent(work.plan) {
		if o.format == "json" {
			return sh.planOnly(o, work, r)
		}
		return exitError{exitFindings, "nothing was changed", ""}
	}
	return sh.carryOut(ctx, o, work, r)
}

// planOnly ends with the plan.
func (sh *shell) planOnly(o fixOptions, work *fixWork, r report.Report) error {
	if o.format == "json" {
		if err := report.PlanJSON(sh.out, work.plan); err != nil {
			return usage("", "cannot write the plan: %v", err)
		}
	} else if err := sh.showPlan(work.plan, r); err != nil {
		return err
	}
	switch {
	case len(r.Findings) == 0:
		if code := r.ExitCode(); code != exitHealthy {
			return exitError{code: code}
		}
		return nil
	case !work.plan.Empty() && o.format != "json":
		fmt.Fprintf(sh.out, "\nNothing was changed: this is the plan only.\n")
	}
	return exitError{code: exitFindings}
}

// showPlan writes the verdict, and the plan below it.
func (sh *shell) showPlan(p report.Plan, r report.Report) error {
	o := report.TextOptions{Width: width(sh.out), Color: isTerminal(sh.out) && !noColor()}
	if err := report.Headline(sh.out, r, o); err != nil {
		return usage("", "cannot write the plan: %v", err)
	}
	if p.Empty() && len(p.ByHand)+len(p.Held) == 0 {
		if len(r.Findings) == 0 {
			fmt.Fprintln(sh.out, "\nThere is nothing to mend.")
		} else {
			fmt.Fprintln(sh.out, "\nNothing of what was found was to be mended here: see sshtay check.")
		}
		return nil
	}
	fmt.Fprintln(sh.out)
	if err := report.PlanText(sh.out, p, o); err != nil {
		return usage("", "cannot write the plan: %v", err)
	}
	return nil
}

// consent asks, where there is somebody to ask.
func (sh *shell) consent(p report.Plan) bool {
	if !isTerminal(sh.in) || !isTerminal(sh.err) {
		fmt.Fprintf(sh.err, "sshtay: this is the plan; there is no terminal to ask on, and no --yes\n")
		return false
	}
	n := 0
	for _, m := range p.Machines {
		n += len(m.Changes)
	}
	fmt.Fprintf(sh.err, "\nMake %s? Whatever does not prove itself is undone. [y/N] ", map[bool]string{true: "this change", false: fmt.Sprintf("these %d changes", n)}[n == 1])
	answer, _ := bufio.NewReader(sh.in).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

// printScript prints the program that would run, where it is for one machine.
func (sh *shell) printScript(work *fixWork) error {
	switch len(work.plan.Machines) {
	case 1:
		_, err := fmt.Fprint(sh.out, work.plan.Machines[0].Script)
		return err
	case 0:
		return exitError{exitFindings, "there is nothing that a script could mend", "sshtay fix --dry-run " + cmp.Or(work.plan.Target.Given, "")}
	}
	return usage("", "the plan is for two machines, and a script for one: add --side client or --side server")
}

// diagnosed checks as check does, and keeps what the judges saw.
func (sh *shell) diagnosed(ctx context.Context, o checkOptions) (d diagnose.Result, r report.Report, err error) {
	type both struct {
		d diagnose.Result
		r report.Report
	}
	b, err := watched(ctx, sh, &o, func() (both, error) {
		d, r := runDiagnosis(ctx, o)
		return both{d, r}, nil
	})
	return b.d, b.r, err
}
