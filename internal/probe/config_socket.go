package probe

import (
	"context"
	"fmt"
	"path"
	"runtime"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/visible"
)

// controlSocket says why ssh could not make the socket of a shared connection
// after its login, where it would try: it ends then. Our own login makes none.
func controlSocket(ctx context.Context, env *Env, facts *fact.Set) {
	socket := env.value("controlpath")
	if env.Target.Local() || socket == "" || socket == "none" || !makesSockets(env.value("controlmaster")) {
		return
	}
	if state, _ := fact.ControlMaster.Get(facts); state == "alive" || state == "mute" {
		return // it is there, and ssh goes through it
	}
	if most := longestSocket(); len(socket) > most {
		fact.ControlPathError.Put(facts, fmt.Sprintf("the path has %d bytes, and with the 17 that ssh adds for a moment no more than %d fit", len(socket), most), "ssh -G")
		return
	}
	folder := path.Dir(socket)
	for _, look := range []struct{ test, says string }{
		{"-d", "the folder %s does not exist"},
		{"-w", "the folder %s may not be written"},
	} {
		r, err := env.Local.Run(ctx, host.Command{Argv: []string{"test", look.test, folder}, Limit: 1 << 10})
		if err == nil && r.Exit == 1 {
			fact.ControlPathError.Put(facts, fmt.Sprintf(look.says, visible.Line(folder, 200)), "test "+look.test)
			return
		}
	}
}

func makesSockets(controlMaster string) bool {
	switch controlMaster {
	case "auto", "yes", "true", "ask", "autoask":
		return true
	}
	return false
}

// longestSocket is how many bytes ControlPath may have: ssh makes the socket
// under a name that is longer by a dot and 16 letters, and ends it with a NUL.
func longestSocket() int {
	room := 104 // the BSDs and macOS
	if runtime.GOOS == "linux" {
		room = 108
	}
	return room - 17 - 1
}
