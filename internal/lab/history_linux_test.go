package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sshtay/internal/host"
	"sshtay/internal/testenv"
)

// built is the program to run: that which SSHTAY names, or a new one.
func built(t *testing.T) string {
	t.Helper()
	if program := os.Getenv("SSHTAY"); program != "" {
		return program
	}
	program := filepath.Join(t.TempDir(), "sshtay")
	if out, err := exec.Command("go", "build", "-o", program, "../..").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// A history is what is read here of what sshtay explain --since tells.
type history struct {
	Connections, Logins, Failures int
	Troubles                      []struct {
		Symptom, Kind, Cause string
		Count                int
	}
	Networks []struct {
		Network          string
		Failures, Logins int
	}
	Hours   []struct{ Failures int }
	Changes []struct{ Kind, What string }
	Sources []struct{ Name string }
}

func (h history) count(symptom string) int {
	for _, t := range h.Troubles {
		if t.Symptom == symptom {
			return t.Count
		}
	}
	return 0
}

// TestHistoryOfAServer: what happened to real connections at a real sshd is
// told on the server, from the files of syslog, and again from a journal that
// holds the same lines; who may read neither is told so.
func TestHistoryOfAServer(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, "ssh", "sshd", "nft", "journalctl", "/usr/lib/systemd/systemd-journal-remote")
	if err := CanBuild(); err != nil {
		t.Fatal(err)
	}
	all, err := Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == "throttle-full" })
	live, err := (&Lab{Program: built(t), Seed: 1}).Up(t.Context(), loud(all[at].World))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Down()
	server := live.machines["server"]
	onServer := func(as user, line string) host.Result {
		t.Helper()
		r, err := server.run(t.Context(), as, host.Command{Argv: []string{"sh", "-c", line}, Limit: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if seen, err := live.shell("for i in 1 2 3; do ssh web1 true; done", time.Minute); err != nil || seen.Exit == 0 {
		t.Fatalf("the connections were not refused: %+v %v", seen, err)
	}
	onServer(root, `printf '%s upgrade openssh-server:amd64 1:9.2p1-2+deb12u6 1:9.2p1-2+deb12u10\n' "$(date '+%Y-%m-%d %H:%M:%S')" >>/var/log/dpkg.log`)

	tell := func(line string) (h history) {
		t.Helper()
		r := onServer(root, line)
		var e struct{ History *history }
		if err := json.Unmarshal(r.Stdout, &e); err != nil || e.History == nil {
			t.Fatalf("%s: %v: %s%s", line, err, r.Stdout, r.Stderr)
		}
		return *e.History
	}
	files := tell("sshtay explain --since 1h --json")
	t.Logf("%s", onServer(root, "sshtay explain --since 1h").Stdout)
	holdsHistory(t, "from files", files)

	t.Logf("%s", onServer(root, "sshtay check").Stdout)
	if r := onServer(root, "sshtay check --json -o /tmp/r.json; sshtay check --replay /tmp/r.json"); !strings.Contains(string(r.Stdout), "sshd dropped connections because") {
		t.Errorf("sshtay check does not tell the history: %s%s", r.Stdout, r.Stderr)
	}

	r := onServer(nobody, "sshtay explain --since 1h")
	if said := string(r.Stdout) + string(r.Stderr); r.Exit != 3 || !strings.Contains(said, "/var/log/auth.log: this account may not read it") || !strings.Contains(said, "root") {
		t.Errorf("without the right to read: %d %s", r.Exit, said)
	}

	// A bundle tells the same elsewhere, and nothing of names when that is asked.
	for _, flag := range []string{"", " --anonymise"} {
		r := onServer(root, "rm -f /tmp/b.tgz; sshtay bundle -o /tmp/b.tgz"+flag+" 2>/dev/null; sshtay check --bundle /tmp/b.tgz; tar -xzOf /tmp/b.tgz")
		if said := string(r.Stdout); !strings.Contains(said, "at least 3 × sshd dropped connections because") || strings.Contains(said, "198.51.100.7") != (flag == "") {
			t.Errorf("the bundle%s tells %s%s", flag, said[:min(len(said), 3000)], r.Stderr)
		}
	}

	// The same lines in a journal, and no files.
	r = onServer(root, journalOf)
	if r.Exit != 0 {
		t.Fatalf("no journal was made: %s%s", r.Stdout, r.Stderr)
	}
	journal := tell("sshtay explain --since 1h --json")
	holdsHistory(t, "from the journal", journal)
	if !slices.ContainsFunc(journal.Sources, func(s struct{ Name string }) bool { return s.Name == "the journal" }) || fmt.Sprint(journal.Troubles) != fmt.Sprint(files.Troubles) {
		t.Errorf("the journal tells\n%+v\nand the files\n%+v", journal, files)
	}

	r = onServer(nobody, "sshtay explain --since 1h")
	if said := string(r.Stdout) + string(r.Stderr); r.Exit != 3 || !strings.Contains(said, "the journal: this account may not read it") || !strings.Contains(said, "systemd-journal") {
		t.Errorf("without the right to read: %d %s", r.Exit, said)
	}
}

var nobody = user{"nobody", "/", host.Owner{UID: 65534, GID: 65534}}

// journalOf makes a journal of the lines of auth.log, which it takes away.
const journalOf = `set -e
id=$(cat /etc/machine-id 2>/dev/null || true)
[ -n "$id" ] || { id=0123456789abcdef0123456789abcdef; echo $id >/etc/machine-id; }
mkdir -p /var/log/journal/$id
now=$(date +%s)
awk -v now="$now" '{ sub(/^... +[0-9]+ [0-9:]+ [^ ]+ /, ""); id = $1; sub(/:.*/, "", id); pid = id; sub(/.*\[/, "", pid); sub(/\]/, "", pid); sub(/\[.*/, "", id)
	text = $0; sub(/^[^ ]+ /, "", text)
	printf "__REALTIME_TIMESTAMP=%d000000\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=fedcba9876543210fedcba9876543210\nSYSLOG_IDENTIFIER=%s\n_PID=%s\n_COMM=%s\nMESSAGE=%s\n\n", now - 60, NR, id, pid, id, text }' /var/log/auth.log >/tmp/export
/usr/lib/systemd/systemd-journal-remote -o /var/log/journal/$id/system.journal /tmp/export
rm /var/log/auth.log
chmod 640 /var/log/journal/$id/system.journal`

func holdsHistory(t *testing.T, how string, h history) {
	t.Helper()
	if h.Failures < 3 || h.count("startup-drop") < 3 || len(h.Networks) == 0 || h.Networks[0].Failures == 0 || len(h.Hours) == 0 {
		t.Errorf("%s: %+v", how, h)
	}
	for _, want := range []struct{ kind, what string }{{"package", "openssh-server upgraded"}, {"restart", "sshd was started"}, {"file", "sshd_config"}} {
		if !slices.ContainsFunc(h.Changes, func(c struct{ Kind, What string }) bool {
			return c.Kind == want.kind && strings.Contains(c.What, want.what)
		}) {
			t.Errorf("%s: no change %s %q in %+v", how, want.kind, want.what, h.Changes)
		}
	}
}
