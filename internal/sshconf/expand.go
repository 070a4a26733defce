package sshconf

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// errUnsetVariable is a ${NAME} that the environment does not have.
var errUnsetVariable = errors.New("an environment variable is not set")

// tokens are what %-letters stand for.
type tokens map[byte]string

// maxExpanded bounds what tokens can make of a value.
const maxExpanded = 1 << 20

// expand replaces %-tokens, and ${NAME} if getenv is given. OpenSSH goes on
// after an unset variable to find worse errors first; so does this.
func expand(s string, t tokens, getenv func(string) (string, bool)) (string, error) {
	var b strings.Builder
	unset := ""
	for i := 0; i < len(s); i++ {
		switch {
		case getenv != nil && strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return "", fmt.Errorf("%q lacks a closing }", s[i:])
			}
			name := s[i+2 : i+end]
			if name == "" {
				return "", errors.New("a variable without a name: ${}")
			}
			value, ok := getenv(name)
			if !ok {
				unset = name
			}
			b.WriteString(value)
			i += end
		case t == nil || s[i] != '%':
			b.WriteByte(s[i])
		case i+1 == len(s):
			return "", errors.New("a % at the end")
		default:
			i++
			value, ok := t[s[i]]
			if s[i] == '%' {
				value, ok = "%", true
			}
			if !ok {
				return "", fmt.Errorf("unknown key %%%c", s[i])
			}
			b.WriteString(value)
		}
		if b.Len() > maxExpanded {
			return "", errors.New("the value becomes too long")
		}
	}
	if unset != "" {
		return "", fmt.Errorf("%w: %s", errUnsetVariable, unset)
	}
	return b.String(), nil
}

// connection is what the tokens of a client are made of.
type connection struct {
	host, original, alias, jump string // %h %n %k %j
	port                        int
	user                        string // %r
}

// tokens returns what every %-letter means; without user also %r and %C go, of
// which the user name is a part.
func (e *Env) tokens(c connection, r Release) tokens {
	short, _, _ := strings.Cut(e.Hostname, ".")
	port := strconv.Itoa(c.port)
	t := tokens{
		'L': short, 'l': e.Hostname, 'd': e.Home, 'u': e.User, 'i': strconv.Itoa(e.UID),
		'h': c.host, 'n': c.original, 'k': c.alias, 'p': port,
	}
	seed := e.Hostname + c.host + port + c.user
	if r.has(906) {
		seed += c.jump
		t['j'] = c.jump
	}
	hash := sha1.Sum([]byte(seed))
	t['r'], t['C'] = c.user, hex.EncodeToString(hash[:])
	return t
}

// only keeps the tokens named.
func (t tokens) only(letters string) tokens {
	kept := tokens{}
	for i := range letters {
		if v, ok := t[letters[i]]; ok {
			kept[letters[i]] = v
		}
	}
	return kept
}
