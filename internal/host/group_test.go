//go:build unix

package host

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRunLeavesNobody: what ignores the end of the context is killed after the
// grace, in the program's own group and in ours.
func TestRunLeavesNobody(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		var pid string
		started := writerFunc(func(p []byte) (int, error) { pid = strings.TrimSpace(string(p)); cancel(); return len(p), nil })
		stubborn := `sh -c 'trap "" TERM HUP INT; echo $$; exec >/dev/null 2>&1; while :; do sleep 1000; done' & wait`
		_, err := Local{}.Run(ctx, Command{Argv: []string{"sh", "-c", stubborn}, Stdout: started, Terminal: terminal, Grace: 50 * time.Millisecond})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("terminal %v: ended with %v", terminal, err)
		}
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if status, err := os.ReadFile("/proc/" + pid + "/stat"); err != nil || strings.Contains(string(status), ") Z ") {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("terminal %v: process %s, started by the program, lives on", terminal, pid)
			}
		}
	}
}

// A pipe that nobody writes to is refused, and not waited for.
func TestReadPipe(t *testing.T) {
	name := t.TempDir() + "/pipe"
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := (Local{}).ReadFile(t.Context(), name, 100); err == nil {
		t.Errorf("read %q from a pipe", b)
	}
	if b, err := (Local{}).ReadFile(t.Context(), os.DevNull, 100); err != nil || len(b) > 0 {
		t.Errorf("%s: %q, %v", os.DevNull, b, err)
	}
}
