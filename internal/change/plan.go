package change

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
	"sshtay/internal/sshconf"
)

// A Wanted is a remedy that was chosen (see [remedy.Choose]) for a cause.
type Wanted struct {
	Cause string // its id
	remedy.Remedy
}

// A Left is a remedy that is left to a person, and why.
type Left struct {
	Wanted
	Why string
}

// A Request says for whom configuration is changed.
type Request struct {
	Client sshconf.ClientRequest // whose ssh_config: what the user typed
	Server sshconf.ServerRequest // whose connection sshd must serve so
}

// Plan turns the remedies of one side into what has to be done to its machine:
// at most one change for each kind that has options, and for each thing. A
// remedy is planned whole or left. The error is a machine that cannot be asked.
func Plan(ctx context.Context, m host.Host, side remedy.Side, request Request, wanted []Wanted) ([]Change, []Left, error) {
	p := &planner{m: m, request: request, side: side, made: map[string]made{}}
	for _, w := range wanted {
		if w.Side == side {
			p.wanted = append(p.wanted, w)
		}
	}
	for {
		jobs := p.jobs()
		left := len(p.left)
		var all []Change
		for _, j := range jobs {
			c, err := p.run(ctx, j)
			if err != nil {
				p.blame(ctx, j, err)
			}
			all = append(all, c)
		}
		if err := context.Cause(ctx); err != nil {
			return nil, nil, err
		}
		if len(p.left) == left {
			return all, p.left, nil
		}
	}
}

// A job is what one call of a kind is asked for, and by which remedies.
type job struct {
	kind remedy.Kind
	with map[string]string
	by   []Wanted
}

func (j job) key() string {
	key := string(j.kind)
	for _, name := range slices.Sorted(maps.Keys(j.with)) {
		key += "\x00" + name + "\x00" + j.with[name]
	}
	return key
}

type made struct {
	change Change
	err    error
}

type planner struct {
	m       host.Host
	request Request
	side    remedy.Side
	wanted  []Wanted
	left    []Left
	made    map[string]made // by the key of a job: nothing is looked at twice
}

// jobs gathers what the remedies ask for, in the order in which it is done. A
// remedy that no machine can carry out, or that wants another value for what one
// before it has set, is left.
func (p *planner) jobs() []job {
	var jobs []job
	for _, w := range slices.Clone(p.wanted) {
		more, err := w.join(jobs)
		if err != nil {
			p.leave(w, err)
			continue
		}
		jobs = more
	}
	slices.SortStableFunc(jobs, func(a, b job) int { return kindOf(a.kind) - kindOf(b.kind) })
	return jobs
}

// join adds the steps of a remedy to what is asked for already.
func (w Wanted) join(before []job) ([]job, error) {
	if !w.Mechanical() {
		return nil, errors.New("it takes a person")
	}
	var jobs []job
	for _, j := range before {
		jobs = append(jobs, job{j.kind, maps.Clone(j.with), slices.Clone(j.by)})
	}
	for _, s := range w.Steps {
		i := kindOf(s.Kind)
		if i < 0 {
			continue // a note, or what another step implies
		}
		with := maps.Clone(s.With)
		delete(with, "run")
		own := []job{{s.Kind, with, nil}}
		if s.Kind == remedy.PrivsepDir {
			own = append(own, job{remedy.StartSSHD, nil, nil}) // for want of it none may have come up
		}
		for _, o := range own {
			at := slices.IndexFunc(jobs, func(j job) bool { return j.kind == o.kind && (kinds[i].options || j.key() == o.key()) })
			if at < 0 {
				jobs, at = append(jobs, job{o.kind, map[string]string{}, nil}), len(jobs)
			}
			if err := jobs[at].take(o.with, w); err != nil {
				return nil, err
			}
		}
	}
	return jobs, nil
}

func (j *job) take(with map[string]string, w Wanted) error {
	for name, value := range with {
		for other, set := range j.with {
			if strings.EqualFold(other, name) && set != value {
				return fmt.Errorf("%s %s is what another remedy sets (%s), and it can have one value", name, set, j.by[0].Cause)
			}
		}
		j.with[name] = value
	}
	if !slices.ContainsFunc(j.by, func(b Wanted) bool { return b.Cause == w.Cause && b.ID == w.ID }) {
		j.by = append(j.by, w)
	}
	return nil
}

func (p *planner) run(ctx context.Context, j job) (Change, error) {
	key := j.key()
	m, known := p.made[key]
	if !known {
		m.change, m.err = kinds[kindOf(j.kind)].make(ctx, p.m, p.request, j.with)
		p.made[key] = m
	}
	c := m.change
	c.Side = p.side
	for _, w := range j.by {
		if !slices.Contains(c.Cures, w.Cause) {
			c.Cures = append(slices.Clone(c.Cures), w.Cause)
		}
	}
	return c, m.err
}

// blame finds out which of the remedies that asked for a job cannot be carried
// out, and leaves it: each that cannot even by itself, or else the last one.
func (p *planner) blame(ctx context.Context, j job, err error) {
	found := false
	for _, w := range j.by {
		jobs, _ := w.join(nil)
		for _, own := range jobs {
			if own.kind != j.kind || len(j.by) == 1 {
				continue
			}
			if _, err := p.run(ctx, own); err != nil {
				found = true
				p.leave(w, err)
			}
		}
	}
	if !found {
		p.leave(j.by[len(j.by)-1], err)
	}
}

func (p *planner) leave(w Wanted, why error) {
	n := len(p.wanted)
	p.wanted = slices.DeleteFunc(p.wanted, func(o Wanted) bool { return o.Cause == w.Cause && o.ID == w.ID })
	if len(p.wanted) < n {
		p.left = append(p.left, Left{w, why.Error()})
	}
}
