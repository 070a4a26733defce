package probe

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/idle"
	"sshtay/internal/sock"
)

// An IdleRun says how connections are to be left silent.
type IdleRun struct {
	UpTo  time.Duration   // the longest silence to try
	Pace  Pace            // of the logins
	Watch func(idle.View) // told what is going on, often; may be nil
}

// Limit is how long a run may take at most. One that finds something takes two
// or three times what it finds; connections that may be opened only slowly, and
// results that have to be repeated, make it longer.
func (r IdleRun) Limit() time.Duration {
	if r.UpTo <= 0 {
		return 0
	}
	return 4*r.UpTo + time.Minute + 3*idleSlots*r.Pace.every()
}

// idleSlots is how many connections a run has open at once, and idleAtOnce how
// many of these may be logging in at the same time: sshd begins to refuse some
// from ten on.
const (
	idleSlots  = 24
	idleAtOnce = 5
)

// idleRun is one run at work. Its loop alone touches the plan; what takes time
// happens elsewhere and comes back as a function for the loop.
type idleRun struct {
	IdleRun
	env    *Env
	open   idleOpener
	gate   *gate
	before string // why nobody logs in, or ""
	plan   *idle.Plan
	conns  map[int]*idleConn
	events chan func()
	begin  time.Time
	slept  time.Duration // of this machine, before the run
	noted  time.Duration // and what the plan was told of
	works  sync.WaitGroup

	slowed  string // why logins are made more slowly than at first, or ""
	control *idleConn
	server  map[string]int    // what the server's kernel said of connections that had died
	words   map[string]string // what ssh printed, by what its connection came to
	born    map[int]time.Duration
	lived   time.Duration // how old the talking connection was when it was lost
	patient time.Duration // and when the server closed it, because nobody logged in
	stop    context.CancelFunc
}

// An idleOpener makes one login, and returns it talking. Waits so long for the
// server to answer at all, or as long as is usual when that is 0.
type idleOpener func(ctx context.Context, wait time.Duration) (*idleConn, error)

// newIdleRun is a run of logins.
func newIdleRun(env *Env, open idleOpener, o idle.Options) *idleRun {
	g := newGate(env.Budget, env.Idle.Pace)
	o.UpTo, o.Slots, o.AtOnce, o.Every = env.Idle.UpTo, idleSlots, idleAtOnce, g.every()
	return &idleRun{IdleRun: env.Idle, env: env, open: open, gate: g, plan: idle.New(o)}
}

func (r *idleRun) now() time.Duration { return time.Since(r.begin) + asleepFor() - r.slept }

// Times of the loop.
const (
	fewTalks  = 15 * time.Second // between two questions to a connection that talks, at most
	manyTalks = time.Second      // and at least
	shellTime = 20 * time.Second // from the start of ssh to the answer of the shell
)

// run works until the plan is done, or ctx is.
func (r *idleRun) run(ctx context.Context) idle.Result {
	r.begin, r.slept, r.conns, r.born = time.Now(), asleepFor(), map[int]*idleConn{}, map[int]time.Duration{}
	r.events, r.server, r.words = make(chan func()), map[string]int{}, map[string]string{}
	ctx, r.stop = context.WithCancel(ctx)
	poll := time.NewTicker(min(max(r.UpTo/2000, 50*time.Millisecond), time.Second))
	defer poll.Stop()
	for !r.plan.Done() && ctx.Err() == nil {
		todo, again := r.plan.Next(r.now())
		for _, a := range todo {
			r.do(ctx, a)
		}
		r.control = r.conns[r.plan.Control()]
		if r.Watch != nil {
			r.Watch(r.plan.View(r.now()))
		}
		var due <-chan time.Time
		if again > 0 {
			due = time.After(again - r.now())
		}
		select {
		case f := <-r.events:
			f()
		case <-due:
		case <-poll.C:
			r.look(ctx)
		case <-ctx.Done():
		}
	}
	r.stop()
	r.closeAll()
	if r.Watch != nil { // what came last
		r.Watch(r.plan.View(r.now()))
	}
	return r.plan.Result()
}

// tell has the loop do something, and waits until it has.
func (r *idleRun) tell(ctx context.Context, f func()) {
	done := make(chan struct{})
	select {
	case r.events <- func() { f(); close(done) }:
		<-done
	case <-ctx.Done():
	}
}

// closeAll ends everything that is still there.
func (r *idleRun) closeAll() {
	r.works.Wait()
	for _, c := range r.conns {
		r.works.Go(func() { c.close() })
	}
	r.works.Wait()
}

func (c *idleConn) close() {
	c.turn.Lock()
	defer c.turn.Unlock()
	if !c.over {
		c.rouse()
	}
	c.over = true
	c.line.Close()
}

// do carries out what the plan wants.
func (r *idleRun) do(ctx context.Context, a idle.Action) {
	c := r.conns[a.ID]
	switch {
	case a.Verb == idle.Open:
		r.works.Go(func() { r.login(ctx, a.ID) })
	case c == nil: // it is gone by itself
	case a.Verb == idle.Sleep:
		r.works.Go(func() {
			c.turn.Lock()
			defer c.turn.Unlock()
			c.fallSilent(r.now, a.TTL, a.Every)
		})
	case a.Verb == idle.Wake:
		r.works.Go(func() { r.wake(ctx, c) })
	case a.Verb == idle.Close:
		delete(r.conns, a.ID)
		r.works.Go(c.close)
	}
}

// login opens a connection, as soon as that is polite.
func (r *idleRun) login(ctx context.Context, id int) {
	var c *idleConn
	wait, err := r.gate.pass(ctx)
	if err == nil {
		c, err = r.open(ctx, wait)
	}
	limit := ""
	if err == nil && wait > 0 && id == 0 {
		limit = c.rateLimit(ctx)
	}
	r.tell(ctx, func() {
		switch {
		case err != nil && wait > 0 && r.control != nil: // others got in
			r.slow(err.Error(), true)
			r.plan.Postponed(id, r.gate.every())
			return
		case err != nil:
			r.plan.Refused(id, err.Error())
			return
		case limit != "":
			r.slow(limit, false)
			r.plan.Pace(r.gate.every())
		}
		c.id = id
		r.conns[id], r.born[id] = c, r.now()
		r.plan.Opened(id)
		r.works.Go(func() { r.mourn(ctx, c) })
	})
	if ctx.Err() != nil && err == nil {
		c.line.Close()
	}
}

// slow has all further logins made at the pace that nobody minds.
func (r *idleRun) slow(why string, shut bool) {
	r.gate.slow(shut)
	r.slowed = cmp.Or(r.slowed, why)
}

// mourn waits for a connection to end by itself.
func (r *idleRun) mourn(ctx context.Context, c *idleConn) {
	select {
	case <-c.line.Ended():
	case <-ctx.Done():
		return
	}
	silence := r.now()
	c.turn.Lock()
	if c.over {
		c.turn.Unlock()
		return
	}
	came := c.ending(c.silent)
	silence -= c.since
	c.over = true
	c.turn.Unlock()
	r.died(ctx, c, silence, came)
}

// wake ends a silence.
func (r *idleRun) wake(ctx context.Context, c *idleConn) {
	c.turn.Lock()
	if c.over {
		c.turn.Unlock()
		return
	}
	silence := r.now() - c.since + notice(!c.byKernel())
	c.rouse()
	came := c.ask(ctx, leastResent)
	c.silent, c.ttl, c.talked = false, 0, time.Now()
	c.over = came != idle.Alive
	c.turn.Unlock()
	switch came {
	case "":
	case idle.Alive:
		r.tell(ctx, func() { r.plan.Woke(r.now(), c.id, silence, came) })
	default:
		r.died(ctx, c, silence, came)
	}
}

// steadyResent is how often a question to the talking connection is sent again
// before that one counts as lost.
const steadyResent = 4

// died tells of a death, once the talking connection was seen to live.
func (r *idleRun) died(ctx context.Context, c *idleConn, silence time.Duration, came string) {
	var control *idleConn
	r.tell(ctx, func() { control = r.control })
	if ctx.Err() != nil {
		return
	}
	if r.before != "" && came == idle.Closed && control != c { // one may be closed shortly before the other
		select {
		case <-time.After(graceSpread):
		case <-ctx.Done():
			return
		}
	}
	lives, server, how := false, "", came
	if control != nil && control != c {
		control.turn.Lock()
		if !control.over {
			how = control.ask(ctx, steadyResent)
			lives = how == idle.Alive
		}
		if lives {
			server = control.atServer(ctx, c)
		}
		control.turn.Unlock()
	}
	r.tell(ctx, func() {
		if control != nil && !lives && r.graceOver(control, how) {
			return
		}
		if control != nil && !lives && control == r.control {
			r.lose()
		}
		if r.control != nil || control == c {
			r.plan.Woke(r.now(), c.id, silence, came)
		} else {
			r.plan.Forget(c.id)
		}
		if server != "" && lives {
			r.server[server]++
		}
		if words := c.line.Words(); words != "" && lives {
			r.words[came] = cmp.Or(r.words[came], words)
		}
		delete(r.conns, c.id)
		r.works.Go(c.close)
	})
}

// lose tells the plan that the talking connection does not answer any more.
func (r *idleRun) lose() {
	r.lived = r.now() - r.born[r.control.id]
	r.plan.Lost(r.now())
	r.control = nil
}

// graceOver says that the talking connection was closed because nobody has
// logged in, and ends the run: that says nothing about silence.
func (r *idleRun) graceOver(c *idleConn, came string) bool {
	if r.before == "" || c != r.control || came != idle.Closed {
		return false
	}
	r.patient = r.now() - r.born[c.id]
	r.stop()
	return true
}

// look sees what happened to those that sleep, and lets those talk that do not.
func (r *idleRun) look(ctx context.Context) {
	if slept := asleepFor() - r.slept; slept-r.noted > time.Second {
		r.noted = slept
		r.plan.Slept()
	}
	now := r.now()
	every := min(max(r.plan.Result().Low/4, manyTalks), fewTalks)
	for _, c := range r.conns {
		if !c.turn.TryLock() {
			continue
		}
		if at, is := c.heard(now); is {
			r.plan.Spoke(at, c.id, at-c.since)
			c.since = at
			c.seen, _ = c.line.Info()
		}
		talks := !c.silent && !c.over && time.Since(c.talked) > every
		c.turn.Unlock()
		if talks {
			r.works.Go(func() { r.talk(ctx, c) })
		}
	}
}

// talk asks a connection that is not to sleep.
func (r *idleRun) talk(ctx context.Context, c *idleConn) {
	c.turn.Lock()
	if c.silent || c.over {
		c.turn.Unlock()
		return
	}
	came := c.ask(ctx, steadyResent)
	c.talked = time.Now()
	c.over = came != idle.Alive && came != ""
	over := c.over
	c.turn.Unlock()
	r.tell(ctx, func() {
		switch {
		case !over:
			r.plan.Answers(c.id)
		case r.graceOver(c, came):
		case c == r.control:
			r.lose()
		default:
			r.plan.Forget(c.id)
			delete(r.conns, c.id)
			r.works.Go(c.close)
		}
	})
}

// idleSession returns how a login for a run is made.
func idleSession(env *Env, to netip.AddrPort, shell bool) idleOpener {
	command := ""
	if shell {
		command = idleCommand
	}
	return func(ctx context.Context, wait time.Duration) (*idleConn, error) {
		s, err := openSession(ctx, env, to, trial{Silent: true, Socket: sock.Options{Timeout: wait}, SSH: idleSSH(env), Command: command, Allowed: true})
		if err != nil {
			return nil, err
		}
		return readied(ctx, &idleConn{line: s, tcp: s.Conn, ssh: s}, shell)
	}
}

// readied waits for the login of a connection.
func readied(ctx context.Context, c *idleConn, shell bool) (*idleConn, error) {
	c.start()
	ctx, cancel := context.WithTimeoutCause(ctx, shellTime, errors.New("the login took too long"))
	defer cancel()
	if err := c.ready(ctx, shell); err != nil {
		c.line.Close()
		return nil, err
	}
	return c, nil
}

// hopsTo is the distance of the server by the TTL of its packets, which began
// with 64, 128 or 255; 0 is not known.
func hopsTo(facts *fact.Set) int {
	ttl, seen := fact.HandshakeTTL.Get(facts)
	for _, begin := range []int{64, 128, 255} {
		if seen && ttl <= begin {
			return begin - ttl + 1
		}
	}
	return 0
}
