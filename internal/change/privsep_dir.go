package change

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
)

// privsepDir is where sshd of Debian and its kin locks up what has not logged
// in. Others have the folder on a disk, where it does not go away.
const privsepDir = "/run/sshd"

// privsepScript prints what is there: nothing, "odd", or owner, group and mode.
const privsepScript = `
if [ -L "$1" ]; then echo odd
elif [ -d "$1" ]; then stat -c '%u %g %a' "$1"
elif [ -e "$1" ]; then echo odd; fi`

// PrivsepDir makes the folder that sshd locks itself up in, and has it made at
// every start.
func PrivsepDir(ctx context.Context, m host.Host) (Change, error) {
	c := Change{Kind: "privsep_dir", Title: "make " + privsepDir + " for root alone", Risk: remedy.Harmless, Root: true}
	out, err := ask(ctx, m, privsepScript, privsepDir)
	if err != nil {
		return c, err
	}
	var uid, gid int
	var mode string
	was := strings.TrimSpace(string(out))
	if _, err := fmt.Sscanf(was, "%d %d %s", &uid, &gid, &mode); was != "" && (err != nil || !octal.MatchString(mode)) {
		return c, fmt.Errorf("%s is there and is no folder; look at it, take it away, and run: install -d -m 0755 -o root -g root %s", privsepDir, privsepDir)
	}
	if err := c.keepPrivsepDir(ctx, m); err != nil {
		return c, err
	}
	holds := fmt.Sprintf(`[ ! -L %[1]s ] && [ "$(stat -c '%%u %%g %%a' %[1]s 2>/dev/null)" = '0 0 755' ]`, privsepDir)
	c.Verify = []Verification{{Title: privsepDir + " is there, and root's alone", Run: holds}}
	if was == "0 0 755" {
		return c, nil
	}
	undo := "rmdir " + privsepDir
	if was != "" {
		undo = fmt.Sprintf("chown %d:%d %s && chmod %s %s", uid, gid, privsepDir, mode, privsepDir)
	}
	c.Effects = append(c.Effects, Effect{Title: c.Title, Commands: &Commands{
		Done: holds, Apply: fmt.Sprintf("mkdir -p %[1]s\nchown 0:0 %[1]s\nchmod ug-s,a=rx,u+w %[1]s", privsepDir),
		Undo: fmt.Sprintf("if [ -d %s ]; then %s; fi", privsepDir, undo),
	}})
	return c, nil
}

var (
	octal       = regexp.MustCompile(`^[0-7]{1,4}$`)
	madeByUnit  = regexp.MustCompile(`(?m)^RuntimeDirectory=(?:.*[ \t])?sshd(?:[ \t]|$)`)
	madeAtStart = regexp.MustCompile(`(?m)^[dD][!+=~^-]*[ \t]+(?:/var)?/run/sshd[ \t/]`)
)

// keepPrivsepDir has the folder made at every start, unless sshd's own unit or
// a file of the system does so.
func (c *Change) keepPrivsepDir(ctx context.Context, m host.Host) error {
	const own = "/etc/tmpfiles.d/60-sshtay.conf"
	files, err := look(ctx, m, "/usr/lib/systemd/system/ssh*.service", "/lib/systemd/system/ssh*.service", "/etc/systemd/system/ssh*.service", "/etc/systemd/system/ssh*.service.d/*.conf",
		"/usr/lib/tmpfiles.d/*.conf", "/etc/tmpfiles.d/*.conf")
	if err != nil {
		return err
	}
	systemd := false
	for _, f := range files {
		systemd = systemd || strings.Contains(f.Name, "/tmpfiles.d/")
		if strings.Contains(f.Name, "/tmpfiles.d/") && madeAtStart.Match(f.Data) || strings.Contains(f.Name, "/systemd/") && madeByUnit.Match(f.Data) {
			return nil
		}
	}
	if !systemd {
		c.Notes = append(c.Notes, "/run is empty after a start: the script that starts sshd has to make the folder again")
		return nil
	}
	file, err := find(files, own)
	if err != nil {
		return err
	}
	text := bytes.Clone(file.Data)
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, '\n')
	}
	c.Effects = append(c.Effects, write(file, append(text, "# Written by sshtay.\nd "+privsepDir+" 0755 root root -\n"...)))
	return nil
}
