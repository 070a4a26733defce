package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/lab"
)

const labHelp = `The lab builds small networks with a fault in them out of network namespaces:
a laptop, a home router, a wide-area link, a provider's router, a server with a
real sshd. Nothing of it touches this machine's network, and nothing is left of
it. It shows how a fault looks, and whether sshtay finds it.`

func (sh *shell) labCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "fault scenarios: see them, and put the diagnosis to the test",
		Long:  labHelp,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(sh.labList(), sh.labRun(), sh.labShell(), sh.labInit())
	return cmd
}

func (sh *shell) labList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the scenarios: name, what a check must find, title",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			all, err := lab.Scenarios()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
			for _, s := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Want.First, s.Title)
			}
			return w.Flush()
		},
	}
}

func (sh *shell) labRun() *cobra.Command {
	var asJSON, trust bool
	var atATime int
	var seed uint64
	cmd := &cobra.Command{
		Use:   "run [NAME...]",
		Short: "run scenarios: is the fault there, and does check find it?",
		Long: `Run builds the world of each scenario, sees with plain ssh that the fault is
there and that without it all is well, lets sshtay check find it, and sees that
the user can still log in. Without a name all scenarios are run; a name may
have * in it.

Exit status: 0 all right, 1 at least one miss, 2 wrong usage, or no root.`,
		Example: "  sudo sshtay lab run\n  sudo sshtay lab run 'healthy-*' --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := chooseScenarios(args)
			if err != nil {
				return err
			}
			l, err := newLab(seed)
			if err != nil {
				return err
			}
			l.Trust = trust
			start, done := time.Now(), 0
			line := &progress{out: sh.err, on: isTerminal(sh.err)}
			results := l.RunAll(cmd.Context(), chosen, atATime, func(r lab.Result) {
				done++
				line.say(fmt.Sprintf("%d of %d scenarios, %s was %s", done, len(chosen), r.Name, r.Verdict))
			})
			line.say("")
			tally := lab.Sum(results, time.Since(start))
			if asJSON {
				e := json.NewEncoder(sh.out)
				e.SetIndent("", " ")
				err = e.Encode(map[string]any{"schema": "sshtay.lab/1", "seed": seed, "results": results, "tally": tally})
			} else {
				err = lab.Table(sh.out, results, tally)
			}
			if err == nil && tally.Right < tally.Scenarios {
				err = exitError{code: exitFindings}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the results as JSON, with the report of every check")
	cmd.Flags().BoolVar(&trust, "trust", false, "do not see with plain ssh that the fault is there: for many runs of the same scenarios")
	cmd.Flags().IntVarP(&atATime, "jobs", "j", 2*runtime.NumCPU(), "run `N` scenarios at a time")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "the `NUMBER` from which loss, jitter and the like are drawn")
	return cmd
}

func (sh *shell) labShell() *cobra.Command {
	return &cobra.Command{
		Use:   "shell NAME",
		Short: "open a shell on the laptop of a scenario, to try things by hand",
		Long: `Shell builds the world of a scenario and opens a shell on its laptop, where ssh
is set up: try "ssh web1" and "sshtay check web1". All is gone when it ends.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := chooseScenarios(args)
			if err != nil {
				return err
			}
			if len(chosen) != 1 {
				return usage("sshtay lab list", "%q names %d scenarios, want one", args[0], len(chosen))
			}
			l, err := newLab(1)
			if err != nil {
				return err
			}
			fmt.Fprintf(sh.err, "%s\n\nThis is the laptop. Try: %s\n", chosen[0].Story, chosen[0].Truth.Run)
			code, err := l.Shell(cmd.Context(), chosen[0])
			if err == nil && code != 0 {
				err = exitError{code: code}
			}
			return err
		},
	}
}

// labInit is what a machine of the lab starts as.
func (sh *shell) labInit() *cobra.Command {
	return &cobra.Command{
		Use:    strings.Join(lab.InitArgs[1:], " "),
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return lab.Init(sh.in, sh.out) },
	}
}

func newLab(seed uint64) (*lab.Lab, error) {
	if err := lab.CanBuild(); err != nil {
		return nil, usage("sudo sshtay lab run", "%v", err)
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &lab.Lab{Program: program, Seed: seed}, nil
}

// chooseScenarios returns those that are named, or all.
func chooseScenarios(names []string) ([]lab.Scenario, error) {
	all, err := lab.Scenarios()
	if err != nil || len(names) == 0 {
		return all, err
	}
	var chosen []lab.Scenario
	for _, name := range names {
		known := false
		for _, s := range all {
			if !matches(name, s.Name) {
				continue
			}
			known = true
			if !slices.ContainsFunc(chosen, func(c lab.Scenario) bool { return c.Name == s.Name }) {
				chosen = append(chosen, s)
			}
		}
		if !known {
			return nil, usage("sshtay lab list", "there is no scenario %q", name)
		}
	}
	return chosen, nil
}

// matches compares a name with a pattern in which * stands for any text.
func matches(pattern, name string) bool {
	prefix, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == name
	}
	if !strings.HasPrefix(name, prefix) {
		return false
	}
	for i := len(prefix); i <= len(name); i++ {
		if matches(rest, name[i:]) {
			return true
		}
	}
	return false
}
