package demo

import (
	"cmp"
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// imaginary is what a small Debian 12 server with its defaults would answer to
// the script that collects a server's facts: sections that begin with a mark,
// in which stands the nonce of the question. Nothing in it is read from the
// machine we run on.
//
//go:embed imaginary.txt
var imaginary string

// question recognises that script by its first lines, and finds the nonce.
var question = regexp.MustCompile(`^exec sh -c 'S="\$\(printf %b "N=([0-9a-f]{8,64})[^0-9a-f]`)

// factsFor returns what the imaginary server says of itself to the command
// that collects the facts of a server, and whether that was the command.
func (s *server) factsFor(command string) (string, bool) {
	m := question.FindStringSubmatch(command)
	if m == nil {
		return "", false
	}
	now := time.Now().UTC()
	return strings.NewReplacer(
		"@NONCE@", m[1],
		"@EPOCH@", strconv.FormatInt(now.Unix(), 10),
		"@PORT@", strconv.Itoa(s.port),
		"@ALIVE@", strconv.Itoa(int(s.alive.Seconds())),
		"@REKEY@", cmp.Or(s.scene.rekey, "0 0"),
		"@HELD@", strconv.Itoa(s.scene.held),
		"@LOG@", s.log(now),
	).Replace(imaginary), true
}

// log is the imaginary server's log of sshd, as journalctl -o short-iso prints
// it.
func (s *server) log(now time.Time) string {
	var lines []string
	add := func(ago time.Duration, process int, format string, args ...any) {
		at := now.Add(-ago).Format("2006-01-02T15:04:05-0700")
		lines = append(lines, fmt.Sprintf("%s imaginary sshd[%d]: ", at, process)+fmt.Sprintf(format, args...))
	}
	if s.scene.held > 0 {
		add(40*time.Second, 612, "error: beginning MaxStartups throttling")
		add(40*time.Second, 612, "drop connection #%d from [127.0.0.1]:50020 on [127.0.0.1]:%d past MaxStartups", s.scene.held, s.port)
	}
	add(0, 20391, "Accepted publickey for demo from 127.0.0.1 port 50022 ssh2: ED25519 SHA256:imaginary")
	return strings.Join(lines, "\n")
}
