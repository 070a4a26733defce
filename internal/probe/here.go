package probe

import (
	"context"
	"errors"
	"io/fs"

	"sshtay/internal/fact"
)

// Here looks at this machine's part in the network, right after the
// connections to the server were made or were not.
var Here = Probe{Name: "here", Yields: []fact.Any{fact.ClientConntrack, fact.ClientSource, fact.ClientSessions}, Run: runHere}

func runHere(ctx context.Context, env *Env, facts *fact.Set) {
	clientConntrack(ctx, env, facts)
	clientSessions(ctx, env, facts)
}

func clientConntrack(ctx context.Context, env *Env, facts *fact.Set) {
	count, err := env.Local.ReadFile(ctx, conntrackCount, 100)
	if system, _ := fact.ClientOS.Get(facts); errors.Is(err, fs.ErrNotExist) && system == "linux" {
		fact.ClientConntrack.Put(facts, fact.Conntrack{}, "/proc/sys/net") // no module, no table
		return
	}
	most, maxErr := env.Local.ReadFile(ctx, conntrackMax, 100)
	stat, _ := env.Local.ReadFile(ctx, conntrackStat, 64<<10)
	t, ok := parseConntrack(string(count), string(most), string(stat))
	switch err := errors.Join(err, maxErr); {
	case ok:
		fact.ClientConntrack.Put(facts, t, conntrackCount)
	case err != nil:
		fact.Miss(facts, err.Error(), fact.ClientConntrack)
	default:
		fact.Miss(facts, conntrackCount+" holds no number", fact.ClientConntrack)
	}
}
