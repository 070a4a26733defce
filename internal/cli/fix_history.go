package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/commit"
	"sshtay/internal/remedy"
	"sshtay/internal/visible"
)

// pastOptions are what the verbs about earlier changes take: a host, or none
// for this machine, and an ID, or none for the newest.
type pastOptions struct {
	fixOptions
	id string
}

// isID tells an ID of ours from a host.
var isID = regexp.MustCompile(`^[0-9]{8}-[0-9]{6}-[0-9a-z]{4}$`)

// pastCommand is what confirm, rollback and history have in common.
func (sh *shell) pastCommand(use, short, long, example string, do func(context.Context, pastOptions) error) *cobra.Command {
	var o pastOptions
	var ssh sshFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var rest []string
			for _, a := range args {
				if isID.MatchString(a) && o.id == "" {
					o.id = a
				} else {
					rest = append(rest, a)
				}
			}
			if len(rest) > 1 {
				return usage(cmd.CommandPath()+" --help", "%q and %q: want one host, and at most one ID such as 20261120-101500-3f2a", rest[0], rest[1])
			}
			var err error
			if o.target, err = ssh.read(cmd.Name(), rest, nil); err != nil {
				return err
			}
			if err := o.checkOptions.read(asJSON); err != nil {
				return err
			}
			return do(cmd.Context(), o)
		},
	}
	ssh.add(cmd.Flags(), "")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 20*time.Second, "give up what has not answered after `TIME`")
	o.maxConnections, o.format = 5, "text"
	return cmd
}

func (sh *shell) confirmCommand() *cobra.Command {
	return sh.pastCommand("confirm [ssh options] [[user@]host] [ID]", "keep a change that waits for confirmation",
		`Confirm keeps what a fix, or its script, has changed on this machine or on a
host, and disarms the rollback. fix does it by itself once a new check has proven
the change. Over ssh the confirmation itself is a new connection that logs in.`,
		"  sshtay confirm web1", sh.confirm)
}

func (sh *shell) rollbackCommand() *cobra.Command {
	return sh.pastCommand("rollback [ssh options] [[user@]host] [ID]", "put back what a fix has changed",
		`Rollback puts every file and setting back as it was before a change: the newest
one, or the one with the ID. With a host it undoes both sides of a fix of that
host. A file that somebody else changed since is not touched, and told.`,
		"  sshtay rollback web1\n  sshtay rollback 20261120-101500-3f2a", sh.rollback)
}

func (sh *shell) historyCommand() *cobra.Command {
	return sh.pastCommand("history [ssh options] [[user@]host] [ID]", "list what was changed, confirmed and put back",
		`History lists the changes that fix has made on this machine, or on a host, the
newest first, and what became of each.`,
		"  sshtay history\n  sshtay history web1 --json", sh.history)
}

// past opens the machines that the options mean: the host's, and for a fix of
// a host also this one.
func (sh *shell) past(ctx context.Context, o pastOptions) ([]fixSide, error) {
	here, err := sh.machine(ctx, remedy.Client, o.fixOptions)
	if err != nil {
		return nil, err
	}
	if o.target.Local() {
		return []fixSide{here}, nil
	}
	there, err := sh.remote(ctx, o.fixOptions)
	if err != nil { // what was changed here for that host can be seen and undone nevertheless
		fmt.Fprintf(sh.err, "sshtay: %s cannot be reached, so that this is about this machine only: %s\n", visible.Line(o.target.Given, 200), visible.Text(err.Error(), 1000))
		return []fixSide{here}, nil
	}
	return []fixSide{there, here}, nil
}

func (sh *shell) confirm(ctx context.Context, o pastOptions) error {
	return sh.eachPast(ctx, o, func(s fixSide, id string) (commit.Outcome, error) { return commit.Confirm(ctx, s.machine, id) },
		func(r commit.Record) bool { return r.State == commit.Waiting }, "nothing waits for confirmation")
}

func (sh *shell) rollback(ctx context.Context, o pastOptions) error {
	return sh.eachPast(ctx, o, func(s fixSide, id string) (commit.Outcome, error) { return commit.Rollback(ctx, s.machine, id, "") },
		func(r commit.Record) bool { return r.State == commit.Confirmed || !r.State.Ended() }, "there is nothing to put back")
}

// eachPast does something with a transaction on each machine that has it: the
// one with the ID, or the newest that is meant.
func (sh *shell) eachPast(ctx context.Context, o pastOptions, do func(fixSide, string) (commit.Outcome, error), meant func(commit.Record) bool, none string) error {
	sides, err := sh.past(ctx, o)
	if err != nil {
		return err
	}
	id, done := o.id, 0
	var failed error
	for _, s := range sides {
		defer s.end()
		all, err := commit.History(ctx, s.machine)
		if err != nil {
			return usage("", "%s: %v", s.name, err)
		}
		r, found := newest(all, func(r commit.Record) bool {
			return meant(r) && (id == "" || r.ID == id) && (id != "" || o.target.Local() || strings.HasPrefix(r.Title, o.target.Given+": "))
		})
		if !found {
			continue
		}
		id = r.ID // the other machine's part has the same
		out, err := do(s, r.ID)
		if err == nil {
			err = out.Err()
		}
		done++
		if err != nil {
			failed = err
			fmt.Fprintf(sh.err, "sshtay: %s: %s\n", s.name, visible.Text(err.Error(), 2000))
			continue
		}
		fmt.Fprintf(sh.out, "%s: %s: %s\n", s.name, r.ID, inState(out.Record))
	}
	switch {
	case failed != nil:
		return exitError{exitUndone, "not all was done: see above", "sshtay history " + o.target.Given}
	case done == 0 && o.id != "":
		return usage("sshtay history "+o.target.Given, "%s: %s", o.id, none)
	case done == 0:
		return usage("sshtay history "+o.target.Given, "%s", none)
	}
	return nil
}

// newest finds the last record of a history that is meant.
func newest(all []commit.Record, meant func(commit.Record) bool) (commit.Record, bool) {
	for _, r := range slices.Backward(all) {
		if meant(r) {
			return r, true
		}
	}
	return commit.Record{}, false
}

// inState says in words what became of a transaction.
func inState(r commit.Record) string {
	switch r.State {
	case commit.Confirmed:
		return "confirmed"
	case commit.Undone, commit.RolledBack:
		return "everything is as it was" + because(r.Why)
	case commit.Waiting:
		return "is put back at " + r.Until.Local().Format("15:04:05") + " unless it is confirmed"
	case commit.Stuck:
		return "not everything could be put back: " + r.Stuck
	case commit.RefusedState:
		return "nothing was changed" + because(r.Why)
	}
	return string(r.State)
}

func because(why string) string {
	if why == "" || why == "it was asked for" {
		return ""
	}
	return ": " + why
}

// historySchema names the contract of history --json. It only grows.
const historySchema = "sshtay.history/1"

type pastChange struct {
	Machine string     `json:"machine"`
	ID      string     `json:"id"`
	State   string     `json:"state"`
	Title   string     `json:"title"`
	By      string     `json:"by"`
	At      time.Time  `json:"at"`
	Until   *time.Time `json:"until,omitempty"` // while it waits for confirmation
	Says    string     `json:"says"`
}

func (sh *shell) history(ctx context.Context, o pastOptions) error {
	sides, err := sh.past(ctx, o)
	if err != nil {
		return err
	}
	for _, s := range sides {
		defer s.end()
	}
	records, err := commit.History(ctx, sides[0].machine)
	if err != nil {
		return usage("", "%s: %v", sides[0].name, err)
	}
	all := []pastChange{}
	for _, r := range slices.Backward(records) {
		if o.id != "" && r.ID != o.id {
			continue
		}
		p := pastChange{sides[0].name, r.ID, string(r.State), r.Title, r.By, r.Started.UTC(), nil, inState(r)}
		if r.State == commit.Waiting {
			p.Until = &r.Until
		}
		all = append(all, p)
	}
	if o.format == "json" {
		enc := json.NewEncoder(sh.out)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Schema  string       `json:"schema"`
			Changes []pastChange `json:"changes"`
		}{historySchema, all})
	}
	if len(all) == 0 {
		fmt.Fprintf(sh.out, "sshtay has changed nothing on %s.\n", sides[0].name)
	}
	for _, p := range all {
		fmt.Fprintf(sh.out, "%s  %s  %s\n    %s\n", p.ID, p.At.Local().Format("2006-01-02 15:04"), p.Title, p.Says)
	}
	return nil
}
