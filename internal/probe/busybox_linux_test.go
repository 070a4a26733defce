package probe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sshtay/internal/fact"
	"sshtay/internal/testenv"
)

// newBusyboxServer starts a real sshd on a machine that has nothing else but
// busybox: the small world of Alpine, OpenWrt and rescue systems.
func newBusyboxServer(t *testing.T) *server {
	t.Helper()
	testenv.NeedRoot(t)
	busybox, sshd := testenv.Need(t, "busybox")[0], testenv.Need(t, "sshd", "ldd")[0]
	s := prepareServer(t, "StrictModes no")
	for _, dir := range []string{"bin", "sbin", "usr/sbin", "proc", "dev", "run/sshd", "root", "tmp", "var/log", "etc/ssh"} {
		if err := os.MkdirAll(s.file(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	install(t, s.dir, busybox, "/bin/busybox")
	install(t, s.dir, sshd, "/usr/sbin/sshd")
	for applet := range strings.FieldsSeq(run(t, busybox, "--list")) {
		os.Symlink("/bin/busybox", s.file("bin/"+applet))
	}
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nsshd:x:22:22:sshd:/run/sshd:/bin/false\n",
		"etc/group":  "root:x:0:\nsshd:x:22:\n", "etc/shadow": "root:*:::::::\n",
		"etc/os-release":   "NAME=\"Alpine Linux\"\nID=alpine\nPRETTY_NAME=\"Alpine Linux v3.20\"\n",
		"var/log/messages": "Nov 21 00:15:33 web1 daemon.info crond[1]: nothing\nNov 21 00:15:34 web1 auth.err sshd[7]: error: no more sessions\n",
	} {
		s.write(name, text)
	}
	for _, name := range []string{"host", "authorized", "sshd_config"} { // the same paths inside as outside
		inside := filepath.Join(s.dir, s.file(name))
		os.MkdirAll(filepath.Dir(inside), 0o755)
		if err := os.Link(s.file(name), inside); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-c", `mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && exec chroot "$1" /usr/sbin/sshd -D -e -f "$2"`,
		"sh", s.dir, s.file("sshd_config"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	s.start(cmd)
	return s
}

// install copies a program and the libraries it needs below a root.
func install(t *testing.T, root, program, as string) {
	t.Helper()
	files := map[string]string{program: as}
	for field := range strings.FieldsSeq(run(t, "ldd", program)) {
		if strings.HasPrefix(field, "/") && strings.Contains(field, ".so") {
			files[field] = field
		}
	}
	for from, to := range files {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		os.MkdirAll(filepath.Dir(root+to), 0o755)
		if err := os.WriteFile(root+to, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBusyboxServer: on a server with busybox alone the same facts are found.
func TestBusyboxServer(t *testing.T) {
	s := newBusyboxServer(t)
	facts := loggedIn(t, s.target("root", "user", "known"), patient)
	want(t, facts, fact.SessionKind, "shell")
	want(t, facts, fact.ServerOS, "Alpine Linux v3.20")
	want(t, facts, fact.SSHDConfigSource, "sshd -T")
	want(t, facts, fact.MaxStartups, "10:30:100")
	want(t, facts, fact.SSHDRunning, true)
	want(t, facts, fact.SSHDStale, false)
	want(t, facts, fact.SSHDActivation, "daemon")
	want(t, facts, fact.SSHDHostKeys, 1)
	want(t, facts, fact.Connections, 1)
	want(t, facts, fact.SourceConnections, 1)
	want(t, facts, fact.Unauthenticated, 0)
	want(t, facts, fact.ListenQueue, 0)
	want(t, facts, fact.LogSource, "/var/log/messages")
	absent(t, facts, fact.ListenQueueMax, "no ss")
	if disks, _ := fact.Disks.Get(facts); len(disks) == 0 || disks[0].Mount != "/" {
		t.Errorf("disks %+v", disks)
	}
	for _, k := range []fact.Key[int]{fact.CPUs, fact.MemTotal, fact.Processes, fact.Files, fact.UserProcesses, fact.SSHDFiles, fact.ServerTCPKeepaliveNum} {
		if n, ok := k.Get(facts); !ok || n <= 0 {
			t.Errorf("%s = %d, %v (%s)", k.Name(), n, ok, facts.Missing()[k.Name()])
		}
	}
	if t.Failed() {
		t.Log(story(facts))
	}
}
