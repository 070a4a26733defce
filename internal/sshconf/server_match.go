package sshconf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Connection is what Match criteria of a server are held against. An empty
// field is unknown: nothing matches it.
type Connection struct {
	User, Host, Addr, LocalAddr, RDomain string
	LocalPort                            int  // 0 is unknown
	InvalidUser                          bool // there is no such account
}

// ParseConnection reads a specification as `sshd -T -C` takes it, such as
// "user=ann,host=web.example.com,addr=192.0.2.7,lport=22".
func ParseConnection(spec string) (Connection, error) {
	var c Connection
	for spec != "" {
		var part string
		if part, spec, _ = strings.Cut(spec, ","); part == "" {
			break
		}
		key, value, has := strings.Cut(part, "=")
		field, ok := map[string]*string{"user": &c.User, "host": &c.Host, "addr": &c.Addr, "laddr": &c.LocalAddr, "rdomain": &c.RDomain}[key]
		switch {
		case ok && has:
			*field = value
		case key == "lport" && has:
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil {
				return c, fmt.Errorf("invalid port '%s' in test mode specification", printable(value))
			}
			c.LocalPort = int(n)
		case part == "invalid-user":
			c.InvalidUser = true
		default:
			return c, fmt.Errorf("invalid test mode specification %s", printable(part))
		}
	}
	return c, nil
}

var serverValued = strings.Fields("user group host address localaddress localport rdomain version")

// matchLine decides a Match line. Without a connection only its syntax is
// checked and nothing matches but "all".
func (s *serverRun) matchLine(l *line, c *Connection) (bool, error) {
	w := s.criteria(l, serverValued)
	defer l.all()
	result := true
	for {
		at, ok := w.step()
		if !ok {
			return result, w.finish()
		}
		name := asciiLower(at.name)
		w.seen++
		switch {
		case name == "all":
			if err := w.end(1); err != nil {
				return false, err
			}
			if w.more() {
				return false, w.finish()
			}
			return true, nil
		case name == "invalid-user" && s.release.has(909):
			// Without a connection 9.9 lets it pass.
			if c == nil {
				result = result && !s.release.has(1000)
			} else {
				result = result && c.InvalidUser
			}
			continue
		}
		value, err := w.argument(at, false)
		if err != nil {
			return false, err
		}
		hit, err := s.criterion(name, value, c)
		if err != nil {
			return false, err
		}
		result = result && hit
	}
}

// criterion decides one attribute.
func (s *serverRun) criterion(name, value string, c *Connection) (bool, error) {
	blank := Connection{}
	known := c != nil
	if c == nil {
		c = &blank
	}
	switch name {
	case "user":
		return c.User != "" && matchList(c.User, value, false) == matched, nil
	case "group":
		return s.matchGroup(c.User, value), nil
	case "host":
		return c.Host != "" && matchHost(c.Host, value) == matched, nil
	case "address", "localaddress":
		addr := c.Addr
		if name == "localaddress" {
			addr = c.LocalAddr
		}
		v, err := matchAddrList(addr, value)
		if err != nil {
			return false, fmt.Errorf("invalid Match %s argument '%s': %w", name, printable(value), err)
		}
		return v == matched, nil
	case "localport":
		port, ok := s.port(value)
		switch {
		case !ok:
			return false, fmt.Errorf("invalid LocalPort '%s' on Match line", printable(value))
		case known && c.LocalPort == 0:
			s.warn("Match LocalPort: the port of the connection is unknown; sshd -T would stop here")
		}
		return c.LocalPort != 0 && port == c.LocalPort, nil
	case "rdomain":
		return c.RDomain != "" && matchList(c.RDomain, value, false) == matched, nil
	case "version":
		if s.release.has(1000) {
			return matchList(s.release.Text, value, false) == matched, nil
		}
	}
	return false, fmt.Errorf("unsupported Match attribute %s", printable(name))
}

// matchGroup holds all groups of a user against a list; one negated match is
// enough against it.
func (s *serverRun) matchGroup(user, list string) bool {
	if user == "" {
		return false
	}
	if s.env.Groups == nil {
		s.warn("Match Group: the groups of %s are unknown; taken as not matching", printable(user))
		return false
	}
	groups, ok := s.env.Groups(user)
	if !ok {
		return false
	}
	found := false
	for _, g := range groups {
		switch matchList(g, list, false) {
		case negated:
			return false
		case matched:
			found = true
		}
	}
	return found
}

// serverFile is where in the tree of includes reading stands.
type serverFile struct {
	name      string
	never     bool // inside a block that does not match
	matchOnly bool // second pass, no Match seen yet
	depth     int
}

// include applies the files that a line names.
func (s *serverRun) include(l *line, in *serverFile) error {
	if l.command {
		return errors.New("directive Include not supported as a command-line option")
	}
	words := l.all()
	if len(words) == 0 {
		return errors.New("include: missing filename argument")
	}
	at, active := s.at, s.active
	for _, arg := range words {
		if arg == "" {
			return errors.New("keyword include empty argument")
		}
		if !strings.HasPrefix(arg, "/") && !strings.HasPrefix(arg, "~") {
			arg = systemDir + "/" + arg
		}
		names, err := s.glob(arg)
		if err != nil {
			return err
		}
		for _, name := range names {
			s.reaches(name)
			inner := &serverFile{name: name, matchOnly: in.matchOnly, never: !in.matchOnly && !active, depth: in.depth + 1}
			err := s.readFile(inner)
			s.at, s.active = at, active
			if err != nil {
				return err
			}
		}
	}
	return nil
}
