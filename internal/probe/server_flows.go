package probe

import (
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/visible"
)

// flows says what the server's kernel counted of the connections from our
// address: its view of the way towards us.
func (r *reading) flows() {
	text, asked := r.sections["flows"]
	switch {
	case !asked && r.env["client"] == "":
		r.miss(noClient, fact.ServerFlows)
		return
	case !asked:
		r.miss(noCounters, fact.ServerFlows)
		return
	}
	all := parseSS(text)
	for i := range all {
		all[i].Received = 0 // the connection goes on
		all[i].Ours = r.env["from"] != "" && strings.HasSuffix(all[i].Peer, ":"+r.env["from"])
	}
	if len(all) == 0 {
		r.miss(noCounters, fact.ServerFlows)
		return
	}
	fact.ServerFlows.Put(r.facts, all, r.source("ss -ti"))
}

const noCounters = "the server has no ss that prints the counters of connections"

// mostServerFlows are kept.
const mostServerFlows = 100

// parseSS reads ss -tin: a line "ESTAB 0 0 local peer" and, behind it or
// indented below it, the counters as words "name:value". It leaves out
// connections of which nothing was counted, and what arrived while something
// (the second number) still waited to be acknowledged.
func parseSS(text string) (all []fact.ServerFlow) {
	peer, settled := "", false
	for l := range strings.Lines(text) {
		words := strings.Fields(l)
		if len(words) == 0 || len(all) == mostServerFlows {
			continue
		}
		if l[0] != ' ' && l[0] != '\t' {
			if peer = ""; len(words) > 4 && words[0] != "State" {
				peer, settled, words = visible.Line(words[4], 80), words[2] == "0", words[5:]
			}
		}
		if c, ok := counted(words, strings.Contains(peer, ".")); ok && peer != "" {
			if !settled {
				c.Received = 0 // the two sides are not yet at the same point
			}
			all = append(all, fact.ServerFlow{Peer: peer, Count: c})
			peer = ""
		}
	}
	return all
}

// counted takes the counters of segments from words of ss. Those that are
// 0 are left out there, but for the first.
func counted(words []string, v4 bool) (c fact.Count, ok bool) {
	pathMTU, advertised, stamps := 0, 0, false
	for _, w := range words {
		name, value, _ := strings.Cut(w, ":")
		switch name {
		case "data_segs_out":
			c.Sent, ok = atoi(value)
		case "retrans": // on the way now/in all
			_, total, _ := strings.Cut(value, "/")
			c.Again, _ = atoi(total)
		case "dsack_dups":
			c.Had, _ = atoi(value)
		case "data_segs_in":
			c.Received, _ = atoi(value)
		case "pmtu":
			pathMTU, _ = atoi(value)
		case "advmss":
			advertised, _ = atoi(value)
		case "ts":
			stamps = true
		}
	}
	c.Learned = learnedMTU(pathMTU, advertised+headers(v4, stamps))
	return c, ok
}
