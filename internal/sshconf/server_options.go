package sshconf

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The directives of sshd_config that are neither a word, a number nor a time.

const maxPorts, maxSubsystems = 256, 256

func serverPort(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errors.New("missing port number")
	}
	n, ok := r.port(arg)
	switch {
	case !ok || n == 0:
		return errors.New("badly formatted port number")
	case len(r.slot(l.key).values) >= maxPorts:
		return errors.New("too many ports")
	}
	r.add(l.key, strconv.Itoa(n))
	return nil
}

func serverKeepAlive(r *run, l *line) error {
	if r.release.has(1006) {
		return choice(serverKeepDead)(r, l)
	}
	return serverOnOff(r, l)
}

func serverBindMask(r *run, l *line) error {
	mask, err := bindMask(l)
	switch {
	case err != nil:
		return err
	case r.release.has(1006):
		r.first(l.key, mask)
	case r.active:
		r.last(l.key, mask)
	}
	return nil
}

func fingerprintHash(r *run, l *line) error {
	for _, w := range hashes {
		if len(l.args) > 0 && strings.EqualFold(l.args[0], w.in) {
			l.any()
			if r.active {
				r.last(l.key, w.out)
			}
			return nil
		}
	}
	return errors.New("invalid hash algorithm")
}

// unusedTimeout: "none" wins over lines before it, a time does not.
func unusedTimeout(r *run, l *line) error {
	if len(l.args) > 0 && strings.EqualFold(l.args[0], "none") {
		l.any()
		if r.active {
			r.last(l.key, "none")
		}
		return nil
	}
	half := *l
	err := seconds(false)(r, &half)
	l.args = half.args
	if s := r.slots[l.key]; s != nil && len(s.values) > 0 && s.values[0].Text == "0" {
		s.values[0].Text = "none"
	}
	return err
}

// filename takes a path.
func filename(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errors.New("missing file name")
	}
	path, err := r.path(arg)
	if err == nil {
		r.first(l.key, path)
	}
	return err
}

// path is a path as sshd prints it: relative to where it was started.
func (r *run) path(s string) (string, error) {
	if strings.EqualFold(s, "none") {
		return "none", nil
	}
	full, err := r.env.tilde(s)
	if err == nil && !strings.HasPrefix(full, "/") && r.env.Dir != "" {
		full = r.env.Dir + "/" + full
	}
	return full, err
}

func keyProvider(r *run, l *line) error {
	if len(l.args) > 0 && strings.EqualFold(l.args[0], "internal") {
		return text(r, l)
	}
	return filename(r, l)
}

func hostKeyAgent(r *run, l *line) error {
	if len(l.args) > 0 && l.args[0] == "SSH_AUTH_SOCK" {
		return text(r, l)
	}
	return filename(r, l)
}

func hostKey(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errors.New("missing file name")
	}
	path, err := r.path(arg)
	if err == nil {
		r.add(l.key, path)
	}
	return err
}

func forceCommand(r *run, l *line) error {
	l.args = nil
	r.first(l.key, strings.TrimLeft(l.rest, blanks))
	return nil
}

func serverAddendum(r *run, l *line) error { return versionAddendum(r, l) }

func acceptEnv(r *run, l *line) error {
	words := l.all()
	for _, w := range words {
		if w == "" || strings.Contains(w, "=") {
			return errors.New("invalid environment name")
		}
		r.add(l.key, w)
	}
	return r.some(l, words)
}

func serverSetEnv(r *run, l *line) error {
	if slices.Contains(l.args, "") {
		return errors.New("invalid environment")
	}
	return setEnv(r, l)
}

func serverLogVerbose(r *run, l *line) error {
	words, err := l.words(notEmpty, "none")
	if err == nil {
		r.firstLine(l.key, words)
		err = r.some(l, words)
	}
	return err
}

func subsystem(r *run, l *line) error {
	name, ok := l.next()
	if !ok {
		return errMissing
	}
	if r.release.has(1003) && (len(l.args) == 0 || l.args[0] == "") {
		return errMissing
	}
	if !r.active {
		l.any()
		if r.release.has(908) {
			l.all()
		}
		return nil
	}
	s := r.slot(l.key)
	for _, v := range s.values {
		if strings.HasPrefix(v.Text, name+" ") {
			if !r.release.has(908) {
				return fmt.Errorf("subsystem '%s' already defined", printable(name))
			}
			s.hide(Value{name + " " + strings.Join(l.all(), " "), r.at})
			return nil
		}
	}
	command := l.all()
	switch {
	case len(command) == 0 || command[0] == "":
		return errors.New("missing subsystem command")
	case len(s.values) >= maxSubsystems:
		return errors.New("too many subsystems defined")
	}
	if r.release.has(905) {
		command = []string{assembleArgs(command)}
	}
	r.add(l.key, name+" "+strings.Join(command, " "))
	return nil
}

// assembleArgs writes arguments with the quotes they need.
func assembleArgs(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`).Replace(a)
		if strings.ContainsAny(a, " \t") {
			out[i] = `"` + out[i] + `"`
		}
	}
	return strings.Join(out, " ")
}

func permitTunnel(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	if !slices.Contains([]string{"no", "yes", "point-to-point", "ethernet"}, arg) {
		return fmt.Errorf("bad %s argument %s", l.key, printable(arg))
	}
	r.first(l.key, arg)
	return nil
}

// serverQoS is set by the last line until 10.3.
func serverQoS(r *run, l *line) error {
	pair, err := qosPair(l, r.release)
	switch {
	case err != nil:
		return err
	case r.release.has(1003):
		r.first(l.key, pair)
	case r.active:
		r.last(l.key, pair)
	}
	return nil
}

func permitOpen(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	if arg == "any" || arg == "none" {
		r.firstLine(l.key, []string{arg})
		return nil
	}
	words := []string{}
	for ; ok; arg, ok = l.next() {
		host, port, more, valid := hostPort(arg)
		if l.key == "permitlisten" && !strings.Contains(arg, ":") {
			host, port, more, valid = "*", arg, true, true
			arg = "*:" + arg
		}
		if n, isPort := r.port(port); !valid || !more || port != "*" && (!isPort || n == 0) {
			return fmt.Errorf("%s bad host or port: %s", l.key, printable(host+":"+port))
		}
		words = append(words, arg)
	}
	r.firstLine(l.key, words)
	return nil
}

func userEnvironment(r *run, l *line) error { return text(r, l) }
