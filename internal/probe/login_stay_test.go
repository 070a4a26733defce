package probe

import (
	"context"
	"fmt"
	"testing"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/testenv"
)

// TestStay: the login's session goes on as a shell in which we work, whatever
// shell the account has, and the facts are those of a login that ends.
func TestStay(t *testing.T) {
	s := newServer(t, "")
	for _, shell := range []string{"sh", "bash", "zsh", "fish", "tcsh"} {
		t.Run(shell, func(t *testing.T) {
			user := newUser(t, testenv.Need(t, shell)[0], nil)
			env, facts := newEnv(s.target(user, "user", "known")), &fact.Set{}
			var enter Entrance
			early := make(chan string, 1)
			env.Stay = &Stay{Ended: func(in Entrance) { enter = in }, Begun: func(m *host.Remote) {
				r, err := m.Run(t.Context(), host.Command{Argv: []string{"echo", "asked early"}})
				early <- fmt.Sprint(string(r.Stdout), err)
			}}
			Config.Run(t.Context(), env, facts)
			login(t.Context(), env, facts, patient)
			want(t, facts, fact.SessionKind, "shell")
			want(t, facts, fact.ServerVia, "login")
			want(t, facts, fact.ServerUser, user)
			absent(t, facts, fact.LoginReason, "")
			absent(t, facts, fact.SessionNoise, "")
			absent(t, facts, fact.LoginExit, "the session was kept, to work in it")
			if enter == nil {
				t.Fatal("the session does not go on")
			}
			m, err := enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if said := <-early; said != "asked early\n<nil>" {
				t.Errorf("what was asked while the script ran got %q", said)
			}
			if r, err := m.Run(t.Context(), host.Command{Argv: []string{"id", "-un"}}); err != nil || string(r.Stdout) != user+"\n" || !m.Alive() {
				t.Errorf("got %q, %v", r.Stdout, err)
			}
		})
	}
}

// TestStayNowhere: an account that does not run our command leads nowhere, and
// is told as ever.
func TestStayNowhere(t *testing.T) {
	s := newServer(t, "Match User *\n ForceCommand echo only this; exit 3\n")
	env, facts := newEnv(s.target("root", "user", "known")), &fact.Set{}
	env.Stay = &Stay{Begun: func(*host.Remote) { t.Error("our script runs") }, Ended: func(Entrance) { t.Error("the session goes on") }}
	Config.Run(t.Context(), env, facts)
	login(t.Context(), env, facts, patient)
	want(t, facts, fact.SessionKind, "forced-command")
	want(t, facts, fact.SessionEnd, "only this\n(it ended with status 3)")
	want(t, facts, fact.LoginExit, 3)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stay := env.Stay
	env, facts = newEnv(s.target("root", "user", "known")), &fact.Set{}
	env.Stay = stay
	Config.Run(t.Context(), env, facts)
	login(ctx, env, facts, patient)
	want(t, facts, fact.LoginReason, "cancelled")
}
