package sshlog

import (
	"slices"
	"strings"
)

// The stages of a run of ssh, in order. Each is named when it is completed.
const (
	None    = "none"
	Connect = "connect"
	Banner  = "banner"
	Kex     = "kex"
	Auth    = "auth"
	Session = "session"
)

var stages = []string{None, Connect, Banner, Kex, Auth, Session}

// Reached says whether who completed one stage has completed another.
func Reached(stage, wanted string) bool {
	return slices.Index(stages, stage) >= slices.Index(stages, wanted)
}

// A Trace follows one run of ssh by the lines it prints on standard error with
// LogLevel DEBUG1. The zero Trace is ready to use.
type Trace struct {
	Address  string   // to which ssh connected last; empty behind a proxy
	HostKey  string   // type and fingerprint of the server's key
	Software string   // how the server names its software in its identification
	Methods  []string // authentication methods that the server would still accept
	Method   string   // by which the user was authenticated
	Proxy    bool     // a ProxyCommand or a jump host carries the connection
	Taken    bool     // the server said that it would accept a key of the user's
	Renewals int      // of the keys that were begun
	Renewed  int      // and finished
	MayAsk   bool     // ssh has come to where it may ask the user: for a host key, a passphrase, a password

	stage  int
	reason string
	errors []string
	proxy  bool // the proxy ended
	spoke  bool // lines came that are no identification
}

// Stage is the last stage that was completed.
func (t *Trace) Stage() string { return stages[t.stage] }

// Error is what ssh printed about the failure, its last lines joined.
func (t *Trace) Error() string { return strings.Join(t.errors, "; ") }

// Reason is why ssh went no further, a word of login.reason, or "" when it did
// not say.
func (t *Trace) Reason() string {
	switch {
	case t.proxy && t.Stage() == None:
		return "proxy-failed"
	case t.spoke && t.stage < slices.Index(stages, Banner) && (t.reason == "closed" || t.reason == "reset" || t.reason == ""):
		return "not-ssh"
	}
	return t.reason
}

// maxErrors bounds the lines kept for Error; maxMethods those of a list.
const (
	maxErrors  = 4
	maxMethods = 20
)

// Add takes the next line. It returns whether the line is ssh's own; what is
// not may be text of the server, or of the session.
func (t *Trace) Add(line string) (own bool) {
	line = strings.TrimRight(line, "\r\n")
	if debug, ok := strings.CutPrefix(line, "debug1: "); ok {
		t.debug(debug)
		return true
	}
	if method, ok := authenticated(line); ok {
		t.reach(Auth)
		if method != "" {
			t.Method = method
		}
		return true
	}
	if m := theCatalogue().sshOnly.find(line, &Captured{}); m != nil && (m.tells == SawNote || !m.tells.IsProgress()) {
		t.say(line, symptomTable[m.tells].reason)
		return true
	}
	if t.Proxy && t.Stage() == None && line != "" {
		t.say(line, "") // the proxy's own words
	}
	return slices.ContainsFunc(chatter, func(prefix string) bool { return strings.HasPrefix(line, prefix) })
}

// chatter is how ssh's own lines begin that tell nothing here.
var chatter = []string{"debug2: ", "debug3: ", "Transferred: sent ", "Bytes per second: sent ", "Killed by signal ", "Warning: Permanently added "}

func (t *Trace) reach(stage string) { t.stage = max(t.stage, slices.Index(stages, stage)) }

// debug reads a line of the debug level: these tell how far ssh got.
func (t *Trace) debug(line string) {
	if strings.HasPrefix(line, "Connecting to ") {
		_, address, _ := strings.Cut(line, " [")
		t.Address, _, _ = strings.Cut(address, "] port ")
	}
	if line == "SSH2_MSG_KEXINIT sent" && t.stage >= slices.Index(stages, Kex) { // the first one was sent before
		t.Renewals++
	}
	var c Captured
	m := theCatalogue().sshOnly.find(line, &c)
	if m == nil {
		return
	}
	switch m.tells {
	case SawProxy:
		t.Proxy, t.MayAsk = true, true // a jump host may ask before ours does
	case SawConnected:
		t.reach(Connect)
	case SawPreBanner:
		t.spoke = true
	case SaidThrottled, SaidRefused:
		t.say(line, symptomTable[m.tells].reason)
	case SawBanner:
		t.reach(Banner)
		_, t.Software, _ = strings.Cut(line, "remote software version ")
	case SawKexReply:
		t.MayAsk = true
		t.HostKey = c.Detail
	case SawKex:
		if t.Renewed < t.Renewals {
			t.Renewed++
		}
		t.reach(Kex)
	case SawMethods:
		t.Methods = strings.SplitN(c.Detail, ",", maxMethods+1)
		t.Methods = t.Methods[:min(len(t.Methods), maxMethods)]
	case SawKeyAccepted:
		t.Taken = true
	case SawAuth:
		t.reach(Auth)
		t.Method = c.Detail
	case SawSession:
		t.reach(Session)
	}
}

// authenticated reads `Authenticated to HOST ([ADDR]:PORT) using "METHOD".`,
// and the form without a method that came before 8.9.
func authenticated(line string) (method string, ok bool) {
	if !strings.HasPrefix(line, "Authenticated to ") || !strings.HasSuffix(line, ".") {
		return "", false
	}
	_, method, _ = strings.Cut(line, ` using "`)
	return strings.TrimSuffix(method, `".`), true
}

// say notes a line about a failure. The first reason is nearest to the cause:
// later lines tell what followed from it.
func (t *Trace) say(line, reason string) {
	if len(t.errors) == maxErrors {
		t.errors = t.errors[1:]
	}
	t.errors = append(t.errors, line)
	if reason == "proxy-failed" {
		t.proxy = true
	} else if t.reason == "" {
		t.reason = reason
	}
}
