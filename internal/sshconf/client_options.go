package sshconf

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The directives of ssh_config that are neither a word, a number nor a time.

// maxHostFiles is how many files a list of known hosts may have.
const maxHostFiles = 32

// maxKeyFiles is how many identities or certificates there may be.
const maxKeyFiles = 100

func clientPort(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	n, ok := r.port(arg)
	if !ok || n == 0 {
		return fmt.Errorf("bad port '%s'", printable(arg))
	}
	r.first(l.key, strconv.Itoa(n))
	return nil
}

func clientKeepAlive(r *run, l *line) error {
	if r.release.has(1006) {
		return choice(keepAlives)(r, l)
	}
	return onOff(r, l)
}

func clientPubkeyAuth(r *run, l *line) error {
	if r.release.has(809) {
		return choice(pubkeyAuth)(r, l)
	}
	return onOff(r, l)
}

// command takes the rest of the line as it stands, comments and all.
func command(r *run, l *line) error {
	l.args = nil
	r.first(l.key, strings.TrimLeft(l.rest, blanks+"="))
	return nil
}

func proxyCommand(r *run, l *line) error {
	_, ok := r.text(jumpKey)
	if blocks := ok && !(r.noJump && (r.release.has(1003) || r.release.Debian)); blocks && r.active {
		l.args = nil
		r.slot("proxyjump").hide(Value{l.keyword + " " + strings.TrimLeft(l.rest, blanks+"="), r.at})
		return nil
	}
	return command(r, l)
}

func logLevel(r *run, l *line) error {
	arg, _ := l.next()
	for _, w := range logLevels {
		if strings.EqualFold(arg, w.in) {
			if w.out == "QUIET" && r.release.Debian {
				w.out = "SILENT"
			}
			r.first(l.key, w.out)
			return nil
		}
	}
	return fmt.Errorf("unsupported log level '%s'", printable(arg))
}

// clientFacility counts in every block, whether it matches or not.
func clientFacility(r *run, l *line) error {
	active := r.active
	r.active = true
	err := choice(facilities)(r, l)
	r.active = active
	return err
}

// bindMask reads a file mode.
func bindMask(l *line) (string, error) {
	arg, ok := l.next()
	if !ok {
		return "", errMissing
	}
	s := strings.TrimPrefix(strings.TrimLeft(arg, spaces), "+")
	end := len(s) - len(strings.TrimLeft(s, "01234567"))
	n, err := strconv.ParseUint(s[:end], 8, 32)
	if err != nil || n > 0o777 {
		return "", errors.New("bad mask")
	}
	return "0" + strconv.FormatUint(n, 8), nil
}

// clientBindMask is set by the last line, matching or not, until 10.6.
func clientBindMask(r *run, l *line) error {
	mask, err := bindMask(l)
	switch {
	case err != nil:
		return err
	case r.release.has(1006):
		r.first(l.key, mask)
	default:
		r.last(l.key, mask)
	}
	return nil
}

func clientQoS(r *run, l *line) error {
	pair, err := qosPair(l, r.release)
	if err == nil {
		r.first(l.key, pair)
	}
	return err
}

func gssKex(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	for _, name := range strings.Split(arg, ",") {
		if name == "" {
			break
		}
		if !strings.HasPrefix(name, "gss-") || !r.release.validAlgorithms(kexAlgorithms, name) {
			return fmt.Errorf("bad GSSAPI algorithms '%s'", printable(arg))
		}
	}
	r.first(l.key, arg)
	return nil
}

// words takes all arguments as one value; "none" and its like must be alone.
func (l *line) words(check func(string) error, alone ...string) ([]string, error) {
	args := l.all()
	for _, a := range args {
		if slices.ContainsFunc(alone, func(word string) bool { return strings.EqualFold(a, word) }) {
			if len(args) > 1 {
				return nil, fmt.Errorf("keyword %s \"%s\" argument must appear alone", l.key, asciiLower(a))
			}
			return args, nil
		}
		if err := check(a); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func notEmpty(s string) error {
	if s == "" {
		return errors.New("empty argument")
	}
	return nil
}

// firstLine sets a list that the dump shows on one line; the first line with
// words in it wins, all of it.
func (r *run) firstLine(key string, words []string) {
	if len(words) > 0 {
		r.first(key, strings.Join(words, " "))
	}
}

func wordList(limit int) directive {
	return func(r *run, l *line) error {
		words, err := l.words(notEmpty, "none")
		if err != nil {
			return err
		}
		if _, set := r.text(l.key); len(words) > limit && r.active && !set {
			return fmt.Errorf("too many %s entries", l.key)
		}
		r.firstLine(l.key, words)
		return nil
	}
}

// some is the error of a list without a word, which newer releases refuse.
func (r *run) some(l *line, words []string) error {
	if len(words) == 0 && r.release.has(907) {
		return fmt.Errorf("no %s specified", l.key)
	}
	return nil
}

// logVerbose keeps one word of a line only, the first; that is what it does.
func logVerbose(r *run, l *line) error {
	words, err := l.words(notEmpty, "none")
	if err == nil && len(words) > 0 {
		r.first(l.key, words[0])
	}
	return err
}

func revokedKeys(r *run, l *line) error {
	if !r.release.has(1003) {
		return text(r, l)
	}
	words, err := l.words(notEmpty, "none")
	if err == nil {
		r.firstLine(l.key, words)
		err = r.some(l, words)
	}
	return err
}

func channelTimeout(r *run, l *line) error {
	words, err := l.words(r.release.timeout, "none")
	if err == nil {
		r.firstLine(l.key, words)
		err = r.some(l, words)
	}
	return err
}

// timeout checks TYPE=TIME of ChannelTimeout.
func (r Release) timeout(s string) error {
	kind, time, ok := strings.Cut(s, "=")
	if ok && kind != "" {
		_, err := r.duration(time)
		ok = err == nil
	}
	if !ok || kind == "" {
		return fmt.Errorf("invalid channel timeout %s", printable(s))
	}
	return nil
}

func keystrokes(r *run, l *line) error {
	words := l.all()
	if len(words) != 1 {
		return errors.New("one argument is needed")
	}
	switch arg := words[0]; arg {
	case "yes", "true":
		r.first(l.key, "yes")
	case "no", "false":
		r.first(l.key, "no")
	default:
		interval, ok := strings.CutPrefix(arg, "interval:")
		n, err := integer(interval, 1, 1000)
		if !ok || err != nil {
			return fmt.Errorf("unsupported argument \"%s\"", printable(arg))
		}
		value := strconv.FormatInt(n, 10)
		if n == 20 {
			value = "yes"
		}
		r.first(l.key, value)
	}
	return nil
}

// versionAddendum takes the rest of the line. OpenSSH means to cut a comment
// off, and does not.
func versionAddendum(r *run, l *line) error {
	l.args = nil
	value := strings.TrimLeft(l.rest, blanks)
	switch {
	case strings.Contains(value, "\r"):
		return errors.New("invalid argument")
	case strings.EqualFold(value, "none"):
		value = ""
	}
	r.first(l.key, value)
	return nil
}

func refuseConnection(r *run, l *line) error {
	arg, ok := l.next()
	switch {
	case !ok:
		return errMissing
	case r.active:
		r.fail(errors.New("RefuseConnection: " + printable(arg)))
		return errStop
	}
	return nil
}

func addKeysToAgent(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	second, two := l.any()
	value := ""
	for _, w := range slices.Concat(trueAsk, []state{{"confirm", "confirm"}}) {
		if strings.EqualFold(arg, w.in) {
			value = w.out
		}
	}
	switch {
	case value == "" && !two, value == "confirm" && two:
		time := arg
		if two {
			time = second
		}
		n, err := r.release.duration(time)
		if err != nil {
			return errors.New("unsupported option")
		}
		switch {
		case n > 0 && two:
			value = "confirm " + strconv.FormatInt(n, 10)
		case n > 0:
			value = strconv.FormatInt(n, 10)
		case !two:
			value = "true"
		}
	case value == "" || two:
		return errors.New("unsupported option")
	}
	r.first(l.key, value)
	return nil
}
