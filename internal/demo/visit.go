package demo

import (
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Alias is the name by which the visitor's configuration calls a world, and
// ConfigFile the name of that configuration: ssh -F DIR/config demo.
const (
	Alias      = "demo"
	ConfigFile = "config"
)

// A File is one of those that a visitor needs. Its name has no folder, and
// nobody but the visitor may read it.
type File struct {
	Name string
	Data []byte
}

// Files returns what a client needs to log in, to be written into dir: a
// configuration of its own, a throw-away key, and the server's host key. With
// them ssh reads nothing of the user's and offers no key of theirs.
func (w *World) Files(dir string) ([]File, error) {
	key, err := ssh.MarshalPrivateKey(w.server.key, "sshtay demo, worth nothing")
	if err != nil {
		return nil, fmt.Errorf("writing the demo's key: %w", err)
	}
	known := fmt.Sprintf("[%s]:%d %s", w.Host, w.Port, ssh.MarshalAuthorizedKey(w.server.host))
	return []File{
		{ConfigFile, []byte(w.config(dir))},
		{"key", pem.EncodeToMemory(key)},
		{"known_hosts", []byte(known)},
	}, nil
}

func (w *World) config(dir string) string {
	known := inConfig(filepath.Join(dir, "known_hosts"))
	lines := []string{
		"# The configuration of a sshtay demo. With -F ssh reads no other.",
		"Host " + Alias,
		"\tHostName " + w.Host,
		fmt.Sprintf("\tPort %d", w.Port),
		"\tUser demo",
		"\tIdentityFile " + inConfig(filepath.Join(dir, "key")),
		"\tIdentitiesOnly yes",
		"\tIdentityAgent none",
		"\tPreferredAuthentications publickey",
		"\tUserKnownHostsFile " + known,
		"\tGlobalKnownHostsFile " + known,
		"\tStrictHostKeyChecking yes",
		"\tUpdateHostKeys no",
	}
	if !w.server.scene.silent {
		lines = append(lines, "\tServerAliveInterval 60", "\tServerAliveCountMax 3")
	}
	if w.server.scene.rekey != "" {
		lines = append(lines, "\t# The server asks for new keys after an hour. Nobody waits that long in a demo.", "\tRekeyLimit 16")
	}
	return strings.Join(lines, "\n") + "\n"
}

// inConfig writes a path as an argument of ssh_config: in quotes for the
// spaces, and with the signs of tokens doubled. ssh for Windows takes slashes.
func inConfig(path string) string {
	return `"` + strings.ReplaceAll(filepath.ToSlash(path), "%", "%%") + `"`
}
