package sshlog

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// filled is a form with all its holes filled, and what was put in.
func filled(r *rand.Rand, form string) string {
	var b strings.Builder
	for {
		words, rest, has := strings.Cut(form, "{")
		b.WriteString(words)
		if !has {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		switch holeNames[name] {
		case holeAddr:
			b.WriteString(randomAddr(r))
		case holePort:
			fmt.Fprint(&b, 1024+r.IntN(60000))
		case holeNumber:
			fmt.Fprint(&b, r.IntN(100))
		case holeUser:
			b.WriteString(pick(r, "root", "admin", "deploy", "a b", "oracle", "no more sessions"))
		case holeWord:
			b.WriteString(pick(r, "password", "ssh-rsa", "x@y", "/run/sshd"))
		case holeID:
			b.WriteString(pick(r, "", "", "user deploy ", "authenticating user root ", "invalid user x port 5 "))
			fmt.Fprintf(&b, "%s port %d", randomAddr(r), 1024+r.IntN(60000))
		default:
			b.WriteString(pick(r, "Connection reset by peer", "x", "curve25519-sha256,ext-info-c", "SSH-2.0-Go"))
		}
		form = after
	}
}

func randomAddr(r *rand.Rand) string {
	if r.IntN(10) == 0 {
		return fmt.Sprintf("2001:db8::%x:%x", r.IntN(65536), r.IntN(65536))
	}
	return fmt.Sprintf("%d.%d.%d.%d", 1+r.IntN(223), r.IntN(256), r.IntN(256), r.IntN(256))
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// An authLog writes what a server on the internet writes: strangers who try,
// users who work, other programs, and now and then one of every message that
// sshd has.
type authLog struct {
	r    *rand.Rand
	at   time.Time
	rare []*Message
	iso  bool
}

func newAuthLog(seed uint64, iso bool) *authLog {
	l := &authLog{r: rand.New(rand.NewPCG(seed, 1)), at: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), iso: iso}
	for _, m := range Messages() {
		if m.by&sshd != 0 && m.compiled.lead != "" {
			l.rare = append(l.rare, m)
		}
	}
	return l
}

// some appends the lines of one connection, or of other work, to b.
func (l *authLog) some(b []byte) []byte {
	l.at = l.at.Add(time.Duration(l.r.IntN(2000)) * time.Millisecond)
	pid, addr, port := 1000+l.r.IntN(60000), randomAddr(l.r), 1024+l.r.IntN(60000)
	line := func(ident, format string, args ...any) {
		if l.iso {
			b = l.at.AppendFormat(b, "2006-01-02T15:04:05.000000+00:00")
		} else {
			b = l.at.AppendFormat(b, time.Stamp)
		}
		b = fmt.Appendf(b, " web1 %s[%d]: ", ident, pid)
		b = fmt.Appendf(b, format, args...)
		b = append(b, '\n')
	}
	switch n := l.r.IntN(100); {
	case n < 50:
		user := pick(l.r, "admin", "test", "oracle", "ubuntu", "git")
		line("sshd", "Invalid user %s from %s port %d", user, addr, port)
		line("sshd", "pam_unix(sshd:auth): check pass; user unknown")
		line("sshd", "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s", addr)
		line("sshd", "Failed password for invalid user %s from %s port %d ssh2", user, addr, port)
		line("sshd", "Received disconnect from %s port %d:11: Bye Bye [preauth]", addr, port)
		line("sshd", "Disconnected from invalid user %s %s port %d [preauth]", user, addr, port)
	case n < 70:
		line("sshd", "Failed password for root from %s port %d ssh2", addr, port)
		line("sshd", "Connection closed by authenticating user root %s port %d [preauth]", addr, port)
	case n < 82:
		line("sshd", "Accepted publickey for deploy from %s port %d ssh2: ED25519 SHA256:rVvQEfuUBfsPvDPEhW17r8DaHeEF7GSpUSCqKX8eaL0", addr, port)
		line("sshd", "pam_unix(sshd:session): session opened for user deploy(uid=1000) by (uid=0)")
		line("systemd-logind", "New session %d of user deploy.", l.r.IntN(100000))
		line("sshd", "Received disconnect from %s port %d:11: disconnected by user", addr, port)
		line("sshd", "Disconnected from user deploy %s port %d", addr, port)
		line("sshd", "pam_unix(sshd:session): session closed for user deploy")
	case n < 95:
		line("CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)")
		line("CRON", "pam_unix(cron:session): session closed for user root")
		line("sudo", "pam_unix(sudo:session): session opened for user root(uid=0) by deploy(uid=1000)")
	default:
		line("sshd", "%s", filled(l.r, l.rare[l.r.IntN(len(l.rare))].form))
	}
	return b
}
