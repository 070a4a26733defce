package sshlog

import (
	"strings"
	"sync"
)

// A Message is one wording of one program, and what it tells.
type Message struct {
	by       programs
	versions string  // of OpenSSH that say it so: "7.4-9.7", "10.0+", "-7.9"; "" is all, or another program
	tells    Symptom // what it tells when a client says it, or the one program that does
	atServer Symptom // what it tells when a server says it, if that is something else
	form     string

	compiled form
	since    Versions
}

// Form is the wording, with holes for what changes.
func (m *Message) Form() string { return m.form }

// toldBy is what the message tells when a program says it.
func (m *Message) toldBy(who programs) Symptom {
	if who == sshd && m.atServer != NoSymptom {
		return m.atServer
	}
	return m.tells
}

// maySay says whether a text with its level is the message. What OpenSSH says
// at a debug level is no failure, but for a few messages; it tells there which
// line of a configuration it reads, and what it tries in vain.
func (m *Message) maySay(text string) bool {
	return !strings.HasPrefix(text, "debug") || m.tells.IsProgress() || m.tells == SaidThrottled || m.tells == SaidRefused || m.tells == StartupDrop
}

// cutLevel takes OpenSSH's level from the begin of a text: syslog and debug
// output get it, information has none.
func cutLevel(text string) string {
	if text == "" || text[0] != 'e' && text[0] != 'f' && text[0] != 'd' {
		return text
	}
	for _, level := range [...]string{"error: ", "fatal: ", "debug1: ", "debug2: ", "debug3: "} {
		if after, ok := strings.CutPrefix(text, level); ok {
			return after
		}
	}
	return text
}

// cutTail takes the mark of sshd's process before or after the login from the
// end of a text.
func cutTail(text string) string {
	if !strings.HasSuffix(text, "auth]") {
		return text
	}
	if before, ok := strings.CutSuffix(text, " [preauth]"); ok {
		return before
	}
	return strings.TrimSuffix(text, " [postauth]")
}

// programs is a set of those that print a message.
type programs uint16

const (
	ssh programs = 1 << iota
	sshd
	kernel
	unit // systemd, about the units of sshd
	dropbear
	tool // other clients, and programs that use ssh
	guard
	pam    // the modules that speak beside sshd
	logger // journald and rsyslogd, about themselves

	both    = ssh | sshd
	clients = ssh | tool
)

// tables are all messages there are, one table a program.
func tables() [][]Message {
	return [][]Message{clientMessages, debugMessages, serverMessages, serverDebugMessages, kernelMessages, unitMessages, dropbearMessages, toolMessages, guardMessages, loggerMessages}
}

// An index finds the message of a text by its first words: a tree of the leads
// of all forms. What stands deepest is most particular, and is tried first.
type index struct {
	roots [256]*node
	none  []*Message // messages that begin with a hole
}

type node struct {
	words    string
	first    string // the first bytes of those in next
	next     []*node
	messages []*Message
}

func (x *index) add(m *Message) {
	if m.compiled.lead == "" {
		x.none = append(x.none, m)
		return
	}
	at := &x.roots[m.compiled.lead[0]]
	insert(at, m.compiled.lead, m)
}

// insert puts a message below the node at *at, which begins with the same byte.
func insert(at **node, lead string, m *Message) {
	if *at == nil {
		*at = &node{words: lead, messages: []*Message{m}}
		return
	}
	n := *at
	same := 0
	for same < len(lead) && same < len(n.words) && lead[same] == n.words[same] {
		same++
	}
	if same < len(n.words) { // split the node
		tail := &node{words: n.words[same:], first: n.first, next: n.next, messages: n.messages}
		*at = &node{words: n.words[:same], first: tail.words[:1], next: []*node{tail}}
		n = *at
	}
	if lead = lead[same:]; lead == "" {
		n.messages = append(n.messages, m)
		return
	}
	if i := strings.IndexByte(n.first, lead[0]); i >= 0 {
		insert(&n.next[i], lead, m)
		return
	}
	n.first += lead[:1]
	n.next = append(n.next, &node{words: lead, messages: []*Message{m}})
}

// findLed is find for messages that begin with words, and not with a hole.
func (x *index) findLed(text string, c *Captured) *Message {
	*c = Captured{}
	if text == "" || x.roots[text[0]] == nil {
		return nil
	}
	return x.roots[text[0]].find(text, text, c)
}

// find returns the message that text is, or nil.
func (x *index) find(text string, c *Captured) *Message {
	if m := x.findLed(text, c); m != nil {
		return m
	}
	for _, m := range x.none {
		if m.compiled.match(text, c) {
			return m
		}
	}
	return nil
}

// find looks for text, of which rest is what the nodes above left.
func (n *node) find(text, rest string, c *Captured) *Message {
	rest, ok := strings.CutPrefix(rest, n.words)
	if !ok {
		return nil
	}
	if rest != "" {
		for i := range len(n.first) {
			if n.first[i] == rest[0] {
				if m := n.next[i].find(text, rest, c); m != nil {
					return m
				}
				break
			}
		}
	}
	for _, m := range n.messages {
		if m.compiled.match(text, c) {
			return m
		}
	}
	return nil
}

// A catalogue has every message, by who says it.
type catalogue struct {
	all                                                                               []*Message
	sshOnly, sshdOnly, kernelOnly, unitOnly, dropbearOnly, guardOnly, loggerOnly, any index
}

// theCatalogue is made when it is first used: it would cost every start some.
var theCatalogue = sync.OnceValue(func() *catalogue {
	c := &catalogue{}
	for _, table := range tables() {
		for i := range table {
			m := &table[i]
			m.compiled, m.since = compileForm(m.form), parseVersions(m.versions)
			c.all = append(c.all, m)
			for who, index := range map[programs]*index{
				ssh: &c.sshOnly, sshd | pam: &c.sshdOnly, kernel: &c.kernelOnly, unit: &c.unitOnly,
				dropbear | pam: &c.dropbearOnly, guard: &c.guardOnly, logger: &c.loggerOnly,
			} {
				if m.by&who != 0 {
					index.add(m)
				}
			}
			c.any.add(m)
		}
	}
	return c
})

// Messages are all messages of the catalogue.
func Messages() []*Message { return theCatalogue().all }
