// Package probe observes: each file makes one measurement and puts its answers
// into the facts. A probe never judges.
package probe

import (
	"context"
	"sync"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/target"
)

// A Probe answers one or more questions. Run puts each answer into the set, or
// says with [fact.Miss] why there is none; it returns no error, because a
// question that stays open is a fact of its own.
type Probe struct {
	Name   string
	Yields []fact.Any
	Run    func(ctx context.Context, env *Env, facts *fact.Set)
	// Watch takes the place of Run in a probe that looks on while the others
	// of its step work. others is closed when these have ended.
	Watch func(ctx context.Context, env *Env, facts *fact.Set, others <-chan struct{})
}

// An Env is what probes share: the target, where it leads, the machine we run
// on, and what may still be spent.
type Env struct {
	Target    target.Target
	Resolved  target.Resolved // set by [Config]
	Local     host.Host
	Config    map[string][]string // effective client configuration as ssh -G prints it, set by [Config]
	Budget    *Budget
	Timeout   time.Duration           // one timeout for the whole run
	Idle      IdleRun                 // how silent connections shall be
	Terminal  bool                    // ssh may ask the user on the terminal
	Version   string                  // ours, for the identification line
	Self      string                  // path of our own program, which ssh runs to get a connection of ours; "" when unknown
	Progress  func(string)            // told what is being done, in a few words; never nil
	flows     *flowWatch              // of the connections to the server's port, set by [Config]
	unwatched string                  // why packets could not be watched
	packets   *packets                // of the connections to the server, set by [Watch] where that is allowed
	Keep      func(name, text string) // told of what was read, under a name with slashes; may be nil
	Asking    func(bool)              // told when ssh may begin to ask the user, and when that is over; may be nil
	NotSSH    *Notice                 // given by the handshake when something else than SSH answers; may be nil
	Login     bool                    // ssh may log in
	Knock     bool                    // the login only sees whether it gets a shell, and reads nothing there
	Running   *Notice                 // given when the login's script runs; may be nil
	Stay      *Stay                   // takes over the login's session; nil: it ends with our script
	Hole      *Notice                 // given when it is known why the handshake and the login are stuck; may be nil
	Marked    *Notice                 // given when the login is stuck where it began to mark, by a mark that was lost before; may be nil
	Shaking   *Shaking                // the connection of the handshake, for who looks on; may be nil
	Shaken    *Notice                 // given by the handshake when it is over, and its facts are there; may be nil

	checksums int // segments with a wrong checksum that this machine had seen when the check began, or -1
}

// A Notice is what one probe has to say to another that runs beside it. A nil
// one is never given.
type Notice struct {
	given context.Context
	give  context.CancelFunc
}

// NewNotice returns a notice that is not given yet.
func NewNotice() *Notice {
	n := &Notice{}
	n.given, n.give = context.WithCancel(context.Background())
	return n
}

// Give gives the notice. Only the first time counts.
func (n *Notice) Give() {
	if n != nil {
		n.give()
	}
}

// Given says whether it was given.
func (n *Notice) Given() bool { return n != nil && n.given.Err() != nil }

// Wait waits until the notice is given or ctx is done.
func (n *Notice) Wait(ctx context.Context) {
	if n == nil {
		return
	}
	select {
	case <-n.given.Done():
	case <-ctx.Done():
	}
}

// Then calls f, in a goroutine of its own, once the notice is given, unless
// stop is called before.
func (n *Notice) Then(f func()) (stop func() bool) {
	if n == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(n.given, f)
}

// A Budget bounds the unauthenticated connections to the target: servers ban,
// throttle and penalise who makes many. It is safe for concurrent use.
type Budget struct {
	mu    sync.Mutex
	limit int
	taken []time.Time
}

// NewBudget allows limit connections.
func NewBudget(limit int) *Budget { return &Budget{limit: limit} }

// Take spends one connection, unless none is left.
func (b *Budget) Take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.taken) >= b.limit {
		return false
	}
	b.taken = append(b.taken, time.Now())
	return true
}

// Allow waits until fewer than n connections were made within the time that
// ended just now, and then spends one more, beyond the limit. Whoever counts them
// elsewhere sees one come late and another early: so it waits a little longer.
func (b *Budget) Allow(ctx context.Context, n int, within time.Duration) error {
	within += within / 50
	return b.allow(ctx, func(now time.Time) time.Duration {
		if i := len(b.taken) - n; i >= 0 {
			return within - now.Sub(b.taken[i])
		}
		return 0
	})
}

// AllowMean waits until n in that time is not exceeded as pf reckons it
// (max-src-conn-rate): with a mean that forgets as time goes by. It lets n
// through at once and then one after the other, where Allow waits for the end of
// the time.
func (b *Budget) AllowMean(ctx context.Context, n int, within time.Duration) error {
	return b.allow(ctx, func(now time.Time) time.Duration {
		mean, last := 0.0, now
		for _, at := range b.taken {
			mean, last = fade(mean, at.Sub(last), within)+1, at
		}
		if mean = fade(mean, now.Sub(last), within); mean <= float64(n-1) {
			return 0
		}
		return time.Duration((1 - float64(n-1)/mean) * float64(within))
	})
}

// fade is what is left of a mean after a while.
func fade(mean float64, after, within time.Duration) float64 {
	return mean * max(0, 1-float64(after)/float64(within))
}

// allow waits for as long as the rule says, again and again, and then spends one
// connection.
func (b *Budget) allow(ctx context.Context, rule func(now time.Time) time.Duration) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.mu.Lock()
		wait := rule(time.Now())
		if wait <= 0 {
			b.taken = append(b.taken, time.Now())
			b.limit = max(b.limit, len(b.taken))
			b.mu.Unlock()
			return nil
		}
		b.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// GiveBack returns one connection that was not made after all.
func (b *Budget) GiveBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = b.taken[:len(b.taken)-1]
}

// Left returns how many connections may still be made.
func (b *Budget) Left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limit - len(b.taken)
}

// Spent returns how many connections were made.
func (b *Budget) Spent() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.taken)
}

// value returns the first value of an effective option of ssh, or "".
func (e *Env) value(option string) string {
	if v := e.Config[option]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// keep hands on what was read, for who collects it.
func (e *Env) keep(name, text string) {
	if e.Keep != nil {
		e.Keep(name, text)
	}
}
