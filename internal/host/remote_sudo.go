package host

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// BecomeRoot makes a login that of root, for an account whose sudo wants a
// password: sudo asks for it on the terminal, and nobody but sudo sees it. The
// terminal is ours while it asks. Ssh is the program and its arguments up to the
// host; where root is refused, the login stays what it was.
//
// A shell cannot be spoken with through a terminal, and what is typed on it is
// none of our business. So sudo runs in a login of its own, with the terminal, and
// starts a root shell that reads and writes two named pipes; then that login
// ends, and ours goes on through the pipes.
func (l Local) BecomeRoot(ctx context.Context, r *Remote, ssh []string, prompt string) error {
	made, err := r.Run(ctx, Command{Argv: []string{"sh", "-c", `umask 077 && d=$(mktemp -d) && mkfifo "$d/in" "$d/out" && echo "$d"`}})
	if err != nil {
		return err
	}
	dir := firstLineOf(made.Stdout)
	if made.Exit != 0 || !ourFolder.MatchString(dir) {
		return fmt.Errorf("no folder could be made there: %s", firstLineOf(made.Stderr))
	}
	// Root's shell outlives the login with the terminal, and ends with ours.
	const start = `w=$(command -v setsid || command -v nohup); $w sh -c "sh <$1/in >$1/out 2>/dev/null; rm -rf $1" </dev/null >/dev/null 2>&1 &`
	login := slices.Clone(ssh)
	for i, arg := range login {
		switch arg {
		case "-T":
			login[i] = "-tt"
		case "BatchMode=yes":
			login[i] = "BatchMode=no" // there is somebody to ask
		}
	}
	command := "exec sudo -p " + Quote(prompt) + " sh -c " + Quote(start) + " sh " + Quote(dir)
	asked, err := l.Run(ctx, Command{Argv: append(login, "exec sh -c "+Quote(command)), Standard: true, Terminal: true})
	switch {
	case err != nil:
		return err
	case asked.Exit != 0:
		r.Run(ctx, Command{Argv: []string{"rm", "-rf", "--", dir}})
		return fmt.Errorf("%w: sudo ended with status %d", ErrRefusedSudo, asked.Exit)
	}
	return r.through(ctx, dir)
}

// ourFolder is what mktemp may have made; the name goes into a command line.
var ourFolder = regexp.MustCompile(`^/[A-Za-z0-9_./-]{1,200}$`)

// ErrRefusedSudo is the error for an account that sudo did not let become root.
var ErrRefusedSudo = errors.New("sudo did not let this account become root")

// through goes on as the shell that reads and writes the pipes.
func (r *Remote) through(ctx context.Context, dir string) error {
	// A shell may read ahead: what it is told next waits until it has made way.
	for _, line := range []string{
		`exec sh -c 'printf "\n=MARK begin no\n"; cat DIR/out & exec cat >DIR/in'`,
		`printf '\n=%s begin %s\n' MARK "$(id -u)"`,
	} {
		mark := rand.Text()
		if _, err := fmt.Fprintln(r.dialog.Conn, strings.NewReplacer("MARK", mark, "DIR", dir).Replace(line)); err != nil {
			return r.lost(ctx, err)
		}
		if err := r.greet(ctx, mark); err != nil {
			return err
		}
	}
	return nil
}

// firstLineOf is the first line of what a program said.
func firstLineOf(said []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	return line
}
