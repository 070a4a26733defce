package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/demo"
	"sshtay/internal/host"
	"sshtay/internal/report"
	"sshtay/internal/target"
	"sshtay/internal/visible"
)

// tour is what a newcomer is shown without asking for anything.
var tour = []string{"throttle", "http", "no-keepalive"}

const demoHelp = `Demo starts an SSH server that is broken in a known way, on this machine and for
this moment only, shows what plain ssh says there, and diagnoses it with the code
of check. Without a fault it is a tour of three.

Nothing leaves this machine, nothing needs root, and nothing of yours takes part:
the demo brings its own ssh configuration, key and known hosts, in a temporary
folder. Its server executes nothing.

Exit status: 0 when the diagnosis finds what was broken, 1 when it does not.`

func (sh *shell) demoCommand() *cobra.Command {
	var list, hold bool
	cmd := &cobra.Command{
		Use:   "demo [fault]",
		Short: "see SSH servers that are broken on purpose, and their diagnosis",
		Long:  demoHelp,
		Example: `  sshtay demo
  sshtay demo --list
  sshtay demo http
  sshtay demo no-keepalive --hold`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return faultNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return sh.listFaults()
			}
			names := tour
			if len(args) == 1 {
				names = args
			}
			var faults []demo.Fault
			for _, name := range names {
				f, ok := demo.Lookup(name)
				if !ok {
					return usage("sshtay demo --list", "there is no fault %q to demonstrate", name)
				}
				faults = append(faults, f)
			}
			g := sh.guide()
			switch {
			case hold && len(args) == 0:
				return usage("sshtay demo reset --hold", "--hold keeps one fault up; say which")
			case hold:
				return g.hold(cmd.Context(), faults[0])
			}
			return g.visit(cmd.Context(), faults)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the faults")
	cmd.Flags().BoolVar(&hold, "hold", false, "keep the faulty server up, to try by hand, until Ctrl-C")
	return cmd
}

func faultNames() []string {
	var names []string
	for _, f := range demo.All() {
		names = append(names, f.Name)
	}
	return names
}

func (sh *shell) listFaults() error {
	w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
	for _, f := range demo.All() {
		fmt.Fprintf(w, "%s\t%s\n", f.Name, f.Title)
	}
	return w.Flush()
}

// A guide leads a visitor through faults.
type guide struct {
	*shell
	width int
	color bool
	ssh   bool          // there is an ssh program
	limit time.Duration // for each diagnosis
	check func(context.Context, checkOptions) (report.Report, error)
}

func (sh *shell) guide() *guide {
	_, err := host.Find("ssh")
	return &guide{sh, width(sh.out), isTerminal(sh.out) && !noColor(), err == nil, 20 * time.Second, runCheck}
}

// visit shows faults one after the other, and says in the end how many of them
// the diagnosis has found.
func (g *guide) visit(ctx context.Context, faults []demo.Fault) error {
	if len(faults) > 1 {
		g.paragraph(fmt.Sprintf("A tour of %d broken SSH servers, on this machine only. Each is shown to plain ssh first, and then diagnosed.", len(faults)))
	}
	if !g.ssh {
		g.paragraph("There is no ssh program here: plain ssh is not shown, and the diagnosis has to do without a login.")
	}
	var wrong []string
	for i, f := range faults {
		number := ""
		if len(faults) > 1 {
			number = fmt.Sprintf("%d of %d: ", i+1, len(faults))
		}
		g.heading(number + f.Name + ", " + f.Title)
		found, err := g.show(ctx, f)
		if err != nil {
			return err
		}
		if found != "" {
			wrong = append(wrong, f.Name+": "+found)
		}
	}
	if len(wrong) > 0 {
		name, _, _ := strings.Cut(wrong[0], ":")
		return exitError{exitFindings, "the diagnosis is not what the demo expects: " + strings.Join(wrong, "; "), "sshtay demo " + name + " --hold"}
	}
	if len(faults) > 1 {
		g.paragraph("That was the tour. More faults: sshtay demo --list. Your own host: sshtay check HOST.")
	}
	return nil
}

// show is one stop: what is broken, what plain ssh says, what the diagnosis
// says. It returns how the diagnosis differs from what is broken, or "".
func (g *guide) show(ctx context.Context, f demo.Fault) (wrong string, err error) {
	g.paragraph(f.What)
	_, dir, leave, err := enter(ctx, f)
	if err != nil {
		return "", err
	}
	defer leave()
	config := dir.Path(demo.ConfigFile)
	if g.ssh {
		g.plainSSH(ctx, f, config)
	}
	if ctx.Err() != nil {
		return "", exitError{130, "interrupted", ""}
	}
	g.command("sshtay", "check", "-F", config, demo.Alias)
	line := &progress{out: g.err, on: isTerminal(g.err)}
	r, err := g.check(ctx, checkOptions{
		target:         target.Target{Given: demo.Alias, ConfigFile: config},
		maxConnections: 5, timeout: g.limit, progress: line.say,
	})
	line.say("")
	if err != nil {
		return "", err
	}
	if ctx.Err() != nil {
		return "", exitError{130, "interrupted", ""}
	}
	if err := report.Text(g.out, r, report.TextOptions{Width: g.width, Color: g.color}); err != nil {
		return "", err
	}
	fmt.Fprintln(g.out)
	if f.Doubt != "" && len(r.Findings) == 0 {
		g.paragraph(f.Doubt)
	}
	return g.differs(f, r), nil
}

// differs says what the diagnosis found instead of what is broken, or "".
func (g *guide) differs(f demo.Fault, r report.Report) string {
	first := "nothing"
	if len(r.Findings) > 0 {
		first = r.Findings[0].Cause
	}
	switch {
	case f.Expect == "" && first != "nothing":
		return "nothing is broken, and it found " + first
	case f.Expect == "" && g.ssh && r.Verdict != report.Healthy:
		return "nothing is broken, and its verdict is " + string(r.Verdict)
	case f.Expect == "" || f.Expect == first:
		return ""
	case (f.Doubt != "" || !g.ssh) && len(r.Findings) == 0 && isPossible(r, f.Expect):
		return "" // without a login, too, more cannot be known
	}
	return fmt.Sprintf("want %s first, and it found %s", f.Expect, first)
}

func isPossible(r report.Report, cause string) bool {
	return slices.ContainsFunc(r.Causes, func(c report.Judged) bool { return c.Cause == cause && c.Status == "possible" })
}

// plainSSH runs the user's own ssh in the fault and shows what it says.
func (g *guide) plainSSH(ctx context.Context, f demo.Fault, config string) {
	argv := []string{"ssh", "-F", config, demo.Alias, f.Command}
	g.command(argv...)
	limit := f.Freezes
	if limit == 0 {
		limit = 10 * time.Second
	}
	watched, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := host.Local{}.Run(watched, host.Command{Argv: argv, Limit: 8 << 10})
	if ctx.Err() != nil {
		return // the visitor has left
	}
	said := strings.TrimSpace(string(r.Stdout) + string(r.Stderr))
	if said != "" {
		fmt.Fprintln(g.out, visible.Text(said, 4096))
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded) && said == "":
		fmt.Fprintf(g.out, "(not a word for %g s; stopped)\n\n", limit.Seconds())
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Fprintf(g.out, "(stopped after %g s)\n\n", limit.Seconds())
	case err != nil:
		fmt.Fprintf(g.out, "(%v)\n\n", err)
	default:
		fmt.Fprintf(g.out, "(exit status %d after %.2f s)\n\n", r.Exit, r.Took.Seconds())
	}
}

// hold keeps a fault up for the visitor to try by hand.
func (g *guide) hold(ctx context.Context, f demo.Fault) error {
	w, dir, leave, err := enter(ctx, f)
	if err != nil {
		return err
	}
	defer leave()
	config := dir.Path(demo.ConfigFile)
	g.heading(f.Name + ", " + f.Title)
	g.paragraph(f.What)
	g.paragraph(fmt.Sprintf("It is up on %s until you press Ctrl-C. In another terminal:", w.Addr()))
	g.command("ssh", "-F", config, demo.Alias, f.Command)
	g.command("ssh", "-F", config, demo.Alias)
	g.command("sshtay", "check", "-F", config, demo.Alias)
	<-ctx.Done()
	fmt.Fprintln(g.out)
	return nil
}

// enter opens a fault and puts what a visitor needs into a folder; leave ends
// and removes both.
func enter(ctx context.Context, f demo.Fault) (w *demo.World, dir host.Dir, leave func(), err error) {
	w, err = f.Start(ctx)
	if err != nil {
		return nil, dir, nil, exitError{exitFindings, err.Error(), ""}
	}
	defer func() {
		if err != nil {
			w.Close()
			dir.Remove()
			err = exitError{exitFindings, "the demo needs a temporary folder: " + err.Error(), "TMPDIR=FOLDER sshtay demo"}
		}
	}()
	if dir, err = (host.Local{}).TempDir(); err != nil {
		return nil, dir, nil, err
	}
	files, err := w.Files(dir.Path())
	if err != nil {
		return nil, dir, nil, err
	}
	for _, file := range files {
		if _, err = dir.Write(file.Name, file.Data, 0o600); err != nil {
			return nil, dir, nil, err
		}
	}
	return w, dir, func() { w.Close(); dir.Remove() }, nil
}

func (g *guide) heading(text string) {
	if g.color {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	fmt.Fprintf(g.out, "== %s\n\n", text)
}

// paragraph fills lines up to the width.
func (g *guide) paragraph(text string) {
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > g.width:
			io.WriteString(g.out, "\n")
			column = 0
		default:
			io.WriteString(g.out, " ")
			column++
		}
		io.WriteString(g.out, word)
		column += len(word)
	}
	io.WriteString(g.out, "\n\n")
}

// command shows a command line as one would type it.
func (g *guide) command(argv ...string) {
	var line []string
	for _, arg := range argv {
		if strings.ContainsFunc(arg, needsQuotes) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		line = append(line, arg)
	}
	fmt.Fprintf(g.out, "$ %s\n", strings.Join(line, " "))
}

func needsQuotes(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,"+string(filepath.Separator), r)
}
