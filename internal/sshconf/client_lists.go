package sshconf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// keyFile collects identities and certificates; the same file named twice by
// the same kind of file counts once.
func keyFile(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	if !r.active {
		return nil
	}
	return r.addKeyFile(l.key, arg, r.userFile)
}

// keyFileID is what makes a key file a duplicate.
type keyFileID struct {
	key, path string
	user      userFile
}

func (r *run) addKeyFile(key, path string, user userFile) error {
	if len(r.slot(key).values) >= maxKeyFiles {
		return fmt.Errorf("too many %s entries", key)
	}
	id := keyFileID{key, path, user}
	if !r.keyFiles[id] {
		r.keyFiles[id] = true
		r.add(key, path)
	}
	return nil
}

func sendEnv(r *run, l *line) error {
	words := l.all()
	for _, w := range words {
		if w == "" || strings.Contains(w, "=") {
			return errors.New("invalid environment name")
		}
		if pattern, remove := strings.CutPrefix(w, "-"); remove && r.active {
			s := r.slot(l.key)
			if err := r.work(len(s.values)); err != nil {
				return err
			}
			var kept []Value
			for _, v := range s.values {
				if !match(v.Text, pattern) {
					kept = append(kept, v)
				}
			}
			s.values = kept
		} else if r.active {
			r.add(l.key, w)
		}
	}
	return r.some(l, words)
}

// setEnv takes every NAME=VALUE of the first line that has one; a name counts
// once.
func setEnv(r *run, l *line) error {
	words := l.all()
	_, set := r.text(l.key)
	names := map[string]bool{}
	for _, w := range words {
		name, _, ok := strings.Cut(w, "=")
		if !ok {
			return errors.New("invalid SetEnv")
		}
		switch {
		case set:
			r.first(l.key, w)
		case !names[name]:
			r.add(l.key, w)
		}
		names[name] = true
	}
	return r.some(l, words)
}

// validDomain checks a domain and returns it in lower case without a final
// dot.
func validDomain(s string) (string, error) {
	if s == "" || !alphanumeric(s[0]) {
		return "", fmt.Errorf("domain name \"%s\" starts with invalid character", printable(s))
	}
	if strings.Contains(s, "..") {
		return "", fmt.Errorf("domain name \"%s\" contains consecutive separators", printable(s))
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '.' && c != '-' && c != '_' {
			return "", fmt.Errorf("domain name \"%s\" contains invalid characters", printable(s))
		}
	}
	return strings.TrimSuffix(asciiLower(s), "."), nil
}

// maxCanonical is how many domains or CNAME rules there may be.
const maxCanonical = 32

func canonicalDomains(r *run, l *line) error {
	words, err := l.words(func(s string) error {
		if err := notEmpty(s); err != nil {
			return err
		}
		_, err := validDomain(s)
		return err
	}, "none")
	if err != nil {
		return err
	}
	if _, set := r.text(l.key); len(words) > maxCanonical && r.active && !set && !r.release.has(907) {
		return errors.New("too many hostname suffixes")
	}
	for i, w := range words {
		words[i], _ = validDomain(w)
	}
	r.firstLine(l.key, words)
	return r.some(l, words)
}

func permittedCNAMEs(r *run, l *line) error {
	words := l.all()
	for i, w := range words {
		source, target, ok := strings.Cut(w, ":")
		switch {
		case strings.EqualFold(w, "none") && r.release.has(808):
			if len(words) > 1 {
				return fmt.Errorf("keyword %s \"none\" argument must appear alone", l.key)
			}
		case w == "*":
			words[i] = "*:*"
		case !ok || target == "":
			return fmt.Errorf("invalid permitted CNAME \"%s\"", printable(w))
		default:
			words[i] = asciiLower(source + ":" + target)
		}
	}
	if _, set := r.text(l.key); len(words) > maxCanonical && r.active && !set && !r.release.has(907) {
		return errors.New("too many permitted CNAMEs")
	}
	r.firstLine(l.key, words)
	return r.some(l, words)
}

func permitRemoteOpen(r *run, l *line) error {
	words, err := l.words(func(s string) error {
		host, port, _, ok := hostPort(s)
		if _, isPort := r.port(port); !ok || host == "" && s == "" || port != "*" && !isPort || port == "0" {
			return fmt.Errorf("bad host or port in %s: %s", l.key, printable(s))
		}
		return nil
	}, "any", "none")
	if err == nil && len(words) == 0 {
		err = fmt.Errorf("missing %s specification", l.key)
	}
	if err == nil {
		r.firstLine(l.key, words)
	}
	return err
}

// forwardAgentPath is the slot of a socket named in ForwardAgent.
const forwardAgentPath = "forwardagent path"

func forwardAgent(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	for _, w := range yesNo {
		if strings.EqualFold(arg, w.in) {
			r.first(l.key, w.out)
			return nil
		}
	}
	if err := r.agentPath(arg); err != nil {
		return err
	}
	if _, set := r.text(l.key); !set {
		r.first(l.key, "yes")
	}
	r.first(forwardAgentPath, arg)
	return nil
}

func identityAgent(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	if err := r.agentPath(arg); err != nil {
		return err
	}
	r.first(l.key, arg)
	return nil
}

// agentPath checks the variables in the path of a socket.
func (r *run) agentPath(s string) error {
	if _, err := expand(s, nil, r.env.getenv); err != nil {
		return fmt.Errorf("invalid environment expansion %s: %w", printable(s), err)
	}
	if len(s) > 0 && s[0] == '$' && !strings.HasPrefix(s, "${") {
		for i := 1; i < len(s) || i == 1; i++ {
			if i == len(s) || !alphanumeric(s[i]) && s[i] != '_' {
				return fmt.Errorf("invalid environment name %s", printable(s))
			}
		}
	}
	return nil
}

func controlPersist(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	switch arg {
	case "no", "false":
		r.first(l.key, "no")
	case "yes", "true":
		r.first(l.key, "yes")
	default:
		n, err := r.release.duration(arg)
		switch {
		case err != nil:
			return errors.New("bad ControlPersist argument")
		case n == 0:
			r.first(l.key, "yes")
		default:
			r.first(l.key, strconv.FormatInt(n, 10))
		}
	}
	return nil
}

func escapeChar(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	var c byte
	switch {
	case arg == "none":
		r.first(l.key, arg)
		return nil
	case len(arg) == 1:
		c = arg[0]
	case len(arg) == 2 && arg[0] == '^' && 64 <= arg[1] && arg[1] < 128:
		c = arg[1] & 31
	default:
		return errors.New("bad escape character")
	}
	r.first(l.key, vis(c))
	return nil
}

// vis shows a character as OpenSSH does in its dump.
func vis(c byte) string {
	prefix := `\`
	if c >= 128 {
		prefix, c = `\M`, c-128
	}
	control := c < ' ' || c == 127
	switch {
	case c == ' ' || c == '\t' || c == '\n':
		if prefix == `\` {
			return fmt.Sprintf(`\%03o`, c)
		}
		return fmt.Sprintf(`\%03o`, int(c)+128)
	case control && c == 127:
		return prefix + "^?"
	case control:
		return prefix + "^" + string(c+64)
	case prefix != `\`:
		return prefix + "-" + string(c)
	case c == '\\':
		return `\\`
	}
	return string(c)
}

func tunnelDevice(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	local, remote, _ := strings.Cut(arg, ":")
	both := []string{local, remote}
	for i, id := range both {
		n, err := integer(id, 0, 0x7fffffff-2)
		switch {
		case strings.EqualFold(id, "any"), i == 1 && !strings.Contains(arg, ":"):
			both[i] = "any"
		case err != nil:
			return errors.New("bad tun device")
		default:
			both[i] = strconv.FormatInt(n, 10)
		}
	}
	r.first(l.key, strings.Join(both, ":"))
	return nil
}
