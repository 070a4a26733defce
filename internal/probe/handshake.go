package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
	"sshtay/internal/sshwire"
)

// Handshake makes one unauthenticated connection, on the way and to the
// address that ssh would use, through every stage up to the key exchange, and
// ends it with a DISCONNECT.
var Handshake = Probe{Name: "handshake", Yields: handshakeFacts, Run: runHandshake}

var handshakeFacts = []fact.Any{
	fact.HandshakeVia, fact.HandshakeAddresses, fact.HandshakeStage, fact.HandshakeReason, fact.HandshakeDetail,
	fact.HandshakeBanner, fact.PreBanner, fact.FirstBytes, fact.LooksLike, fact.Refusal, fact.Complaint, fact.HandshakeTries, fact.HandshakeFailures,
	fact.ServerKex, fact.ServerHostKey, fact.ServerCiphers, fact.ServerMACs, fact.NoCommon, fact.KexUsed, fact.HandshakeHostKey,
	fact.ProxyStderr, fact.ProxyExit, fact.ResolveTime, fact.ConnectTime, fact.BannerTime, fact.KexInitTime, fact.KexTime,
	fact.HandshakeSent, fact.HandshakeReceived, fact.RTT, fact.HandshakeTTL, fact.PathDistanceBack, fact.HandshakeFrozen, fact.HandshakeUnheard, fact.PathMarks,
}

const (
	// connectTime is how long a TCP connection may take where ssh has no
	// shorter ConnectTimeout: two lost SYNs are sent again by then. Left to
	// itself, ssh waits for the kernel, about two minutes.
	connectTime = 5 * time.Second
	// stageTime is how long the server may be silent in each stage.
	stageTime = 8 * time.Second
	// margin is what a run keeps of its time to say what was seen.
	margin = 300 * time.Millisecond
	// mostAddresses are tried when none answers, and mostSpent is the number
	// of connections after which nothing more is tried for good measure.
	mostAddresses = 3
	mostSpent     = 4
)

const noBudget = "enough connections were made for now"

func runHandshake(ctx context.Context, env *Env, facts *fact.Set) {
	defer env.Shaken.Give()
	env.Progress(fmt.Sprintf("shaking hands with %s port %d", env.Resolved.Host, env.Resolved.Port))
	a := newAttempt(env)
	switch a.via {
	case viaDirect:
		a.direct(ctx, env)
	default:
		a.proxied(ctx, env)
	}
	a.tries = 1
	if !a.greeted() {
		a.failures = 1
	}
	a.put(facts)
	if a.reason == sshwire.ReasonNotSSH {
		env.NotSSH.Give()
	}
}

// How a server is reached.
const (
	viaDirect  = "direct"
	viaCommand = "proxy-command"
	viaJump    = "proxy-jump"
)

// The stages of the report, as far as a handshake goes.
const (
	stageNone    = "none"
	stageResolve = "resolve"
	stageConnect = "connect"
	stageBanner  = "banner"
	stageKex     = "kex"
)

// An attempt is one way to the server, gone as far as it leads.
type attempt struct {
	via      string
	given    string         // where it went: "192.0.2.7 port 22"
	stage    string         // completed last
	reason   sshwire.Reason // empty when everything was completed
	detail   string
	unseen   string // when set: why nothing can be said at all
	tries    int
	failures int

	lookup    *lookup
	addresses []fact.Address
	connect   *time.Duration
	shook     *sshwire.Result // nil when there was no connection to shake hands on
	rtt       time.Duration   // 0 when it could not be measured
	ttl       int             // of the server's packets when they arrive; 0 when it could not be seen
	marks     []fact.Mark
	proxy     *proxyEnd
	unheard   *fact.Unheard // of a connection that stayed silent
	shown     *Shaking      // for who looks on; may be nil
	stuck     bool          // it was ended because it was known why it was stuck
}

func newAttempt(env *Env) *attempt {
	a := &attempt{via: viaDirect, stage: stageNone, given: fmt.Sprintf("%s port %d", env.Resolved.Host, env.Resolved.Port)}
	command := env.value("proxycommand")
	switch {
	case len(env.Resolved.Jumps) > 0:
		a.via = viaJump
	case command != "" && command != "none":
		a.via = viaCommand
	}
	return a
}

// greeted says that the server's identification came.
func (a *attempt) greeted() bool { return a.stage == stageBanner || a.stage == stageKex }

// end notes why the attempt goes no further than its stage.
func (a *attempt) end(reason sshwire.Reason, detail string) { a.reason, a.detail = reason, detail }

// shake goes through the handshake on a connection. The caller closes it.
func (a *attempt) shake(ctx context.Context, env *Env, conn net.Conn, stageTime time.Duration) {
	opt := sshwire.Options{
		Ident: sshwire.OurIdent(env.Version), Offer: offer(env), StageTimeout: stageTime, Timeout: env.Timeout,
		OnStage: func(s sshwire.Stage) {
			if s == sshwire.StageDone {
				a.rtt = minimumRTT(conn)
			}
			a.shown.at(s)
		},
	}
	if tcp, ok := conn.(*net.TCPConn); ok && a.via == viaDirect {
		opt.Part = func(seen sshwire.Result, goodbye []byte) (closed bool) {
			p := newParting(env.value("ipqos"), seen.Server.Raw)
			a.marks, closed = p.end(ctx, tcp, goodbye, minimumRTT(conn))
			return closed
		}
	}
	if end, ok := ctx.Deadline(); ok {
		opt.Timeout = min(opt.Timeout, max(time.Until(end)-margin, time.Millisecond))
	}
	tcp, isTCP := conn.(*net.TCPConn)
	if isTCP {
		sock.WatchTTL(tcp) // an older kernel does not know it
	}
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	defer env.Hole.Then(func() { cut(errHole) })()
	r := sshwire.Handshake(ctx, conn, opt)
	a.shown.end(&r)
	if a.stuck = errors.Is(context.Cause(ctx), errHole); a.stuck {
		r.Reason, r.Err = sshwire.ReasonTimedOut, errHole
		tcp.SetLinger(0) // nothing that is stuck shall hold the server
	}
	if isTCP {
		a.ttl, _ = sock.ReceivedTTL(tcp)
	}
	if a.rtt == 0 {
		a.rtt = minimumRTT(conn)
	}
	a.shook, a.reason = &r, r.Reason
	if tcp, ok := conn.(*net.TCPConn); ok && a.reason == sshwire.ReasonTimedOut && r.Received == 0 {
		if info, err := sock.InfoOf(tcp); err == nil {
			a.unheard = &fact.Unheard{In: info.SegmentsIn, DataIn: info.DataSegmentsIn, SentAgain: info.TotalRetrans, Unacknowledged: info.Unacked}
		}
	}
	switch r.Stage {
	case sshwire.StageKexInit, sshwire.StageKex:
		a.stage = stageBanner
	case sshwire.StageDisconnect, sshwire.StageDone:
		a.stage = stageKex
	}
	if r.Err != nil {
		a.detail = r.Err.Error()
	}
	if r.Refusal != "" {
		a.detail = fmt.Sprintf("the server said %q and ended the connection", r.Refusal)
	}
}

// offer is what the user's ssh offers. Lists that are not known stay empty,
// which stands for OpenSSH's defaults.
func offer(env *Env) sshwire.Offer {
	list := func(option string) []string {
		if v := env.value(option); v != "" {
			return strings.Split(v, ",")
		}
		return nil
	}
	o := sshwire.Offer{Kex: list("kexalgorithms"), HostKeys: list("hostkeyalgorithms"), Ciphers: list("ciphers"), MACs: list("macs")}
	if env.value("compression") == "yes" {
		o.Compression = []string{"zlib@openssh.com", "none"}
	}
	return o
}
