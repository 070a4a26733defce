package sshconf

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// userFile tells a user's file from the system's.
type userFile int

const (
	systemFile userFile = iota
	byOption            // named by -i
	usersFile           // the user's, or one given with -F
)

// reading is how a file is read.
type reading struct {
	user  userFile
	check bool // owner and mode must be safe
	never bool // it stands in a block that does not match: syntax only
	depth int
}

// errOpen is a file that cannot be opened.
type errOpen struct{ err error }

func (e errOpen) Error() string { return e.err.Error() }

// readFile applies a file. Its lines' errors are recorded; errStop tells that
// there were some.
func (c *clientRun) readFile(name string, how reading) error {
	if how.depth > maxDepth {
		c.fail(errors.New("too many recursive configuration includes"))
		return errStop
	}
	f, err := c.load(name)
	if err != nil {
		return errOpen{err}
	}
	if how.check && !c.safeFile(name) {
		c.errs = append(c.errs, fmt.Errorf("bad owner or permissions on %s", printable(name)))
		return errStop
	}
	if !slices.Contains(c.read, name) {
		c.read = append(c.read, name)
		c.noteProblems(f)
	}
	c.userFile, c.active = how.user, true
	if how.depth > 0 {
		c.active = !how.never
	}
	bad := 0
	for i := range f.Lines {
		c.at = Origin{name, f.Lines[i].Number}
		err := c.work(costOf(&f.Lines[i]))
		if err == nil {
			err = c.apply(&f.Lines[i], how)
		}
		if err == errStop {
			return errStop
		}
		if err != nil {
			c.fail(err)
			bad++
		}
	}
	if bad > 0 || len(f.Problems) > 0 && f.Problems[0].Line == 0 {
		return errStop
	}
	return nil
}

// noteProblems warns of text that OpenSSH reads otherwise than it looks.
func (r *run) noteProblems(f *File) {
	for _, p := range f.Problems {
		at := r.at
		r.at = Origin{f.Name, p.Line}
		if p.Line == 0 {
			r.fail(errors.New(p.Text))
		} else {
			r.warn("%s", p.Text)
		}
		r.at = at
	}
}

// safeFile is the check that ssh makes on a user's file and on what any file
// includes.
func (c *clientRun) safeFile(name string) bool {
	if c.env.Stat == nil {
		return true
	}
	info, err := c.env.Stat(name)
	if err != nil {
		return true
	}
	group := info.Mode&0o020 != 0
	if group && c.release.Debian && c.env.PrivateGroup != nil && c.env.PrivateGroup(info.GID, c.env.UID) {
		group = false
	}
	return (info.UID == 0 || info.UID == c.env.UID) && info.Mode&0o002 == 0 && !group
}

// include applies the files that a line names.
func (c *clientRun) include(l *line, how reading) error {
	if l.command {
		return errors.New("directive Include not supported as a command-line option")
	}
	at, active, user := c.at, c.active, c.userFile
	missing := false
	for _, arg := range l.all() {
		names, err := c.includes(arg, how.user)
		if err != nil {
			return err
		}
		for _, name := range names {
			c.reaches(name)
			inner := reading{user: how.user, check: true, never: how.never || !active, depth: how.depth + 1}
			err := c.readFile(name, inner)
			c.at, c.active, c.userFile = at, active, user
			var open errOpen
			switch {
			case errors.As(err, &open) && errors.Is(err, fs.ErrNotExist):
				missing = true // ssh says nothing, and stops all the same
			case errors.As(err, &open):
				return fmt.Errorf("can't open user config file %s: %w", printable(name), open.err)
			case err != nil:
				return err
			}
		}
	}
	if missing {
		return errors.New("an included file is not there")
	}
	return nil
}

// Unwrap lets errors.Is see what the system said.
func (e errOpen) Unwrap() error { return e.err }

// includes lists the files that one argument of Include names.
func (c *clientRun) includes(arg string, user userFile) ([]string, error) {
	if arg == "" {
		return nil, errors.New("keyword include empty argument")
	}
	if c.release.has(909) {
		t, err := c.earlyTokens()
		if err == nil {
			arg, err = expand(arg, t, c.env.getenv)
		}
		if errors.Is(err, errUnsetVariable) {
			c.warn("unable to expand the path of Include: %v", err)
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	tilde := strings.HasPrefix(arg, "~")
	switch {
	case tilde && user == systemFile:
		return nil, fmt.Errorf("bad include path %s", printable(arg))
	case tilde || strings.HasPrefix(arg, "/"):
	case user == systemFile:
		arg = systemDir + "/" + arg
	default:
		arg = "~/.ssh/" + arg
	}
	return c.glob(c.globTilde(arg))
}

// globTilde expands ~ as glob(3) does: from HOME, if that is set.
func (c *clientRun) globTilde(path string) string {
	if home, ok := c.env.getenv("HOME"); ok && (path == "~" || strings.HasPrefix(path, "~/")) {
		return home + path[1:]
	}
	if full, err := c.env.tilde(path); err == nil {
		return full
	}
	return path
}

// systemDir is where the system's configuration is.
const systemDir = "/etc/ssh"
