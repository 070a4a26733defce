package sshconf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// hostPort splits HOST[:PORT]; brackets protect colons. more tells whether
// there was a colon.
func hostPort(s string) (host, port string, more, ok bool) {
	i := strings.IndexAny(s, ":/")
	if strings.HasPrefix(s, "[") {
		if i = strings.IndexByte(s, ']'); i < 0 {
			return "", "", false, false
		}
		i++
	}
	switch {
	case i < 0 || i == len(s):
		return s, "", false, true
	case s[i] != ':':
		return "", "", false, false
	}
	return s[:i], s[i+1:], true, true
}

// bare is a host without brackets around it.
func bare(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

// destination is [USER@]HOST[:PORT]; port 0 is none.
type destination struct {
	user, host string
	port       int
}

var errDestination = errors.New("bad destination")

// hop reads a destination as ProxyJump takes it: with a port, or as a URI.
func (r *run) hop(s string) (destination, error) {
	if d, isURI, err := r.uri(s); isURI {
		return d, err
	}
	var d destination
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		if d.user, s = s[:i], s[i+1:]; d.user == "" {
			return d, errDestination
		}
	}
	host, port, _, ok := hostPort(s)
	if !ok || host == "" {
		return d, errDestination
	}
	d.host = bare(host)
	if port != "" {
		if d.port, ok = r.port(port); !ok || d.port == 0 {
			return d, errDestination
		}
	}
	return d, nil
}

// uri reads ssh://[USER[;PARAMETERS]@]HOST[:PORT][/].
func (r *run) uri(s string) (d destination, isURI bool, err error) {
	s, isURI = strings.CutPrefix(s, "ssh://")
	if !isURI {
		return d, false, nil
	}
	if user, rest, ok := strings.Cut(s, "@"); ok {
		user, _, _ = strings.Cut(user, ";")
		if d.user, ok = unescape(user); !ok || user == "" {
			return d, true, errDestination
		}
		s = rest
	}
	rest, path := s, ""
	if i := strings.LastIndexByte(s, ']'); i < 0 || s[0] != '[' {
		rest, path, _ = strings.Cut(s, "/")
	} else if j := strings.IndexByte(s[i:], '/'); j >= 0 {
		rest, path = s[:i+j], s[i+j+1:]
	}
	host, port, _, ok := hostPort(rest)
	if !ok || path != "" {
		return d, true, errDestination
	}
	d.host = bare(host)
	if _, err := validDomain(d.host); err != nil {
		return d, true, errDestination
	}
	d.host = strings.TrimSuffix(d.host, ".")
	if port != "" {
		if d.port, ok = r.port(port); !ok || d.port == 0 {
			return d, true, errDestination
		}
	}
	return d, true, nil
}

// unescape undoes the escapes of a URI.
func unescape(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] != '%':
			b.WriteByte(s[i])
		case i+2 >= len(s):
			return "", false
		default:
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			b.WriteByte(byte(n))
			i += 2
		}
	}
	return b.String(), true
}

// safeHost tells whether a host name is harmless in a shell command.
func safeHost(s string) bool {
	if strings.HasPrefix(s, "-") {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f || strings.IndexByte("'`\"$\\;&<>|(){},", s[i]) >= 0 {
			return false
		}
	}
	return true
}

// safeUser tells the same of a user name.
func (r Release) safeUser(s string) bool {
	if strings.HasPrefix(s, "-") || strings.HasSuffix(s, `\`) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == 0x7f || strings.IndexByte("'`\";&<>|(){}", c) >= 0 ||
			r.has(1006) && (c == '$' || c == '\\') || c == ' ' && i+1 < len(s) && s[i+1] == '-' {
			return false
		}
	}
	return true
}

// The slots ProxyJump fills: what the dump shows, and the last host alone.
const (
	jumpKey  = "proxyjump"
	jumpHost = "proxyjump host"
)

// proxyJump takes a list of hops, comments cut off, or none.
func proxyJump(r *run, l *line) error {
	l.args = nil
	return r.jump(strings.TrimLeft(l.rest, blanks+"="), l.command)
}

func (r *run) jump(s string, strict bool) error {
	if strings.EqualFold(s, "none") {
		_, set := r.text(jumpKey)
		r.noJump = r.noJump || r.active && !set
		r.first(jumpKey, "none")
		return nil
	}
	list, _, _ := strings.Cut(s, "#")
	list = r.trimEnd(list)
	hops := strings.Split(list, ",")
	var last destination
	for i := len(hops) - 1; i >= 0; i-- {
		d, err := r.hop(hops[i])
		if err == nil && strict && (!safeHost(d.host) || !r.release.safeUser(d.user)) {
			err = errDestination
		}
		if err != nil {
			return fmt.Errorf("invalid ProxyJump \"%s\"", printable(list))
		}
		if i == len(hops)-1 {
			last = d
		}
	}
	if v, set := r.text("proxycommand"); set && r.active && v != "" {
		r.slot("proxycommand").hide(Value{"ProxyJump " + list, r.at})
		return nil
	}
	if _, set := r.text(jumpKey); !set {
		r.first(jumpHost, last.host)
		r.jumpUser, r.jumpPort = last.user, last.port
	}
	r.first(jumpKey, strings.Join(append(hops[:len(hops)-1:len(hops)-1], last.text()), ","))
	return nil
}

// text writes a destination as the dump does: an address in brackets.
func (d destination) text() string {
	s := d.host
	if strings.Contains(s, ":") || strings.Trim(s, "0123456789.") == "" {
		s = "[" + s + "]"
	}
	if d.user != "" {
		s = d.user + "@" + s
	}
	if d.port > 0 {
		s += ":" + strconv.Itoa(d.port)
	}
	return s
}

// trimEnd removes blanks at the end. What OpenSSH did before 10.1 cut at
// the first blank.
func (r *run) trimEnd(s string) string {
	if i := strings.IndexAny(s, spaces); i > 0 && !r.release.has(1001) {
		return s[:i]
	}
	return strings.TrimRight(s, spaces)
}
