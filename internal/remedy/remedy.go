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
}

// A Step is one act. Text is what a person would do, exact to the letter: the
// line and the file it belongs in, or the command to type. Kind and With say
// the same for a machine; a step that only a person can do has Kind [Advice].
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

// The kinds of steps.
const (
	Advice     Kind = "advice"      // With is empty
	SSHConfig  Kind = "ssh_config"  // With: option → value, for this host
	SSHDConfig Kind = "sshd_config" // With: option → value
	Sysctl     Kind = "sysctl"      // With: name → value
	Command    Kind = "command"     // With: "run" → the command line
)
