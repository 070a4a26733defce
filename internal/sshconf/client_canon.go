package sshconf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// canonicalize gives the host its final name: HostName, then the rules of
// CanonicalizeHostname. It also decides whether files are read again.
func (c *clientRun) canonicalize() error {
	if name, ok := c.text("hostname"); ok {
		host, err := expand(name, tokens{'h': c.host}, nil)
		if err != nil {
			return err
		}
		c.host = host
	}
	addr := c.numeric(c.host)
	if !addr {
		c.host = asciiLower(c.host)
	}
	mode := c.canonicalMode()
	resolved := false
	if mode != "false" || addr {
		var err error
		if resolved, err = c.resolveCanonical(mode); err != nil {
			return err
		}
	}
	if rules := c.cnameRules(); !resolved && rules != nil && (c.direct() || mode == "always") {
		answer, err := c.lookup(c.host)
		switch {
		case err == nil:
			c.follow(mode, rules, answer.Canonical)
		case c.env.LookupHost != nil && c.direct():
			return fmt.Errorf("could not resolve hostname %s: %w", printable(c.host), err)
		}
	}
	c.wantFinal = c.wantFinal || mode != "false"
	// By now these have their values: the second pass cannot set them.
	for _, key := range []string{"canonicalizehostname", "canonicalizemaxdots", "canonicalizefallbacklocal"} {
		if _, set := c.text(key); !set {
			c.slot(key).values = []Value{{Text: clientKeywords[key].unset}}
		}
	}
	return nil
}

func (c *clientRun) canonicalMode() string {
	if mode, ok := c.text("canonicalizehostname"); ok {
		return mode
	}
	return "false"
}

// direct tells whether no proxy stands between: then names are ours to look up.
func (c *clientRun) direct() bool {
	command, _ := c.text("proxycommand")
	_, jumps := c.text(jumpKey)
	if c.noJump && c.release.has(1003) {
		jumps = false
	}
	return (command == "" || strings.EqualFold(command, "none")) && !jumps
}

// numeric tells whether a name can only be an address.
func (c *clientRun) numeric(name string) bool {
	if looksNumeric(name) {
		return true
	}
	_, ok := parseAddr(name)
	return ok
}

func looksNumeric(name string) bool {
	return strings.ContainsAny(name, "%:") || strings.Trim(name, "0123456789.") == ""
}

// family is AddressFamily as far as it is known.
func (c *clientRun) family() string {
	if f, ok := c.text("addressfamily"); ok {
		return f
	}
	return "any"
}

// resolveCanonical tries addresses, then the canonical domains in turn. It is
// true if the name was resolved on the way.
func (c *clientRun) resolveCanonical(mode string) (bool, error) {
	if a, ok := parseAddr(c.host); ok && (c.family() == "any" || a.Is4() == (c.family() == "inet")) {
		if text := addrText(a); !strings.EqualFold(text, c.host) {
			c.host = text
		}
		return true, nil
	}
	if looksNumeric(c.host) || mode == "false" || !c.direct() && mode != "always" {
		return false, nil
	}
	maxDots := 1
	if s, ok := c.text("canonicalizemaxdots"); ok {
		maxDots, _ = strconv.Atoi(s)
	}
	var candidates []string
	if strings.HasSuffix(c.host, ".") {
		candidates = []string{c.host}
	} else if strings.Count(c.host, ".") > maxDots {
		return false, nil
	} else {
		domains, _ := c.text("canonicaldomains")
		for _, domain := range strings.Fields(domains) {
			if strings.EqualFold(domain, "none") {
				break
			}
			candidates = append(candidates, c.host+"."+domain+".")
		}
	}
	for _, name := range candidates {
		if answer, err := c.lookup(name); err == nil {
			c.host = strings.TrimSuffix(name, ".")
			c.follow(mode, c.cnameRules(), answer.Canonical)
			return true, nil
		}
	}
	if local, ok := c.text("canonicalizefallbacklocal"); ok && local == "no" && (len(candidates) == 0 || c.env.LookupHost != nil) {
		return false, fmt.Errorf("could not resolve host \"%s\"", printable(c.host))
	}
	return false, nil
}

// errNoLookup is an environment that cannot look up names.
var errNoLookup = errors.New("names cannot be looked up here")

func (c *clientRun) lookup(name string) (HostAddrs, error) {
	if c.env.LookupHost == nil {
		c.at = Origin{}
		if s := c.slots["canonicalizehostname"]; s != nil {
			c.at = s.values[0].From
		}
		c.warn("%s was not looked up; taken as unknown", printable(name))
		return HostAddrs{}, errNoLookup
	}
	return c.env.LookupHost(name, c.family())
}

// cnameRules are the rules of CanonicalizePermittedCNAMEs, nil if there are
// none.
func (c *clientRun) cnameRules() []string {
	rules, ok := c.text("canonicalizepermittedcnames")
	if !ok || strings.EqualFold(rules, "none") {
		return nil
	}
	return strings.Fields(rules)
}

// follow takes the name a CNAME leads to, if a rule permits it.
func (c *clientRun) follow(mode string, rules []string, canonical string) {
	canonical = strings.TrimSuffix(canonical, ".")
	if canonical == "" || canonical == c.host || mode == "false" || !c.direct() && mode != "always" {
		return
	}
	if _, err := validDomain(canonical); err != nil {
		return
	}
	for _, rule := range rules {
		source, target, _ := strings.Cut(rule, ":")
		if matchList(c.host, source, true) == matched && matchList(canonical, target, true) == matched {
			c.host = canonical
			return
		}
	}
}
