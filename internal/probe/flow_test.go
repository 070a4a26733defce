package probe

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
	"sshtay/internal/target"
	"sshtay/internal/testenv"
)

// flown logs in once and counts.
func flown(t *testing.T, prepare func(*Env, *fact.Set)) *fact.Set {
	t.Helper()
	s := newServer(t, "")
	env, _ := sessionEnv(t, s, "root")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	facts := &fact.Set{}
	Config.Run(ctx, env, facts)
	Handshake.Run(ctx, env, facts)
	Login.Run(ctx, env, facts)
	prepare(env, facts)
	Flow.Run(ctx, env, facts)
	return facts
}

// TestFlow: the connections of the handshake and of the login's ssh are
// counted to their end, though we held neither socket then; and the server's
// side of the login with it.
func TestFlow(t *testing.T) {
	testenv.Need(t, "ss")
	facts := flown(t, func(*Env, *fact.Set) {})
	flows, ok := fact.PathFlows.Get(facts)
	// The kernel may tell late of the connection that only saw the server listen.
	flows = slices.DeleteFunc(flows, func(f fact.Flow) bool { return f.Sent+f.Received == 0 })
	if !ok || len(flows) != 2 {
		t.Fatalf("flows %+v; missing %v", flows, facts.Missing())
	}
	paired := 0
	for _, f := range flows {
		if f.Whose != flowOfCheck || !f.Connected || f.Sent < 3 || f.Received < 3 || f.Unanswered {
			t.Errorf("%+v", f)
		}
		if f.Other != nil && f.Other.Sent > 3 {
			paired++
		}
	}
	if paired != 1 {
		t.Errorf("the server's side is known of %d connections, want the login's: %+v", paired, flows)
	}
	for _, k := range []fact.Any{fact.PathLoss, fact.PathLossToServer, fact.PathLossFromServer} {
		if e, seen := facts.Entry(k.Name()); !seen || e.Value != 0.0 {
			t.Errorf("%s = %v, %v", k.Name(), e.Value, facts.Missing()[k.Name()])
		}
	}
	if _, ok := fact.PathJitter.Get(facts); !ok {
		t.Error("no jitter: " + facts.Missing()["path.jitter"])
	}
}

// TestFlowsOfTheUser: a running ssh of the user's is told from our own
// connections, and which process it is.
func TestFlowsOfTheUser(t *testing.T) {
	facts := flown(t, func(env *Env, _ *fact.Set) {
		args := append(loginArgs(env, patient), "echo begun; sleep 60")
		shell := exec.Command("sh", append([]string{"-c", `"$@"; exit`, "sh"}, args...)...) // not our own child
		out, err := shell.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := shell.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { shell.Wait() })
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "begun\n" {
			t.Fatal(line, err)
		}
	})
	flows, _ := fact.PathFlows.Get(facts)
	var users []fact.Flow
	for _, f := range flows {
		if f.Whose == flowOfUser {
			users = append(users, f)
		}
	}
	if len(flows) != 3 || len(users) != 1 || users[0].Program != "ssh" || users[0].PID == 0 || users[0].Age <= 0 || users[0].Sent < 5 {
		t.Fatalf("%+v", flows)
	}
	if ssh, err := os.FindProcess(users[0].PID); err == nil {
		ssh.Kill()
	}
}

// TestEcho: a login that only carries small packets counts them on both sides.
func TestEcho(t *testing.T) {
	testenv.Need(t, "ss")
	s := newServer(t, "")
	env, _ := sessionEnv(t, s, "root")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	facts := &fact.Set{}
	Config.Run(ctx, env, facts)
	Handshake.Run(ctx, env, facts)
	Login.Run(ctx, env, facts)
	f, err := echo(ctx, env, facts)
	if err != nil {
		t.Fatal(err)
	}
	if f.Learned != 0 || f.Other != nil && f.Other.Learned != 0 {
		t.Errorf("nobody told of a shorter path: %+v, the other side %+v", f, f.Other)
	}
	if f.Sent < 100 || f.Received < 50 || f.Other == nil || f.Other.Received > f.Sent || f.Other.Sent < 50 {
		t.Errorf("%+v, the other side %+v", f, f.Other)
	}
	if to := f.ToServer(); to.Lost != 0 {
		t.Errorf("%d of %d were lost on loopback", to.Lost, to.Of)
	}
}

// TestFlowThroughAProxy says why nothing is counted.
func TestFlowThroughAProxy(t *testing.T) {
	env, facts := newEnv(target.Target{Given: "web1"}), &fact.Set{}
	fact.HandshakeVia.Put(facts, viaJump, "test")
	Flow.Run(t.Context(), env, facts)
	absent(t, facts, fact.PathFlows, "jump host")
	absent(t, facts, fact.PathLoss, "jump host")
}

func TestSuspicious(t *testing.T) {
	for name, c := range map[string]struct {
		flow fact.Flow
		want bool
	}{
		"clean":               {fact.Flow{Whose: flowOfCheck, Connected: true, Sent: 20}, false},
		"one lost":            {fact.Flow{Whose: flowOfCheck, Connected: true, Sent: 20, Again: 1}, true},
		"one overtaken":       {fact.Flow{Whose: flowOfCheck, Connected: true, Sent: 20, OutOfOrder: 1}, true},
		"the server's":        {fact.Flow{Whose: flowOfCheck, Connected: true, Sent: 20, Other: &fact.Count{Sent: 20, Again: 1}}, true},
		"late only":           {fact.Flow{Whose: flowOfCheck, Connected: true, Sent: 20, Again: 1, Had: 1}, false},
		"too long, told so":   {fact.Flow{Whose: flowOfCheck, Connected: true, Sent: 20, Again: 2, OutOfOrder: 1, Learned: 1280}, false},
		"only the server was": {fact.Flow{Whose: flowOfCheck, Connected: true, Sent: 20, OutOfOrder: 2, Other: &fact.Count{Sent: 20, Again: 2, Learned: 1280}}, false},
		"more than too long":  {fact.Flow{Whose: flowOfCheck, Connected: true, Sent: 90, Again: 30, Learned: 1280}, true},
		"an old one":          {fact.Flow{Whose: flowOfUser, Connected: true, Sent: 9000, Again: 9}, false},
		"an old one, lossy":   {fact.Flow{Whose: flowOfUser, Connected: true, Sent: 9000, Again: 90}, true},
		"an old one, one way": {fact.Flow{Whose: flowOfUser, Connected: true, Sent: 900, Other: &fact.Count{Sent: 9000, Again: 90}}, true},
	} {
		if got := suspicious([]fact.Flow{c.flow}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPairUp: the server's counts go with the connection that they are of.
func TestPairUp(t *testing.T) {
	flow := func(whose string, port, received int) fact.Flow {
		return fact.Flow{Whose: whose, Local: fmt.Sprintf("192.168.7.23:%d", port), Received: received}
	}
	flows := []fact.Flow{flow(flowOfCheck, 1001, 5), flow(flowOfCheck, 1002, 30), flow(flowOfUser, 1003, 900)}
	pairUp(flows, []fact.ServerFlow{
		{Peer: "198.51.100.7:40000", Ours: true, Count: fact.Count{Sent: 30}}, // through a NAT that changes ports
		{Peer: "198.51.100.7:1003", Count: fact.Count{Sent: 900}},
		{Peer: "198.51.100.7:7777", Count: fact.Count{Sent: 1}},
	})
	var got []string
	for _, f := range flows {
		if f.Other == nil {
			got = append(got, "-")
			continue
		}
		got = append(got, fmt.Sprint(f.Other.Sent))
	}
	if s := strings.Join(got, " "); s != "- 30 900" {
		t.Errorf("paired %s", s)
	}
}

// TestWatchIsBounded: what ends elsewhere is not kept, nor is too much.
func TestWatchIsBounded(t *testing.T) {
	s := newServer(t, "")
	env, to := sessionEnv(t, s, "root")
	w := &flowWatch{port: to.Port(), ended: map[uint64]sock.Flow{}}
	f := sock.Flow{Remote: to}
	for i := range 2 * mostEnded {
		f.Cookie = uint64(i)
		w.remember(f)
	}
	if len(w.ended) != mostEnded {
		t.Errorf("%d are kept", len(w.ended))
	}
	if all, err := env.flows.all(t.Context()); all != nil || err != nil {
		t.Errorf("without a watch: %v, %v", all, err)
	}
}
