package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/term"
)

// session answers what a client wants of one channel. It executes nothing.
func (s *server) session(ctx context.Context, channel ssh.Channel, wishes <-chan *ssh.Request) {
	ctx, leave := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer leave()
	defer channel.Close()

	terminal, started := false, false
	for wish := range wishes {
		ok := true
		var play func()
		switch wish.Type {
		case "env":
		case "pty-req":
			terminal = true
		case "exec", "shell":
			if ok = !started; ok {
				started = true
				program := s.program(ctx, wish, terminal, channel)
				play = func() {
					channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{program()}))
					channel.Close()
				}
			}
		default:
			ok = false
		}
		if wish.WantReply {
			wish.Reply(ok, nil)
		}
		if play != nil { // after the reply: a short program ends with the channel
			running.Go(play)
		}
	}
}

// program chooses what plays the shell.
func (s *server) program(ctx context.Context, wish *ssh.Request, terminal bool, channel ssh.Channel) func() uint32 {
	var command struct{ Line string }
	switch {
	case wish.Type == "exec" && ssh.Unmarshal(wish.Payload, &command) != nil:
		return func() uint32 { return 2 }
	case wish.Type == "exec":
		if text, ok := s.factsFor(command.Line); ok {
			return func() uint32 {
				io.WriteString(channel, text)
				return 0
			}
		}
		p := player{ctx, channel, channel, channel.Stderr()}
		return func() uint32 { return p.run(command.Line) }
	case terminal:
		t := term.NewTerminal(channel, "demo$ ")
		return func() uint32 { return player{ctx, nil, t, t}.shell(t.ReadLine) }
	}
	r := bufio.NewReaderSize(channel, maxLine)
	return func() uint32 {
		return player{ctx, nil, channel, channel.Stderr()}.shell(func() (string, error) {
			line, err := firstLine(r)
			return string(line), err
		})
	}
}

// A player acts a few commands that are of use in a demo: enough to see that
// a session works, and to let it be silent for a while.
type player struct {
	ctx      context.Context
	in       io.Reader // nil where the commands come from there
	out, err io.Writer
}

var played = regexp.MustCompile(`^(?:sleep (\d{1,5})|echo ([\w .,!-]*)|exit (\d{1,3})|(exec cat >/dev/null)|(true))$`)

const usage = "%q is not played here. This server executes nothing; it plays: true, echo WORDS, sleep SECONDS, exit STATUS, exec cat >/dev/null, and several of these with ; between.\n"

// run plays one line and returns its status.
func (p player) run(line string) (status uint32) {
	for command := range strings.SplitSeq(line, ";") {
		command = strings.TrimSpace(command)
		m := played.FindStringSubmatch(command)
		if m == nil {
			fmt.Fprintf(p.err, usage, command)
			return 127
		}
		seconds, words, end, devours := m[1], m[2], m[3], m[4]
		status = 0
		switch {
		case seconds != "":
			n, _ := strconv.Atoi(seconds)
			select {
			case <-time.After(time.Duration(n) * time.Second):
			case <-p.ctx.Done():
				return 255
			}
		case end != "":
			n, _ := strconv.Atoi(end)
			return uint32(n & 0xff)
		case devours != "" && p.in != nil:
			io.Copy(io.Discard, p.in)
			return 0
		case strings.HasPrefix(command, "echo"):
			fmt.Fprintln(p.out, words)
		}
	}
	return status
}

// shell plays lines until the client has no more, or says exit.
func (p player) shell(next func() (string, error)) (status uint32) {
	fmt.Fprint(p.out, "Welcome to the demo server of sshtay. It executes nothing; try: echo hello\n")
	for {
		line, err := next()
		line = strings.TrimSpace(line)
		switch {
		case err != nil && line == "":
			return status
		case line == "exit" || line == "logout":
			return status
		case line != "":
			status = p.run(line)
		}
	}
}
