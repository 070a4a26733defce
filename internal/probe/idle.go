package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/idle"
)

// Idle measures how long a connection may be silent, where that was asked for;
// elsewhere it remembers what was measured on this network before.
var Idle = Probe{
	Name:   "idle",
	Yields: append([]fact.Any{fact.ClientConntrackIdle}, idleFacts...),
	Run:    runIdle,
}

var idleFacts = []fact.Any{
	fact.IdleTimeout, fact.IdleSurvived, fact.IdleFatal, fact.IdleSure, fact.IdleKnown, fact.IdleDeaths, fact.IdleEarly, fact.IdleCame, fact.IdleAtServer,
	fact.IdleSaid, fact.IdleHop, fact.IdleDistance, fact.IdleSpeaks, fact.IdleLost, fact.IdleLived, fact.IdleSlept, fact.IdleRefused, fact.IdleSlowed, fact.IdleTried,
	fact.IdleAge, fact.IdlePath, fact.IdleBefore, fact.IdlePatience,
}

func runIdle(ctx context.Context, env *Env, facts *fact.Set) {
	ownConntrack(ctx, env, facts)
	if env.Idle.UpTo <= 0 {
		remember(ctx, env, facts)
		return
	}
	works, why, before := loginWorks(facts)
	to, unreached := serverAddr(env, facts)
	via, _ := fact.ProxyJump.Get(facts)
	switch {
	case len(via) > 0 && works:
		behindJump(ctx, env, facts, via)
		return
	case len(via) > 0:
		fact.Miss(facts, fmt.Sprintf("no login through %s: %s", strings.Join(via, ", "), why), idleFacts...)
		return
	case unreached != "":
		fact.Miss(facts, unreached, idleFacts...)
		return
	}
	var r *idleRun
	var found idle.Result
	if works {
		kind, _ := fact.SessionKind.Get(facts)
		r = newIdleRun(env, idleSession(env, to, kind == "shell"), idle.Options{Notice: notice(kind == "shell"), Hops: hopsTo(facts)})
		if found = r.run(ctx); len(r.born) == 0 { // as where the user typed a password for the first login
			works, why, before = false, found.Refused, true
		}
	}
	switch {
	case works:
	case before && ctx.Err() == nil:
		r, found = beforeLogin(ctx, env, facts, to, why)
	default:
		fact.Miss(facts, "the login failed, and only connections that are logged in may be silent for long: "+why, idleFacts...)
		return
	}
	r.done(ctx, facts, found, viaDirect)
}

// done tells what was found on a way, and keeps it.
func (r *idleRun) done(ctx context.Context, facts *fact.Set, found idle.Result, path string) {
	r.put(facts, found, path)
	if found.Low > 0 || found.High > 0 {
		keep(ctx, r.env, facts)
	}
}

// behindJump measures the leg between the last jump host and the server.
func behindJump(ctx context.Context, env *Env, facts *fact.Set, via []string) {
	last := via[len(via)-1]
	if kind, _ := fact.SessionKind.Get(facts); kind != "shell" {
		fact.Miss(facts, "behind a jump host only a shell can answer, and none does", idleFacts...)
		return
	}
	l, err := openLeg(ctx, env, via)
	if err != nil {
		fact.Miss(facts, fmt.Sprintf("the login to %s, through which the others are to go, failed: %v", last, err), idleFacts...)
		return
	}
	defer l.close()
	r := newIdleRun(env, l.open(env), idle.Options{Blind: true})
	r.done(ctx, facts, r.run(ctx), "behind "+last)
}

// ownConntrack reads the timeout of this machine's own connection tracking.
func ownConntrack(ctx context.Context, env *Env, facts *fact.Set) {
	const name = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"
	if n, err := readNumber(ctx, env.Local, name); err == nil {
		fact.ClientConntrackIdle.Put(facts, time.Duration(n)*time.Second, name)
	}
}

// noHop says in words why no hop is named.
var noHop = map[string]string{
	idle.CountsData: "keepalives of the kernel did not help, not even those that reach the other end: the device answers them itself, as proxies do, or counts data only",
	idle.Unsteady:   "keepalives that go a part of the way helped once and not again: the way changes, or loses too much",
	idle.TooShort:   "the timeout is so short that the kernel cannot send keepalives often enough",
	idle.NoTTL:      "the connection behind a jump host is the jump host's own, and takes no keepalives from here",
	idle.NotLooked:  "the run ended before that was tried",
	idle.Refused:    "no more connections could be opened to try it",
}

// put tells what was found.
func (r *idleRun) put(facts *fact.Set, f idle.Result, path string) {
	const source = "connections left silent"
	fact.IdleTried.Put(facts, r.UpTo, source)
	fact.IdleAge.Put(facts, 0, source)
	fact.IdlePath.Put(facts, path, source)
	fact.IdleDeaths.Put(facts, f.Deaths, source)
	fact.IdleLost.Put(facts, f.Lost, source)
	optional := []struct {
		is  bool
		put func()
	}{
		{f.Low > 0, func() { fact.IdleSurvived.Put(facts, f.Low, source) }},
		{f.Spoke > 0, func() { fact.IdleSpeaks.Put(facts, f.Spoke, source) }},
		{f.Slept > 0, func() { fact.IdleSlept.Put(facts, f.Slept, source) }},
		{f.Lost > 0, func() { fact.IdleLived.Put(facts, r.lived, source) }},
		{f.Refused != "", func() { fact.IdleRefused.Put(facts, f.Refused, source) }},
		{r.slowed != "", func() { fact.IdleSlowed.Put(facts, r.slowed, "logins") }},
		{r.before != "", func() { fact.IdleBefore.Put(facts, r.before, "ssh") }},
		{r.patient > 0, func() { fact.IdlePatience.Put(facts, r.patient, source) }},
		{f.Early > 0, func() { fact.IdleEarly.Put(facts, f.Shortest, source) }},
	}
	for _, o := range optional {
		if o.is {
			o.put()
		}
	}
	if n := hopsTo(facts); n > 0 && path == viaDirect {
		fact.IdleDistance.Put(facts, n, "the hop limit of the server's packets")
	}
	if f.High == 0 {
		fact.Miss(facts, nothingLost(f), fact.IdleTimeout)
		return
	}
	fact.IdleTimeout.Put(facts, f.Timeout, source)
	fact.IdleFatal.Put(facts, f.High, source)
	fact.IdleSure.Put(facts, f.Sure, source)
	fact.IdleKnown.Put(facts, f.Known, source)
	fact.IdleCame.Put(facts, f.Came, source)
	if words := r.words[f.Came]; words != "" {
		fact.IdleSaid.Put(facts, words, "ssh")
	}
	if state := r.mostSeen(); state != "" {
		fact.IdleAtServer.Put(facts, state, "the server's table of connections, by the one that talked")
	}
	if f.Hop > 0 {
		fact.IdleHop.Put(facts, f.Hop, "keepalives that went only so far")
	} else {
		fact.Miss(facts, noHop[f.Why], fact.IdleHop)
	}
}

// nothingLost is why there is no timeout.
func nothingLost(f idle.Result) string {
	switch {
	case f.Low > 0:
		return "every silence that was tried was survived"
	case f.Refused != "":
		return "no connection could be left silent: " + f.Refused
	}
	return "the run ended before the first connection was woken"
}

// mostSeen is what the server's kernel said most often.
func (r *idleRun) mostSeen() (most string) {
	var states []string
	for s := range r.server {
		states = append(states, s)
	}
	slices.Sort(states)
	for _, s := range states {
		if most == "" || r.server[s] > r.server[most] {
			most = s
		}
	}
	return strings.TrimSpace(most)
}
