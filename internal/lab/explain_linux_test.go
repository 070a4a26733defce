package lab

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sshtay/internal/host"
	"sshtay/internal/testenv"
)

// told are faulty worlds, and what must be read from what real programs print
// in them: by `ssh -vvv` on the laptop, by `sshd` at LogLevel DEBUG3 on the
// server, or by both. The cause is the scenario's own.
var told = []struct {
	scenario       string
	client, server string // the stage at which it ended, or "-" where nothing can be read
	place          int    // the cause is among so many first ones; 0 where nothing is to be found
}{
	{"auth-no-key", "auth", "-", 1},
	{"auth-too-many-keys", "auth", "auth", 1},
	{"broken-privsep-console", "banner", "banner", 3},
	{"grace-short", "auth", "-", 1},
	{"healthy", "", "", 0},
	{"healthy-dropbear", "", "-", 0},
	{"healthy-noisy-motd", "", "", 0},
	{"healthy-openssh-10", "", "", 0},
	{"max-sessions-none", "session", "session", 1},
	{"not-ssh-http", "banner", "-", 1},
	{"not-ssh-tls", "banner", "-", 3},
	{"rekey-key-agent", "session", "-", 1},
	{"reset-kexinit", "kex", "-", 1},
	{"session-chroot", "-", "session", 1},
	{"source-hosts-deny", "banner", "banner", 3},
	{"source-penalty", "banner", "banner", 1},
	{"throttle-full", "banner", "banner", 1},
	{"unreachable-name", "resolve", "-", 1},
	{"unreachable-refused", "connect", "-", 1},
	{"version-cipher", "kex", "kex", 1},
	{"version-old-kex", "kex", "kex", 1},
}

// TestExplainInWorlds has `sshtay explain` read what ssh and sshd print in
// faulty worlds.
func TestExplainInWorlds(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, "ssh", "sshd", "dropbear", "nft")
	if err := CanBuild(); err != nil {
		t.Fatal(err)
	}
	program := builtProgram(t)
	all, err := Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range told {
		t.Run(c.scenario, func(t *testing.T) {
			at := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == c.scenario })
			if at < 0 {
				t.Fatal("there is no such scenario")
			}
			s := all[at]
			live, err := (&Lab{Program: program, Seed: 1}).Up(t.Context(), loud(s.World))
			if err != nil {
				t.Fatal(err)
			}
			defer live.Down()
			run := strings.Replace(cmp.Or(s.Truth.Run, "ssh web1 true"), "ssh ", "ssh -vvv ", 1)
			if strings.Contains(s.Truth.Run, "ssh -v ") {
				run = strings.Replace(s.Truth.Run, "ssh -v ", "ssh -vvv ", 1)
			}
			seen, err := live.shell("{ "+run+"; } 2>trace >/dev/null; sshtay explain --json trace", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if c.client != "-" {
				holds(t, "ssh -vvv", seen.Stdout, s.Want.First, c.client, c.place)
			}
			if c.server != "-" {
				seen, err := live.machines["server"].run(t.Context(), root, host.Command{Argv: []string{"sshtay", "explain", "--json", "/var/log/auth.log"}})
				if err != nil {
					t.Fatal(err)
				}
				holds(t, "sshd's log", seen.Stdout, s.Want.First, c.server, 1)
			}
		})
	}
}

// loud is a world whose sshd logs all it can.
func loud(w World) World {
	w.Files = slices.Clone(w.Files)
	config := []byte("LogLevel DEBUG3\n")
	for i, f := range w.Files {
		if f.Side == "server" && f.Name == "sshd_config" {
			w.Files[i].Data = append(config, f.Data...)
			return w
		}
	}
	w.Files = append(w.Files, File{Side: "server", Name: "sshd_config", Data: config})
	return w
}

func holds(t *testing.T, what string, explanation []byte, cause, stage string, place int) {
	t.Helper()
	var e struct {
		Stage   string
		Unread  int
		Ranking []struct {
			Cause  string
			Weight float64
		}
		Symptoms []struct{ Symptom string }
		Read     struct{ Samples []string }
	}
	if err := json.Unmarshal(explanation, &e); err != nil {
		t.Fatalf("%s: %v: %s", what, err, explanation)
	}
	at := slices.IndexFunc(e.Ranking, func(r struct {
		Cause  string
		Weight float64
	}) bool {
		return r.Cause == cause
	})
	t.Logf("%s: %s, %v, %.3v, unread %d %q", what, e.Stage, e.Symptoms, e.Ranking[:min(3, len(e.Ranking))], e.Unread, e.Read.Samples)
	if cause == "healthy" {
		if len(e.Ranking)+len(e.Symptoms) > 0 {
			t.Errorf("%s: a healthy world, and %v was found", what, e.Symptoms)
		}
		return
	}
	if at < 0 || at >= place || e.Stage != stage {
		t.Errorf("%s: %s is number %d, at the stage %q; want it among the first %d, at %q", what, cause, at+1, e.Stage, place, stage)
	}
}
