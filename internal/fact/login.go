package fact

import "time"

// Facts about the login by the user's own ssh, and the session it got.
var (
	LoginStage       = define[string]("login.stage", "", "how far did the user's own ssh get: none, connect, banner, kex, auth or session?")
	LoginReason      = define[string]("login.reason", "", "why did the login go no further? absent when a session ran our command")
	LoginError       = define[string]("login.error", "", "what did ssh print last about it?")
	LoginExit        = define[int]("login.exit_status", "", "with which status did ssh end?")
	LoginMethods     = define[[]string]("login.methods", "", "which authentication methods would the server still accept?")
	LoginMethod      = define[string]("login.method", "", "by which method was the user authenticated?")
	LoginTime        = define[time.Duration]("login.time", "s", "how long did it take from starting ssh to the session?")
	LoginAuthTime    = define[time.Duration]("login.auth_time", "s", "how long did the authentication take?")
	SessionKind      = define[string]("session.kind", "", "what ran in the session: shell, forced-command, sftp-only, no-shell or none?")
	SessionNoise     = define[string]("session.noise", "", "what did the login print before our command's first line? made visible, at most 1 KiB")
	SessionShellTime = define[time.Duration]("session.shell_time", "s", "how long did the session take to run our command's first line?")
	SessionEnd       = define[string]("session.end", "", "what came back when our command did not run? made visible, at most 1 KiB")
)
