package probe

import (
	"fmt"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/sshlog"
	"sshtay/internal/visible"
)

// reportSession says what the session was, from what came back in it.
func (w *watch) reportSession(facts *fact.Set, exit int, cause error) {
	const source, most = "login", 1 << 10
	if w.trace.Stage() != sshlog.Session {
		fact.Miss(facts, w.why(), fact.SessionKind, fact.SessionNoise, fact.SessionShellTime, fact.SessionEnd)
		return
	}
	if !w.begun.IsZero() {
		fact.SessionKind.Put(facts, "shell", source)
		// Standard error harms nobody: scp, sftp and rsync read the output only.
		if noise := strings.TrimSpace(string(w.noise)); noise != "" {
			fact.SessionNoise.Put(facts, visible.Text(noise, most), source)
		}
		return
	}
	fact.Miss(facts, "our command did not run in the session", fact.SessionNoise, fact.SessionShellTime)
	said := strings.TrimSpace(string(w.out) + string(w.errs))
	fact.SessionKind.Put(facts, sessionKind(said, cause), source)
	fact.SessionEnd.Put(facts, ending(visible.Text(said, most), exit, cause), source)
}

// sessionKind names what ran in place of our command.
func sessionKind(said string, cause error) string {
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(said, p) {
				return true
			}
		}
		return false
	}
	switch {
	case cause != nil, said == "":
		return "none"
	case has("This service allows sftp connections only", "usage: sftp-server", "sftp-server: "):
		return "sftp-only"
	case has("This account is currently not available", "This account is not available"):
		return "no-shell"
	case has("exec: not found", "is not recognized as"):
		return "no-shell" // a shell, but none that can run sh
	}
	return "forced-command"
}

// ending tells how a session that did not run our command ended, and what it
// said.
func ending(said string, exit int, cause error) string {
	how := fmt.Sprintf("it ended with status %d", exit)
	if cause != nil {
		how = "it was still open when we cut it"
	}
	if said == "" {
		return how + " and printed nothing"
	}
	return said + "\n(" + how + ")"
}

// why says in a few words why the server's side could not be read. How the
// login failed is told by facts of its own.
func (w *watch) why() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.alien {
		return "the login did not succeed: something else than SSH answers"
	}
	if w.trace.Stage() == sshlog.Session {
		return "the login runs no shell for us, see session.kind"
	}
	return "the login did not succeed"
}
