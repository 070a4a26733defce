package cli

import (
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"sshtay/internal/target"
)

// sshFlags are the flags that mean what they mean to ssh, for every verb that
// goes where ssh would.
type sshFlags struct {
	target  target.Target
	port    string
	options []string
	v4, v6  bool
}

// add defines the flags. beside is what -o may be besides an option of ssh.
func (s *sshFlags) add(f *pflag.FlagSet, beside string) {
	f.StringVarP(&s.target.ConfigFile, "config", "F", "", "read `FILE` instead of ssh's configuration files, as ssh -F")
	f.StringVarP(&s.port, "port", "p", "", "the server's `PORT`, as ssh -p")
	f.StringArrayVarP(&s.target.Identities, "identity", "i", nil, "a key `FILE`, as ssh -i")
	f.StringVarP(&s.target.Jump, "jump", "J", "", "connect through `HOST`, as ssh -J")
	f.StringVarP(&s.target.User, "login", "l", "", "log in as `USER`, as ssh -l")
	f.StringArrayVarP(&s.options, "option", "o", nil, "an `OPTION=VALUE` as ssh -o"+beside)
	f.BoolVarP(&s.v4, "ipv4", "4", false, "use IPv4 only")
	f.BoolVarP(&s.v6, "ipv6", "6", false, "use IPv6 only")
}

// read returns the target that the flags and the arguments of a verb name: none
// is this machine. An -o that is no option of ssh goes to output, where a verb
// takes one.
func (s *sshFlags) read(verb string, args []string, output *string) (target.Target, error) {
	hint := "sshtay " + verb + " HOST"
	if len(args) > 0 {
		if args[0] == "" {
			return s.target, usage(hint, "the host's name is empty")
		}
		s.target.Given = args[0]
	}
	for _, option := range s.options {
		switch {
		case strings.ContainsAny(option, "= \t"):
			s.target.Options = append(s.target.Options, option)
		case output == nil:
			return s.target, usage("ssh -o OPTION=VALUE", "-o %s: want an option of ssh and its value", option)
		case *output != "":
			return s.target, usage("", "-o %s: there is a file for the report already, %s", option, *output)
		default:
			*output = option
		}
	}
	if s.port != "" {
		n, err := strconv.Atoi(s.port)
		if err != nil || n < 1 || n > 65535 {
			return s.target, usage("", "-p %s: a port is a number from 1 to 65535", s.port)
		}
		s.target.Port = n
	}
	switch {
	case s.v4 && s.v6:
		return s.target, usage("", "-4 and -6 exclude each other")
	case s.v4:
		s.target.Family = 4
	case s.v6:
		s.target.Family = 6
	}
	if err := s.target.Validate(); err != nil {
		return s.target, usage(hint, "%v", err)
	}
	return s.target, canBeRead(s.target.ConfigFile)
}

// canBeRead refuses a pipe as a configuration file, such as <(command) makes:
// ssh is started more than once, and each time it reads its configuration.
func canBeRead(config string) error {
	info, err := os.Stat(config)
	if err != nil || config == os.DevNull || info.Mode()&(os.ModeNamedPipe|os.ModeSocket|os.ModeDevice) == 0 {
		return nil // ssh says what else is wrong
	}
	return usage("", "-F %s: not a regular file, and ssh has to read it more than once; write the configuration to a file first", config)
}
