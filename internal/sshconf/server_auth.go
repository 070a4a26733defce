package sshconf

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The directives of sshd_config that say who may log in, and how.

func rootLogin(r *run, l *line) error {
	words := rootLogins
	if r.release.has(1004) { // the newer name goes first
		words = states("without-password prohibit-password", "prohibit-password", "forced-commands-only", "yes", "no")
	}
	return choice(words)(r, l)
}

func revokedFiles(r *run, l *line) error {
	if !r.release.has(1003) {
		return filename(r, l)
	}
	return keysFiles(r, l)
}

func keysFiles(r *run, l *line) error {
	alone := []string{"none"}
	if !r.release.has(1003) {
		alone = nil
	}
	words, err := l.words(notEmpty, alone...)
	if err != nil {
		return err
	}
	for i, w := range words {
		if words[i], err = r.env.tilde(w); err != nil {
			return err
		}
	}
	r.firstLine(l.key, words)
	return r.some(l, words)
}

func principalsFile(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	path, err := r.env.tilde(arg)
	if err == nil {
		r.first(l.key, path)
	}
	return err
}

func authCommand(r *run, l *line) error {
	l.args = nil
	command := strings.TrimLeft(l.rest, blanks)
	if !strings.HasPrefix(command, "/") && !strings.EqualFold(command, "none") {
		return fmt.Errorf("%s must be an absolute path", l.key)
	}
	r.first(l.key, command)
	return nil
}

func userPatterns(r *run, l *line) error {
	words := l.all()
	for _, w := range words {
		_, hosts, at := strings.Cut(w, "@")
		bad := w == ""
		if at {
			_, err := matchAddrList("", hosts)
			bad = bad || err != nil
		}
		if bad {
			return fmt.Errorf("invalid %s pattern: \"%s\"", l.key, printable(w))
		}
		r.add(l.key, w)
	}
	return r.some(l, words)
}

func groupPatterns(r *run, l *line) error {
	words, err := l.words(notEmpty)
	for _, w := range words {
		r.add(l.key, w)
	}
	if err == nil {
		err = r.some(l, words)
	}
	return err
}

// serverMethods are the names of authentication methods.
var serverMethods = strings.Fields("none publickey gssapi-keyex gssapi-with-mic password keyboard-interactive hostbased")

func authMethods(r *run, l *line) error {
	words := l.all()
	if len(words) == 0 {
		return errors.New("no AuthenticationMethods specified")
	}
	_, set := r.text(l.key)
	for i, w := range words {
		if w == "any" {
			if i > 0 || len(words) > 1 || set && !r.release.has(907) {
				return errors.New("\"any\" must appear alone in AuthenticationMethods")
			}
			continue
		}
		for _, m := range strings.Split(w, ",") {
			name, _, _ := strings.Cut(m, ":")
			if !slices.Contains(serverMethods, name) {
				return fmt.Errorf("invalid AuthenticationMethods method list: %s", printable(w))
			}
		}
	}
	r.firstLine(l.key, words)
	return nil
}

func pubkeyOptions(r *run, l *line) error {
	touch, verify, tests := false, false, ""
	for _, w := range l.all() {
		switch count, isCount := strings.CutPrefix(asciiLower(w), "max-pk-ok:"); {
		case strings.EqualFold(w, "none"):
		case strings.EqualFold(w, "touch-required"):
			touch = true
		case strings.EqualFold(w, "verify-required"):
			verify = true
		case isCount && r.release.has(1006):
			n, err := integer(count, 0, math.MaxInt32)
			if err != nil {
				return fmt.Errorf("unsupported PubkeyAuthOptions option %s", printable(w))
			}
			tests = "max-pk-ok:" + strconv.FormatInt(n, 10)
		default:
			return fmt.Errorf("unsupported PubkeyAuthOptions option %s", printable(w))
		}
	}
	var words []string
	for word, on := range map[string]bool{"touch-required": touch, "verify-required": verify} {
		if on {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	if len(words) == 0 {
		words = []string{"none"}
	}
	if tests != "" {
		words = append(words, tests)
	}
	r.firstLine(l.key, words)
	return nil
}
