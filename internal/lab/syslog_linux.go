package lab

import (
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"sshtay/internal/host"
)

// startSyslog takes what programs on the machine log and writes it where
// Debian does: /var/log/auth.log, or /var/log/syslog.
func (m *machine) startSyslog(s *sockets) error {
	var from *net.UnixConn
	var auth, other *os.File
	err := m.Do(func() (err error) {
		if from, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"}); err != nil {
			return err
		}
		s.add(from)
		if err := unix.Chmod("/dev/log", 0o666); err != nil {
			return err
		}
		if auth, err = host.AppendTo("/var/log/auth.log", 0o640); err != nil {
			return err
		}
		s.add(auth)
		if other, err = host.AppendTo("/var/log/syslog", 0o640); err != nil {
			return err
		}
		s.add(other)
		return nil
	})
	if err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 8192)
		for {
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			line, isAuth := m.logLine(string(buf[:n]))
			to := other
			if isAuth {
				to = auth
			}
			to.WriteString(line)
		}
	}()
	return nil
}

// logLine turns what syslog(3) sends, "<38>Nov 20 10:00:00 sshd[7]: text",
// into a line of a log file, and says whether it is about authentication.
func (m *machine) logLine(sent string) (line string, isAuth bool) {
	priority, rest, _ := strings.Cut(strings.TrimPrefix(sent, "<"), ">")
	p, _ := strconv.Atoi(priority)
	facility := p >> 3
	if len(rest) > 16 && rest[15] == ' ' {
		rest = rest[16:]
	}
	text := strings.ReplaceAll(strings.TrimRight(rest, "\n\x00"), "\n", " ")
	return time.Now().Format(time.Stamp) + " " + m.name + " " + text + "\n", facility == 4 || facility == 10
}
