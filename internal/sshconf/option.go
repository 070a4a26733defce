package sshconf

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// option is one keyword of a manual.
type option struct {
	name  string // as the manual spells it
	apply directive
	unset string // what the dump says when nothing sets it; "" is no line at all
	since since
	only  patch // which builds know it; zero is all
}

// patch is who added a keyword.
type patch int

const (
	upstream patch = iota
	debian         // Debian, Ubuntu and their children
	vendor         // somebody else: accepted, except where the build is known to be Debian's
)

// known tells whether a release has the keyword.
func (r Release) known(o option) bool {
	switch {
	case o.only == debian && !r.Debian, o.only == vendor && r.Debian:
		return false
	}
	return r.has(o.since)
}

// errMissing is an argument that is not there.
var errMissing = errors.New("missing argument")

// state is one word of a keyword that takes one of several.
type state struct{ in, out string }

// states builds them from "in out" pairs; a single word stands for itself.
func states(pairs ...string) (all []state) {
	for _, p := range pairs {
		in, out, ok := strings.Cut(p, " ")
		if !ok {
			out = in
		}
		all = append(all, state{in, out})
	}
	return all
}

// choice takes one word of several, whatever its case.
func choice(words []state) directive {
	return func(r *run, l *line) error {
		arg, ok := l.next()
		if !ok {
			return errMissing
		}
		for _, w := range words {
			if strings.EqualFold(arg, w.in) {
				r.first(l.key, w.out)
				return nil
			}
		}
		return fmt.Errorf("unsupported option \"%s\"", printable(arg))
	}
}

// text takes one word as it is.
func text(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	r.first(l.key, arg)
	return nil
}

// number takes an integer from 0 on.
func number(r *run, l *line) error {
	n, err := l.integer()
	if err != nil {
		return err
	}
	r.first(l.key, strconv.FormatInt(n, 10))
	return nil
}

func (l *line) integer() (int64, error) {
	arg, ok := l.next()
	if !ok {
		return 0, errors.New("integer value missing")
	}
	n, err := integer(arg, 0, math.MaxInt32)
	if err != nil {
		return 0, fmt.Errorf("integer value %w", err)
	}
	return n, nil
}

// seconds takes a time. With none, the word "none" is read and sets nothing, so
// that a later line still can.
func seconds(none bool) directive {
	return func(r *run, l *line) error {
		arg, ok := l.next()
		switch {
		case !ok:
			return errors.New("missing time value")
		case none && arg == "none":
			return nil
		}
		n, err := r.release.duration(arg)
		if err != nil {
			return errors.New("invalid time value")
		}
		r.first(l.key, strconv.FormatInt(n, 10))
		return nil
	}
}

// rekeyLimit takes bytes and perhaps a time, which are set apart: the time of
// one line can go with the bytes of another.
func rekeyLimit(none bool) directive {
	return func(r *run, l *line) error {
		arg, ok := l.next()
		if !ok {
			return errMissing
		}
		var n int64
		if arg != "default" {
			var err error
			if n, err = scaled(arg); err != nil {
				return fmt.Errorf("bad number '%s': %w", printable(arg), err)
			}
			if n != 0 && n < 16 {
				return errors.New("RekeyLimit too small")
			}
		}
		r.first(l.key, strconv.FormatInt(n, 10))
		switch {
		case len(l.args) == 0:
			return nil
		case l.args[0] == "none":
			l.any()
			return nil
		}
		half := *l
		half.key = rekeyTime
		err := seconds(none)(r, &half)
		l.args = half.args
		return err
	}
}

// rekeyTime is the slot of the time of RekeyLimit.
const rekeyTime = "rekeylimit time"

// qosPair takes one or two values of IPQoS.
func qosPair(l *line, release Release) (string, error) {
	arg, ok := l.any()
	if !ok {
		return "", errMissing
	}
	interactive, err := release.qosText(arg)
	bulk := interactive
	if second, ok := l.any(); ok && err == nil {
		arg = second
		bulk, err = release.qosText(arg)
	}
	if err != nil {
		return "", fmt.Errorf("bad IPQoS value: %s", printable(arg))
	}
	return interactive + " " + bulk, nil
}

// ignore accepts a line that means nothing any more.
func ignore(r *run, l *line) error {
	l.args = nil
	return nil
}

var logLevels = states("SILENT QUIET", "QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG1 DEBUG", "DEBUG2", "DEBUG3")

var facilities = states("DAEMON", "USER", "AUTH", "AUTHPRIV", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7")

var hashes = states("MD5", "SHA1", "SHA256", "SHA384", "SHA512")

// port reads a port or the name of a service.
func (r *run) port(s string) (int, bool) {
	if n, err := integer(s, 0, 65535); err == nil {
		return int(n), true
	}
	if r.services == nil {
		r.services = map[string]int{"ssh": 22}
		if r.env.ReadFile != nil {
			src, _ := r.env.ReadFile("/etc/services", MaxFileSize)
			readServices(string(src), r.services)
		}
	}
	n, ok := r.services[s]
	return n, ok
}

// readServices adds the TCP services of a file like /etc/services, the first
// of a name.
func readServices(src string, services map[string]int) {
	seen := map[string]bool{}
	for entry := range strings.Lines(src) {
		entry, _, _ = strings.Cut(entry, "#")
		f := strings.Fields(entry)
		if len(f) < 2 {
			continue
		}
		number, protocol, _ := strings.Cut(f[1], "/")
		n, err := strconv.ParseUint(number, 10, 16)
		for i, name := range f {
			if i != 1 && protocol == "tcp" && err == nil && !seen[name] {
				seen[name] = true
				services[name] = int(n)
			}
		}
	}
}
