package lab

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Spec describes a world without the files on its machines.
type Spec struct {
	Server   Server
	Port     int
	User     string // who logs in: root or deploy
	IPv4     bool
	IPv6     bool
	Jump     bool   // there is a jump host
	Second   bool   // there is a second server
	Twin     bool   // it answers every other connection to the server's address
	Miscount string // the server computes this cipher or MAC wrongly
	Balancer string // there is a load balancer before the server: plain, or proxy-header; empty is none

	Lanes [2]Lane // what the wide-area link does, by [Way]
	MTU   int     // of the wide-area link; 0 is 1500
	Box   Box     // what stands in its middle

	NAT       string        // at home, for IPv4: ports-kept, ports-rewritten or no
	Routers   string        // how they answer: icmp, few (one a second) or mute
	Ping      bool          // the client's users may send echo requests
	Quiet     bool          // the server's firewall drops all but connections to the port, as clouds do
	Drop      string        // whose firewall drops SYNs to the port: home, provider or server; empty is none
	Forgets   []Forget      // whose kernels forget connections that are silent
	Closes    time.Duration // after so much silence the load balancer closes a connection; 0 is never
	Reject    string        // whose firewall answers SYNs to the port with a reset: home, provider or server; empty is none
	MSS       int           // what the home router writes into SYNs; 0 is nothing
	Limit     int           // new connections that the server's firewall lets through ...
	Every     time.Duration // ... at once, and one in every such time
	Strangers int           // others who hold a connection to the server and never log in
	Limits    []string      // of the server's sshd and what it starts, as options of prlimit(1)
	Conntrack string        // whose kernel keeps track of many connections: client, home or server; empty is nobody's
	Tracked   float64       // ratio of those that it can
	Init      string        // what starts sshd on the server: openrc; empty: nothing does but the world itself
	PTYs      int           // pseudo-terminals on the server; 0 is as many as usual
}

// A Forget is a firewall of a real kernel on the way, which drops or resets the
// packets of connections that it has forgotten.
type Forget struct {
	Where string // client, home, provider or server
	After time.Duration
	How   string // drop or reset
}

// A Server says what answers on the port.
type Server struct {
	Kind string // system, openssh-10, dropbear, tinysshd, none, or a hostile one
	Arg  int    // bytes, for hostile servers that count
}

// usual is the world that a scenario changes: a home network behind NAT, and
// 20 ms to a server with the system's own sshd.
func usual() Spec {
	lane := Lane{Delay: 10 * time.Millisecond}
	return Spec{
		Server: Server{Kind: "system"}, Port: 22, User: "root", IPv4: true,
		Lanes: [2]Lane{lane, lane}, NAT: "ports-kept", Routers: "icmp",
		Box: Box{After: Silent},
	}
}

// apply reads lines "key = value" into the spec.
func (s *Spec) apply(text string) error {
	return eachSetting(text, func(key, value string) error {
		set, ok := specKeys[key]
		if ok {
			return set(s, value)
		}
		way, laneKey := "", key
		for _, prefix := range []string{"to-server", "to-client"} {
			if rest, found := strings.CutPrefix(key, prefix+" "); found {
				way, laneKey = prefix, rest
			}
		}
		setLane, ok := laneKeys[laneKey]
		if !ok {
			return fmt.Errorf("no such key; there are %s", known(specKeys, laneKeys))
		}
		for w := range s.Lanes {
			if way == "" || way == [2]string{"to-server", "to-client"}[w] {
				if err := setLane(&s.Lanes[w], value); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

var specKeys = map[string]func(*Spec, string) error{
	"server": func(s *Spec, v string) error {
		kind, arg, _ := strings.Cut(v, " ")
		s.Server = Server{Kind: kind}
		if arg != "" {
			return number(&s.Server.Arg, arg)
		}
		return oneOf(&s.Server.Kind, kind, serverKinds...)
	},
	"port":   func(s *Spec, v string) error { return number(&s.Port, v) },
	"user":   func(s *Spec, v string) error { return oneOf(&s.User, v, "root", "deploy") },
	"jump":   func(s *Spec, v string) error { return yesNo(&s.Jump, v) },
	"second": func(s *Spec, v string) error { return yesNo(&s.Second, v) },
	"twin": func(s *Spec, v string) error {
		s.Second = s.Second || v == "yes"
		return yesNo(&s.Twin, v)
	},
	"balancer": func(s *Spec, v string) error { return oneOf(&s.Balancer, v, "", "plain", "proxy-header") },
	"miscounts": func(s *Spec, v string) error {
		s.Miscount = v
		return nil
	},
	"limits": func(s *Spec, v string) error {
		s.Limits = strings.Fields(v)
		return nil
	},
	"mtu":       func(s *Spec, v string) error { return number(&s.MTU, v) },
	"nat":       func(s *Spec, v string) error { return oneOf(&s.NAT, v, "ports-kept", "ports-rewritten", "no") },
	"routers":   func(s *Spec, v string) error { return oneOf(&s.Routers, v, "icmp", "few", "mute") },
	"mss":       func(s *Spec, v string) error { return number(&s.MSS, v) },
	"strangers": func(s *Spec, v string) error { return number(&s.Strangers, v) },
	"init":      func(s *Spec, v string) error { return oneOf(&s.Init, v, "", "openrc") },
	"ptys":      func(s *Spec, v string) error { return number(&s.PTYs, v) },
	"table":     func(s *Spec, v string) error { return number(&s.Box.Table, v) },
	"family": func(s *Spec, v string) error {
		s.IPv4, s.IPv6 = v != "6", v != "4"
		return oneOf(&v, v, "4", "6", "both")
	},
	"rtt": func(s *Spec, v string) error {
		d, err := time.ParseDuration(v)
		s.Lanes[ToServer].Delay, s.Lanes[ToClient].Delay = d/2, d-d/2
		return err
	},
	"limit": func(s *Spec, v string) error {
		count, every, _ := strings.Cut(v, "/")
		if err := number(&s.Limit, count); err != nil {
			return err
		}
		return duration(&s.Every, every)
	},
	"idle": func(s *Spec, v string) error {
		if v == "" {
			s.Box.Idle = 0
			return nil
		}
		after, what, _ := strings.Cut(v, " ")
		if err := duration(&s.Box.Idle, after); err != nil {
			return err
		}
		return oneOf(&s.Box.After, After(what), Silent, ResetSender, ResetClient, ResetServer, ResetBoth)
	},
	"reset": func(s *Spec, v string) error {
		if v == "" {
			s.Box.Resets = nil
			return nil
		}
		after, to, _ := strings.Cut(v, " ")
		var r Reset
		bytes, isBytes := strings.CutSuffix(after, "B")
		var err error
		switch {
		case moments[after] != nil:
			r.At = after
		case isBytes:
			err = number(&r.Bytes, bytes)
		default:
			err = duration(&r.Time, after)
		}
		if err != nil {
			return err
		}
		err = oneOf(&r.To, "reset-"+After(to), ResetClient, ResetServer, ResetBoth)
		s.Box.Resets = append(s.Box.Resets, r)
		return err
	},
	"reset-shape": func(s *Spec, v string) error {
		return oneOf(&s.Box.Forge.Shape, Shape(v), Bare, Acks, Copied)
	},
	"reset-ttl": func(s *Spec, v string) error {
		if s.Box.Forge.Mimic = v == "mimic"; s.Box.Forge.Mimic {
			return nil
		}
		return number(&s.Box.Forge.TTL, v)
	},
	"conntrack": func(s *Spec, v string) error {
		who, part, _ := strings.Cut(v, " ")
		if err := ratio(&s.Tracked, cmp.Or(part, "0")); err != nil {
			return err
		}
		return oneOf(&s.Conntrack, who, "", "client", "home", "server")
	},
	"one-way":    func(s *Spec, v string) error { return yesNo(&s.Box.OneWay, v) },
	"tap":        func(s *Spec, v string) error { return yesNo(&s.Box.Tap, v) },
	"spare":      func(s *Spec, v string) error { return number(&s.Box.Spare, v) },
	"box-behind": func(s *Spec, v string) error { return number(&s.Box.Behind, v) },
	"ping":       func(s *Spec, v string) error { return yesNo(&s.Ping, v) },
	"quiet":      func(s *Spec, v string) error { return yesNo(&s.Quiet, v) },
	"drop":       func(s *Spec, v string) error { return oneOf(&s.Drop, v, "", "home", "provider", "server") },
	"reject":     func(s *Spec, v string) error { return oneOf(&s.Reject, v, "", "home", "provider", "server") },
	"forgets": func(s *Spec, v string) error {
		if v == "" {
			s.Forgets = nil
			return nil
		}
		words := strings.Fields(v)
		if len(words) != 3 {
			return fmt.Errorf("want who, after how long and how, such as: home 8s drop")
		}
		var f Forget
		if err := oneOf(&f.Where, words[0], "client", "home", "provider", "server"); err != nil {
			return err
		}
		if err := duration(&f.After, words[1]); err != nil {
			return err
		}
		if f.After < time.Second || f.After%time.Second != 0 {
			return fmt.Errorf("a kernel counts whole seconds")
		}
		err := oneOf(&f.How, words[2], "drop", "reset")
		s.Forgets = append(s.Forgets, f)
		return err
	},
	"balancer-closes": func(s *Spec, v string) error { return duration(&s.Closes, v) },
}

var laneKeys = map[string]func(*Lane, string) error{
	"delay":     func(l *Lane, v string) error { return duration(&l.Delay, v) },
	"jitter":    func(l *Lane, v string) error { return duration(&l.Jitter, v) },
	"loss":      func(l *Lane, v string) error { return ratio(&l.Loss, v) },
	"reorder":   func(l *Lane, v string) error { return ratio(&l.Reorder, v) },
	"duplicate": func(l *Lane, v string) error { return ratio(&l.Duplicate, v) },
	"corrupt":   func(l *Lane, v string) error { return ratio(&l.Corrupt, v) },
	"clean":     func(l *Lane, v string) error { return number(&l.Clean, v) },
	"spoil":     func(l *Lane, v string) error { return ratio(&l.Spoil, v) },
	"drop-over": func(l *Lane, v string) error { return number(&l.DropOver, v) },
	"queue":     func(l *Lane, v string) error { return number(&l.Queue, v) },
	"hops":      func(l *Lane, v string) error { return number(&l.Hops, v) },
	"equal":     func(l *Lane, v string) error { return number(&l.Equal, v) },
	"mute":      func(l *Lane, v string) error { return yesNo(&l.Mute, v) },
	"keep-dscp": func(l *Lane, v string) error { return yesNo(&l.KeepDSCP, v) },
	"bleach":    func(l *Lane, v string) error { return yesNo(&l.Bleach, v) },
	"burst": func(l *Lane, v string) error {
		begin, end, _ := strings.Cut(v, " ")
		if err := ratio(&l.Burst.Begin, begin); err != nil {
			return err
		}
		return ratio(&l.Burst.End, end)
	},
	"outage": func(l *Lane, v string) error {
		begin, length, _ := strings.Cut(v, " ")
		if err := duration(&l.Outage.Begin, begin); err != nil {
			return err
		}
		return duration(&l.Outage.Length, length)
	},
	"drop-dscp": func(l *Lane, v string) error {
		l.DropDSCP = nil
		for _, f := range strings.Fields(v) {
			var d int
			if err := number(&d, f); err != nil {
				return err
			}
			l.DropDSCP = append(l.DropDSCP, d)
		}
		return nil
	},
	"rate": func(l *Lane, v string) error {
		digits, unit := strings.TrimSuffix(v, "bit"), 1.0
		for suffix, times := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
			if d, ok := strings.CutSuffix(digits, suffix); ok {
				digits, unit = d, times
			}
		}
		n, err := strconv.ParseFloat(digits, 64)
		l.Rate = n * unit
		if err != nil || n < 0 || !strings.HasSuffix(v, "bit") {
			return fmt.Errorf("want bits a second, such as 1Mbit")
		}
		return nil
	},
}
