package cause

import (
	"fmt"
	"maps"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/remedy"
)

// ownHost is where an option for one host belongs so that nothing hides it.
const ownHost = "in ~/.ssh/config, above every `Host *`, under a Host line for this host"

// clientPlace is where an option of ssh is to be changed: in the line that sets
// it now, when that is known.
func clientPlace(v *fact.View, k fact.Any) string {
	if at := setAt.FindStringSubmatch(v.Source(k)); at != nil {
		return "in " + at[1] + ", where it is set now"
	}
	return ownHost
}

// setAt is the file and line in a source such as "ssh -G; ~/.ssh/config:14,
// which hides 60 in /etc/ssh/ssh_config:52".
var setAt = pattern.New(`; ([^;,]+:\d+)(,|$)`)

// setSSHD are the steps that set one option of sshd and make it live.
func setSSHD(option, value string) []remedy.Step {
	return []remedy.Step{{
		Kind: remedy.SSHDConfig, With: map[string]string{option: value},
		Text: fmt.Sprintf("in /etc/ssh/sshd_config (or a file of sshd_config.d that it includes first): %s %s", option, value),
	}, reloadSSHD()}
}

// run is a step that is one command line.
func run(line string) remedy.Step {
	return remedy.Step{Kind: remedy.Command, With: map[string]string{"run": line}, Text: line}
}

// done is a command line for which a machine has a way of its own.
func done(kind remedy.Kind, line string, with map[string]string) remedy.Step {
	step := remedy.Step{Kind: kind, With: map[string]string{"run": line}, Text: line}
	maps.Copy(step.With, with)
	return step
}

// note makes of a step one without which the remedy is whole.
func note(step remedy.Step) remedy.Step {
	step.Kind = remedy.Note
	return step
}

// typed is a step that only a person can take, by typing: the lines stand by
// themselves below the text, to be copied. A line "#..." is a text again.
func typed(text string, lines ...string) remedy.Step {
	all := text + ":"
	for _, l := range lines {
		if note, is := strings.CutPrefix(l, "#"); is {
			all += "\n" + note
		} else {
			all += "\n    " + l
		}
	}
	return advise("%s", all)
}

// readLog is how to see what sshd wrote about a try, and what that is good for.
func readLog(use string) remedy.Step {
	lines := []string{"journalctl -u ssh -u sshd -n 30 --no-pager", "#or, where there is no journal:", "tail -n 30 /var/log/auth.log /var/log/secure"}
	if use != "" {
		lines = append(lines, "#"+use)
	}
	return typed("as root on the server, right after a try", lines...)
}

// advise is a step that only a person can take.
func advise(format string, args ...any) remedy.Step {
	return remedy.Step{Kind: remedy.Advice, Text: fmt.Sprintf(format, args...)}
}

// raisePerSource lets one address hold more connections that log in.
func raisePerSource() remedy.Remedy {
	return remedy.Remedy{
		ID: "raise-per-source", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.PerSourceMaxStartups.Name(),
		Summary: "let one address hold more connections that have not logged in, where many users share it",
		Steps:   setSSHD("PerSourceMaxStartups", "20"),
	}
}

// shareConnection lets many commands of one client use one connection, so that
// only the first of them has to be let in, unless the server lets more in.
func shareConnection(cures fact.Any, unless ...string) remedy.Remedy {
	return remedy.Remedy{
		ID: "share-connection", Unless: unless, Side: remedy.Client, Risk: remedy.Harmless, Cures: cures.Name(),
		Summary: "let all ssh, scp and git commands to this host share one connection",
		Steps: []remedy.Step{{
			Kind: remedy.SSHConfig, With: map[string]string{"ControlMaster": "auto", "ControlPath": "~/.ssh/cm-%C", "ControlPersist": "60"},
			Text: ownHost + ": ControlMaster auto, ControlPath ~/.ssh/cm-%C and ControlPersist 60",
		}},
	}
}
