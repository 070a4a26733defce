package probe

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sshlog"
)

// noon is when the histories of the tests are read.
var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.Local)

// put writes a file below root whose time is at.
func put(t *testing.T, root, name string, at time.Time, data string) {
	t.Helper()
	path := filepath.Join(root, name)
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write([]byte(data))
		w.Close()
		data = b.String()
	}
	if strings.HasSuffix(name, ".cut.gz") || strings.Contains(name, "auth.log.3") {
		data = data[:len(data)*3/4]
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// lines are lines of sshd about a client that is reset, one an hour up to a
// time.
func lines(to time.Time, n int) string {
	var b strings.Builder
	for i := range n {
		at := to.Add(time.Duration(i-n) * time.Hour)
		fmt.Fprintf(&b, "%s web1 sshd[%d]: Accepted publickey for a from 192.0.2.9 port %d ssh2\n%s web1 sshd[%d]: Connection reset by 192.0.2.9 port %d\n",
			at.Format(time.Stamp), i+1, 10000+to.YearDay()*50+i, at.Add(time.Minute).Format(time.Stamp), i+1, 10000+to.YearDay()*50+i)
	}
	return b.String()
}

// readHistory reads the history of a machine whose files are below root.
func readHistory(root string, since time.Time) (fact.History, *sshlog.Story) {
	var s sshlog.Story
	run := HistoryRun{Root: root, Since: since, Now: noon}
	return run.Read(context.Background(), &s), &s
}

func TestHistory(t *testing.T) {
	root := t.TempDir()
	day := 24 * time.Hour
	put(t, root, "var/log/auth.log.4.gz", noon.Add(-20*day), lines(noon.Add(-20*day), 5)) // before the time
	put(t, root, "var/log/auth.log.3.gz", noon.Add(-6*day), lines(noon.Add(-6*day), 40))  // and cut
	put(t, root, "var/log/auth.log.2.gz", noon.Add(-3*day), lines(noon.Add(-3*day), 3))
	put(t, root, "var/log/auth.log.1", noon.Add(-2*day), lines(noon.Add(-2*day), 4))
	put(t, root, "var/log/auth.log", noon, lines(noon, 2)+noon.Format(time.Stamp)+" web1 sshd[7]: Server listening on 0.0.0.0 port 22.\n")
	put(t, root, "var/log/syslog", noon, noon.Format(time.Stamp)+" web1 sshd[9]: Connection reset by 192.0.2.9 port 9999\n"+ // auth.log has it
		noon.Format(time.Stamp)+" web1 kernel: [  99.0] Out of memory: Killed process 7 (sshd)\n")
	put(t, root, "var/log/fail2ban.log", noon, noon.Format(time.DateTime)+",123 fail2ban.actions        [77]: NOTICE  [sshd] Ban 203.0.113.4\n")
	put(t, root, "var/log/dpkg.log.1", noon.Add(-2*day), noon.Add(-2*day).Format(time.DateTime)+" upgrade openssh-server:amd64 1:9.2p1-2+deb12u6 1:9.2p1-2+deb12u10\n"+
		noon.Add(-2*day).Format(time.DateTime)+" upgrade openssh-client:amd64 1:9.2p1-2+deb12u6 1:9.2p1-2+deb12u10\n")
	put(t, root, "var/log/dnf5.log", noon.Add(-day), noon.Add(-day).Format("2006-01-02T15:04:05-0700")+` [77] INFO RPM callback install start "openssl-libs-1:3.2.4-3.fc42.x86_64" total 84`+"\n")
	put(t, root, "etc/ssh/sshd_config", noon.Add(-90*day), "")
	put(t, root, "etc/ssh/sshd_config.d/50-hardening.conf", noon.Add(-day), "")
	put(t, root, "proc/stat", noon, fmt.Sprintf("cpu 1\nbtime %d\nprocesses 9\n", noon.Add(-5*day).Unix()))
	if err := os.Chtimes(filepath.Join(root, "etc/ssh/sshd_config.d"), noon.Add(-day), noon.Add(-day)); err != nil {
		t.Fatal(err)
	}

	h, s := readHistory(root, noon.Add(-7*day))
	if h.Failures < 9+10 || h.Failures >= 9+24 || h.Failures != h.Logins || s.Before != 32 {
		t.Errorf("%d failures, %d logins, %d connections, %d lines before", h.Failures, h.Logins, h.Connections, s.Before)
	}
	var sources, unread, troubles, changes []string
	for _, s := range h.Sources {
		sources = append(sources, s.Name)
	}
	for _, u := range h.Unread {
		unread = append(unread, u.Name+": "+u.Why)
	}
	for _, x := range h.Troubles {
		if x.Cause != "" {
			troubles = append(troubles, x.Symptom+" "+x.Cause)
		}
	}
	for _, c := range h.Changes {
		changes = append(changes, fmt.Sprintf("%s %s %d/%d", c.Kind, c.What, c.Before, c.After))
	}
	for _, c := range []struct {
		what string
		got  []string
		want string
	}{
		{"read", sources, "/var/log/auth.log.3.gz /var/log/auth.log.2.gz /var/log/auth.log.1 /var/log/auth.log /var/log/syslog /var/log/fail2ban.log"},
		{"not read", unread, "/var/log/auth.log.3.gz: it ends in the middle: the rest is missing"},
		{"troubles", troubles, "address-banned source-refused out-of-memory server-resources"},
		{"changes", changes, "boot the machine was started 0/0 package openssh-server, openssh-client upgraded from 1:9.2p1-2+deb12u6 to 1:9.2p1-2+deb12u10 4/0 file /etc/ssh/sshd_config.d/50-hardening.conf was written 0/2 package openssl-libs installed: 1:3.2.4-3.fc42.x86_64 0/2 restart sshd was started 2/0"},
	} {
		if got := strings.Join(c.got, " "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
	}
	if len(h.Networks) != 2 || h.Networks[0].Network != "192.0.2.0/24" || h.Networks[0].Kinds["reset"] != h.Failures {
		t.Errorf("networks: %+v", h.Networks)
	}

	h, _ = readHistory(root, noon.Add(-90*time.Minute))
	if h.Failures != 1 || len(h.Changes) != 1 {
		t.Errorf("of the last hours: %+v", h)
	}
}

// TestHistoryOfNothing: a machine without logs has no history, and one without
// sshd in them an empty one.
func TestHistoryOfNothing(t *testing.T) {
	root := t.TempDir()
	h, _ := readHistory(root, noon.Add(-time.Hour))
	if len(h.Sources) != 0 || h.Troubles == nil || h.Networks == nil || h.Hours == nil || h.Changes == nil {
		t.Errorf("%+v", h)
	}
	put(t, root, "var/log/auth.log", noon, noon.Format(time.Stamp)+" web1 CRON[1]: x\n")
	if h, _ = readHistory(root, noon.Add(-time.Hour)); len(h.Sources) != 1 || h.Connections != 0 {
		t.Errorf("%+v", h)
	}
}

// historySeeds are logs as a hostile client, or a broken machine, may leave
// them.
var historySeeds = []string{
	"Nov 21 00:15:33 w sshd[1]: Accepted publickey for a from 192.0.2.9 port 4000 ssh2\nNov 21 00:16:33 w sshd[2]: Connection reset by 192.0.2.9 port 4000\n",
	"2026-11-21T00:15:33+24:00 w sshd[1]: Connection reset by 192.0.2.9 port 4000\n",
	"0000-01-01T00:15:33+01:00 w sshd[1]: Connection reset by ::1 port 4000\n9999-12-31T23:59:59-12:00 w sshd[1]: Connection reset by fe80::1%x port 4000\n",
	`{"MESSAGE":"fatal: Timeout before authentication for 1.2.3.4 port 5","SYSLOG_IDENTIFIER":"sshd","__REALTIME_TIMESTAMP":"9223372036854775807"}`,
	"Nov 21 00:15:33 w sshd[1]: exited MaxStartups throttling after 00:05:00, 99999999999999999999 connections dropped\nNov 21 00:15:33 w sshd[1]: in MaxStartups throttling for x, 999999999 connections dropped\n",
	"Nov 21 00:15:33 w sshd[1]: Server listening on 0.0.0.0 port 22.\nNov 21 00:15:33 w sshd[1]: Received SIGHUP; restarting.\n",
	"Nov 21 00:15:33 w fail2ban.actions[1]: NOTICE [sshd] Ban \x00\xff\n2026-11-21 00:15:33,123 fail2ban.actions        [77]: NOTICE  [sshd] Ban 203.0.113.4\n",
	"99999999999.123456 w sshd[1]: Connection reset by 192.0.2.9 port 4000\n1795220133.123456 w kernel: Out of memory: x\n",
}

// FuzzHistory: whatever a log holds, its history is small, can be carried as
// JSON, and is the same after that.
func FuzzHistory(f *testing.F) {
	if len(historySeeds) < 8 {
		f.Fatalf("only %d seeds", len(historySeeds))
	}
	for _, s := range historySeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, log string) {
		var story sshlog.Story
		err := sshlog.Read(context.Background(), strings.NewReader(log), sshlog.Options{Now: noon}, func(b *sshlog.Batch) error {
			story.Add(b)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		story.End()
		h := HistoryOf(&story)
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatalf("%q: %v", log, err)
		}
		var back fact.History
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%q: %v", log, err)
		}
		if again, _ := json.Marshal(back); string(again) != string(text) {
			t.Errorf("%q: carried as\n%s\nand back as\n%s", log, text, again)
		}
		if len(h.Networks) > mostNetworks || len(h.Hours) > mostListedHours || h.Failures < 0 || h.Logins < 0 || h.Connections < 0 {
			t.Errorf("%q: %+v", log, h)
		}
	})
}

// has says whether a trouble was counted so often.
func has(all []fact.Trouble, symptom string, count int) bool {
	for _, t := range all {
		if t.Symptom == symptom {
			return t.Count == count
		}
	}
	return false
}
