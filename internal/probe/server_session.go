package probe

import (
	"path"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/visible"
)

// session says what ends an idle session besides sshd.
func (r *reading) session() {
	r.tmout()
	r.logind()
}

// tmoutLine is a line of grep: FILE:LINE:TEXT.
var tmoutLine = pattern.New(`^([^:]+:\d+):(.*[^A-Za-z_$])?TMOUT=["']?(\d+)`)

// tmout reads TMOUT where the user's shell knows it: from the environment, or
// from the files that shells read when they start, of which the last counts.
func (r *reading) tmout() {
	shell := path.Base(r.env["shell"])
	if !hasAny([]string{shell}, "bash", "ksh", "ksh93", "mksh", "zsh", "rbash", "sh") {
		return // no other shell ends for it
	}
	set := func(value, source string) {
		if n, ok := atoi(value); ok && n > 0 && n < 1e8 {
			fact.ShellTMOUT.Put(r.facts, time.Duration(n)*time.Second, r.source(source))
		}
	}
	set(r.env["tmout"], "the environment of the session")
	if _, ok := fact.ShellTMOUT.Get(r.facts); ok {
		return
	}
	for _, l := range r.lines("tmout") {
		m := tmoutLine.FindStringSubmatch(l)
		if m != nil && !strings.HasPrefix(strings.TrimSpace(m[2]), "#") {
			set(m[3], visible.Line(m[1], 200))
		}
	}
}

// logind reads the settings that end idle sessions.
func (r *reading) logind() {
	if _, ok := r.sections["logind"]; !ok {
		if r.env["init"] == "systemd" {
			r.miss(notThere, fact.LogindIdle)
		} else {
			fact.LogindIdle.Put(r.facts, "no", r.source("there is no logind"))
		}
		return
	}
	var said []string
	for _, l := range r.lines("logind") {
		file, setting, _ := strings.Cut(l, ":")
		key, value, _ := strings.Cut(strings.TrimSpace(setting), "=")
		if key == "StopIdleSessionSec" && value != "infinity" && value != "" && value != "0" {
			said = append(said, visible.Line(key+"="+value+" ("+file+")", 200))
		}
	}
	if len(said) == 0 {
		fact.LogindIdle.Put(r.facts, "no", r.source("logind.conf"))
		return
	}
	fact.LogindIdle.Put(r.facts, strings.Join(said, "; "), r.source("logind.conf"))
}
