package change_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"sshtay/internal/change"
	"sshtay/internal/host"
	"sshtay/internal/lab"
	"sshtay/internal/testenv"
)

// TestMain lets the test program be the first process of a machine too.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], lab.InitArgs) {
		if err := lab.Init(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A machine is a copy of this one, with a network and processes of its own,
// that goes away with the test.
type machine struct {
	shell
	made map[string]string // folders that were made for a file
}

// A shell runs lines on a machine for a test.
type shell struct {
	t *testing.T
	host.Host
}

func newMachine(t *testing.T) machine {
	t.Helper()
	testenv.NeedRoot(t)
	line, err := json.Marshal(map[string]string{"Name": "web1", "Tree": "/"})
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m, err := host.StartMachine(program, lab.InitArgs, line)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return machine{shell{t, inside{m}}, map[string]string{}}
}

// inside is a machine as a host.
type inside struct{ *host.Machine }

func (m inside) Run(ctx context.Context, c host.Command) (host.Result, error) {
	c.Inside = m.Namespaces
	return host.Local{}.Run(ctx, c)
}

func (m inside) ReadFile(ctx context.Context, name string, limit int) (data []byte, err error) {
	err = m.Do(func() (err error) {
		data, err = host.Local{}.ReadFile(ctx, name, limit)
		return err
	})
	return data, err
}

// sh runs lines as those of [change.Commands] are run, and returns their status and
// what they printed.
func (m shell) sh(lines string, stdin ...byte) (int, string) {
	m.t.Helper()
	c := host.Command{Argv: []string{"sh", "-c", "set -e\n" + lines}}
	if stdin != nil {
		c.Stdin = strings.NewReader(string(stdin))
	}
	r, err := m.Run(m.t.Context(), c)
	if err != nil {
		m.t.Fatalf("%s\n%v", lines, err)
	}
	return r.Exit, string(r.Stdout) + string(r.Stderr)
}

// must runs lines that have to end well.
func (m shell) must(lines string) string {
	m.t.Helper()
	status, out := m.sh(lines)
	if status != 0 {
		m.t.Fatalf("status %d: %s\n%s", status, lines, out)
	}
	return out
}

// notAccounts leaves out what other tests change on the system below when they make a
// user; no change touches it.
const notAccounts = `! -name 'passwd*' ! -name 'group*' ! -name 'shadow*' ! -name 'gshadow*' ! -name 'sub[ug]id*' ! -name '*.lock' ! -path '/etc/sudoers.d/sshtay*'`

// state is all that a change may touch: files with owner, mode, ACLs, extended
// attributes and links, and what live says of the rest.
func (m machine) state(live string) string {
	m.t.Helper()
	return m.must(`
find /etc /etc/ssh /run /usr/lib/tmpfiles.d -xdev ` + notAccounts + ` ! -name '*.pid' ! -path '/run/fail2ban/*' -printf '%p %y %m %U:%G %l\n' | sort
find /etc /etc/ssh /run -xdev -type f ` + notAccounts + ` ! -name '*.pid' ! -path '/run/fail2ban/*' -print0 | sort -z | xargs -0 sha256sum
find /etc/*.d /etc/*.conf /etc/hosts* /etc/ssh /etc/systemd -type f ` + notAccounts + ` -print0 | sort -z | xargs -0 getfacl -pns
find /etc/*.d /etc/*.conf /etc/hosts* /etc/ssh /etc/systemd -type f ` + notAccounts + ` -print0 | sort -z | xargs -0 getfattr -dhm -
` + live)
}

// do carries an effect out, as far as a test needs it: in place, so that owner
// and attributes stay.
func (m machine) do(e change.Effect) {
	m.t.Helper()
	switch {
	case e.Commands != nil:
		if status, _ := m.sh(e.Commands.Done); status == 0 {
			return
		}
		m.must(e.Commands.Apply)
	default:
		m.put(e.File.Path, e.File.New, e.File.Mode.Perm())
	}
}

func (m machine) undo(e change.Effect) {
	m.t.Helper()
	if e.Commands != nil {
		m.must(e.Commands.Undo)
		return
	}
	m.put(e.File.Path, e.File.Old, e.File.Mode.Perm())
}

func (m machine) put(file string, content []byte, mode os.FileMode) {
	m.t.Helper()
	if content == nil {
		m.must(fmt.Sprintf("rm -f '%s'", file))
		if m.made[file] != "" {
			m.must("rmdir " + m.made[file] + " || :")
		}
		return
	}
	if made := m.must(fmt.Sprintf(`d=$(dirname '%s'); while [ ! -d "$d" ]; do echo "$d"; d=$(dirname "$d"); done`, file)); made != "" {
		m.made[file] = strings.ReplaceAll(made, "\n", " ")
	}
	script := fmt.Sprintf("mkdir -p '%[1]s'; if ! [ -e '%[2]s' ]; then install -m %[3]o /dev/null '%[2]s'; fi; cat >'%[2]s'", path.Dir(file), file, mode)
	if status, out := m.sh(script, append([]byte{}, content...)...); status != 0 {
		m.t.Fatalf("%s: %s", file, out)
	}
}
