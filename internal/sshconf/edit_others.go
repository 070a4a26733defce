package sshconf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An edit for one host must leave the others alone, and one of a server must
// leave alone what Match blocks say. These are the others that are tried.

const (
	otherHost = "sshtay-other.invalid"
	otherUser = "sshtay-other"
	maxOthers = 16
)

// touches tells what an edit changes for other hosts, "" if nothing.
func (e *clientEdit) touches(before, after *workspace, names []string, c candidate) string {
	for _, host := range e.others(before, names, c) {
		request := e.request
		request.Host = host
		was, err := ResolveClient(before.env, request)
		if err != nil {
			continue // nobody goes there
		}
		is, err := ResolveClient(after.env, request)
		if err != nil {
			return fmt.Sprintf("for the host %s ssh would say: %v", printable(host), err)
		}
		if reason := differs(&is.Resolved, &was.Resolved, &was.Resolved, "", nil); reason != "" {
			return "for the host " + printable(host) + " " + reason
		}
	}
	return ""
}

// others are hosts that the files have lines for: those nearest to the edit.
func (e *clientEdit) others(w *workspace, names []string, c candidate) []string {
	type named struct {
		host     string
		distance int
	}
	var all []named
	for _, f := range w.files(names) {
		edited := firstChange(f.src, c.src)
		for i := range f.Lines {
			l := &f.Lines[i]
			if !strings.EqualFold(l.Keyword, "host") {
				continue
			}
			distance := max(l.Start-edited, edited-l.Start)
			if f.Name != c.name {
				distance += len(f.src) + len(c.src)
			}
			for _, pattern := range l.Args {
				if host := instance(strings.TrimPrefix(pattern, "!"), "x"); plainHost(host) && !strings.EqualFold(host, e.host) {
					all = append(all, named{host, distance})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b named) int { return a.distance - b.distance })
	hosts := []string{otherHost}
	for _, n := range all {
		if len(hosts) < maxOthers && !slices.Contains(hosts, n.host) {
			hosts = append(hosts, n.host)
		}
	}
	return hosts
}

// firstChange is where two texts begin to differ.
func firstChange(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// instance is a string that a pattern matches.
func instance(pattern, letter string) string {
	return strings.NewReplacer("*", letter, "?", letter).Replace(pattern)
}

// others are connections that Match lines ask for, and one that none knows.
func (e *serverEdit) others(w *workspace, names []string) []Connection {
	stranger := Connection{User: otherUser, Host: otherHost, Addr: "192.0.2.1", LocalAddr: "192.0.2.2", LocalPort: 22}
	all := []Connection{stranger}
	if e.request.Connection != nil {
		all = append(all, *e.request.Connection)
	}
	for _, f := range w.files(names) {
		for i := range f.Lines {
			if l := &f.Lines[i]; strings.EqualFold(l.Keyword, "match") && len(all) < maxOthers {
				if c := matchedBy(l, stranger); !slices.Contains(all, c) {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// matchedBy is a connection that a Match line is likely to match.
func matchedBy(l *Line, c Connection) Connection {
	words := strings.FieldsFunc(l.Rest, func(r rune) bool { return strings.ContainsRune(" \t=\"", r) })
	for i := 0; i+1 < len(words); i += 2 {
		pattern, _, _ := strings.Cut(words[i+1], ",")
		pattern = strings.TrimPrefix(pattern, "!")
		address, _, _ := strings.Cut(instance(pattern, "7"), "/")
		switch asciiLower(words[i]) {
		case "user":
			c.User = instance(pattern, "x")
		case "host":
			c.Host = instance(pattern, "x")
		case "address":
			c.Addr = address
		case "localaddress":
			c.LocalAddr = address
		case "localport":
			if n, err := strconv.ParseUint(pattern, 10, 16); err == nil {
				c.LocalPort = int(n)
			}
		case "rdomain":
			c.RDomain = instance(pattern, "x")
		}
	}
	return c
}
