// Package target is what the user named: a host, the way ssh lets one name it.
// It is data; who resolves it is package probe.
package target

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// A Target is a destination and the ssh options given with it.
type Target struct {
	Given string // as typed: alias, host, user@host or ssh://user@host:port; empty is this machine

	ConfigFile string   // -F
	Port       int      // -p, 0 when not given
	Identities []string // -i
	Jump       string   // -J
	User       string   // -l
	Options    []string // -o, in order
	Family     int      // 4 for -4, 6 for -6, 0 when not given
}

// Resolved is where the target leads under the effective configuration.
type Resolved struct {
	User  string   `json:"user"`
	Host  string   `json:"host"` // after HostName; still a name or an address
	Port  int      `json:"port"`
	Jumps []string `json:"jumps"` // ProxyJump, first hop first; never nil
}

// Local says whether the target is this machine itself.
func (t Target) Local() bool { return t.Given == "" }

// Validate refuses what ssh would refuse, and what could be taken for an
// option, before any program sees it.
func (t Target) Validate() error {
	if t.Local() {
		return nil
	}
	host := t.Given
	if i := strings.LastIndex(host, "@"); i >= 0 {
		if i == 0 {
			return fmt.Errorf("%q has no user before the @", t.Given)
		}
		host = host[i+1:]
	}
	switch {
	case host == "":
		return fmt.Errorf("%q names no host", t.Given)
	case strings.HasPrefix(t.Given, "-") || strings.HasPrefix(host, "-"):
		return fmt.Errorf("%q begins with a dash, which ssh would take for an option", t.Given)
	case strings.ContainsFunc(t.Given, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return fmt.Errorf("%q holds a space or a control character", t.Given)
	case len(t.Given) > 1025:
		return errors.New("the host's name is longer than any host name can be")
	case t.Port < 0 || t.Port > 65535:
		return fmt.Errorf("port %d is not between 1 and 65535", t.Port)
	}
	return nil
}

// SSHArgs returns the arguments that make ssh mean this target: the options
// in ssh's own form, without the destination.
func (t Target) SSHArgs() []string {
	var args []string
	add := func(flag, value string) {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	add("-F", t.ConfigFile)
	if t.Port != 0 {
		add("-p", strconv.Itoa(t.Port))
	}
	for _, i := range t.Identities {
		add("-i", i)
	}
	add("-J", t.Jump)
	add("-l", t.User)
	for _, o := range t.Options {
		add("-o", o)
	}
	switch t.Family {
	case 4:
		args = append(args, "-4")
	case 6:
		args = append(args, "-6")
	}
	return args
}

// HostOf is the name of the host in something that ssh takes for one, as
// user@host, host:port or ssh://user@host:port.
func HostOf(given string) string {
	name := strings.TrimPrefix(given, "ssh://")
	name = name[strings.LastIndex(name, "@")+1:]
	if h, port, ok := strings.Cut(name, ":"); ok && !strings.Contains(port, ":") {
		return h
	}
	return strings.Trim(name, "[]")
}
