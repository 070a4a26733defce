//go:build linux

package commit

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	"sshtay/internal/change"
	"sshtay/internal/host"
	"sshtay/internal/testenv"
)

var update = flag.Bool("update", false, "write the golden files")

// scripts are transactions whose programs can be read in testdata, up to the
// part that is the same in all of them.
var scripts = map[string]Transaction{
	"keepalive": {ID: "20261128-104500-7f3a", Title: "keep idle sessions of everybody alive", By: "anna@laptop", Changes: []change.Change{{
		Effects: []change.Effect{
			{Title: "write /etc/ssh/sshd_config.d/00-sshtay.conf", File: &change.File{
				Path: "/etc/ssh/sshd_config.d/00-sshtay.conf", New: []byte("# by sshtay\nClientAliveInterval 60\nClientAliveCountMax 3\n"), Mode: 0o644}},
			{Title: "take ClientAliveInterval out of /etc/ssh/sshd_config", File: &change.File{
				Path: "/etc/ssh/sshd_config", Old: []byte("Port 22\nInclude /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\nClientAliveInterval 0\nX11Forwarding no\n"),
				New: []byte("Port 22\nInclude /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\nX11Forwarding no\n")}},
			{Title: "set net.ipv4.tcp_keepalive_time to 600 now", Commands: &change.Commands{
				Done: `[ "$(sysctl -n net.ipv4.tcp_keepalive_time)" = 600 ]`, Apply: "sysctl -q -w net.ipv4.tcp_keepalive_time=600", Undo: "sysctl -q -w net.ipv4.tcp_keepalive_time=7200"}},
		},
		Services: []change.Service{{Name: "sshd", Validate: "sshd -t", Reload: "systemctl reload ssh.service", Alive: "systemctl is-active --quiet ssh.service", Start: "systemctl start ssh.service"}},
		Verify:   []change.Verification{{Title: "sshd -T says clientaliveinterval 60", Run: "sshd -T | grep -qx 'clientaliveinterval 60'"}},
	}}},
	"strange": {ID: "t1", Title: "names and bytes\nthat äre \x1b[31modd'", Patience: 5e9, Changes: []change.Change{{
		Effects: []change.Effect{
			{Title: "a name with a line end", File: &change.File{Path: "/home/o'neil/.ssh/a\nb", Old: []byte("END\r\n\x00"), New: []byte("END\nend%s\\\r\n'\x00ä")}},
			{Title: "nothing is left in it", File: &change.File{Path: "/tmp/x", Old: []byte("a\nb"), New: []byte{}}},
			{Title: "gone", File: &change.File{Path: "/tmp/y", Old: []byte{}}},
			{Title: "long", File: &change.File{Path: "/tmp/z", Old: bytes.Repeat([]byte("a\n"), 100), New: bytes.Repeat([]byte("b\n"), 3)}},
		}}}},
}

func TestScript(t *testing.T) {
	for name, tr := range scripts {
		if err := tr.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		all := string(tr.Script())
		own, library, ok := strings.Cut(all, "\n# From here on it is the same for every change.\n")
		if !ok || !strings.HasSuffix(library, "\nmain \"$@\"\n") || !bytes.Equal(tr.Script(), []byte(all)) {
			t.Errorf("%s: not the form of a program", name)
		}
		file := "testdata/" + name + ".sh"
		if *update {
			os.WriteFile(file, []byte(own), 0o644)
		}
		want, err := os.ReadFile(file)
		if err != nil || string(want) != own {
			t.Errorf("%s is another one now (%v); to accept: go test ./internal/commit -run TestScript -update\n%s", file, err, own)
		}
		if i := strings.IndexFunc(all, func(r rune) bool { return r > '~' || r < ' ' && r != '\n' && r != '\t' }); i >= 0 {
			t.Errorf("%s: not plain ASCII at %.40q", name, all[i:])
		}
		for shell, argv := range shells {
			testenv.Need(t, argv[0])
			cmd := exec.Command(argv[0], append(argv[1:], "-n")...)
			cmd.Stdin = strings.NewReader(all)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s does not read %s: %v %s", shell, name, err, out)
			}
		}
	}
}

// What a program composes is the new text, from whatever there was.
func TestCompose(t *testing.T) {
	every := make([]byte, 0, 600)
	for i := range 256 {
		every = append(every, byte(i))
	}
	texts := [][]byte{{}, []byte("\n"), []byte("a"), []byte("a\n"), []byte("a\nb\nc\n"), []byte("a\nx\nc\n"), []byte("a\nb\nc"), []byte("a\r\nb\r\nc\r\n"), []byte("b\nc\n"),
		[]byte("-n\n-e \\n %s\nEND\nEND_\n"), every, append(append([]byte("first\n"), every...), "\nlast\n"...), bytes.Repeat([]byte("long"), 20000), []byte("\n\n\n"), []byte("END")}
	for shell, argv := range shells {
		testenv.Need(t, argv[0])
		for _, old := range texts {
			file := t.TempDir() + "/old"
			if err := os.WriteFile(file, old, 0o600); err != nil {
				t.Fatal(err)
			}
			var all bytes.Buffer
			all.WriteString("f() {\n:\n}\n")
			for i, new := range texts {
				all.WriteString("f() {\n" + compose(old, new) + "}\nf " + host.Quote(file) + " >" + host.Quote(file) + "." + string(rune('a'+i)) + "\n")
			}
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Stdin = &all
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v %s", shell, err, out)
			}
			for i, new := range texts {
				if got, err := os.ReadFile(file + "." + string(rune('a'+i))); err != nil || !bytes.Equal(got, new) {
					t.Errorf("%s: from %.20q to %.20q: got %.60q, %v", shell, old, new, got, err)
				}
			}
		}
	}
}

// The sums are those of the programs.
func TestSums(t *testing.T) {
	for _, data := range []string{"", "a", "123456789", strings.Repeat("x", 70000)} {
		cmd := exec.Command("sh", "-c", "cat >\"$1\"; printf '%s ' $(cksum <\"$1\"); sha256sum <\"$1\" | cut -c 1-64", "sh", t.TempDir()+"/f")
		cmd.Stdin = strings.NewReader(data)
		out, err := cmd.Output()
		if got := sums([]byte(data)); err != nil || got != strings.TrimSpace(string(out)) {
			t.Errorf("%d bytes: %s, want %s, %v", len(data), got, out, err)
		}
	}
	if sums(nil) != "none" {
		t.Error("no file has a sum")
	}
}

// What cannot be carried out is refused before anything is sent.
func TestCheck(t *testing.T) {
	file := func(f change.File) []change.Effect { return []change.Effect{{Title: "x", File: &f}} }
	fine := change.File{Path: "/etc/x", New: []byte("x")}
	for name, tr := range map[string]Transaction{
		"no effects":     {ID: "a"},
		"name":           {ID: "../a", Changes: []change.Change{{Effects: file(fine)}}},
		"empty name":     {ID: "", Changes: []change.Change{{Effects: file(fine)}}},
		"too patient":    {ID: "a", Patience: 1e15, Changes: []change.Change{{Effects: file(fine)}}},
		"impatient":      {ID: "a", Patience: 1, Changes: []change.Change{{Effects: file(fine)}}},
		"NUL":            {ID: "a", Changes: []change.Change{{Effects: file(change.File{Path: "/etc/\x00", New: []byte("x")})}}},
		"relative":       {ID: "a", Changes: []change.Change{{Effects: file(change.File{Path: "etc/x", New: []byte("x")})}}},
		"folder":         {ID: "a", Changes: []change.Change{{Effects: file(change.File{Path: "/etc/", New: []byte("x")})}}},
		"dots":           {ID: "a", Changes: []change.Change{{Effects: file(change.File{Path: "/etc/../x", New: []byte("x")})}}},
		"nothing":        {ID: "a", Changes: []change.Change{{Effects: file(change.File{Path: "/x", Old: []byte("x"), New: []byte("x")})}}},
		"neither":        {ID: "a", Changes: []change.Change{{Effects: file(change.File{Path: "/x"})}}},
		"mode":           {ID: "a", Changes: []change.Change{{Effects: file(change.File{Path: "/x", New: []byte("x"), Mode: os.ModeSetuid | 0o755})}}},
		"twice":          {ID: "a", Changes: []change.Change{{Effects: append(file(fine), file(fine)...)}}},
		"too long":       {ID: "a", Changes: []change.Change{{Effects: file(change.File{Path: "/x", New: make([]byte, 2<<20)})}}},
		"endless":        {ID: "a", Changes: []change.Change{{Effects: []change.Effect{{Title: "x", Commands: &change.Commands{Apply: "true"}}}}}},
		"NUL in command": {ID: "a", Changes: []change.Change{{Effects: []change.Effect{{Title: "x", Commands: &change.Commands{Done: "true", Apply: "true \x00"}}}}}},
		"no effect":      {ID: "a", Changes: []change.Change{{Effects: []change.Effect{{Title: "x"}}}}},
	} {
		if err := tr.Check(); err == nil {
			t.Errorf("%s: accepted", name)
		} else if o, err2 := Apply(t.Context(), nil, tr); err2 == nil || o.Code != 0 {
			t.Errorf("%s: tried", name)
		}
	}
	if err := (Transaction{ID: "a", Changes: []change.Change{{Effects: file(fine)}}}).Check(); err != nil {
		t.Error(err)
	}
}
