package fact

import "time"

// LoginReasons is the closed list of login.reason. The words that a handshake
// can end with as well mean the same in both places.
var LoginReasons = []string{
	// before anything is sent
	"ssh-missing",  // there is no ssh program here
	"config-error", // ssh refuses its configuration, see client.config_error
	"local-error",  // ssh could not be run, or could not do its work here

	// on the way to a session; login.stage says how far that was
	"name-not-found", "name-failed", "refused", "unreachable", "no-route", "proxy-failed",
	"timed-out",           // no answer in the time given
	"closed",              // the other side closed in order
	"reset",               // the connection was reset or broke
	"throttled",           // the server said that it refuses for now
	"not-ssh",             // something answers, and it is not SSH
	"version-mismatch",    // the other side speaks another major version of SSH
	"no-common-algorithm", // the two sides share no algorithm for some purpose
	"bad-packet",          // a MAC or a packet length was wrong
	"protocol-error",      // anything else that the protocol forbids
	"bad-signature",       // the host key's signature or size was not acceptable
	"disconnected",        // the server said why in a DISCONNECT, see login.error
	"cancelled",           // we gave up because the run was over
	"host-key-unknown",    // known_hosts does not have the server's key
	"host-key-changed",    // known_hosts has another key for this host
	"host-key-revoked",    // the key is marked as revoked
	"permission-denied",   // no method was left that works without asking the user
	"needs-terminal",      // a password, passphrase or code is asked for, and nobody can be asked
	"too-many-failures",   // MaxAuthTries was used up by keys that were offered

	// with a session
	"session-refused", // the server opened no session, or refused to run a command in it
	"no-answer",       // the session was open and silent until we ended it
	"endless-output",  // the session printed on and on, and our command did not run
	"other-command",   // something else than our command ran, see session.kind
}

// Facts about the login by the user's own ssh, and the session it got.
//
// The login's stage is "session" from the moment a session was open. Then
// session.kind is "shell" when a login shell ran our command, "forced-command"
// when something else ran in its place, "sftp-only" or "no-shell" when the
// account said so itself, and "none" when nothing was said or we had to cut it.
var (
	LoginStage       = define[string]("login.stage", "", "how far did the user's own ssh get: none, connect, banner, kex, auth or session?")
	LoginReason      = define[string]("login.reason", "", "why did the login go no further? absent when a session ran our command")
	LoginError       = define[string]("login.error", "", "what did ssh print last about it?")
	LoginExit        = define[int]("login.exit_status", "", "with which status did ssh end?")
	LoginAddress     = define[string]("login.address", "", "to which address did the user's own ssh connect?")
	LoginHostKey     = define[string]("login.host_key", "", "which host key did the server show to the user's own ssh (type and fingerprint)?")
	LoginMethods     = define[[]string]("login.methods", "", "which authentication methods would the server still accept?")
	LoginMethod      = define[string]("login.method", "", "by which method was the user authenticated?")
	LoginKeyAccepted = define[bool]("login.key_accepted", "", "did the server say that it would accept a key of the user's?")
	LoginTime        = define[time.Duration]("login.time", "s", "how long did it take from starting ssh to the session?")
	LoginAuthTime    = define[time.Duration]("login.auth_time", "s", "how long did the authentication take?")
	LoginRenewing    = define[bool]("login.renewing", "", "did the login or its session end while the keys were being renewed?")
	LoginCutAfter    = define[time.Duration]("login.cut_after", "s", "how long after the connection was made did the other side end it, when that was during the authentication?")
	SessionKind      = define[string]("session.kind", "", "what ran in the session: shell, forced-command, sftp-only, no-shell or none?")
	SessionNoise     = define[string]("session.noise", "", "what did the login print on standard output before our command's first line? made visible, at most 1 KiB")
	SessionShellTime = define[time.Duration]("session.shell_time", "s", "how long did the session take to run our command's first line?")
	SessionEnd       = define[string]("session.end", "", "what came back when our command did not run? made visible, at most 1 KiB")
)
