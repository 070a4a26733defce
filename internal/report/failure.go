package report

import (
	"cmp"
	"slices"
	"strings"

	"sshtay/internal/fact"
)

// unexplained says that a connection was tried and failed, and that no finding
// tells why.
func (r Report) unexplained() bool {
	return r.Verdict == Unknown && !r.Target.Local() && r.ended() != ""
}

// verdictWords are the verdict as people say it. A connection that failed
// before our eyes is broken, whatever the reason; one that we gave up early on
// may not be.
func (r Report) verdictWords() string {
	early := r.ended() == "cancelled" || r.ended() == "timed-out" && r.Spent.Seconds < 5
	if r.unexplained() && !early {
		return "broken, cause unknown"
	}
	return inWords(string(r.Verdict))
}

// happened are the reasons of handshake and login, as what a person would have
// seen happen.
var happened = map[string]string{
	"closed":           "The server closed the connection WHERE.",
	"reset":            "The connection was reset WHERE.",
	"timed-out":        "Nothing more came WHERE.",
	"throttled":        "The server refused for now WHERE.",
	"disconnected":     "The server ended the connection WHERE, in words of its own.",
	"not-ssh":          "What answers is not the SSH that ssh knows.",
	"version-mismatch": "The server speaks another version of SSH.",
	"bad-packet":       "What came WHERE is no SSH packet: it was damaged on the way, or something else writes into the connection.",
	"protocol-error":   "The server did WHERE what the protocol forbids.",
	"bad-signature":    "The server's signature in the key exchange is wrong.",
	"endless-output":   "The server never stopped sending WHERE.",
	"proxy-failed":     "The proxy failed.",
	"cancelled":        "The check was ended WHERE.",
	"local-error":      "This machine refused WHERE.",
}

// before says where a connection ended, by the stage that it did not complete.
var before = map[string]string{
	"resolve": "before the host's address was known",
	"connect": "before there was a connection",
	"banner":  "before the banner",
	"kex":     "in the key exchange",
	"auth":    "during the authentication",
	"session": "after the login, before the session",
	"bulk":    "in the session, before our command ran",
}

// failure is what happened to a connection, in a sentence.
func (r Report) failure() string {
	next := Stages[slices.Index(Stages, r.Reached)+1]
	where := before[next]
	if next == "resolve" && r.proxied() {
		where = "on the way through the proxy"
	}
	return strings.Replace(cmp.Or(happened[r.ended()], "The connection ended WHERE ("+r.ended()+")."), "WHERE", where, 1)
}

// proxied says that a ProxyCommand or a jump host carries the connection.
func (r Report) proxied() bool {
	via := r.text(fact.HandshakeVia)
	return via == "proxy-command" || via == "proxy-jump"
}

// heard is what both ways to the server ended with, in the words of each.
func (r Report) heard() []evidence {
	var out []evidence
	for _, k := range []fact.Any{fact.HandshakeDetail, fact.LoginError} {
		if said := r.text(k); said != "" {
			out = append(out, evidence{cleanLine(said), cleanName(r.Facts[k.Name()].Source)})
		}
	}
	return out
}

// next is where to look when nothing that can be seen from here tells more.
func (r Report) next() []fix {
	if !r.came("connect") {
		return nil
	}
	return []fix{{
		summary: "read what sshd wrote to its log meanwhile: it settles most of what is possible here",
		where:   inWords("server") + ", on its console",
		steps:   [][]stepLine{stepLines("with a journal:\n    journalctl -u ssh -u sshd -n 50 --no-pager\nwithout one:\n    tail -n 50 /var/log/auth.log /var/log/secure")},
	}}
}
