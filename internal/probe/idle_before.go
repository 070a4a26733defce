package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/idle"
	"sshtay/internal/sock"
	"sshtay/internal/sshwire"
)

// Where nobody can log in, connections are silent before the login: the server
// ends them after LoginGraceTime, counts each, and may punish those that stay
// to the end. So there are a few only, and they leave before.
const (
	graceUsual  = 2 * time.Minute // what sshd gives when nothing else is said
	graceMargin = 5 * time.Second
	graceSpread = 5 * time.Second // sshd adds up to four seconds since 9.8, to each its own
	graceSlots  = 5               // at once: four sleep, and one talks
	graceTotal  = 8
)

// gracePace is theirs, whatever pace logins may have.
var gracePace = Pace{Logins: 5, Within: 30 * time.Second}

// noLogin are the reasons for which nobody gets in although the transport is
// fine. Where a host key is in doubt, the user should look at that first.
var noLogin = []string{
	"permission-denied", "needs-terminal", "too-many-failures", "no-common-algorithm", "bad-signature", "ssh-missing", "local-error", "session-refused",
}

// loginWorks says whether sessions can be made, or why not, and whether it makes
// sense to measure before a login then.
func loginWorks(facts *fact.Set) (works bool, why string, before bool) {
	reason, failed := fact.LoginReason.Get(facts)
	switch {
	case !failed, reason == "other-command", reason == "session-refused", reason == "no-answer":
		return true, "", false
	}
	why, _ = fact.LoginError.Get(facts)
	if why == "" {
		why = strings.ReplaceAll(reason, "-", " ")
	}
	return false, why, slices.Contains(noLogin, reason)
}

// beforeLogin is a run without logins. It ends before the server's patience with
// the first connection does.
func beforeLogin(ctx context.Context, env *Env, facts *fact.Set, to netip.AddrPort, why string) (*idleRun, idle.Result) {
	grace, known := fact.LoginGraceTime.Get(facts)
	if !known || grace <= 0 { // for ever would be rude
		grace = graceUsual
	}
	limit := max(grace-graceMargin, grace/2)
	r := &idleRun{IdleRun: env.Idle, env: env, before: why, gate: newGate(env.Budget, gracePace)}
	bare, first := idleBare(env, to), sync.Once{}
	r.open = func(ctx context.Context, _ time.Duration) (*idleConn, error) {
		first.Do(func() { time.AfterFunc(limit, r.stop) })
		return bare(ctx)
	}
	r.plan = idle.New(idle.Options{
		UpTo: min(env.Idle.UpTo, limit-graceMargin), Slots: graceSlots, AtOnce: 2, Total: graceTotal, Every: gracePace.every(), Hops: hopsTo(facts),
	})
	return r, r.run(ctx)
}

// idleBare opens connections on which identifications were exchanged, and
// nothing more.
func idleBare(env *Env, to netip.AddrPort) func(context.Context) (*idleConn, error) {
	return func(ctx context.Context) (*idleConn, error) {
		conn, err := dialAsUser(ctx, env, to, sock.Options{})
		if err != nil {
			return nil, err
		}
		b := &bare{conn: conn, ended: make(chan struct{})}
		if err := b.greet(ctx, env.Version); err != nil {
			sock.Abort(conn)
			return nil, fmt.Errorf("a connection on which nobody logs in: %w", err)
		}
		return &idleConn{line: b, tcp: conn}, nil
	}
}

// A bare connection is one to sshd on which nobody logs in.
type bare struct {
	conn  *net.TCPConn
	ended chan struct{} // closed when the other side has ended it
	why   error         // how, set before ended is closed
}

// greet exchanges identifications, waits for the server's first packet, after
// which it waits for ours, and then for the end.
func (b *bare) greet(ctx context.Context, version string) error {
	stop := context.AfterFunc(ctx, func() { b.conn.SetDeadline(time.Now()) })
	defer stop()
	b.conn.SetDeadline(time.Now().Add(connectTime))
	if _, err := io.WriteString(b.conn, sshwire.OurIdent(version)+"\r\n"); err != nil {
		return err
	}
	r := bufio.NewReader(b.conn)
	if _, _, err := sshwire.ReadIdent(r, nil); err != nil {
		return err
	}
	if _, err := sshwire.ReadPacket(r, 0); err != nil {
		return err
	}
	b.conn.SetDeadline(time.Time{})
	go func() {
		_, b.why = io.Copy(io.Discard, r)
		close(b.ended)
	}()
	return ctx.Err()
}

func (b *bare) Info() (sock.Info, error) { return sock.InfoOf(b.conn) }
func (b *bare) Ended() <-chan struct{}   { return b.ended }

// Reason is "reset" when it was, or "".
func (b *bare) Reason() string {
	select {
	case <-b.ended:
		if errors.Is(b.why, syscall.ECONNRESET) {
			return "reset"
		}
	default:
	}
	return ""
}

// Words are those of ssh, which takes no part.
func (b *bare) Words() string { return "" }

// Close takes leave of the server, so that it does not wait for us.
func (b *bare) Close() {
	b.conn.SetDeadline(time.Now().Add(time.Second))
	b.conn.Write(sshwire.Goodbye())
	b.conn.CloseWrite()
	<-b.ended
	sock.Abort(b.conn) // where it left, too, there is nothing to reset any more
}
