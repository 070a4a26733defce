package report

import (
	"fmt"
	"strings"

	"sshtay/internal/fact"
)

// A PathMTU is how long packets may be on the way, each direction by itself,
// in bytes of an IP packet; 0 is not known. What was not tried is no limit.
type PathMTU struct {
	ToServer       int          `json:"to_server,omitempty"`        // the longest that is known to arrive there
	FromServer     int          `json:"from_server,omitempty"`      // the longest that came from there
	FullToServer   bool         `json:"full_to_server"`             // that is as long as this kernel makes them
	FullFromServer bool         `json:"full_from_server"`           // that is as long as the server makes them
	LostToServer   int          `json:"lost_to_server,omitempty"`   // the shortest that vanished, while shorter ones arrived
	LostFromServer int          `json:"lost_from_server,omitempty"` //
	Kernel         int          `json:"kernel,omitempty"`           // what this kernel believes in
	Told           bool         `json:"told"`                       // which is less than its interface carries: a router said so, or the route does
	Hop            *fact.MTUHop `json:"hop,omitempty"`              // between which hops they vanish on the way to the server
}

func newPathMTU(facts *fact.Set) (m PathMTU) {
	m.ToServer, _ = fact.PathMTUToServer.Get(facts)
	m.FromServer, _ = fact.PathMTUFromServer.Get(facts)
	m.FullToServer, _ = fact.PathFullToServer.Get(facts)
	m.FullFromServer, _ = fact.PathFullFromServer.Get(facts)
	m.LostToServer, _ = fact.PathLostToServer.Get(facts)
	m.LostFromServer, _ = fact.PathLostFromServer.Get(facts)
	m.Kernel, _ = fact.PathMTUKernel.Get(facts)
	m.Told, _ = fact.PathMTUTold.Get(facts)
	if hop, ok := fact.PathMTUHop.Get(facts); ok {
		m.Hop = &hop
	}
	return m
}

func (m PathMTU) hole() bool { return m.LostToServer > 0 || m.LostFromServer > 0 }

// checks is where what is only seen here is tried and mended.
func (p Path) checks() string { return "sshtay check " + cleanName(p.Target.Given) }

// long says how long packets may be.
func (p Path) long() (all []string) {
	m := p.MTU
	if m.hole() {
		limit := func(arrives, lost int, way string) {
			if lost > 0 {
				all = append(all, fmt.Sprintf("LONG PACKETS VANISH %s: %d bytes pass, and %d do not.", way, arrives, lost))
			}
		}
		limit(m.ToServer, m.LostToServer, "on the way to the server")
		limit(m.FromServer, m.LostFromServer, "on the way from the server")
		if h := m.Hop; h != nil && h.Reached > 0 {
			all = append(all, fmt.Sprintf("On the way there, long ones come to hop %d (%s), and not to hop %d (%s).", h.Reached, h.ReachedBy, h.Missed, h.MissedBy))
		} else if h != nil {
			all = append(all, fmt.Sprintf("On the way there, long ones do not even come to hop %d (%s).", h.Missed, h.MissedBy))
		}
		return append(all, "What mends it: "+p.checks())
	}
	known := ""
	if m.Told {
		known = "; a router said that no longer ones fit, or the route does"
	}
	switch {
	case m.FullToServer && m.FullFromServer && m.ToServer == m.FromServer:
		return []string{fmt.Sprintf("Packets of %d bytes pass both ways, and none are longer%s.", m.ToServer, known)}
	case m.FullToServer && m.FullFromServer:
		return []string{fmt.Sprintf("Packets of %d bytes pass to the server and of %d from it, and none are longer%s.", m.ToServer, m.FromServer, known)}
	case m.FullToServer:
		return []string{fmt.Sprintf("Packets of %d bytes pass to the server, and none are longer%s. The server had nothing so long to send; with a login it has: %s", m.ToServer, known, p.checks())}
	case m.ToServer > 0 || m.FromServer > 0:
		return []string{"How long packets may be was not seen here; with a login it is: " + p.checks()}
	}
	return nil
}

// marked says which traffic classes get through.
func (p Path) marked() (all []string) {
	passed := map[string][]string{}
	for _, m := range p.Marks {
		if m.Passed {
			passed[m.Way] = append(passed[m.Way], m.Name)
			continue
		}
		way := "to the server"
		if m.Way == "to-client" {
			way = "from the server"
		}
		all = append(all, fmt.Sprintf("What was marked %s was lost once on the way %s, where what was not marked came through; whether it is each time: %s", m.Name, way, p.checks()))
	}
	if names := passed["to-server"]; len(names) > 0 {
		s := fmt.Sprintf("Packets marked %s (IPQoS) get through to the server", strings.Join(names, " and "))
		if back := passed["to-client"]; len(back) > 0 {
			s += fmt.Sprintf(", and back from it marked %s", strings.Join(back, " and "))
		}
		all = append(all, s+".")
	}
	return all
}

// others says what the user's own connections lost since they began.
func (p Path) others() (all []string) {
	for _, f := range p.Flows {
		t := f.ToServer()
		if f.Whose != "user" || t.Of == 0 {
			continue
		}
		who := "A connection from " + cleanName(f.Local)
		if f.PID > 0 {
			who = fmt.Sprintf("Your %s (process %d)", cleanName(f.Program), f.PID)
		}
		all = append(all, fmt.Sprintf("%s lost %d of the %s that it has sent to the server so far.", who, t.Lost, count(t.Of, "segment", "segments")))
	}
	return all
}
