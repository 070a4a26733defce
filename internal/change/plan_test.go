package change

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"sshtay/internal/cause"
	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/remedy"
	"sshtay/internal/sshconf"
)

var errNoMachine = errors.New("there is no machine")

// nowhere is a machine that cannot be asked anything.
type nowhere struct{}

func (nowhere) Run(context.Context, host.Command) (host.Result, error) {
	return host.Result{}, errNoMachine
}
func (nowhere) ReadFile(context.Context, string, int) ([]byte, error) { return nil, errNoMachine }

// TestEveryStepIsUnderstood: every step that a cause gives a machine in any of
// its stories is one that a kind takes. It asks the machine, and does not refuse
// the step before.
func TestEveryStepIsUnderstood(t *testing.T) {
	files, err := filepath.Glob("../cause/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	seen := map[remedy.Kind]int{}
	for _, c := range cause.All() {
		archive, err := txtar.ParseFile("../cause/testdata/" + c.ID + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if !strings.HasSuffix(f.Name, ".facts") || c.Fix == nil {
				continue
			}
			set, err := fact.Parse(string(f.Data))
			if err != nil {
				t.Fatal(err)
			}
			if v := set.View(); c.Judge(v).Status >= cause.Possible {
				for _, r := range c.Fix(v) {
					takes(t, Wanted{c.ID, r}, seen)
				}
			}
		}
	}
	for _, k := range kinds {
		if k.kind != remedy.InterfaceMTU && seen[k.kind] == 0 {
			t.Errorf("no story asks for %s", k.kind)
		}
	}
}

func takes(t *testing.T, w Wanted, seen map[remedy.Kind]int) {
	t.Helper()
	if !w.Mechanical() {
		return
	}
	jobs, err := w.join(nil)
	if err != nil || len(jobs) == 0 {
		t.Errorf("%s, %s: %d jobs, %v", w.Cause, w.ID, len(jobs), err)
	}
	for _, j := range jobs {
		seen[j.kind]++
		request := Request{Client: sshconf.ClientRequest{Host: "web1"}}
		if _, err := kinds[kindOf(j.kind)].make(t.Context(), nowhere{}, request, j.with); !errors.Is(err, errNoMachine) {
			t.Errorf("%s, %s: %s does not take %v: %v", w.Cause, w.ID, j.kind, j.with, err)
		}
	}
}

// sysctls is a machine with kernel settings, and nothing else that answers.
type sysctls map[string]string

func (m sysctls) ReadFile(context.Context, string, int) ([]byte, error) { return nil, errNoMachine }

func (m sysctls) Run(_ context.Context, c host.Command) (host.Result, error) {
	switch {
	case strings.Contains(c.Argv[2], "/proc/sys/$("):
		var out strings.Builder
		for _, name := range c.Argv[4:] {
			out.WriteString(name + " w " + m[name] + "\n")
		}
		return host.Result{Stdout: []byte(out.String())}, nil
	case strings.Contains(c.Argv[2], "for pattern"):
		return host.Result{}, nil
	}
	return host.Result{}, errNoMachine
}

func TestPlan(t *testing.T) {
	step := func(kind remedy.Kind, with ...string) remedy.Step {
		s := remedy.Step{Kind: kind, Text: "text", With: map[string]string{}}
		for i := 0; i < len(with); i += 2 {
			s.With[with[i]] = with[i+1]
		}
		return s
	}
	want := func(cause, id string, steps ...remedy.Step) Wanted {
		return Wanted{cause, remedy.Remedy{ID: id, Side: remedy.Server, Steps: steps}}
	}
	client := want("elsewhere", "client", step(remedy.Sysctl, "kernel.pid_max", "65536"))
	client.Side = remedy.Client
	m := sysctls{"net.ipv4.tcp_keepalive_time": "7200", "net.ipv4.tcp_mtu_probing": "0", "fs.file-max": "1000", "kernel.pid_max": "32768"}
	changes, left, err := Plan(t.Context(), m, remedy.Server, Request{}, []Wanted{
		want("a", "time", step(remedy.Note), step(remedy.Sysctl, "net.ipv4.tcp_keepalive_time", "600"), step(remedy.Implied, "run", "x")),
		want("b", "other-time", step(remedy.Sysctl, "net.ipv4.tcp_keepalive_time", "900"), step(remedy.Sysctl, "kernel.pid_max", "65536")),
		want("c", "probing", step(remedy.Sysctl, "net.ipv4.tcp_mtu_probing", "1")),
		want("d", "half", step(remedy.Sysctl, "fs.file-max", "2000"), step(remedy.Ban, "address", "192.0.2.7")),
		want("e", "person", step(remedy.Sysctl, "fs.file-max", "2000"), step(remedy.Advice)),
		want("f", "odd", step(remedy.Sysctl, "kernel.core_pattern", "|/bin/sh")),
		client,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(changes) != 1 || changes[0].Title != "set net.ipv4.tcp_keepalive_time 600, net.ipv4.tcp_mtu_probing 1" || strings.Join(changes[0].Cures, " ") != "a c" || changes[0].Side != remedy.Server {
		t.Errorf("changes: %+v", changes)
	}
	var why []string
	for _, l := range left {
		why = append(why, l.Cause+": "+l.Why)
	}
	all := strings.Join(why, "\n")
	for _, part := range []string{"b: net.ipv4.tcp_keepalive_time 600 is what another remedy sets (a)", "d: fail2ban does not answer", "e: it takes a person", `f: "kernel.core_pattern" is no kernel setting`} {
		if !strings.Contains(all, part) {
			t.Errorf("left:\n%s\nwant %q in it", all, part)
		}
	}
	if len(left) != 4 {
		t.Errorf("%d are left, want 4:\n%s", len(left), all)
	}
}

// TestKeepExempt: who is put on the list of those whom sshd never punishes takes
// nobody off it.
func TestKeepExempt(t *testing.T) {
	for config, want := range map[string]string{
		"":                                  "192.0.2.7",
		"PerSourcePenaltyExemptList none\n": "192.0.2.7",
		"PerSourcePenaltyExemptList 10.0.0.0/8\n":               "10.0.0.0/8,192.0.2.7",
		"PerSourcePenaltyExemptList 10.0.0.0/8,192.0.2.7\n":     "10.0.0.0/8,192.0.2.7",
		"Match User a\nPerSourcePenaltyExemptList 10.0.0.0/8\n": "",
	} {
		with, err := keepExempt(t.Context(), configured(config), map[string]string{exemptList: "192.0.2.7", "MaxSessions": "10"})
		if want == "" && err == nil || want != "" && (err != nil || with[exemptList] != want || with["MaxSessions"] != "10") {
			t.Errorf("%q: %v, %v; want %q", config, with, err, want)
		}
	}
}

// configured is a machine with an sshd that has this configuration.
type configured string

func (configured) Run(context.Context, host.Command) (host.Result, error) {
	return host.Result{Stdout: []byte("uid 0\nkernel Linux\nprogram /usr/sbin/sshd\nversion OpenSSH_10.0p2\n")}, nil
}

func (c configured) ReadFile(_ context.Context, name string, _ int) ([]byte, error) {
	if name == sshconf.ServerConfig {
		return []byte(c), nil
	}
	return nil, fs.ErrNotExist
}
