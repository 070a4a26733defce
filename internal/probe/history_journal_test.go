package probe

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sshtay/internal/testenv"
)

// TestHistoryOfFilesAndJournal: where syslog's files and the journal hold the
// same hours, each hour counts once; the journal gives what the files lack.
func TestHistoryOfFilesAndJournal(t *testing.T) {
	testenv.Need(t, "journalctl")
	remote := testenv.Need(t, "/usr/lib/systemd/systemd-journal-remote")[0]
	root := t.TempDir()
	var export strings.Builder
	for i := range 10 { // of the last ten hours
		at := noon.Add(time.Duration(i-10) * time.Hour)
		for k, text := range []string{"Accepted publickey for a from 192.0.2.9 port %d ssh2", "Connection reset by 192.0.2.9 port %d"} {
			fmt.Fprintf(&export, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=fedcba9876543210fedcba9876543210\nSYSLOG_IDENTIFIER=sshd\n_PID=7\nMESSAGE="+text+"\n\n",
				at.Add(time.Duration(k)*time.Minute).UnixMicro(), (i*2+k+1)*1000000, 20000+i)
		}
	}
	fmt.Fprintf(&export, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=99000000\n_BOOT_ID=fedcba9876543210fedcba9876543210\n_TRANSPORT=kernel\nSYSLOG_IDENTIFIER=kernel\nMESSAGE=Out of memory: Killed process 7 (sshd)\n\n", noon.Add(-time.Minute).UnixMicro())
	folder := filepath.Join(root, "var/log/journal/0123456789abcdef0123456789abcdef")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	entries := filepath.Join(root, "entries")
	if err := os.WriteFile(entries, []byte(export.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(remote, "-o", filepath.Join(folder, "system.journal"), entries).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	h, _ := readHistory(root, noon.Add(-24*time.Hour))
	if h.Failures != 10 || h.Logins != 10 || len(h.Unread) != 0 || !has(h.Troubles, "out-of-memory", 1) {
		t.Errorf("of the journal alone: %+v", h)
	}
	put(t, root, "var/log/auth.log", noon.Add(-2*time.Hour), lines(noon.Add(-2*time.Hour), 3))
	h, _ = readHistory(root, noon.Add(-24*time.Hour))
	var sources []string
	for _, s := range h.Sources {
		sources = append(sources, fmt.Sprint(s.Name, " ", s.Lines))
	}
	if h.Failures != 10 || h.Logins != 10 || !has(h.Troubles, "out-of-memory", 1) {
		t.Errorf("of both: %d failures, %d logins, %v: %+v", h.Failures, h.Logins, sources, h.Troubles)
	}
	if got := strings.Join(sources, ", "); got != "/var/log/auth.log 6, the journal 1, the journal 10, the journal 4" {
		t.Errorf("read: %s", got)
	}
}
