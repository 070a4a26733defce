package change

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
)

// A hostKey is a private key file of sshd, of which nothing is read.
type hostKey struct {
	file            string
	there, empty    bool
	uid, gid, group string
	mode            string
}

// keysScript prints for each file a word and, if it is there, its size in
// bytes, owner, group by number and name, and mode.
const keysScript = `
for f; do
	if [ -L "$f" ] && ! [ -e "$f" ]; then echo "odd"
	elif [ -f "$f" ]; then echo "file $(stat -L -c '%s %u %g %G %a' "$f")"
	elif [ -e "$f" ]; then echo "odd"
	else echo "none"; fi
done`

var (
	plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_+@][A-Za-z0-9_.+@-]*)+$`)
	keyType   = regexp.MustCompile(`^ssh_host_(rsa|ecdsa|ed25519)_key$`)
)

// HostKeys makes host keys for an sshd that has none, and takes from others the
// right to read those that there are: sshd uses no key that they can read.
func HostKeys(ctx context.Context, m host.Host) (Change, error) {
	c := Change{Kind: "host_keys", Risk: remedy.ReloadsSSHD, Root: true}
	files, err := hostKeyFiles(ctx, m)
	if err != nil {
		return c, err
	}
	keys, err := lookAtKeys(ctx, m, files)
	if err != nil {
		return c, err
	}
	have := false
	for _, k := range keys {
		have = have || k.there && !k.empty
	}
	if !have {
		return c, c.makeKeys(ctx, m, keys)
	}
	c.Title = "let nobody but root read the host keys"
	for _, k := range keys {
		if k.there && !k.empty {
			c.closeKey(k)
		}
	}
	return c, nil
}

// hostKeyFiles are the files that sshd's configuration names, or that it uses
// without being told.
func hostKeyFiles(ctx context.Context, m host.Host) ([]string, error) {
	server, err := serverConfig(ctx, m)
	if err != nil {
		return nil, err
	}
	if agent := server.Text("HostKeyAgent"); agent != "" && agent != "none" {
		return nil, fmt.Errorf("the host keys are with an agent (HostKeyAgent %s): see that it runs", agent)
	}
	var files []string
	for _, v := range server.Setting("HostKey").Values {
		if !plainPath.MatchString(v.Text) {
			return nil, fmt.Errorf("the host key %q has a name that sshtay does not use; by hand: ssh-keygen -A", v.Text)
		}
		files = append(files, v.Text)
	}
	if len(files) == 0 {
		return nil, errors.New("sshd's configuration names no host key")
	}
	return files, nil
}

func lookAtKeys(ctx context.Context, m host.Host, files []string) ([]hostKey, error) {
	out, err := ask(ctx, m, keysScript, files...)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(files) {
		return nil, errors.New("the host keys cannot be seen")
	}
	var keys []hostKey
	for i, line := range lines {
		k := hostKey{file: files[i]}
		w := strings.Fields(line)
		switch {
		case len(w) == 6 && w[0] == "file" && octal.MatchString(w[5]) && number.MatchString(w[2]) && number.MatchString(w[3]):
			k.there, k.empty = true, w[1] == "0"
			k.uid, k.gid, k.group, k.mode = w[2], w[3], w[4], w[5]
		case line != "none":
			return nil, fmt.Errorf("the host key %s is there and is no file: move it away", k.file)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

var number = regexp.MustCompile(`^\d{1,10}$`)

// closeKey lets nobody but root read a key. Red Hat's systems let a group read
// it that has no members, and their sshd knows.
func (c *Change) closeKey(k hostKey) {
	closed := strings.HasSuffix("0"+k.mode, "00")
	if k.uid == "0" && (closed || k.group == "ssh_keys" && k.mode == "640") {
		return
	}
	holds := fmt.Sprintf(`[ "$(stat -L -c '%%u %%a' %s 2>/dev/null)" = '0 600' ]`, k.file)
	c.Verify = append(c.Verify, Verification{Title: "nobody but root reads " + k.file, Run: holds})
	c.Effects = append(c.Effects, Effect{Title: "let nobody but root read " + k.file, Commands: &Commands{
		Done: holds, Apply: fmt.Sprintf("chown 0 %[1]s\nchmod 600 %[1]s", k.file),
		Undo: fmt.Sprintf("if %s; then chown %s %s; chmod %s %s; fi", holds, k.uid, k.file, k.mode, k.file),
	}})
}

// keyMark is the comment of a key that we made.
const keyMark = "made-by-sshtay"

// before ends the name of a file that was put aside.
const before = ".before-sshtay"

// makeKeys makes every key that has the name of a kind of key.
func (c *Change) makeKeys(ctx context.Context, m host.Host, keys []hostKey) error {
	var names, besides []string
	for _, k := range keys {
		if !keyType.MatchString(path.Base(k.file)) {
			c.Notes = append(c.Notes, fmt.Sprintf("%s does not say in its name what kind of key it is, and is not made", k.file))
			continue
		}
		names, besides = append(names, path.Base(k.file)), append(besides, k.file+".pub", k.file+before, k.file+".pub"+before)
	}
	if len(names) == 0 {
		return errors.New("no host key has a name that says of which kind it is; by hand: ssh-keygen -t ed25519 -N '' -f FILE")
	}
	c.Title = "make the host keys " + strings.Join(names, ", ")
	files, err := look(ctx, m, besides...)
	if err != nil {
		return err
	}
	for _, k := range keys {
		kind := keyType.FindStringSubmatch(path.Base(k.file))
		if kind == nil {
			continue
		}
		var old []string
		if k.empty {
			old = append(old, k.file)
		}
		for _, f := range files {
			switch {
			case strings.HasSuffix(f.Name, before) && strings.HasPrefix(f.Name, k.file):
				return fmt.Errorf("%s was put aside by an earlier change: look at it, and take it away", f.Name)
			case f.Name == k.file+".pub":
				old = append(old, f.Name)
			}
		}
		c.makeKey(k.file, kind[1], old)
	}
	c.Notes = append(c.Notes, "new keys are new to every client: compare what ssh shows with what ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub says on the server")
	return nil
}

// makeKey is the effect that makes a key. It is made beside its place, and gets
// there last, so that what is in its place is whole. What is there of an old
// one, which is of no use without the rest, is put aside.
func (c *Change) makeKey(file, kind string, old []string) {
	fill := strings.NewReplacer("FILE", file, "KIND", kind, "MARK", keyMark)
	aside, back := "", ""
	for _, f := range old {
		aside += fmt.Sprintf("if [ ! -e %[1]s ]; then mv %[2]s %[1]s; fi\n", f+before, f)
		back += fmt.Sprintf("\nif [ -e %[1]s ]; then mv %[1]s %[2]s; fi", f+before, f)
		c.Notes = append(c.Notes, f+", which is of no use without the rest of the key, is called "+f+before+" then")
	}
	c.Verify = append(c.Verify, Verification{Title: file + " is a key", Run: "ssh-keygen -y -P '' -f " + file + " >/dev/null"})
	c.Effects = append(c.Effects, Effect{Title: "make " + file, Commands: &Commands{
		Done: fill.Replace("[ -s FILE ] && grep -qs ' MARK$' FILE.pub"),
		Apply: fill.Replace(`rm -f FILE.sshtay FILE.sshtay.pub
ssh-keygen -q -t KIND -N '' -C MARK -f FILE.sshtay
` + aside + `mv FILE.sshtay.pub FILE.pub
mv FILE.sshtay FILE
if command -v restorecon >/dev/null; then restorecon FILE FILE.pub; fi`),
		Undo: fill.Replace(`rm -f FILE.sshtay FILE.sshtay.pub
if grep -qs ' MARK$' FILE.pub; then rm -f FILE FILE.pub; fi` + back),
	}})
}
