// Package change says what a remedy comes to on one machine: which files get
// which bytes, which commands run, and how each is undone. It looks at the
// machine and computes; it does nothing to it. Package commit carries it out.
//
// One file, one kind of change.
package change

import (
	"io/fs"

	"sshtay/internal/remedy"
)

// A Change is what has to be done to one machine so that one thing is as a
// remedy wants it. Its effects are carried out in order, and undone in the
// other one.
type Change struct {
	Kind     string         // the file of this package that made it: "sshd_config"
	Title    string         // one line, in the imperative: "set ClientAliveInterval 60 and ClientAliveCountMax 3 for everybody"
	Cures    []string       // ids of the causes
	Side     remedy.Side    // client or server
	Risk     remedy.Risk    // the worst that it can do
	Root     bool           // only root can do it
	Effects  []Effect       // none: all is as it should be already
	Services []Service      // what has to take notice, each named once
	Verify   []Verification // what must be true afterwards, before anybody is asked to confirm
	Notes    []string       // what a person should know: "this file is managed by Ansible", "gone after a reboot"
}

// An Effect is one thing that is done to a machine: a file, or commands. It is
// done whole or not at all as far as a machine can promise that, doing it
// twice is doing it once, and undoing what was not done does nothing.
type Effect struct {
	Title    string // one line: "write /etc/ssh/sshd_config.d/00-sshtay.conf"
	File     *File
	Commands *Commands
}

// A File gets new content. It is replaced by a rename, and what replaces it has
// the owner, group, mode, ACLs, extended attributes and SELinux label of the
// old one. Its folders are made where they are missing, and go again when it
// is undone.
type File struct {
	Path string      // absolute, and no symbolic link: where one is named, this is what it leads to
	Old  []byte      // whole content as it was seen; nil: there is no such file
	New  []byte      // whole content as it shall be; nil: the file is removed
	Mode fs.FileMode // of a file that is new; its owner is who carries this out
}

// Commands are lines of POSIX sh that run under `set -e`, as who carries the
// change out, with an empty standard input and the sbin folders in PATH. They may
// not ask anything, wait for anything, or start something that stays, but for a
// daemon that cuts itself loose.
type Commands struct {
	Done  string // exits with 0 exactly when what Apply does is done
	Apply string
	Undo  string // gives back what was; it was found out when the change was made
}

// A Service takes notice of changed files. The lines are as those of
// [Commands].
type Service struct {
	Name     string // "sshd"
	Validate string // before it takes notice: exits with 0 exactly when it will accept what the files say now
	Reload   string // lets it take notice; never cuts a session
	Serves   string // before that: exits with 0 when it serves, and so has to afterwards; empty: as Alive
	Alive    string // exits with 0 when it serves again after that; it is asked again for up to 5 s
	Start    string // brings it up when it serves no more, which a reload cannot; empty: there is no way
}

// A Verification is one line of sh that proves that a change is effective.
type Verification struct {
	Title string // "sshd -T says clientaliveinterval 60"
	Run   string // exits with 0 exactly when it is so
}
