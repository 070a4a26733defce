// Package remedy describes what would cure a cause. It is pure data: a plan
// says what to do, on which side and at which risk; it can be shown, stored,
// compared and refused before anything happens.
package remedy

// A Remedy is carried out whole or not at all.
type Remedy struct {
	ID      string // unique within its cause, such as "client-keepalive"
	Side    Side
	Risk    Risk
	Summary string // one sentence, in the imperative
	Cures   string // name of the fact that must read differently afterwards
	Steps   []Step
	// Unless are the IDs of remedies before it in its finding: where one of
	// them is carried out, this one is not needed. See [Choose].
	Unless []string
}

// A Step is one act. Text is what a person would do, exact to the letter: the
// line and the file it belongs in, or the command to type. Kind and With say
// the same for a machine. With may have "run" beside that: a command line, which
// Text begins with.
type Step struct {
	Text string
	Kind Kind
	With map[string]string
}

// Side is where a remedy is carried out.
type Side string

// The sides of a connection.
const (
	Client  Side = "client"
	Server  Side = "server"
	Network Side = "network"
)

// Risk is the worst that carrying out a remedy can do.
type Risk string

// The risks, least first.
const (
	Harmless    Risk = "harmless"
	ReloadsSSHD Risk = "reloads-sshd"
	CanLockOut  Risk = "can-lock-out"
)

// Kind names the way in which a step can be carried out.
type Kind string

// The kinds of steps that people take. A remedy with one of them is theirs.
const (
	Advice  Kind = "advice"  // With may be empty
	Command Kind = "command" // a command line that no machine types: With has "run"
)

// The kinds of steps that take nobody's part: a remedy is whole without them.
const (
	Note    Kind = "note"    // something to know, to look at, or to do beyond this; With may be empty
	Implied Kind = "implied" // what lets the step before it take effect: carrying that one out includes it
)

// The kinds of steps that a machine takes: each is a file of package change.
const (
	SSHConfig    Kind = "ssh_config"    // With: option → value, for this host
	SSHDConfig   Kind = "sshd_config"   // With: option → value
	Sysctl       Kind = "sysctl"        // With: name → value
	RouteMTU     Kind = "route_mtu"     // With: "to" → address, "mtu" → bytes
	InterfaceMTU Kind = "interface_mtu" // With: "device" → name, "mtu" → bytes
	MSSClamp     Kind = "mss_clamp"     // With: "mss" → bytes
	PassICMP     Kind = "pass_icmp"     // With: "family" → "4" or "6"
	Ban          Kind = "ban"           // With: "address" → whose ban is lifted
	HostsDeny    Kind = "hosts_deny"    // With: "address" → who is let in
	PrivsepDir   Kind = "privsep_dir"   // With has "run" alone
	HostKeys     Kind = "host_keys"     // With has "run" alone
	StartSSHD    Kind = "start_sshd"    // With has "run" alone
	SocketLimits Kind = "socket_limits" // With: setting → value, of the socket unit
)
