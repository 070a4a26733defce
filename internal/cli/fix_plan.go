package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"sshtay/internal/cause"
	"sshtay/internal/change"
	"sshtay/internal/commit"
	"sshtay/internal/diagnose"
	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/probe"
	"sshtay/internal/remedy"
	"sshtay/internal/report"
	"sshtay/internal/sshconf"
	"sshtay/internal/unified"
	"sshtay/internal/visible"
)

// fixWork is a plan, and what it takes to carry it out.
type fixWork struct {
	plan   report.Plan
	sides  []fixSide
	mended map[string][]string // the causes that it is to cure, with the facts that must read differently
}

// A fixSide is one machine that changes, with what changes there.
type fixSide struct {
	name    string
	machine host.Host
	asked   host.Host // the same while a plan is made: it is asked nothing twice
	root    bool      // we are root there
	t       commit.Transaction
	end     func()
}

func (w *fixWork) close() {
	for _, s := range w.sides {
		s.end()
	}
}

func causeIDs() (ids []string) {
	for _, c := range cause.All() {
		ids = append(ids, c.ID)
	}
	return ids
}

// planFor looks at each machine that has something to be mended, and says what
// would be changed there.
func (sh *shell) planFor(ctx context.Context, o fixOptions, d diagnose.Result, r report.Report) (*fixWork, error) {
	w := &fixWork{mended: map[string][]string{}, plan: report.Plan{
		Schema: report.PlanSchema, At: r.At, Version: Version, Target: r.Target, Verdict: r.Verdict,
		Machines: []report.PlanMachine{}, ByHand: []report.ByHand{}, Held: []report.ByHand{},
	}}
	if err := o.known(d.Judgements); err != nil {
		return nil, err
	}
	id := time.Now().Format("20060102-150405-") + rand.Text()[:4]
	id = strings.ToLower(id)
	o.through = probe.WayThrough(d.Facts, self())
	all := w.lookAll(o, d.Judgements, func(l *looked) { l.look(ctx, sh, o, requestOf(d)) })
	var failed error
	for _, l := range all {
		if err := w.add(o, id, *l); err != nil {
			failed = err
		}
	}
	if failed != nil {
		w.close()
		return nil, failed
	}
	return w, nil
}

// looked is what is wanted on one machine, and what that comes to there.
type looked struct {
	side    remedy.Side
	wanted  []change.Wanted
	m       fixSide
	closed  error // why the machine could not be opened
	changes []change.Change
	left    []change.Left
	err     error // why it could not be looked at
}

// look opens the machine, unless that was done, and plans. What was left before
// stays so.
func (l *looked) look(ctx context.Context, sh *shell, o fixOptions, request change.Request) {
	if l.closed != nil {
		return
	}
	l.changes = nil
	if l.m.machine == nil {
		if l.m, l.closed = sh.machine(ctx, l.side, o); l.closed != nil {
			return
		}
	}
	for _, of := range []remedy.Side{remedy.Client, remedy.Server} {
		if of != l.side && !o.target.Local() {
			continue
		}
		some, left, err := change.Plan(ctx, l.m.asked, of, request, l.wanted)
		if err != nil {
			l.err = err
			return
		}
		l.changes, l.left = append(l.changes, some...), append(l.left, left...)
	}
}

// means says whether a cause is to be mended, if it is found.
func (o fixOptions) means(id string) bool {
	named := slices.ContainsFunc(o.only, func(name string) bool {
		cause, _, _ := strings.Cut(name, "/")
		return cause == id
	})
	return (len(o.only) == 0 || named) && !slices.Contains(o.except, id)
}

// asked are those of a cause's remedies that the user wants: all, or the ones
// named by `--only CAUSE/REMEDY`, which then need not be the best. What is meant
// for a router of one's own, and a machine can do, is then done on this machine,
// or with --side server on the host.
func (o fixOptions) asked(id string, all []remedy.Remedy) []remedy.Remedy {
	named := func(r remedy.Remedy) bool { return slices.Contains(o.only, id+"/"+r.ID) }
	if slices.Contains(o.only, id) || !slices.ContainsFunc(o.only, func(name string) bool { return strings.HasPrefix(name, id+"/") }) {
		return all
	}
	wanted := slices.DeleteFunc(slices.Clone(all), func(r remedy.Remedy) bool { return !named(r) })
	for i := range wanted {
		if r := &wanted[i]; r.Side == remedy.Network && r.Mechanical() {
			r.Side = cmp.Or(remedy.Side(o.side), remedy.Client)
		}
	}
	return wanted
}

// known refuses the name of a remedy that a cause that was found does not have.
func (o fixOptions) known(all []cause.Judgement) error {
	for _, j := range all {
		var has []string
		for _, r := range j.Remedies {
			has = append(has, j.ID+"/"+r.ID)
		}
		for _, name := range o.only {
			if strings.HasPrefix(name, j.ID+"/") && j.IsFinding() && !slices.Contains(has, name) {
				return usage("", "--only %s: there is no such remedy here; there are %s", visible.Line(name, 100), strings.Join(has, ", "))
			}
		}
	}
	return nil
}

// choose says which remedies of what was found and is to be mended machines
// carry out, and leaves the others to people. Those that are impossible, by their
// names, are as if they were not there.
func (w *fixWork) choose(o fixOptions, all []cause.Judgement, impossible []string) (wanted []change.Wanted) {
	w.plan.ByHand = []report.ByHand{}
	sides := []remedy.Side{remedy.Client, remedy.Server}
	if o.side != "" {
		sides = []remedy.Side{remedy.Side(o.side)}
	}
	for _, j := range all {
		if !j.IsFinding() || !o.means(j.ID) {
			continue
		}
		may := slices.DeleteFunc(slices.Clone(o.asked(j.ID, j.Remedies)), func(r remedy.Remedy) bool { return slices.Contains(impossible, j.ID+"/"+r.ID) })
		chosen, left := remedy.Choose(may, sides...)
		for _, r := range chosen {
			if o.target.Local() && slices.ContainsFunc(r.Steps, func(s remedy.Step) bool { return s.Kind == remedy.SSHConfig }) {
				w.leave(j.ID, r, "ssh is configured for one host at a time: sshtay fix HOST")
				continue
			}
			wanted = append(wanted, change.Wanted{Cause: j.ID, Remedy: r})
		}
		for _, r := range left {
			if o.side == "" || r.Side == sides[0] || r.Side == remedy.Network {
				w.leave(j.ID, r, "")
			}
		}
	}
	return wanted
}

// add adds what is done on one machine.
func (w *fixWork) add(o fixOptions, id string, l looked) error {
	m, side, wanted := l.m, l.side, l.wanted
	switch {
	case l.closed != nil:
		for _, x := range wanted {
			w.leave(x.Cause, x.Remedy, visible.Line(l.closed.Error(), 400))
		}
		return nil
	case l.err != nil:
		m.end()
		return usage("", "%s: %v", m.name, l.err)
	}
	for _, left := range l.left {
		w.leave(left.Cause, left.Remedy, visible.Line(left.Why, 400))
	}
	changes := slices.DeleteFunc(l.changes, func(c change.Change) bool {
		switch {
		case len(c.Effects) == 0:
			return true
		case c.Root && !m.root:
			w.holdBack(c, wanted, onlyRoot(o, m))
			return !o.script
		case c.Risk == remedy.CanLockOut && !slices.Contains(o.accept, string(remedy.CanLockOut)):
			w.holdBack(c, wanted, "it is done with --accept-risk can-lock-out only")
			return true
		}
		return false
	})
	if len(changes) == 0 {
		m.end()
		return nil
	}
	m.t = commit.Transaction{ID: id, Title: titleOf(o.target.Given, changes), By: "sshtay " + Version, Changes: changes, Patience: o.patience}
	if err := m.t.Check(); err != nil {
		m.end()
		return usage("", "%s: %v", m.name, err)
	}
	w.sides = append(w.sides, m)
	shown := report.PlanMachine{Side: string(side), Name: m.name, Risk: string(worst(changes)), Changes: []report.PlanChange{}, Script: string(m.t.Script())}
	for _, c := range changes {
		for _, x := range wanted {
			if slices.Contains(c.Cures, x.Cause) {
				w.mended[x.Cause] = append(w.mended[x.Cause], x.Remedy.Cures)
			}
		}
		shown.Changes = append(shown.Changes, shownChange(c))
	}
	w.plan.Machines = append(w.plan.Machines, shown)
	return nil
}

// onlyRoot says how a change can be made that we may not make.
func onlyRoot(o fixOptions, m fixSide) string {
	side, where := remedy.Server, "as root there"
	if m.name == thisMachine {
		side, where = remedy.Client, "as root here"
	}
	return fmt.Sprintf("only root can do it on %s; what would run: sshtay fix %s --side %s --script; run that %s: sh FILE apply", m.name, visible.Line(o.target.Given, 200), side, where)
}

// requestOf says for whom configuration is changed.
func requestOf(d diagnose.Result) change.Request {
	r := change.Request{Client: probe.ClientRequest(d.Target)}
	if address, seen := fact.ServerClientAddress.Get(d.Facts); seen && !d.Target.Local() {
		r.Server.Connection = &sshconf.Connection{User: d.Resolved.User, Addr: address}
	}
	return r
}

// titleOf names a transaction in the history of a machine.
func titleOf(host string, changes []change.Change) string {
	title := changes[0].Title
	if len(changes) > 1 {
		title += fmt.Sprintf(", and %d more", len(changes)-1)
	}
	if host != "" {
		title = host + ": " + title
	}
	return title
}

func worst(changes []change.Change) remedy.Risk {
	order := []remedy.Risk{remedy.Harmless, remedy.ReloadsSSHD, remedy.CanLockOut}
	at := 0
	for _, c := range changes {
		at = max(at, slices.Index(order, c.Risk))
	}
	return order[at]
}

// shownChange is a change in the form of the contract.
func shownChange(c change.Change) report.PlanChange {
	p := report.PlanChange{
		Kind: c.Kind, Title: c.Title, Causes: filled(c.Cures), Risk: string(c.Risk),
		Files: []report.PlanFile{}, Commands: []string{}, Services: []string{}, Verified: []string{}, Notes: filled(c.Notes),
	}
	for _, e := range c.Effects {
		switch {
		case e.File != nil:
			p.Files = append(p.Files, report.PlanFile{Path: e.File.Path, Diff: unified.Diff(e.File.Path, e.File.Old, e.File.New)})
		case e.Commands != nil:
			p.Commands = append(p.Commands, e.Commands.Apply)
		}
	}
	for _, s := range c.Services {
		p.Services = append(p.Services, s.Name+" looks through its files, and reads them anew; open sessions go on")
	}
	for _, v := range c.Verify {
		p.Verified = append(p.Verified, v.Title)
	}
	return p
}

func filled(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// leave puts a remedy among those that are left to people.
func (w *fixWork) leave(cause string, r remedy.Remedy, why string) {
	w.plan.ByHand = append(w.plan.ByHand, report.LeftToPeople(cause, r, why))
}

// holdBack puts a change among those that are not made as things are, with what
// it takes to make it by hand.
func (w *fixWork) holdBack(c change.Change, wanted []change.Wanted, why string) {
	r := remedy.Remedy{ID: c.Kind, Side: c.Side, Risk: c.Risk, Summary: c.Title}
	for _, x := range wanted {
		if x.Side == c.Side && slices.Contains(c.Cures, x.Cause) {
			r.Steps = append(r.Steps, stepsOf(x.Remedy, remedy.Kind(c.Kind))...)
		}
	}
	w.plan.Held = append(w.plan.Held, report.LeftToPeople(first(c.Cures), r, why))
}

// stepsOf are the steps of a remedy that are of one kind, and what makes these
// take effect.
func stepsOf(r remedy.Remedy, kind remedy.Kind) (steps []remedy.Step) {
	of := false
	for _, s := range r.Steps {
		if of = s.Kind == kind || of && s.Kind == remedy.Implied; of {
			steps = append(steps, s)
		}
	}
	return steps
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}
