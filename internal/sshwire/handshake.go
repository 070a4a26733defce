package sshwire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Defaults of [Options].
const (
	defaultTimeout      = 20 * time.Second
	defaultStageTimeout = 10 * time.Second
	// foreignPatience is how much longer an SSH identification is waited for
	// once something else was recognised.
	foreignPatience = time.Second
	// leavePatience is how long the server may take to close after our
	// goodbye. It says nothing about the connection when it takes longer.
	leavePatience = 2 * time.Second
	// partingPatience is for handing a goodbye to the kernel when all other
	// time is used up.
	partingPatience = 100 * time.Millisecond
)

// Options say how to shake hands. The zero value works.
type Options struct {
	Ident        string           // our identification without its line ending; empty: [OurIdent] of "dev"
	Offer        Offer            // what the user's ssh offers; empty lists are filled from [DefaultOffer]
	Timeout      time.Duration    // for everything; zero is 20 s
	StageTimeout time.Duration    // for each stage; zero is 10 s
	OnStage      func(Stage)      // called when a stage begins, and with [StageDone] at the end
	Now          func() time.Time // the clock that measures; nil is time.Now

	// Part, when set, sends our goodbye at the end of a whole handshake and
	// waits for the server to close. It says whether the server did.
	Part func(seen Result, goodbye []byte) (closed bool)
}

// Lap is what one stage took. The stage in which a handshake failed has one
// too.
type Lap struct {
	Stage          Stage
	Took           time.Duration
	Sent, Received int64 // bytes, of this stage
}

// Result is what a handshake showed. A part that was not reached is absent
// (nil or empty).
type Result struct {
	Stage  Stage  // how far it got: the stage that failed, or [StageDone]
	Reason Reason // why it failed; empty when it did not
	Err    error  // the same with its data: *BrokenOff, *BadIdent, *BadPacket, *ProtocolViolation, *NoCommonAlgorithm, ...
	Laps   []Lap

	Sent, Received int64    // bytes
	First          []byte   // the first bytes received, at most 256, as they came
	Looks          Protocol // what they look like
	Before         Preamble // text lines before the server's identification
	Refusal        string   // the line by which the server says that it refuses for now

	Ours   string // our identification
	Server *Ident // the server's

	Offered     *KexInit             // ours, as sent
	Answered    *KexInit             // the server's
	Missing     []*NoCommonAlgorithm // purposes without a common algorithm, by the user's own offer
	WouldUse    Agreed               // what the user's ssh and the server agree on
	Used        Agreed               // what this handshake used
	KexSkipped  string               // why no key exchange took place, when none did though the two agree
	HostKey     *HostKey
	Disconnect  *Disconnect // what the server sent as its goodbye
	ClosedAfter bool        // the server closed in order after our goodbye
}

// Handshake shakes hands as an SSH client on a fresh connection, and takes
// leave before any key is used. It returns within the time of its options and
// leaves closing the connection to the caller. Nothing in the result was
// guessed: a failed handshake says the stage, one word for why, and what came.
func Handshake(ctx context.Context, conn net.Conn, opt Options) Result {
	h := newHandshake(ctx, conn, opt)
	defer h.wire.guard(ctx)()
	steps := []struct {
		stage Stage
		run   func() error
	}{
		{StageBanner, h.exchangeIdents},
		{StageKexInit, h.exchangeKexInits},
		{StageKex, h.exchangeKeys},
		{StageDisconnect, h.sayGoodbye},
	}
	for _, step := range steps {
		if err := h.run(step.stage, step.run); err != nil {
			if ctx.Err() != nil && ReasonOf(err) == ReasonTimedOut {
				err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
			}
			h.fail(err)
			return h.res
		}
	}
	h.enter(StageDone)
	h.finish()
	return h.res
}

// handshake is one in progress.
type handshake struct {
	ctx      context.Context
	wire     *meter
	opt      Options
	res      Result
	deadline time.Time // of everything
	limit    time.Time // of this stage

	plan      Offer // what the user's ssh offers
	magicOurs []byte
	magicPeer []byte
	strict    bool
	at        int64 // where the last packet began
	discard   bool  // the server's next key exchange packet is a wrong guess
	noise     int   // messages that say nothing, so far
	foreign   bool  // the peer looks like something else than SSH
}

func newHandshake(ctx context.Context, conn net.Conn, opt Options) *handshake {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Timeout <= 0 {
		opt.Timeout = defaultTimeout
	}
	if opt.StageTimeout <= 0 {
		opt.StageTimeout = defaultStageTimeout
	}
	if opt.Ident == "" {
		opt.Ident = OurIdent("dev")
	}
	return &handshake{ctx: ctx, wire: newMeter(conn), opt: opt, plan: opt.Offer.filled(),
		deadline: time.Now().Add(opt.Timeout), res: Result{Ours: opt.Ident}}
}

// run carries out one stage under its own deadline and clock.
func (h *handshake) run(stage Stage, step func() error) error {
	h.enter(stage)
	h.setLimit(h.opt.StageTimeout)
	start, sent, received := h.opt.Now(), h.wire.sent, h.wire.offset()
	err := step()
	h.res.Laps = append(h.res.Laps, Lap{stage, h.opt.Now().Sub(start), h.wire.sent - sent, h.wire.offset() - received})
	return err
}

func (h *handshake) enter(stage Stage) {
	h.res.Stage = stage
	if h.opt.OnStage != nil {
		h.opt.OnStage(stage)
	}
}

// setLimit gives the connection that much more time, within the whole.
func (h *handshake) setLimit(d time.Duration) {
	h.limit = time.Now().Add(d)
	if h.deadline.Before(h.limit) {
		h.limit = h.deadline
	}
	h.wire.conn.SetDeadline(h.limit)
	if h.ctx.Err() != nil { // the guard may have come first
		h.wire.conn.SetDeadline(past)
	}
}

// finish fills in what is known whichever way it ended.
func (h *handshake) finish() {
	h.res.Sent, h.res.Received = h.wire.sent, h.wire.received
	h.res.First = h.wire.first
	h.res.Looks = Sniff(h.wire.first)
}

// fail records why, and takes leave all the same where an SSH server may be
// listening: its log then has an ordinary disconnect and no aborted
// connection, which bans are made of.
func (h *handshake) fail(err error) {
	if violation, ok := errors.AsType[*ProtocolViolation](err); ok {
		violation.Offset = h.at
	}
	h.res.Err, h.res.Reason = err, ReasonOf(err)
	h.finish()
	h.judgeBanner()
	if h.res.Reason == ReasonNotSSH || h.foreign || h.res.Stage == StageDisconnect {
		return
	}
	var gone *Disconnect
	switch h.res.Reason {
	case ReasonClosed, ReasonReset, ReasonThrottled:
		return
	case ReasonTimedOut, ReasonCancelled:
		h.wire.conn.SetDeadline(time.Now().Add(partingPatience))
		h.wire.write(Goodbye())
	default:
		if !errors.As(err, &gone) {
			h.setLimit(leavePatience)
			h.wire.write(Goodbye())
		}
		h.wire.leave(h.limit)
	}
	h.res.Sent = h.wire.sent
}

// judgeBanner looks at what came in place of an identification line: a
// refusal, or something that is not SSH. How the connection ended stays in
// Err.
func (h *handshake) judgeBanner() {
	if h.res.Stage != StageBanner || h.res.Server != nil {
		return
	}
	if line, ok := Refusal(h.res.Before.Lines); ok {
		h.res.Refusal, h.res.Reason = line, ReasonThrottled
		return
	}
	switch h.res.Looks {
	case ProtocolEmpty, ProtocolSSH, ProtocolText:
	default:
		if h.res.Reason != ReasonCancelled {
			h.res.Reason = ReasonNotSSH
		}
	}
}
