package sshconf

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sshtay/internal/testenv"
)

// layersScript hides the home directory and /etc/ssh of this process alone
// behind those of a case: ssh finds them by the password database, not by HOME.
const layersScript = `set -e
mount -t tmpfs none "$2" && cp -a "$1/home/." "$2/"
mount -t tmpfs none /etc/ssh && cp -a "$1/etc/." /etc/ssh/
shift 2
exec "$@"`

// TestLayersAgainstSSH does as TestClientAgainstSSH with a user's and the
// system's file, includes relative to either, and the check of their modes.
func TestLayersAgainstSSH(t *testing.T) {
	testenv.NeedRoot(t)
	programs := testenv.Need(t, "ssh", "unshare", "mount", "sh")
	ssh, unshare := programs[0], programs[1]
	release := releaseOf(t, ssh, "-V")
	t.Setenv("SSHCONF_A", "/from/env")
	t.Setenv("SHELL", "/bin/sh")
	real := testEnv()
	t.Setenv("HOME", real.Home) // Include looks there for ~
	dir := t.TempDir()
	numbered(t, layerCases, func(number int) (bool, error) {
		g := newGenerator(*seedFlag, uint64(number)+2<<32, filepath.Join(dir, fmt.Sprint(number)))
		c := g.layersCase(release)
		if err := c.install(); err != nil {
			return false, err
		}
		defer os.RemoveAll(g.dir)
		args := append([]string{"-m", "sh", "-c", layersScript, "sh", g.dir, real.Home, ssh}, c.request.commandArgs()...)
		cmd := exec.Command(unshare, args...)
		var out, complaint bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaint
		theirs := cmd.Run()
		ours, err := ResolveClient(c.env(real), c.request)
		if diff := compare(out.Bytes(), &ours.Resolved, theirs, err, complaint.String()); diff != "" {
			return theirs != nil, fmt.Errorf("%s\nssh %q\n%s", diff, c.request.commandArgs(), show(c.files))
		}
		return theirs != nil, nil
	})
}

const layerCases = 200

// layersCase is a user's and a system's tree of files.
type layersCase struct {
	clientCase
	dir   string
	modes map[string]fs.FileMode // of the files that are not 0644
}

func (g *generator) layersCase(r Release) layersCase {
	keys := g.some(clientKeysFor(r))
	c := layersCase{clientCase: g.clientCase(r), dir: g.dir, modes: map[string]fs.FileMode{}}
	clear(g.files)
	c.request.Config = ""
	for _, layer := range []string{"home/.ssh/config", "etc/ssh_config"} {
		where := g.name(filepath.Dir(layer))
		main := g.name(layer)
		g.dir, g.includes = filepath.Join(where, "d"), 3
		body := g.clientFile(r, keys, 3)
		for i := range g.IntN(3) {
			g.files[filepath.Join(g.dir, fmt.Sprintf("%d.conf", i))] = g.clientFile(r, keys, 3)
		}
		include := g.pick("Include d/*.conf\n", "Include d/1.conf d/0.conf\n", "Include ~/.ssh/d/*\n", "Include /etc/ssh/d/?.conf\n", "")
		g.files[main] = g.pick(include+body, body+include)
		g.dir = c.dir
	}
	for name := range g.files {
		if g.chance(0.05) {
			c.modes[name] = fs.FileMode([]uint32{0o600, 0o664, 0o646, 0o666}[g.IntN(4)])
		}
	}
	if g.chance(0.1) {
		delete(g.files, g.name("home/.ssh/config"))
	}
	return c
}

func (c layersCase) install() error {
	for _, dir := range []string{"home", "etc"} {
		if err := os.MkdirAll(filepath.Join(c.dir, dir), 0o755); err != nil {
			return err
		}
	}
	if err := install(c.files); err != nil {
		return err
	}
	for name, mode := range c.modes {
		if _, there := c.files[name]; there {
			if err := os.Chmod(name, mode); err != nil {
				return err
			}
		}
	}
	return nil
}

// env sees the files of the case in the places where ssh finds them.
func (c layersCase) env(real *Env) *Env {
	place := func(name string) string {
		name = strings.Replace(name, c.dir+"/home", real.Home, 1)
		return strings.Replace(name, c.dir+"/etc", systemDir, 1)
	}
	files, modes := map[string][]byte{}, map[string]fs.FileMode{}
	for name, body := range c.files {
		files[place(name)], modes[place(name)] = []byte(body), 0o644
		if mode, ok := c.modes[name]; ok {
			modes[place(name)] = mode
		}
	}
	env := *real
	made := Files(files)
	env.Glob, env.ReadFile = made.Glob, func(name string, max int64) ([]byte, error) {
		if name == "/etc/services" {
			return real.ReadFile(name, max)
		}
		return made.ReadFile(name, max)
	}
	env.Stat = func(name string) (FileInfo, error) {
		if mode, ok := modes[name]; ok {
			return FileInfo{Mode: mode}, nil
		}
		return real.Stat(name)
	}
	return &env
}
