package sshlog

import "sshtay/internal/pattern"

// A saying is a line of ssh about a failure, and the word for it. An empty
// reason keeps the line and decides nothing.
type saying struct {
	match  *pattern.Pattern
	reason string
}

// sayings are tried in order; the special ones stand before the general ones.
var sayings = compile([][2]string{
	// configuration
	{`^.*: terminating, \d+ bad configuration options`, "config-error"},
	{`^(command-line|/.*|~.*):? line \d+: `, "config-error"},
	{`^Bad owner or permissions on `, "config-error"},

	// the name and the way
	{`^ssh: Could not resolve hostname .*: (Temporary failure|Try again|System error|Non-recoverable)`, "name-failed"},
	{`^ssh: Could not resolve hostname `, "name-not-found"},
	{`^ssh: connect to host .* port \d+: Connection refused`, "refused"},
	{`^ssh: connect to host .* port \d+: (Connection|Operation) timed out`, "timed-out"},
	{`^ssh: connect to host .* port \d+: (No route to host|Host is (down|unreachable))`, "unreachable"},
	{`^ssh: connect to host .* port \d+: Network is (unreachable|down)`, "no-route"},
	{`^ssh: connect to host .* port \d+: Connection reset`, "reset"},
	{`^ssh: connect to host .* port \d+: `, "local-error"},
	{`^(Connection closed by|Connection reset by|Connection to|Disconnected from) UNKNOWN port 65535`, "proxy-failed"},
	{`^stdio forwarding failed`, "proxy-failed"},
	{`^proxy dialer did not pass back a connection`, "proxy-failed"},
	{`^jumphost loop via `, "config-error"},

	// the banner
	{`^Connection timed out during banner exchange`, "timed-out"},
	{`^(kex|ssh)_exchange_identification: banner line (contains invalid characters|too long)`, "not-ssh"},
	{`^(kex|ssh)_exchange_identification: No banner received`, "not-ssh"},
	{`^No SSH version received in first \d+ lines`, "not-ssh"},
	{`^Bad remote protocol version identification: `, "not-ssh"},
	{`^banner exchange: Connection to .*: invalid format`, "not-ssh"},
	{`^Protocol major versions differ: `, "version-mismatch"},
	{`^banner exchange: Connection to .*: could not read protocol version`, "version-mismatch"},
	{`^(kex|ssh)_exchange_identification: (.*: )?Connection closed by remote host`, "closed"},
	{`^(kex|ssh)_exchange_identification: (.*: )?(Connection reset|Broken pipe)`, "reset"},
	{`^(kex|ssh)_exchange_identification: (.*: )?Connection timed out`, "timed-out"},

	// the key exchange
	{`^Unable to negotiate (with .* port \d+|a key exchange method)`, "no-common-algorithm"},
	{`^@ +WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! +@`, "host-key-changed"},
	{`^@ +WARNING: (HOST CERTIFICATE .*|REVOKED HOST KEY DETECTED!) +@`, "host-key-revoked"},
	{`^Host key for .* has changed and you have requested strict checking`, "host-key-changed"},
	{`^Offending .*key in `, ""},
	{`^No .* host key is known for .* and you have requested strict checking`, "host-key-unknown"},
	{`^Host key verification failed\.`, "host-key-unknown"},
	{`^Bad server host key: `, "bad-signature"},
	{`^Server host key .* not in HostKeyAlgorithms`, "no-common-algorithm"},
	{`^Corrupted MAC on input`, "bad-packet"},
	{`^Bad packet length \d+`, "bad-packet"},
	{`^ssh_dispatch_run_fatal: Connection to .*: (message authentication code incorrect|Connection corrupted)`, "bad-packet"},
	{`^ssh_dispatch_run_fatal: Connection to .*: (incorrect signature|Invalid key length|error in libcrypto)`, "bad-signature"},
	{`^ssh_dispatch_run_fatal: Connection to .*: (Broken pipe|Connection reset)`, "reset"},
	{`^ssh_dispatch_run_fatal: Connection to .*: (Connection timed out|Operation timed out)`, "timed-out"},
	{`^ssh_dispatch_run_fatal: Connection to .*: no matching `, "no-common-algorithm"},
	{`^ssh_dispatch_run_fatal: Connection to `, "protocol-error"},

	// the authentication
	{`^Received disconnect from .*: ?Too many authentication failures`, "too-many-failures"},
	{`^Received disconnect from `, "disconnected"},
	{`^(\S+: )?Permission denied( \(|, please try again)`, "permission-denied"},
	{`^Authentication failed\.`, "permission-denied"},
	{`^(sign_and_send_pubkey|Load key|Unable to load|no such identity|identity_sign)\b`, ""},

	// the session
	{`^channel \d+: open failed: `, "session-refused"},
	{`^(exec|shell|subsystem) request failed on channel \d+`, "session-refused"},
	{`^Timeout, server .* not responding`, "timed-out"},
	{`^Connection to .* timed out`, "timed-out"},
	{`^Connection to .* closed by remote host`, "closed"},
	{`^Read from remote host .*: .*timed out`, "timed-out"},
	{`^Read from remote host `, "reset"},
	{`^(client_loop: send disconnect|packet_write_wait|Write failed)\b.*(Broken pipe|Connection reset)`, "reset"},
	{`^client_loop: ssh_packet_write_poll: Connection to `, "reset"},

	// anywhere
	{`^Connection closed by .* port \d+`, "closed"},
	{`^Connection reset by .* port \d+`, "reset"},
	{`^Disconnected from .* port \d+`, "disconnected"},
	{`^OpenSSL version mismatch`, "local-error"},
})

func compile(table [][2]string) []saying {
	var all []saying
	for _, row := range table {
		all = append(all, saying{pattern.New(row[0]), row[1]})
	}
	return all
}
