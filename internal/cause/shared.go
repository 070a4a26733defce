package cause

import (
	"fmt"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

// says is evidence from one fact.
func says(k fact.Any, format string, args ...any) Evidence {
	return Evidence{Fact: k.Name(), Says: fmt.Sprintf(format, args...)}
}

// unknown is the verdict when a fact that the judge cannot do without is
// missing.
func unknown(v *fact.View, k fact.Any) Verdict {
	return Verdict{Status: Unknown, Reason: k.Name() + " was not seen: " + v.Why(k)}
}

// span writes a time as people say it: "60 s", "240 s", "15 min", "2 h 11 min".
func span(d time.Duration) string {
	d = d.Round(10 * time.Millisecond)
	switch {
	case d < 10*time.Second && d%time.Second != 0:
		return strings.TrimRight(fmt.Sprintf("%.2f", d.Seconds()), "0") + " s"
	case d < 10*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	var parts []string
	minutes := int(d.Round(time.Minute).Minutes())
	for _, unit := range []struct {
		minutes int
		name    string
	}{{24 * 60, "d"}, {60, "h"}, {1, "min"}} {
		if n := minutes / unit.minutes; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
		}
		minutes %= unit.minutes
	}
	return strings.Join(parts, " ")
}

// reloadSSHD is the step that makes a change to sshd_config live, and only if
// the configuration is valid: a reload with a bad one ends the listener.
func reloadSSHD() remedy.Step {
	return remedy.Step{
		Kind: remedy.Implied, With: map[string]string{"run": "sshd -t && systemctl reload ssh"},
		Text: "sshd -t && systemctl reload ssh   (the unit is called sshd on RHEL, Fedora and SUSE; where ssh.socket is active, restart it: open sessions live on)",
	}
}

// upper begins a sentence with text; names of programs stay as they are.
func upper(text string) string {
	if text == "" || strings.HasPrefix(text, "ssh") || strings.HasPrefix(text, "systemd") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// times writes a count: "once", "3 times".
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// count writes a number of things: "1 connection", "3 connections".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
