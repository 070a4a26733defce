package cause

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/remedy"
)

// misread are settings that some releases read wrongly. Each needs both, the
// setting and the release; a release alone proves nothing.
var misread = []func(*fact.View) (Verdict, []remedy.Remedy, bool){clientHexQoS, serverHexQoS, oneIPv6Source, shortStartups}

var badQoS = pattern.New(`Bad IPQoS value: (0x[0-9A-Fa-f]{1,2})\b`)

const whyHexQoS = "Up to 9.7 IPQoS could be written as a hexadecimal number; since 9.8 such a line is an error, and the program does not start with it."

func clientHexQoS(v *fact.View) (Verdict, []remedy.Remedy, bool) {
	said, _ := fact.ClientConfigError.In(v)
	m := badQoS.FindStringSubmatch(said)
	if m == nil {
		return Verdict{}, nil, false
	}
	return Verdict{
			Status: Possible, Impact: Breaks, Evidence: []Evidence{says(fact.ClientConfigError, "%s", said)},
			Reason: fmt.Sprintf("ssh refuses its configuration (see client-side): IPQoS %s was understood up to 9.7 and is no more", m[1]),
		}, []remedy.Remedy{{
			ID: "client-decimal-qos", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.ClientConfigError.Name(),
			Summary: "write the number in decimal",
			Steps:   []remedy.Step{advise("in the file and line that ssh names write %s instead of %s", decimal(m[1]), m[1])},
		}}, true
}

func serverHexQoS(v *fact.View) (Verdict, []remedy.Remedy, bool) {
	said, _ := fact.SSHDConfigError.In(v)
	value, _ := fact.ServerIPQoS.In(v)
	source, _ := fact.SSHDConfigSource.In(v)
	version, _ := fact.SSHDVersion.In(v)
	program, _ := parseRelease(version)
	verdict := Verdict{Status: Confirmed, Impact: WillBreak, Why: whyHexQoS}
	plan := remedy.Remedy{ID: "server-decimal-qos", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Summary: "write the numbers in decimal"}
	if m := badQoS.FindStringSubmatch(said); m != nil {
		verdict.Status = Possible
		verdict.Reason = fmt.Sprintf("sshd refuses its configuration (see sshd-broken): IPQoS %s was understood up to 9.7 and is no more", m[1])
		verdict.Evidence = []Evidence{says(fact.SSHDConfigError, "%s", said)}
		plan.Cures = fact.SSHDConfigError.Name()
		plan.Steps = []remedy.Step{advise("in the file and line that sshd -t names write %s instead of %s", decimal(m[1]), m[1]), reloadSSHD()}
	} else if program.since(9, 8) && source == "files" && strings.Contains(value, "0x") {
		verdict.Reason = "sshd_config was read, and the release that will read it next"
		// sshd -T itself prints hexadecimal numbers; only the files show how it is written.
		verdict.Summary = fmt.Sprintf("sshd_config says IPQoS %s, which %s does not understand. The next start or reload ends sshd.", value, program)
		verdict.Evidence = []Evidence{says(fact.ServerIPQoS, "IPQoS %s", value), says(fact.SSHDVersion, "%s", version)}
		plan.Cures = fact.ServerIPQoS.Name()
		plan.Steps = setSSHD("IPQoS", decimal(value))
	} else {
		return Verdict{}, nil, false
	}
	return verdict, []remedy.Remedy{plan}, true
}

var hexNumber = pattern.New(`0x[0-9A-Fa-f]{1,2}\b`)

// decimal writes the hexadecimal numbers of a value in decimal.
func decimal(value string) string {
	return hexNumber.Regexp().ReplaceAllStringFunc(value, func(h string) string {
		n, _ := strconv.ParseUint(h[2:], 16, 8)
		return strconv.FormatUint(n, 10)
	})
}

// oneIPv6Source is PerSourceNetBlockSize without an IPv6 part, which releases
// 8.5 to 10.2 take for "all IPv6 addresses are one source".
func oneIPv6Source(v *fact.View) (Verdict, []remedy.Remedy, bool) {
	value, _ := fact.PerSourceNetBlockSize.In(v)
	penalties, _ := fact.PerSourcePenalties.In(v)
	startups, _ := fact.PerSourceMaxStartups.In(v)
	sshd, known := sshdRelease(v)
	v4, v6, _ := strings.Cut(value, ":")
	wrong := v6 == "0" || value != "" && v6 == ""
	limited := penalties != "" && penalties != "no" || startups != "" && startups != "none"
	if !wrong || !limited || !known || !sshd.within(release{8, 5}, release{10, 2}) {
		return Verdict{}, nil, false
	}
	verdict := Verdict{
		Status: Possible, Impact: Risk, Evidence: []Evidence{says(fact.PerSourceNetBlockSize, "PerSourceNetBlockSize %s by %s", value, sshd)},
		Reason: fmt.Sprintf("PerSourceNetBlockSize %s makes one source of all IPv6 addresses; no use of IPv6 was seen here", value),
	}
	if usesIPv6(v) {
		verdict.Status, verdict.Impact = Confirmed, WillBreak
		verdict.Reason = fmt.Sprintf("PerSourceNetBlockSize %s and %s were read, and IPv6 is in use", value, sshd)
		verdict.Summary = fmt.Sprintf("PerSourceNetBlockSize %s makes one source of all IPv6 addresses: what one of them does wrong shuts out all.", value)
		verdict.Why = fmt.Sprintf("%s reads the option without an IPv6 part as a mask of 0 bits. Its limits and penalties for one source then meet everybody who comes by IPv6.", sshd)
	}
	return verdict, []remedy.Remedy{{
		ID: "name-both-blocks", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.PerSourceNetBlockSize.Name(),
		Summary: "say how many bits make a source for IPv6 too",
		Steps:   setSSHD("PerSourceNetBlockSize", v4+":64"),
	}}, true
}

func usesIPv6(v *fact.View) bool {
	text, _ := fact.ServerClientAddress.In(v)
	if a, err := netip.ParseAddr(text); err == nil && a.Unmap().Is6() {
		return true
	}
	addresses, _ := fact.HandshakeAddresses.In(v)
	for _, a := range addresses {
		if a.Family == "IPv6" {
			return true
		}
	}
	return false
}

// shortStartups is MaxStartups N, which 10.1 and 10.2 take for 10:30:N. sshd -T
// prints it as it was read, so there it could also be written like that.
func shortStartups(v *fact.View) (Verdict, []remedy.Remedy, bool) {
	value, _ := fact.MaxStartups.In(v)
	sshd, known := sshdRelease(v)
	if !known || !sshd.within(release{10, 1}, release{10, 2}) {
		return Verdict{}, nil, false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(value, "10:30:"))
	if err != nil || n == 10 || value == "10:30:100" {
		return Verdict{}, nil, false
	}
	verdict := Verdict{
		Status: Possible, Impact: Risk, Evidence: []Evidence{says(fact.MaxStartups, "MaxStartups %s by %s", value, sshd)},
		Reason: fmt.Sprintf("MaxStartups is %s; if sshd_config says MaxStartups %d, %s reads it wrongly", value, n, sshd),
	}
	if value == strconv.Itoa(n) {
		verdict.Status = Confirmed
		verdict.Reason = fmt.Sprintf("MaxStartups %d and %s were read", n, sshd)
		verdict.Summary = fmt.Sprintf("%s reads MaxStartups %d as 10:30:%d: it begins to refuse at 10 connections.", sshd, n, n)
		verdict.Why = "These two releases take the short form for the last number only, so sshd drops connections by chance long before the limit that was meant. The short form means to refuse none before, and all from there on."
		if n < 10 {
			verdict.Impact = WillBreak
			verdict.Summary = fmt.Sprintf("%s reads MaxStartups %d as 10:30:%d, which is no valid value: the next start or reload ends sshd.", sshd, n, n)
		}
	}
	return verdict, []remedy.Remedy{{
		ID: "write-startups-out", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.MaxStartups.Name(),
		Summary: "write all three numbers",
		Steps:   setSSHD("MaxStartups", fmt.Sprintf("%d:30:%d", n, n)),
	}}, true
}
