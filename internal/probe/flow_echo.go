package probe

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/sock"
	"sshtay/internal/sshlog"
)

// An echo is a login that only carries small packets, each way as many, at a
// pace that fills no queue on the way: what is lost of them, others on the
// path lose too. A fast transfer would fill the narrowest queue and lose
// packets by its own doing, on healthy lines as well.
const (
	echoPace = 10 * time.Millisecond
	echoMost = 400             // packets each way: 3 % loss of so many is at least 1.5 %, in 99 of 100 cases
	echoTime = 5 * time.Second // to send them; a connection that loses much is slower
	echoEnd  = 3 * time.Second // for the last of them to come back, and what the server counted
	echoSize = 64
)

// echoScript returns what comes, waits until all of it was acknowledged, and
// says what the server's kernel counted by then.
const echoScript = `cat
exec 2>/dev/null
PATH="$PATH:/usr/sbin:/sbin"
set -- $SSH_CONNECTION
case $1 in *:*) a="[$1]" ;; *) a=$1 ;; esac
for n in 1 2 3 4 5 6 7 8; do
t=$(ss -tin "sport = :$4 and dport = :$2 and dst $a" | cut -c1-900 | head -n 4)
printf '%s\n' "$t" | awk 'NR == 2 { q = $3 } END { exit q > 0 }' && break
sleep 0.2
done
printf '\n%s\n' "$t"
`

// echo spends a login on counting, and returns what was counted of it.
func echo(ctx context.Context, env *Env, facts *fact.Set) (fact.Flow, error) {
	stage, _ := fact.LoginStage.Get(facts)
	kind, _ := fact.SessionKind.Get(facts)
	if stage != sshlog.Session || kind != "shell" {
		return fact.Flow{}, errors.New("the login runs no command for us")
	}
	to, why := serverAddr(env, facts)
	if why != "" {
		return fact.Flow{}, errors.New(why)
	}
	s, err := openSession(ctx, env, to, trial{Command: host.AnyShell(echoScript)})
	if err != nil {
		return fact.Flow{}, err
	}
	defer s.Close()
	env.Progress("counting lost packets")
	if err := s.Await(ctx, sshlog.Session); err != nil {
		return fact.Flow{}, err
	}
	w := gapWatch{s: s, heard: make(chan string, 1)}
	go w.hear(s.IO)
	return w.count(ctx)
}

// A gapWatch sends packets, and watches the socket for what is missing.
type gapWatch struct {
	s     *session
	heard chan string // what came behind the echoes, once nothing more comes

	last  sock.Info
	since time.Time // when something began to be missing; zero when nothing is
	gaps  int
}

// hear reads everything and keeps the end of it.
func (w *gapWatch) hear(from io.Reader) {
	var tail []byte
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		tail = append(tail, buffer[:n]...)
		tail = tail[max(0, len(tail)-echoTail):]
		if err != nil {
			w.heard <- string(tail)
			return
		}
	}
}

// echoTail is more than ss prints about one connection.
const echoTail = 4 << 10

// count sends the packets, and waits for all of them and for what the server
// counted.
func (w *gapWatch) count(ctx context.Context) (fact.Flow, error) {
	pace := time.NewTicker(echoPace)
	defer pace.Stop()
	line := make([]byte, echoSize)
	for i := range line {
		line[i] = 'x'
	}
	line[echoSize-1] = '\n'
	end := time.Now().Add(echoTime)
	for sent := 0; sent < echoMost && time.Now().Before(end); sent++ {
		select {
		case <-ctx.Done():
			return fact.Flow{}, context.Cause(ctx)
		case <-w.s.Ended():
			return fact.Flow{}, errors.New(w.s.Why())
		case <-pace.C:
		}
		w.look()
		w.s.IO.SetWriteDeadline(end)
		if _, err := w.s.IO.Write(line); err != nil {
			break // ssh takes no more for now: too much is on the way
		}
	}
	if half, ok := w.s.IO.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	ctx, cancel := context.WithTimeout(ctx, echoEnd)
	defer cancel()
	said, whole := "", false
	for !whole && ctx.Err() == nil {
		select {
		case said = <-w.heard:
			whole = true
		case <-ctx.Done():
		case <-pace.C:
			w.look()
		}
	}
	w.look()
	local, _ := netip.ParseAddrPort(w.s.Conn.LocalAddr().String())
	f := flowFact(sock.Flow{Local: local, Remote: w.s.Addr, Info: w.last})
	f.Whose, f.Watched, f.Gaps = flowOfCheck, true, w.gaps
	if other := parseSS(said); len(other) == 1 {
		f.Other = &other[0].Count
	}
	return f, nil
}

// look asks the kernel. What is missing for a round trip had to be sent again;
// what comes sooner was only overtaken.
func (w *gapWatch) look() {
	i, err := w.s.Info()
	if err != nil {
		return
	}
	now := time.Now()
	if i.BytesReceived > w.last.BytesReceived {
		if !w.since.IsZero() && now.Sub(w.since) >= i.MinRTT {
			w.gaps++
		}
		w.since = time.Time{}
	}
	if i.OutOfOrder > w.last.OutOfOrder && w.since.IsZero() {
		w.since = now
	}
	w.last = i
}
