package report

import (
	"testing"

	"sshtay/internal/remedy"
)

func TestSetOut(t *testing.T) {
	type with = map[string]string
	for _, c := range []struct {
		name string
		step remedy.Step
		want string
	}{
		{"advice stays", remedy.Step{Kind: remedy.Advice, Text: "in a: B c"}, "in a: B c"},
		{"one option", remedy.Step{Kind: remedy.SSHDConfig, With: with{"MaxSessions": "10"}, Text: "in sshd_config: MaxSessions 10"},
			"in sshd_config:\n    MaxSessions 10"},
		{"two", remedy.Step{Kind: remedy.SSHConfig, With: with{"ServerAliveInterval": "60", "ServerAliveCountMax": "3"},
			Text: "under a Host line: ServerAliveInterval 60 and ServerAliveCountMax 3"},
			"under a Host line:\n    ServerAliveInterval 60\n    ServerAliveCountMax 3"},
		{"three, in their order", remedy.Step{Kind: remedy.SSHConfig, With: with{"ControlMaster": "auto", "ControlPath": "~/.ssh/cm-%C", "ControlPersist": "60"},
			Text: "here: ControlMaster auto, ControlPath ~/.ssh/cm-%C and ControlPersist 60"},
			"here:\n    ControlMaster auto\n    ControlPath ~/.ssh/cm-%C\n    ControlPersist 60"},
		{"what comes after", remedy.Step{Kind: remedy.Sysctl, With: with{"a.b": "6", "a.c": "60"}, Text: "in x: a.b=6, a.c = 60; then: sysctl --system"},
			"in x:\n    a.b=6\n    a.c = 60\nthen: sysctl --system"},
		{"a later colon", remedy.Step{Kind: remedy.SSHConfig, With: with{"Port": "22"}, Text: "note: the file: Port 22"}, "note: the file:\n    Port 22"},
		{"a longer value", remedy.Step{Kind: remedy.SSHConfig, With: with{"Port": "22"}, Text: "in x: Port 2222"}, "in x: Port 2222"},
		{"one of two left out", remedy.Step{Kind: remedy.SSHConfig, With: with{"Port": "22", "User": "me"}, Text: "in x: Port 22"}, "in x: Port 22"},
		{"said twice", remedy.Step{Kind: remedy.SSHConfig, With: with{"Port": "22"}, Text: "in x: Port 22, Port 22"}, "in x:\n    Port 22\nPort 22"},
		{"nothing to set", remedy.Step{Kind: remedy.SSHConfig, Text: "in x: Port 22"}, "in x: Port 22"},
		{"a command", remedy.Step{Kind: remedy.Command, With: with{"run": "ls -l"}, Text: "ls -l"}, "    ls -l"},
		{"a command and a note", remedy.Step{Kind: remedy.Command, With: with{"run": "ls -l"}, Text: "ls -l   (as root)"}, "    ls -l\n(as root)"},
		{"a command told otherwise", remedy.Step{Kind: remedy.Command, With: with{"run": "ls -l"}, Text: "look: ls"}, "look: ls"},
		{"a script", remedy.Step{Kind: remedy.Command, With: with{"run": "a\nb"}, Text: "a\nb"}, "    a\n    b"},
		{"no command", remedy.Step{Kind: remedy.Command, Text: "ls"}, "ls"},
	} {
		if got := setOut(c.step); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}
