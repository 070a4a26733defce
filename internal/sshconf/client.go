package sshconf

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// ClientRequest is one use of ssh.
type ClientRequest struct {
	Host    string   // the destination as typed: [USER@]HOST or ssh://[USER@]HOST[:PORT]
	Options []Option // of the command line, in the order given
	Config  string   // of -F: a file to read instead of the usual two, or "none"
	Command string   // to be run on the other side, if any
	Release Release  // whose rules hold; zero is the newest known
}

// Option is one option of the ssh command line, such as {'o', "Port=2222"}.
type Option struct {
	Flag  byte
	Value string
}

// Client is what ssh would do with a request.
type Client struct {
	Resolved
	Host string // the name that would be looked up and connected to

	env    *Env
	config string // of -F
	tokens tokens
}

// clientRun is a resolution under way.
type clientRun struct {
	*run
	request   ClientRequest
	host      string // as it stands: typed, then canonical
	original  string // as typed
	final     bool   // second pass
	wantFinal bool   // a Match asked for it
	read      []string
	config    string
}

// ResolveClient finds out what ssh would do, as `ssh -G` prints it, and where
// every value comes from. If OpenSSH would refuse the configuration the error
// holds every reason found, and the Client what could be read before.
//
// It reads files, and looks up names and runs commands if the configuration
// asks for it and env lets it.
func ResolveClient(env *Env, request ClientRequest) (*Client, error) {
	c := &clientRun{run: newRun(env, request.Release), request: request, config: request.Config}
	c.keyFiles = map[keyFileID]bool{}
	client := &Client{env: env}
	err := c.resolve(client)
	client.config = c.config
	if err != nil && err != errStop {
		c.errs = append(c.errs, err)
	}
	client.Files, client.Warnings, client.Host, client.via = c.read, c.warnings, c.host, c.via
	if client.Settings == nil {
		client.Settings = c.dump()
	}
	if len(c.errs) > 0 {
		return client, Errors(c.errs)
	}
	return client, nil
}

func (c *clientRun) resolve(client *Client) error {
	if err := c.arguments(); err != nil {
		return err
	}
	if err := c.pass(); err != nil {
		return err
	}
	if err := c.canonicalize(); err != nil {
		return err
	}
	if c.wantFinal {
		c.final = true
		if err := c.pass(); err != nil {
			return err
		}
	}
	if err := c.finish(); err != nil {
		return err
	}
	t, err := c.lateTokens()
	if err != nil {
		return err
	}
	client.tokens = t
	return c.expandAll(t)
}

// pass reads the files once.
func (c *clientRun) pass() error {
	if c.config != "" {
		if strings.EqualFold(c.config, "none") {
			return nil
		}
		err := c.readFile(c.config, reading{user: usersFile})
		var open errOpen
		if errors.As(err, &open) {
			return fmt.Errorf("can't open user config file %s: %w", printable(c.config), open.err)
		}
		return err
	}
	for _, file := range []struct {
		name string
		how  reading
	}{
		{c.env.Home + "/.ssh/config", reading{user: usersFile, check: true}},
		{systemDir + "/ssh_config", reading{user: systemFile}},
	} {
		if file.how.user == usersFile && c.env.Home == "" {
			continue
		}
		err := c.readFile(file.name, file.how)
		var open errOpen
		switch {
		case errors.As(err, &open):
			if !errors.Is(err, fs.ErrNotExist) {
				c.at = Origin{File: file.name}
				c.warn("not read, as ssh does not say either: %v", open.err)
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// apply applies one line.
func (c *clientRun) apply(text *Line, how reading) error {
	keyword := asciiLower(text.Keyword)
	if text.Problem == noArgument {
		return fmt.Errorf("no argument after keyword \"%s\"", printable(keyword))
	}
	key, o, known := c.release.clientKeyword(keyword)
	special := keyword == "host" || keyword == "match" || keyword == "include"
	gone := false
	for _, g := range clientGone {
		gone = gone || keyword == g
	}
	if !known && !special && !gone {
		if list, ok := c.text("ignoreunknown"); !ok || matchList(keyword, list, true) != matched {
			return fmt.Errorf("bad configuration option: %s", printable(keyword))
		}
	}
	args, err := c.release.args(text)
	if err != nil {
		return err
	}
	l := &line{keyword: keyword, key: key, rest: text.Rest, args: args, command: c.at.CommandLine()}
	switch {
	case keyword == "host":
		err = c.hostLine(l, how)
	case keyword == "match":
		var hit bool
		if l.command {
			return errors.New("directive Match not supported as a command-line option")
		}
		if hit, err = c.matchLine(l); err == nil {
			c.active = hit && !how.never
		}
	case keyword == "include":
		err = c.include(l, how)
	case known:
		err = o.apply(c.run, l)
	default:
		return nil
	}
	if err == nil {
		err = l.extra()
	}
	return err
}

// hostLine decides a Host line. One negated pattern that matches is enough
// against it.
func (c *clientRun) hostLine(l *line, how reading) error {
	if l.command {
		return errors.New("directive Host not supported as a command-line option")
	}
	c.active = false
	for _, pattern := range l.all() {
		if pattern == "" {
			return errors.New("keyword host empty argument")
		}
		if how.never {
			return nil
		}
		pattern, not := strings.CutPrefix(pattern, "!")
		if !match(c.host, pattern) {
			continue
		}
		if c.active = !not; not {
			return nil
		}
	}
	return nil
}

func (c *clientRun) portSoFar() int {
	port, _ := c.text("port")
	if n, err := strconv.Atoi(port); err == nil && n > 0 {
		return n
	}
	return 22
}

// Errors are all the reasons why OpenSSH refuses a configuration.
type Errors []error

// Error lists the reasons, one a line.
func (e Errors) Error() string {
	var lines []string
	for _, err := range e {
		lines = append(lines, err.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the reasons to errors.As.
func (e Errors) Unwrap() []error { return e }
