package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sshtay/internal/report/reporttest"
	"sshtay/internal/testenv"
)

func TestMain(m *testing.M) {
	// Tests that check in this process have ssh run this test's program as
	// sshtay: it must be that then, and not the tests once more.
	if len(os.Args) > 1 && os.Args[1] == "dial" {
		os.Exit(Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){
		"sshtay": func() {
			ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt) // as main does
			os.Exit(Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs the stories of testdata/script on the real program. They
// have these commands beside testscript's own:
//
//	sshd [OPTION=VALUE...]   starts a real sshd on loopback; its port is $PORT, and
//	                         ssh_config in $WORK names it "web1"
//	serve TEXT               accepts on $PORT, says TEXT (as printf would) and stays
//	finding CAUSE [STATUS]   the report in stdout has that finding first
//	verdict WORD             the report in stdout has that verdict
//	listening                $PORT still lets the user log in
func TestScripts(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, "ssh", "sshd", "ssh-keygen")
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			captures, err := filepath.Abs("../pcap/testdata")
			if err != nil {
				return err
			}
			e.Setenv("CAPTURES", captures)
			e.Setenv("HOME", e.WorkDir) // ssh itself reads the home of /etc/passwd
			e.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sshd": startSSHD, "serve": serve, "finding": wantFinding, "verdict": wantVerdict, "login": login, "contract": wantContract,
		},
	})
}

// freePort returns a port that nobody listens on.
func freePort(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	return port
}

func startSSHD(ts *testscript.TestScript, neg bool, options []string) {
	dir, port := ts.Getenv("WORK"), freePort(ts)
	me, err := user.Current()
	ts.Check(err)
	for _, key := range []string{"host_key", "user_key"} {
		if _, err := os.Stat(filepath.Join(dir, key)); err != nil {
			ts.Check(run(dir, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key))
		}
	}
	pub, err := os.ReadFile(filepath.Join(dir, "user_key.pub"))
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, "authorized_keys"), pub, 0o600))
	hostPub, err := os.ReadFile(filepath.Join(dir, "host_key.pub"))
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, "known_hosts"), fmt.Appendf(nil, "[127.0.0.1]:%s %s", port, hostPub), 0o600))

	config := strings.Join(options, "\n") + "\n"
	config = strings.ReplaceAll(config, "=", " ")
	config += fmt.Sprintf("ListenAddress 127.0.0.1:%s\nHostKey %s/host_key\nAuthorizedKeysFile %s/authorized_keys\nStrictModes no\nPermitRootLogin yes\nPidFile none\n", port, dir, dir)
	ts.Check(os.WriteFile(filepath.Join(dir, "sshd_config"), []byte(config), 0o600))
	client, _ := os.ReadFile(filepath.Join(dir, "client_options"))
	ts.Check(os.WriteFile(filepath.Join(dir, "ssh_config"), fmt.Appendf(nil,
		"Host web1\n  HostName 127.0.0.1\n  Port %s\n  User %s\n  IdentityFile %s/user_key\n  IdentitiesOnly yes\n  UserKnownHostsFile %s/known_hosts\n%s",
		port, me.Username, dir, dir, client), 0o600))

	path, err := testenv.Find("sshd")
	ts.Check(err)
	var log bytes.Buffer
	cmd := exec.Command(path, "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	cmd.Stderr = &log
	ts.Check(cmd.Start())
	ts.Defer(func() { cmd.Process.Kill(); cmd.Wait() })
	ts.Setenv("PORT", port)
	waitFor(ts, port, &log)
}

// waitFor waits until the port answers.
func waitFor(ts *testscript.TestScript, port string, log fmt.Stringer) {
	for range 200 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("nobody listens on port %s: %s", port, log)
}

func serve(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ts.Setenv("PORT", port)
	var text string
	if len(args) == 1 {
		ts.Check(json.Unmarshal([]byte(`"`+args[0]+`"`), &text))
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Write([]byte(text))
				c.SetReadDeadline(time.Now().Add(time.Minute))
				for buf := make([]byte, 4096); ; {
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
			}()
		}
	}()
}

// wantContract holds what was printed to a contract: contract path.schema.json.
func wantContract(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: contract FILE")
	}
	if err := reporttest.CheckAs(args[0], []byte(ts.ReadFile("stdout"))); err != nil {
		ts.Fatalf("stdout is not as docs/%s has it: %v", args[0], err)
	}
}

// A shortReport is what the stories look at.
type shortReport struct {
	Verdict  string
	Findings []struct{ Cause, Status string }
}

func read(ts *testscript.TestScript) shortReport {
	text := []byte(ts.ReadFile("stdout"))
	if err := reporttest.Check(text); err != nil {
		ts.Fatalf("stdout is no report as docs/report.schema.json has it: %v", err)
	}
	var r shortReport
	ts.Check(json.Unmarshal(text, &r))
	return r
}

func wantFinding(ts *testscript.TestScript, neg bool, args []string) {
	r := read(ts)
	found := len(r.Findings) > 0 && r.Findings[0].Cause == args[0] && (len(args) < 2 || r.Findings[0].Status == args[1])
	if found == neg {
		ts.Fatalf("the findings are %v", r.Findings)
	}
}

func wantVerdict(ts *testscript.TestScript, neg bool, args []string) {
	if r := read(ts); (r.Verdict == args[0]) == neg {
		ts.Fatalf("the verdict is %s, the findings are %v", r.Verdict, r.Findings)
	}
}

// login proves that the user can, or cannot, log in with plain ssh.
func login(ts *testscript.TestScript, neg bool, args []string) {
	err := run(ts.Getenv("WORK"), "ssh", append([]string{"-F", filepath.Join(ts.Getenv("WORK"), "ssh_config"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "web1", "true"}, args...)...)
	if (err == nil) == neg {
		ts.Fatalf("plain ssh: %v", err)
	}
}

func run(dir, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %v: %s", program, err, out)
	}
	return nil
}
