package sshconf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// arguments applies the command line, in its order, and the destination after
// it.
func (c *clientRun) arguments() error {
	c.at, c.active, c.userFile = Origin{File: commandLine}, true, usersFile
	for _, o := range c.request.Options {
		if err := c.option(o); err != nil {
			c.fail(err)
			return errStop
		}
	}
	return c.destination(c.request.Host)
}

// fixed are options without a value that set keywords.
var fixed = map[byte][]string{
	'4': {"addressfamily inet"}, '6': {"addressfamily inet6"}, 'C': {"compression yes"},
	'N': {"sessiontype none", "requesttty false"}, 'T': {"requesttty false"}, 't': {"requesttty true"},
	'n': {"stdinnull yes"}, 'q': {"loglevel QUIET"}, 'v': {"loglevel DEBUG"}, 's': {"sessiontype subsystem"},
	'M': {"controlmaster true"},
}

// valued are options whose value is a keyword's; those after "!" override what
// came before.
var valued = map[byte]string{'b': "!bindaddress", 'B': "!bindinterface", 'S': "!controlpath", 'c': "!ciphers",
	'm': "!macs", 'P': "tag", 'l': "user"}

// option applies one option.
func (c *clientRun) option(o Option) error {
	if pairs, ok := fixed[o.Flag]; ok {
		for _, pair := range pairs {
			key, value, _ := strings.Cut(pair, " ")
			c.slots[key] = &slot{values: []Value{{value, c.at}}}
		}
		return nil
	}
	if key, ok := valued[o.Flag]; ok {
		if key, over := strings.CutPrefix(key, "!"); over {
			c.slots[key] = &slot{values: []Value{{o.Value, c.at}}}
		} else {
			c.first(key, o.Value)
		}
		return nil
	}
	switch o.Flag {
	case 'F':
		c.config = o.Value
	case 'i':
		return c.identity(o.Value)
	case 'J':
		if _, set := c.text(jumpKey); set {
			return errors.New("only a single -J option is permitted (use commas to separate multiple jump hops)")
		}
		if _, set := c.text("proxycommand"); set {
			return errors.New("cannot specify -J with ProxyCommand")
		}
		return c.jump(o.Value, true)
	case 'o':
		f := Parse(commandLine, []byte(strings.ReplaceAll(o.Value, "\n", " ")))
		for i := range f.Lines {
			if err := c.apply(&f.Lines[i], reading{user: usersFile}); err != nil {
				return err
			}
		}
	case 'p':
		n, ok := c.port(o.Value)
		if _, set := c.text("port"); !set && (!ok || n == 0) {
			return fmt.Errorf("bad port '%s'", printable(o.Value))
		}
		c.first("port", strconv.Itoa(n))
	default:
		return fmt.Errorf("option -%c is not known here", o.Flag)
	}
	return nil
}

// identity adds a file named by -i, if it is there.
func (c *clientRun) identity(name string) error {
	path, err := c.env.tilde(name)
	if err != nil {
		return err
	}
	if c.env.Stat != nil {
		if _, err := c.env.Stat(path); err != nil {
			c.warn("identity file %s not accessible: %v", printable(path), err)
			return nil
		}
	}
	return c.addKeyFile("identityfile", path, byOption)
}

// destination takes [USER@]HOST or a URI; what options said before wins.
func (c *clientRun) destination(s string) error {
	d, isURI, err := c.uri(s)
	if err != nil {
		return fmt.Errorf("bad destination %s", printable(s))
	}
	if !isURI {
		d.host = s
		if i := strings.LastIndexByte(s, '@'); i >= 0 {
			d.user, d.host = s[:i], s[i+1:]
			if d.user == "" {
				return fmt.Errorf("bad destination %s", printable(s))
			}
		}
	}
	if d.user != "" {
		c.first("user", d.user)
	}
	if d.port != 0 {
		c.first("port", strconv.Itoa(d.port))
	}
	if kind, _ := c.text("sessiontype"); kind == "subsystem" && c.request.Command == "" {
		return errors.New("you must specify a subsystem to invoke")
	}
	c.host, c.original = d.host, d.host
	user, set := c.text("user")
	switch {
	case set && !c.release.safeUser(user):
		return errors.New("remote username contains invalid characters")
	case !safeHost(d.host) || d.host == "":
		return errors.New("hostname contains invalid characters")
	}
	return nil
}
