package commit

import (
	"cmp"
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/change"
	"sshtay/internal/host"
	"sshtay/internal/visible"
)

// library is the part that is the same in every program.
//
//go:embed lib/*.sh
var library embed.FS

// parts are the files of the library in the order in which they are read best.
var parts = []string{"words", "where", "work", "file", "arm", "turn", "tools"}

// Script returns the program that carries the transaction out, for POSIX sh:
// for people, too, who run it by hand. The same transaction gives the same
// program.
func (t Transaction) Script() []byte {
	var b strings.Builder
	t.head(&b)
	for i, e := range t.effects() {
		effect(&b, i+1, e)
	}
	for i, s := range t.services() {
		fmt.Fprintf(&b, "\n# %s takes notice.\n", line(s.Name))
		fmt.Fprintf(&b, "name_service_%d() { service=%s; }\n", i+1, host.Quote(line(s.Name)))
		function(&b, "validate", i+1, s.Validate, ":")
		function(&b, "reload", i+1, s.Reload, ":")
		function(&b, "served", i+1, cmp.Or(s.Serves, s.Alive), ":")
		function(&b, "alive", i+1, s.Alive, ":")
		function(&b, "start", i+1, s.Start, "false")
	}
	for i, v := range t.checks() {
		fmt.Fprintf(&b, "\n# Afterwards %s.\n", line(v.Title))
		fmt.Fprintf(&b, "name_check_%d() { title=%s; }\n", i+1, host.Quote(line(v.Title)))
		function(&b, "check", i+1, v.Run, ":")
	}
	b.WriteString("\n# From here on it is the same for every change.\n")
	for _, p := range parts {
		text, err := library.ReadFile("lib/" + p + ".sh")
		if err != nil {
			panic(err) // it is in this package
		}
		b.WriteString("\n")
		b.Write(text)
	}
	b.WriteString("\nmain \"$@\"\n")
	return []byte(b.String())
}

const head = `#!/bin/sh
# %s
#
# Run this with one word, as the user whose files it changes:
#
#	sh FILE apply      do it; after %d s all is put back unless you confirm
#	sh FILE confirm    keep it
#	sh FILE rollback   put everything back, now or later
#	sh FILE status     what is so
#
# apply leaves a copy of this program with a record of what it did in
# /var/lib/sshtay/%[3]s (of root; of others in ~/.local/state/sshtay/changes).
#
# It ends with the status
#	0   done
#	10  refused: somebody else's change is not through
#	11  refused: a file is not as it was when this was planned
#	12  refused: no room, no permission, a file that must not be touched
#	13  refused: the rollback could not be armed
#	20  failed, and everything is as it was
#	21  failed, and not everything could be put back; that is tried again
#	30  too late: it was decided otherwise
#	31  not applied, or not through
#	32  not undone: somebody changed a file since
#	64  wrong use
# With 10 to 13, nothing was changed.
#
# What it does:
%s#
set -u
ID=%s
TITLE=%s
BY=%s
PATIENCE=%d
EFFECTS=%d
SERVICES=%d
CHECKS=%d
`

func (t Transaction) head(b *strings.Builder) {
	var list strings.Builder
	for i, e := range t.effects() {
		fmt.Fprintf(&list, "#  %d. %s\n", i+1, line(e.Title))
	}
	for _, s := range t.services() {
		fmt.Fprintf(&list, "#  Then %s is asked whether it accepts that, and takes notice.\n", line(s.Name))
	}
	for _, v := range t.checks() {
		fmt.Fprintf(&list, "#  It is kept only if %s.\n", line(v.Title))
	}
	seconds := int(t.patience() / time.Second)
	fmt.Fprintf(b, head, line(t.Title), seconds, t.ID, list.String(), host.Quote(t.ID), host.Quote(line(t.Title)), host.Quote(line(t.By)),
		seconds, len(t.effects()), len(t.services()), len(t.checks()))
}

// effect writes what is particular to one effect.
func effect(b *strings.Builder, n int, e change.Effect) {
	fmt.Fprintf(b, "\n# %d. %s\n", n, line(e.Title))
	if c := e.Commands; c != nil {
		fmt.Fprintf(b, "effect_%d() { title=%s; }\n", n, host.Quote(line(e.Title)))
		function(b, "done", n, c.Done, ":")
		function(b, "apply", n, c.Apply, ":")
		function(b, "undo", n, c.Undo, ":")
		return
	}
	f := e.File
	b.WriteString(diff(f.Old, f.New))
	fmt.Fprintf(b, "effect_%d() {\n\ttitle=%s\n\tpath=%s\n\told='%s'\n\tnew='%s'\n",
		n, host.Quote(line(e.Title)), host.Quote(f.Path), sums(f.Old), sums(f.New))
	if f.Old == nil {
		fmt.Fprintf(b, "\tmode=%03o\n", f.Mode.Perm())
	}
	b.WriteString("}\n")
	if f.New != nil {
		fmt.Fprintf(b, "content_%d() {\n%s}\n", n, compose(f.Old, f.New))
	}
}

// function writes lines of sh as a function. They stand as they are: a quoted
// text in them may have lines of its own.
func function(b *strings.Builder, name string, n int, body, empty string) {
	body = strings.Trim(body, "\n")
	if strings.TrimSpace(body) == "" {
		body = empty
	}
	if strings.Contains(body, "\n") {
		fmt.Fprintf(b, "%s_%d() {\n%s\n}\n", name, n, body)
		return
	}
	fmt.Fprintf(b, "%s_%d() {\n\t%s\n}\n", name, n, body)
}

// line makes text fit for a comment or a message: one line, nothing hidden,
// and ASCII alone: some shells refuse to read anything else.
func line(s string) string {
	s = strconv.QuoteToASCII(visible.Line(s, 300))
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s[1 : len(s)-1])
}
