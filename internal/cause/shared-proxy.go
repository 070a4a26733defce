package cause

import (
	"fmt"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/remedy"
)

// proxyWords are what ssh -W, nc and the like print when they do not get
// through, and who is then out of reach for whom. $1 and $2 are taken from the
// line.
var proxyWords = []struct {
	line    *pattern.Pattern
	summary string
	mend    []remedy.Step
}{
	{pattern.New(`ssh: Could not resolve hostname (\S{1,255}?): (.{1,200})`), "The name of the jump host %[1]s has no address: %[2]s.",
		[]remedy.Step{typed("the name that ssh asks for", "ssh -G JUMP_HOST | grep ^hostname"), advise("mend its HostName in ~/.ssh/config, or the resolver")}},
	{pattern.New(`ssh: connect to host (\S{1,255}) port \d{1,5}: (.{1,200})`), "The jump host %[1]s cannot be reached from here: %[2]s.",
		[]remedy.Step{typed("check the jump host itself first", "sshtay check JUMP_HOST")}},
	{pattern.New(`channel (\d{1,9}): open failed: connect failed: (.{1,200})`), "The jump host was reached, but it cannot reach the server: %[2]s.",
		[]remedy.Step{advise("log in to the jump host and check the server from there; the name and the port are those that the jump host has to know")}},
	{pattern.New(`channel (\d{1,9}): open failed: administratively prohibited: (.{1,200})`), "The jump host was reached, but it does not forward connections: %[2]s.",
		[]remedy.Step{typed("on the jump host let sshd forward for this user, in its sshd_config", "AllowTcpForwarding yes", "#and no PermitOpen or DisableForwarding that forbids this server")}},
	{pattern.New(`(?i)\b(nc|ncat|netcat|socat)\b.{0,200}?(connection refused|connection timed out|no route to host|network is unreachable|not known)`), "The proxy command (%[1]s) cannot reach the server: %[2]s.",
		[]remedy.Step{typed("run the ProxyCommand by itself; this shows it", "ssh -G HOST | grep ^proxycommand")}},
}

// byProxy judges a connection that a proxy carries: who is out of reach is
// what the proxy says.
func byProxy(v *fact.View, via, reason string) (Verdict, []remedy.Remedy) {
	printed, _ := fact.ProxyStderr.In(v)
	for _, words := range proxyWords {
		m := words.line.FindStringSubmatch(printed)
		if m == nil {
			continue
		}
		return Verdict{
			Status: Confirmed, Impact: Breaks,
			Reason:   "the proxy itself said so",
			Summary:  fmt.Sprintf(words.summary, m[1], strings.TrimRight(strings.TrimSpace(firstLine(m[2])), ".")),
			Why:      "The connection goes through a " + strings.ReplaceAll(via, "-", " ") + "; when that does not get through, ssh sees only a connection that is closed before the server's greeting.",
			Evidence: []Evidence{says(fact.ProxyStderr, "%s", firstLine(m[0]))},
		}, []remedy.Remedy{byHand("mend-proxy", remedy.Client, fact.ProxyStderr, "mend the part of the way that failed", words.mend...)}
	}
	end := ", without saying why"
	if printed != "" {
		end = " and said: " + firstLine(printed)
	}
	if n, seen := fact.ProxyExit.In(v); seen {
		end = fmt.Sprintf(", with status %d,%s", n, strings.TrimPrefix(end, ","))
	}
	switch {
	case strings.Contains(printed, "Permission denied"), strings.Contains(printed, "Host key verification failed"):
		return Verdict{Status: RuledOut, Reason: "the jump host was reached; the login there failed: " + firstLine(printed)}, nil
	case reason == "not-ssh", reason == "throttled":
		return Verdict{Status: RuledOut, Reason: "something answered through the proxy"}, nil
	case reason == "timed-out":
		return Verdict{
			Status: Possible, Impact: Breaks,
			Reason: "the proxy runs, but no greeting came through it in time; whether it waits for the server or the server is silent, a check of the jump host would settle",
		}, nil
	case reason == "proxy-failed", reason == "closed", reason == "reset":
		return Verdict{
			Status: Possible, Impact: Breaks,
			Reason: "the proxy ended before the server's greeting" + end + "; see client-side for the command itself, and check the jump host",
		}, nil
	}
	return Verdict{Status: Unknown, Reason: "the proxy got no further than: " + reason}, nil
}
