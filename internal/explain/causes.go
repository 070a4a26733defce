package explain

// A suspect is a cause as logs know it.
type suspect struct {
	id string

	// prior is how common the cause is: how often it was the true one among 71
	// publicly resolved cases of connections that were refused, reset or lost,
	// plus one, so that what nobody told of yet can be true as well.
	prior float64

	title string  // for causes that cannot be checked yet
	apart string  // what would tell it from the others
	test  command // what settles it
}

// A command is what to type next.
type command int

const (
	check    command = iota // sshtay check HOST
	idle                    // sshtay idle HOST
	path                    // sshtay path HOST
	onServer                // sshtay check, on the server
)

var causes = []suspect{
	{"address-changed", 4, "an address changed under the connection", "it happens when a VPN, Wi-Fi or mobile network comes or goes, or an IPv6 address is renewed", idle},
	{"asymmetric-route", 2, "the two directions take different ways", "one way has a firewall that never saw the other: small and large packets fail alike, from the start", path},
	{"auth", 2, "", "the connection itself stands: only the login fails, and always for the same user or key", check},
	{"client-side", 3, "", "another client, or ssh -F none, works from the same machine", check},
	{"conntrack-full", 1, "a table of connections is full", "the kernel's log says so, and every protocol suffers", onServer},
	{"corruption", 3, "packets arrive damaged", "it hits at random, under load more often, and with every cipher", check},
	{"duplicate-address", 2, "two machines use one address", "the host key changes from one attempt to the next, or sessions die when the other machine speaks", path},
	{"idle-timeout", 8, "a device on the way forgets idle connections", "it only hits connections that were silent, and always after the same time", idle},
	{"keepalive", 1, "", "keepalives are off, rare, or too impatient for short outages", check},
	{"login-grace", 2, "", "the login takes as long as LoginGraceTime, mostly for slow lookups of names", onServer},
	{"max-sessions", 3, "", "it hits further sessions on a shared connection only (ControlMaster)", check},
	{"not-ssh", 6, "", "it is the same at every attempt: a forwarder without a server behind it, a proxy, or the wrong host or port", check},
	{"path-loss", 2, "packets are lost on the way", "it comes at random, and gets worse with load", path},
	{"path-mtu", 6, "full-size packets vanish on the way", "small things work and large ones hang, always at the same place", path},
	{"rekey", 1, "", "it hits after the same amount of data, or exactly on the hour", check},
	{"reset-injected", 2, "a box on the way resets in the server's name", "another port, or another network, works; the server saw no reset of its own", check},
	{"server-idle-policy", 3, "", "the server's own log tells that it ended the session", onServer},
	{"server-resources", 3, "", "it comes with load on the server; its kernel's log tells of memory or processes", onServer},
	{"session-refused", 4, "", "the login succeeds, and each session ends at once", check},
	{"source-refused", 7, "", "other addresses get in; the server's log names this address with a penalty, a ban or a rule", check},
	{"sshd-broken", 10, "", "nobody gets in; the server's log, or sshd -t, says what is wrong", onServer},
	{"startup-throttle", 6, "", "it comes and goes, with how many are logging in at once; the server's log says so", check},
	{"tcp-keepalive", 2, "", "a side's kernel gave up: on probes of TCPKeepAlive, or on what nobody acknowledged", check},
	{"traffic-class", 3, "the path drops packets for their marking", "it works with -o IPQoS=none", check},
	{"unreachable", 4, "", "the server does not run or cannot be reached, and something else answers for it", check},
	{"version", 7, "", "it is the same at every attempt with these two programs; another client works", check},
}
