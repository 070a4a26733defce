package sshconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ServerRequest is one connection to an sshd.
type ServerRequest struct {
	Config     string      // the file; "" is the usual one
	Options    []string    // of -o, which come before the file
	Connection *Connection // whose Match blocks count; nil is nobody's
	Release    Release     // whose rules hold; zero is the newest known
}

// Server is what an sshd would do for a connection.
type Server struct {
	Resolved
	Ineffective []Ineffective
}

// Ineffective is a setting of a Match block that this release of sshd accepts
// and shows, and does not act upon.
type Ineffective struct {
	Setting Setting
	Instead Value // what holds
}

func (i Ineffective) String() string {
	return fmt.Sprintf("%s, in a Match block: this release shows it and acts on %s from %s",
		i.Setting.Describe(""), printable(i.Instead.Text), i.Instead.From)
}

// serverRun is a resolution under way.
type serverRun struct {
	*run
	request ServerRequest
	second  bool // the pass that evaluates Match
	read    []string
}

// ServerConfig is the usual file.
const ServerConfig = systemDir + "/sshd_config"

// ResolveServer finds out what sshd would do, as `sshd -T -C` prints it, and
// where every value comes from. sshd reads its files twice: once for the global
// values, then once for each connection, to lay the values of matching Match
// blocks over them. If sshd would refuse the configuration the error holds the
// reasons found, and the Server what could be read before.
func ResolveServer(env *Env, request ServerRequest) (*Server, error) {
	if request.Config == "" {
		request.Config = ServerConfig
	}
	if request.Connection == nil {
		request.Connection = &Connection{}
	}
	s := &serverRun{run: newRun(env, request.Release), request: request}
	server := &Server{}
	if err := s.resolve(server); err != nil && err != errStop {
		s.errs = append(s.errs, err)
	}
	server.Files, server.Warnings, server.via = s.read, s.warnings, s.via
	if server.Settings == nil {
		server.Settings = s.dump(nil)
	}
	if len(s.errs) > 0 {
		return server, Errors(s.errs)
	}
	return server, nil
}

func (s *serverRun) resolve(server *Server) error {
	if err := s.options(); err != nil {
		return err
	}
	top := func(matchOnly bool) *serverFile {
		return &serverFile{name: s.request.Config, matchOnly: matchOnly}
	}
	s.active = true
	if err := s.readFile(top(false)); err != nil {
		return err
	}
	addrs, err := s.listenValues()
	if err != nil {
		s.fail(err)
		return errStop
	}
	if err := s.check(); err != nil {
		return err
	}
	s.clearNone(append(plainNone, matchNone...))
	globals, listens := s.slots, s.listens
	s.slots, s.second, s.active = map[string]*slot{}, true, false
	if err := s.readFile(top(true)); err != nil {
		return err
	}
	matched := s.slots
	s.slots, s.listens = globals, listens
	server.Ineffective = s.overlay(matched)
	if s.release.has(1006) {
		s.clearNone([]string{"authorizedprincipalsfile"})
	}
	s.clearNone(matchNone)
	if err := s.assembleAll(serverAlgorithms, true); err != nil {
		return err
	}
	server.Settings = s.dump(addrs)
	return nil
}

// options applies the -o options.
func (s *serverRun) options() error {
	s.at, s.active = Origin{File: commandLine}, true
	for _, o := range s.request.Options {
		f := Parse(commandLine, []byte(strings.ReplaceAll(o, "\n", " ")))
		for i := range f.Lines {
			if err := s.apply(&f.Lines[i], &serverFile{}); err != nil {
				s.fail(err)
				return errStop
			}
		}
	}
	return nil
}

// readFile applies a file; errStop tells that lines of it were wrong.
func (s *serverRun) readFile(in *serverFile) error {
	if in.depth > maxDepth {
		s.fail(errors.New("too many recursive configuration includes"))
		return errStop
	}
	f, err := s.load(in.name)
	if err != nil {
		return fmt.Errorf("%s: %w", printable(in.name), err)
	}
	if !slices.Contains(s.read, in.name) {
		s.read = append(s.read, in.name)
		s.noteProblems(f)
	}
	bad := 0
	for i := range f.Lines {
		s.at = Origin{in.name, f.Lines[i].Number}
		err := s.work(costOf(&f.Lines[i]))
		if err == nil {
			err = s.apply(&f.Lines[i], in)
		}
		if err == errStop {
			return errStop
		}
		if err != nil {
			s.fail(err)
			bad++
		}
	}
	if s.unreadable(f) || bad > 0 {
		return errStop
	}
	return nil
}

// unreadable tells of a file whose text sshd would misread: after a NUL byte it
// goes on with the next line.
func (s *serverRun) unreadable(f *File) bool {
	bad := false
	for _, p := range f.Problems {
		if p.Text == nulByte && !s.second {
			s.at = Origin{f.Name, p.Line}
			s.fail(errors.New("a NUL byte: sshd takes the next line for the rest of this one"))
		}
		bad = bad || p.Line == 0 || p.Text == nulByte
	}
	return bad
}

// apply applies one line.
func (s *serverRun) apply(text *Line, in *serverFile) error {
	keyword := asciiLower(text.Keyword)
	if text.Problem == noArgument {
		return fmt.Errorf("no argument after keyword \"%s\"", printable(text.Keyword))
	}
	key, o, known := s.release.serverKeyword(keyword)
	special := keyword == "match" || keyword == "include"
	args, err := s.release.args(text)
	switch {
	case !known && !special:
		return fmt.Errorf("bad configuration option: %s", printable(text.Keyword))
	case err != nil:
		return err
	case !s.active && !special && !o.match && !s.second:
		return fmt.Errorf("directive '%s' is not allowed within a Match block", printable(text.Keyword))
	case !s.active && !special && !o.match:
		return nil // applied in the first pass
	}
	l := &line{keyword: text.Keyword, key: key, rest: text.Rest, args: args, command: s.at.CommandLine()}
	switch keyword {
	case "match":
		err = s.match(l, in)
	case "include":
		err = s.include(l, in)
	default:
		err = o.apply(s.run, l)
	}
	if err == nil {
		err = l.extra()
	}
	return err
}

// match opens a Match block.
func (s *serverRun) match(l *line, in *serverFile) error {
	if l.command {
		return errors.New("directive Match not supported as a command-line option")
	}
	var c *Connection
	if s.second && !in.never {
		c = s.request.Connection
	}
	hit, err := s.matchLine(l, c)
	if err == nil {
		s.active, in.matchOnly = hit && !in.never, false
	}
	return err
}

// check refuses what does not go together.
func (s *serverRun) check() error {
	for _, pair := range []string{"AuthorizedKeysCommand", "AuthorizedPrincipalsCommand"} {
		command, set := s.text(strings.ToLower(pair))
		if _, user := s.text(strings.ToLower(pair) + "user"); set && !user && !strings.EqualFold(command, "none") {
			return fmt.Errorf("%s set without %sUser", pair, pair)
		}
	}
	return s.checkMethods()
}

// methodOptions enable the authentication methods.
var methodOptions = map[string]string{"publickey": "pubkeyauthentication", "password": "passwordauthentication",
	"keyboard-interactive": "kbdinteractiveauthentication", "hostbased": "hostbasedauthentication",
	"gssapi-with-mic": "gssapiauthentication", "gssapi-keyex": "gssapikeyexchange"}

// checkMethods wants one list of AuthenticationMethods that can be satisfied.
func (s *serverRun) checkMethods() error {
	lists, set := s.text("authenticationmethods")
	if !set || lists == "any" {
		return nil
	}
	for _, list := range strings.Fields(lists) {
		possible := true
		for _, m := range strings.Split(list, ",") {
			name, _, _ := strings.Cut(m, ":")
			key := methodOptions[name]
			value, has := s.text(key)
			if !has {
				value = serverKeywords[key].unset
			}
			possible = possible && value == "yes"
		}
		if possible {
			return nil
		}
	}
	return errors.New("AuthenticationMethods cannot be satisfied by enabled authentication methods")
}

// overlay lays the values of matching blocks over the global ones, and returns
// those that this does not make effective.
func (s *serverRun) overlay(matched map[string]*slot) (dead []Ineffective) {
	for key, m := range matched {
		base, _, _ := strings.Cut(key, " ")
		if o := serverKeywords[base]; !o.match || len(m.values) == 0 {
			continue
		}
		before := s.slots[key]
		if key == "subsystem" && s.release.has(1003) && !s.release.has(1004) { // before and after, the list is replaced
			m = mergeSubsystems(before, m)
		} else if before != nil {
			m.hides = append(m.hides, before.values...)
			m.hides = append(m.hides, before.hides...)
		}
		if d, ok := s.dead(base, m, before); ok {
			dead = append(dead, d)
		}
		s.slots[key] = m
	}
	slices.SortFunc(dead, func(a, b Ineffective) int { return strings.Compare(a.Setting.Keyword, b.Setting.Keyword) })
	return dead
}

// mergeSubsystems replaces the subsystems of the same name and adds the others.
func mergeSubsystems(global, matched *slot) *slot {
	if global == nil {
		return matched
	}
	merged := &slot{values: slices.Clone(global.values), hides: append(matched.hides, global.hides...)}
	for _, v := range matched.values {
		name, _, _ := strings.Cut(v.Text, " ")
		i := slices.IndexFunc(merged.values, func(g Value) bool { return strings.HasPrefix(g.Text, name+" ") })
		if i < 0 {
			merged.values = append(merged.values, v)
			continue
		}
		merged.hides = append(merged.hides, merged.values[i])
		merged.values[i] = v
	}
	return merged
}

// dead tells whether a release leaves a matched value without effect: sshd
// dumps it, measured connections go on without it.
func (s *serverRun) dead(key string, m, before *slot) (Ineffective, bool) {
	switch key {
	case "channeltimeout", "rekeylimit":
		if s.release.has(1005) {
			return Ineffective{}, false
		}
	case "ipqos":
		if !s.release.has(1001) {
			return Ineffective{}, false
		}
	default:
		return Ineffective{}, false
	}
	instead := Value{Text: s.serverDefault(serverKeywords[key])}
	if before != nil && len(before.values) > 0 {
		instead = before.values[0]
	}
	return Ineffective{Setting{Keyword: serverKeywords[key].name, Values: m.values}, instead}, true
}
