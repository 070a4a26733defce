package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"sshtay/internal/demo"
	"sshtay/internal/lab"
	"sshtay/internal/testenv"
)

// TestHostileServers runs the whole program, as a user does, against servers
// that are none, bad ones, and good ones whose connections are cut at each
// stage. Whatever comes, it ends by itself, says so in words that a terminal
// can bear, and does not call it healthy.
func TestHostileServers(t *testing.T) {
	testenv.Need(t, "ssh")
	meet := map[string]func(net.Conn){}
	for _, kind := range lab.HostileKinds() {
		meet[kind] = func(c net.Conn) { lab.Misbehave(kind, c, 0) }
	}
	for _, n := range []int{4, 21} { // in the banner, and after it
		meet[fmt.Sprintf("reset after %d bytes", n)] = func(c net.Conn) { lab.Misbehave("reset", c, n) }
	}
	good, _ := demo.Lookup("healthy")
	world, err := good.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	for _, n := range []int64{1, 20, 60, 800, 1300} { // in the banner, the KEXINIT, the key exchange and after it
		for how, linger := range map[string]int{"closed": -1, "reset": 0} {
			meet[fmt.Sprintf("%s after %d bytes of a good server", how, n)] = func(c net.Conn) { cut(c, world.Addr(), n, linger) }
		}
	}
	for name, handle := range meet {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := listen(t, handle)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			var out, errOut bytes.Buffer
			cmd := exec.CommandContext(ctx, "sshtay", "check", "-F", "none", "-p", port, "-o", "BatchMode=yes", "--timeout", "3s", "127.0.0.1")
			cmd.Env = append(os.Environ(), "NO_COLOR=1", "HOME="+t.TempDir())
			cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &errOut, time.Second
			err := cmd.Run()
			if ctx.Err() != nil {
				t.Fatalf("it did not end by itself:\n%s", &out)
			}
			exit, failed := errors.AsType[*exec.ExitError](err)
			if !failed || !slices.Contains([]int{exitFindings, exitUnknown}, exit.ExitCode()) {
				t.Errorf("it ended with %v:\n%s%s", err, &out, &errOut)
			}
			for from, text := range map[string]string{"output": out.String(), "errors": errOut.String()} {
				if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }); i >= 0 {
					t.Errorf("%s: a control character at %q", from, text[i:min(i+40, len(text))])
				}
				if strings.Contains(text, "goroutine ") || strings.Contains(text, "panic:") {
					t.Errorf("%s: %s", from, text)
				}
			}
			first, _, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
			if len(strings.Fields(first)) < 2 || len(first) > 300 {
				t.Errorf("its first line is no reason: %q", first)
			}
		})
	}
}

// listen serves a port of loopback and returns it.
func listen(t *testing.T, handle func(net.Conn)) (port string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// cut passes a connection on to a server, and ends it after so many bytes of
// the server's. A linger of 0 makes that end a reset.
func cut(c net.Conn, to string, after int64, linger int) {
	up, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer up.Close()
	go io.Copy(up, c)
	io.CopyN(c, up, after)
	c.(*net.TCPConn).SetLinger(linger)
}
