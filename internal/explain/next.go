package explain

import (
	"slices"
	"strings"

	"sshtay/internal/report"
	"sshtay/internal/sshlog"
)

// maxNext bounds the commands that are named: the first is the one to type.
const maxNext = 2

// next are the commands that would settle the likeliest causes, the best first.
func next(s *sshlog.Story, ranking []report.Ranked) []string {
	commands := []string{}
	for _, r := range ranking {
		i := slices.IndexFunc(causes, func(c suspect) bool { return c.id == r.Cause })
		if c := typed(causes[i].test, s); !slices.Contains(commands, c) && len(commands) < maxNext {
			commands = append(commands, c)
		}
	}
	return commands
}

// typed is a command for the server that the log names, or for HOST.
func typed(c command, s *sshlog.Story) string {
	host := "HOST"
	if plain(s.Host) {
		host = s.Host
		if s.Port != "" && s.Port != "22" {
			host = "-p " + s.Port + " " + host
		}
	}
	if s.Attempts == 0 && s.Clients > 0 {
		return "sshtay check" // it is the server's own log
	}
	switch c {
	case idle:
		return "sshtay idle " + host
	case path:
		return "sshtay path " + host
	case onServer:
		return "sshtay check"
	}
	return "sshtay check " + host
}

// plain says whether a name from a log may stand in a command: it is hostile,
// as all of the log is.
func plain(host string) bool {
	return host != "" && len(host) < 256 && host[0] != '-' && strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_%") == "" &&
		strings.ContainsAny(host, "abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWYZ0123456789")
}
