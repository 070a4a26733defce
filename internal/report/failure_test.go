package report

import (
	"testing"
	"time"
)

// What happened is told by whichever way to the server was told more.
func TestFailure(t *testing.T) {
	for _, c := range []struct{ facts, says, verdict, last string }{
		{"handshake.stage = connect\nhandshake.reason = closed\nlogin.stage = connect\nlogin.reason = closed\n",
			"The server closed the connection before the banner.", "broken, cause unknown", "banner: closed"},
		{"handshake.stage = banner\nhandshake.reason = disconnected\nlogin.stage = banner\nlogin.reason = reset\n",
			"The server ended the connection in the key exchange, in words of its own.", "broken, cause unknown", "kex: disconnected"},
		{"handshake.stage = kex\nlogin.stage = kex\nlogin.reason = closed\n",
			"The server closed the connection during the authentication.", "broken, cause unknown", "auth: closed"},
		{"handshake.stage = banner\nhandshake.reason = reset\nlogin.stage = kex\nlogin.reason = never-heard-of\n",
			"The connection ended during the authentication (never-heard-of).", "broken, cause unknown", "auth: never-heard-of"},
		{"handshake.via = proxy-command\nhandshake.stage = none\nhandshake.reason = timed-out\nlogin.stage = none\nlogin.reason = timed-out\n",
			"Nothing more came on the way through the proxy.", "broken, cause unknown", "proxy: timed-out"},
		{"handshake.stage = banner\nhandshake.reason = cancelled\n",
			"The check was ended in the key exchange.", "unknown", "kex: cancelled"},
		{"handshake.stage = kex\nlogin.stage = session\nlogin.reason = closed\n",
			"The server closed the connection in the session, before our command ran.", "broken, cause unknown", "session: "},
		{"", "The connection was not observed, so nothing can be said of it.", "unknown", ""},
	} {
		in := web1
		in.Facts, in.Took = facts(t, c.facts), 10*time.Second
		p := newPage(New(in))
		last := ""
		if len(p.stages) > 0 {
			s := p.stages[len(p.stages)-1]
			last = s.name + ": " + s.failed
		}
		if p.says != c.says || p.verdict != c.verdict || last != c.last {
			t.Errorf("%q\nsays    %q, %q, %q\nwant it %q, %q, %q", c.facts, p.says, p.verdict, last, c.says, c.verdict, c.last)
		}
	}
}
