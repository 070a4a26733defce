package sshconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// clientCriteria are the attributes of Match in ssh_config that have a value,
// and since when. "sessiontype" alone may not be written with "=".
var clientCriteria = map[string]since{
	"host": 0, "originalhost": 0, "user": 0, "localuser": 0, "exec": 0, "tagged": 904, "localnetwork": 904,
	"version": 1000, "sessiontype": 1000, "command": 1000,
}

var clientValued = strings.Fields("host originalhost user localuser localnetwork version tagged command exec")

// matchLine decides a Match line. Every attribute is looked at, whatever those
// before it say: a mistake in a line that does not match is still a mistake.
func (c *clientRun) matchLine(l *line) (bool, error) {
	w := c.criteria(l, clientValued)
	defer l.all()
	result := true
	for {
		at, ok := w.step()
		if !ok {
			return result, w.finish()
		}
		name, not := strings.CutPrefix(asciiLower(at.name), "!")
		switch name {
		case "all":
			if err := w.end(1); err != nil {
				return false, err
			}
			w.seen++
			if w.more() {
				return false, w.finish()
			}
			return result && !not, nil
		case "final", "canonical":
			w.seen++
			if name == "final" && !c.final && !(not && c.release.has(1001)) {
				c.wantFinal = true
			}
			result = result && c.final != not
			continue
		}
		w.seen++
		value, err := w.argument(at, name == "tagged" || name == "command")
		if err != nil {
			return false, err
		}
		hit, sure, err := c.criterion(name, value, result)
		if err != nil {
			return false, err
		}
		result = result && sure && hit != not
	}
}

// criterion decides one attribute. It is not sure when the environment cannot
// tell. A command runs only if everything before it matched.
func (c *clientRun) criterion(name, value string, soFar bool) (hit, sure bool, err error) {
	if s, ok := clientCriteria[name]; !ok || !c.release.has(s) {
		return false, false, fmt.Errorf("unsupported Match attribute %s", printable(name))
	}
	switch name {
	case "host":
		host, err := c.hostSoFar()
		return matchHost(host, value) == matched, true, err
	case "originalhost":
		return matchHost(c.original, value) == matched, true, nil
	case "user":
		return matchList(c.userSoFar(), value, false) == matched, true, nil
	case "localuser":
		return matchList(c.env.User, value, false) == matched, true, nil
	case "version":
		return matchList(c.release.Text, value, false) == matched, true, nil
	case "tagged":
		tag, _ := c.text("tag")
		return matchOrEmpty(tag, value), true, nil
	case "command":
		return matchOrEmpty(c.request.Command, value), true, nil
	case "sessiontype":
		return matchList(c.sessionType(), value, false) == matched, true, nil
	case "localnetwork":
		return c.localNetwork(value)
	}
	return c.matchExec(value, soFar)
}

// matchOrEmpty is a pattern list in which the empty string only matches itself.
func matchOrEmpty(s, list string) bool {
	if s == "" {
		return list == ""
	}
	return matchList(s, list, false) == matched
}

// hostSoFar is the name as far as it is known: HostName applied, if one was
// read already.
func (c *clientRun) hostSoFar() (string, error) {
	name, set := c.text("hostname")
	switch {
	case c.final:
		return c.host, nil
	case !set:
		return c.host, nil
	}
	return expand(name, tokens{'h': c.host}, nil)
}

func (c *clientRun) userSoFar() string {
	if user, ok := c.text("user"); ok {
		return user
	}
	return c.env.User
}

func (c *clientRun) sessionType() string {
	switch kind, _ := c.text("sessiontype"); {
	case kind == "subsystem" || kind == "none":
		return kind
	case c.request.Command != "":
		return "exec"
	}
	return "shell"
}

func (c *clientRun) localNetwork(list string) (hit, sure bool, err error) {
	if _, err := matchNetworks(netip.Addr{}, list); err != nil {
		return false, false, fmt.Errorf("bad network list %s: %w", printable(list), err)
	}
	if c.env.InterfaceAddrs == nil {
		c.warn("Match localnetwork: the addresses of this machine are unknown; taken as not matching")
		return false, false, nil
	}
	addrs, err := c.env.InterfaceAddrs()
	if err != nil {
		c.warn("Match localnetwork: %v; taken as not matching", err)
		return false, true, nil
	}
	return slices.ContainsFunc(addrs, func(a netip.Addr) bool {
		in, _ := matchNetworks(a, list)
		return in
	}), true, nil
}

func (c *clientRun) matchExec(command string, soFar bool) (hit, sure bool, err error) {
	t, err := c.earlyTokens()
	if err != nil {
		return false, false, err
	}
	if command, err = expand(command, t, nil); err != nil {
		return false, false, err
	}
	switch {
	case !soFar:
		return false, false, nil
	case c.env.Exec == nil:
		c.warn("Match exec %s was not run; taken as not matching", printable(command))
		return false, false, nil
	}
	hit, err = c.env.Exec(command)
	if err != nil {
		err = fmt.Errorf("match exec '%s' error: %w", printable(command), err)
	}
	return hit, true, err
}

// earlyTokens are the tokens while files are still being read.
func (c *clientRun) earlyTokens() (tokens, error) {
	host, err := c.hostSoFar()
	if err != nil {
		return nil, err
	}
	conn := connection{host: host, original: c.original, alias: host, user: c.userSoFar(), port: c.portSoFar()}
	if alias, ok := c.text("hostkeyalias"); ok {
		conn.alias = alias
	}
	if jump, ok := c.text(jumpHost); ok && !strings.EqualFold(jump, "none") {
		conn.jump = jump
	}
	return c.env.tokens(conn, c.release), nil
}
