//go:build linux

package commit

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/testenv"
)

// steps are the programs that change something. Each call of one is a step, and
// at any step the world can be stopped, to see what becomes of it when just then
// something happens.
var steps = []string{"mv", "ln", "rm", "rmdir", "mkdir", "cp", "sync", "chmod", "cat", "setsid", "sshd"}

// stopper stands for one of these programs. It counts, and at the step that was
// chosen it waits until the file "stopped" is taken away; then it fails, where
// that was chosen, or does what it should.
const stopper = `
read -r n <"CTL/count"
n=$((n + 1))
echo "$n" >"CTL/count"
read -r at <"CTL/at"
if [ "$n" -eq "$at" ]; then
	echo "$PPID $$ $0 $*" >"CTL/stopped.new"
	/bin/mv "CTL/stopped.new" "CTL/stopped"
	while [ -e "CTL/stopped" ]; do /bin/sleep 0.02; done
	[ ! -e "CTL/fail" ] || { echo "${0##*/}: No space left on device" >&2; exit 1; }
fi
exec REAL "$@"
`

// stoppers puts them into the world.
func (w *world) stoppers() {
	w.t.Helper()
	for _, p := range steps {
		w.fake(p, strings.NewReplacer("CTL", filepath.Dir(w.bin), "REAL", testenv.Need(w.t, p)[0]).Replace(stopper))
	}
	os.WriteFile(w.ctl("count"), []byte("0\n"), 0o644)
	w.stopAt(0)
}

func (w *world) ctl(name string) string { return filepath.Join(filepath.Dir(w.bin), name) }

// stopAt chooses the next step to stop at, counted from now; 0 is none.
func (w *world) stopAt(n int) {
	os.Remove(w.ctl("fail"))
	if n == 0 {
		os.WriteFile(w.ctl("at"), []byte("-1\n"), 0o644)
		return
	}
	os.WriteFile(w.ctl("at"), fmt.Appendln(nil, w.count()+n), 0o644)
}

// count is how many steps there were.
func (w *world) count() int {
	data, _ := os.ReadFile(w.ctl("count"))
	n, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return n
}

// stopped waits until the world stops, or until something else is over, and
// returns the process whose step it is, and what the step is.
func (w *world) stopped(over <-chan struct{}) (pid int, what string, ok bool) {
	for {
		if data, err := os.ReadFile(w.ctl("stopped")); err == nil {
			parent, rest, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
			pid, _ = strconv.Atoi(parent)
			return pid, rest, true
		}
		select {
		case <-over:
			return 0, "", false
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// goOn lets the world go on; failing has the step that it was stopped at fail.
func (w *world) goOn(failing bool) {
	if failing {
		os.WriteFile(w.ctl("fail"), nil, 0o644)
	}
	os.Remove(w.ctl("stopped"))
}
