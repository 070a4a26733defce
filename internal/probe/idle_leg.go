package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sshtay/internal/host"
	"sshtay/internal/sock"
)

// A leg is the way behind a jump host. The connections on it go through one
// login to the jump host, which speaks all the time: so whatever is on the way
// to the jump host never sees a silence, and what is behind it sees theirs.
type leg struct {
	master *session
	path   string // of its control socket
}

// legSpeaks is how often the login to the jump host speaks.
const legSpeaks = 2 * time.Second

// openLeg logs in to the last of the jump hosts, by the others.
func openLeg(ctx context.Context, env *Env, via []string) (*leg, error) {
	machine, ok := env.Local.(interface {
		proxyHost
		TempDir() (host.Dir, error)
	})
	if !ok {
		return nil, errNoSession
	}
	dir, err := machine.TempDir()
	if err != nil {
		return nil, err
	}
	l := &leg{path: dir.Path("master")}
	l.master, err = newSession(machine, masterArgs(env, via, l.path), nil, func() { dir.Remove() })
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { l.master.IO.SetReadDeadline(time.Now()) })
	defer stop()
	l.master.IO.SetReadDeadline(time.Now().Add(shellTime))
	if line, err := bufio.NewReader(l.master.IO).ReadString('\n'); err != nil {
		why := l.master.Why()
		l.master.Close()
		return nil, errors.New(why)
	} else if !strings.HasPrefix(line, idleMark) {
		l.master.Close()
		return nil, fmt.Errorf("ssh said %q", line)
	}
	return l, nil
}

// masterArgs is ssh to the last jump host, whose control socket is at the path.
// It says so when that is there.
func masterArgs(env *Env, via []string, path string) []string {
	args := []string{"ssh", "-N", "-T", "-x", "-a"}
	for _, o := range []string{
		"LogLevel=DEBUG1", "BatchMode=yes", "ControlMaster=yes", "ControlPersist=no", "ControlPath=" + strings.ReplaceAll(path, "%", "%%"),
		"PermitLocalCommand=yes", "LocalCommand=echo " + idleMark, "ClearAllForwardings=yes", "ConnectTimeout=10",
		fmt.Sprintf("ServerAliveInterval=%d", int(legSpeaks.Seconds())), "ServerAliveCountMax=30",
	} {
		args = append(args, "-o", o)
	}
	if env.Target.ConfigFile != "" {
		args = append(args, "-F", env.Target.ConfigFile)
	}
	if before := via[:len(via)-1]; len(before) > 0 {
		args = append(args, "-J", strings.Join(before, ","))
	}
	return append(args, "--", "ssh://"+strings.TrimPrefix(via[len(via)-1], "ssh://"))
}

// open logs in to the server through the jump host.
func (l *leg) open(env *Env) idleOpener {
	return func(ctx context.Context, _ time.Duration) (*idleConn, error) {
		machine, ok := env.Local.(proxyHost)
		if !ok {
			return nil, errNoSession
		}
		proxy := "ssh -F none -T -o BatchMode=yes -o ControlMaster=no -o ProxyCommand=false -o ControlPath=" + quote(strings.ReplaceAll(l.path, "%", "%%")) + " -W [%h]:%p master"
		s, err := newSession(machine, sessionArgs(env, []string{"ProxyCommand=" + proxy}, trial{SSH: idleSSH(env), Command: idleCommand}), nil, func() {})
		if err != nil {
			return nil, err
		}
		return readied(ctx, &idleConn{line: legLine{s}, ssh: s}, true)
	}
}

func (l *leg) close() { l.master.Close() }

// A legLine is a connection whose socket is the jump host's. What comes from the
// server is seen by what ssh says of it.
type legLine struct{ *session }

// Info is what can be told without the socket.
func (l legLine) Info() (sock.Info, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := sock.Info{State: established, SegmentsIn: l.lines, SinceReceived: time.Since(l.last), SinceAck: time.Since(l.last)}
	select {
	case <-l.Ended():
		i.State = tcpClosed
	default:
	}
	return i, nil
}
