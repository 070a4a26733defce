package probe

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
)

const noSockets = "the server has no ss and no readable /proc/net/tcp"

// A socket is one of the SSH port, listening or connected.
type socket struct {
	listening, connected bool
	receive, send        int // of a listening socket: waiting connections, and how many can wait
	peer                 netip.Addr
}

func (r *reading) hasSockets() bool {
	_, _, ok := r.named("sockets")
	return ok
}

// sockets reads ss -tan, or the lines of /proc/net/tcp: "state queues local
// peer". The kernel's file does not say how many can wait.
func (r *reading) sockets() []socket {
	how, text, _ := r.named("sockets")
	var all []socket
	for l := range strings.Lines(text) {
		f := strings.Fields(l)
		var s socket
		switch {
		case how == "ss" && len(f) == 5:
			s.listening, s.connected = f[0] == "LISTEN", f[0] == "ESTAB"
			s.receive, _ = atoi(f[1])
			s.send, _ = atoi(f[2])
			s.peer = peer(f[4])
		case how == "proc" && len(f) == 4:
			s.listening, s.connected = f[0] == "0A", f[0] == "01"
			_, waiting, _ := strings.Cut(f[1], ":")
			n, _ := strconv.ParseUint(waiting, 16, 31)
			s.receive, s.send = int(n), -1
			s.peer = hexPeer(f[3])
		}
		if s.listening || s.connected {
			all = append(all, s)
		}
	}
	return all
}

// peer reads "192.0.2.7:22", "[::ffff:192.0.2.7]:22" or "[fe80::1]%eth0:22".
func peer(s string) netip.Addr {
	host := s[:max(0, strings.LastIndexByte(s, ':'))]
	host = strings.TrimPrefix(strings.Replace(host, "]", "", 1), "[")
	a, _ := netip.ParseAddr(host)
	return a.Unmap().WithZone("")
}

// hexPeer reads "0100007F:1F90": each 32-bit word of the address stands in the
// machine's byte order, which is taken to be little-endian.
func hexPeer(s string) netip.Addr {
	host, _, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	a, _ := netip.AddrFromSlice(b)
	return a.Unmap()
}

// client is our address as the server sees it; it is not valid when there is
// none.
func (r *reading) client() netip.Addr {
	a, _ := netip.ParseAddr(r.env["client"])
	return a.Unmap().WithZone("")
}

// connections says how busy the SSH port is.
func (r *reading) connections() {
	how, _, _ := r.named("sockets")
	sockets := r.sockets()
	source := r.source("ss -tan")
	if how == "proc" {
		source = r.source("/proc/net/tcp")
	}
	queues, waiting, most, open, ours := 0, 0, 0, 0, 0
	for _, s := range sockets {
		switch {
		case s.listening && (queues == 0 || s.receive > waiting):
			waiting, most = s.receive, s.send
			queues++
		case s.listening:
			queues++
		default:
			open++
			if s.peer.IsValid() && s.peer == r.client() {
				ours++
			}
		}
	}
	r.listening(queues)
	if !r.hasSockets() {
		r.miss(noSockets, fact.ListenQueue, fact.ListenQueueMax, fact.Connections, fact.SourceConnections)
	} else {
		fact.Connections.Put(r.facts, open, source)
		if r.client().IsValid() {
			fact.SourceConnections.Put(r.facts, ours, source)
		}
		r.miss(noClient, fact.SourceConnections)
		if queues > 0 {
			fact.ListenQueue.Put(r.facts, waiting, source)
			if how == "ss" {
				fact.ListenQueueMax.Put(r.facts, most, source)
			}
		}
		r.miss("nothing listens on port "+r.port(), fact.ListenQueue)
		r.miss("the server has no ss", fact.ListenQueueMax)
	}
	r.counters()
	r.unauthenticated()
}

// counters reads what the server's kernel counted of TCP.
func (r *reading) counters() {
	text := strings.Join(r.lines("netstat"), "\n")
	for _, c := range []struct {
		fact       fact.Key[int]
		name, file string
	}{
		{fact.ListenOverflows, "ListenOverflows", "/proc/net/netstat"},
		{fact.ServerChecksumErrors, "InCsumErrors", "/proc/net/snmp"},
		{fact.ServerSegments, "InSegs", "/proc/net/snmp"},
	} {
		if n, ok := kernelCount(text, c.name); ok {
			c.fact.Put(r.facts, n, r.source(c.file))
		}
		r.miss(notThere, c.fact)
	}
}

// startups is how the listener's title shows unauthenticated connections since
// 8.2.
var startups = pattern.New(`\[listener\] (\d+) of \d+-\d+ startups`)

// unauthenticated counts connections that have not logged in: as the listener
// says itself, else by the processes that wait for it; and the sessions of the
// user by the processes that serve them.
func (r *reading) unauthenticated() {
	titles, waiting, sessions := r.titles(), 0, 0
	for _, t := range titles {
		switch {
		case strings.HasSuffix(t, "[net]"), strings.HasSuffix(t, "[accepted]"): // the second has no banner of its client yet
			waiting++
		case r.env["user"] != "" && (strings.HasPrefix(t, "sshd: "+r.env["user"]+"@") || strings.HasPrefix(t, "sshd-session: "+r.env["user"]+"@")):
			sessions++
		}
	}
	hidden, _ := r.number("hidden")
	m := startups.FindStringSubmatch(r.env["title"])
	switch {
	case m != nil:
		n, _ := atoi(m[1])
		fact.Unauthenticated.Put(r.facts, n, r.source("the listener's title"))
	case len(titles) > 0 && (hidden == 0 || r.env["uid"] == "0"):
		fact.Unauthenticated.Put(r.facts, waiting, r.source("the processes of sshd"))
	default:
		r.miss("the processes of others are hidden from the account: "+r.needsRoot(), fact.Unauthenticated)
	}
	if len(titles) > 0 {
		fact.UserSessions.Put(r.facts, sessions, r.source("the processes of sshd"))
	} else {
		r.miss("no process of sshd could be seen", fact.UserSessions)
	}
}

// titles are the command lines of sshd's processes. They come from head, which
// puts "==> FILE <==" before each.
func (r *reading) titles() []string {
	var all []string
	for _, l := range r.lines("titles") {
		l = strings.TrimSpace(l)
		if l != "" && !strings.HasPrefix(l, "==> ") {
			all = append(all, l)
		}
	}
	return all
}
