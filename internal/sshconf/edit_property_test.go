package sshconf

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// longFile is a client's file of so many lines, with a block for each host.
func longFile(lines int) []byte {
	var b bytes.Buffer
	for i := 0; i < lines; i += 5 {
		fmt.Fprintf(&b, "# host %d\nHost host%d alias%d\n\tHostName=192.0.2.%d\n\tUser  \"ann\"\t# c\n\n", i, i, i, i%250)
	}
	b.WriteString("Host *\n\tServerAliveInterval 0\n")
	return b.Bytes()
}

// TestEditLongFiles edits files of 10,000 lines and keeps every byte of them.
func TestEditLongFiles(t *testing.T) {
	src := longFile(10_000)
	env := Files(map[string][]byte{"/c": src, "/s": bytes.ReplaceAll(bytes.Repeat([]byte("# nothing\nAcceptEnv A_B\n"), 5000), []byte("A_B"), []byte("LANG"))})
	begin := time.Now()
	e, err := EditClient(env, ClientRequest{Host: "web1", Config: "/c", Release: debian12}, []Assignment{{"ServerAliveInterval", "60"}, {"ServerAliveCountMax", "5"}})
	t.Logf("the client's file of %d bytes: %v", len(src), time.Since(begin))
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Replace(src, []byte("Host *\n"), []byte("Host web1\n\tServerAliveInterval 60\n\tServerAliveCountMax 5\n\nHost *\n"), 1)
	want = bytes.ReplaceAll(want, []byte("ServerAliveInterval 60\n"), []byte("ServerAliveInterval=60\n"))
	want = bytes.ReplaceAll(want, []byte("ServerAliveCountMax 5\n"), []byte("ServerAliveCountMax=5\n"))
	if len(e.Files) != 1 || !bytes.Equal(e.Files[0].New, want) {
		t.Errorf("not the one block more; the file ends with %q", e.Files[0].New[len(e.Files[0].New)-200:])
	}
	begin = time.Now()
	e, err = EditServer(env, ServerRequest{Config: "/s", Release: debian12}, []Assignment{{"MaxStartups", "50:30:100"}}, false)
	t.Logf("the server's file: %v", time.Since(begin))
	if err != nil || len(e.Files) != 1 || !bytes.HasPrefix(e.Files[0].New, e.Files[0].Old) {
		t.Errorf("the server's file: %v", err)
	}
}

// TestInsertKeepsBytes: whatever the text, an edit of it is the text with bytes
// put in or the arguments of one line replaced.
func TestInsertKeepsBytes(t *testing.T) {
	piece := rapid.SampledFrom([]string{"Host a\n", "Port 22\r\n", "\tUser = \"x y\" # c\n", "# c\n", "\n", "  \r\n", "Match all", "Include x\n", "\f\n", "=\n", "Host", "\"q\" 1\n"})
	rapid.Check(t, func(t *rapid.T) {
		src := []byte(strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), ""))
		f := Parse("/f", src)
		if len(f.Lines) > 0 {
			i := rapid.IntRange(0, len(f.Lines)-1).Draw(t, "line")
			l := f.Lines[i]
			out := f.replaceValue(i, "VALUE")
			tail := src[l.End:]
			if !bytes.HasPrefix(out, src[:l.Start]) || !bytes.HasSuffix(out, tail) {
				t.Fatalf("replacing line %d of %q gave %q", l.Number, src, out)
			}
			if got := Parse("/f", out).Lines; len(got) != len(f.Lines) || l.Rest != "" && (len(got[i].Args) == 0 || got[i].Args[0] != "VALUE") {
				t.Fatalf("line %d of %q became %q", l.Number, src, out)
			}
		}
		places := []int{0, len(src), f.top()}
		for i := range f.Lines {
			places = append(places, f.Lines[i].End, f.above(i))
		}
		at := rapid.SampledFrom(places).Draw(t, "place")
		out := f.insertApart(at, "One 1", "Two 2")
		if !bytes.HasPrefix(out, src[:at]) || !bytes.HasSuffix(out, src[at:]) {
			t.Fatalf("putting lines at %d of %q gave %q", at, src, out)
		}
		if got, want := len(Parse("/f", out).Lines), len(f.Lines)+2; got != want {
			t.Fatalf("%q has %d directives, want %d", out, got, want)
		}
		if bytes.HasSuffix(src, []byte("\n")) != bytes.HasSuffix(out, []byte("\n")) && len(src) > 0 {
			t.Fatalf("the end of %q became that of %q", src, out)
		}
	})
}

// editSeeds are what FuzzEdit starts with.
var editSeeds = []struct{ main, other, host, value string }{
	{"", "", "web1", "60"},
	{"Host *\n\tServerAliveInterval 0", "", "web1", "60"},
	{"Include /o\nHost a b !c\r\n  ServerAliveInterval=1\r\n", "Host web1\nServerAliveInterval 5 # x\n", "web1", "1m"},
	{"Host web1\n Include /o\n ServerAliveInterval 1\nMatch all\n", "ServerAliveInterval 3\n", "web1", "0"},
	{"ServerAliveInterval 1\nMatch host web1\nServerAliveInterval \"2\"\n", "x", "WEB1", "7"},
	{"Include /o\nClientAliveInterval 3\nMatch User ann\n\tClientAliveInterval 0\n", "ClientAliveInterval 4\nMatch all\n", "::1", "60"},
	{"Include /etc/ssh/sshd_config.d/*.conf\nMatch all\nClientAliveInterval 3", "", "#x", "5"},
	{"\x00Port 22\n", "\xff\xfe", "a=b", "\"60\""},
}

// FuzzEdit edits any text, as a client's and as a server's. What comes out says
// what was asked for, again does nothing, and takes away at most one line.
func FuzzEdit(f *testing.F) {
	for _, s := range editSeeds {
		f.Add([]byte(s.main), []byte(s.other), s.host, s.value)
	}
	f.Fuzz(func(t *testing.T, main, other []byte, host, value string) {
		if len(main)+len(other) > 4096 {
			return
		}
		machine := func() map[string][]byte {
			return map[string][]byte{"/m": main, "/o": other, "/etc/ssh/sshd_config.d/50-x.conf": other}
		}
		check := func(what string, edit func(map[string][]byte) (*Edits, error)) {
			files := machine()
			e, err := edit(files)
			if err != nil {
				return
			}
			for _, file := range e.Files {
				if reason := kept(file.Old, file.New, 1); reason != "" {
					t.Fatalf("%s: %s: %q became %q", what, reason, file.Old, file.New)
				}
				files[file.Path] = file.New
			}
			if again, err := edit(files); err != nil || len(again.Files) > 0 {
				t.Fatalf("%s: a second time: %v %v", what, again, err)
			}
		}
		check("client", func(files map[string][]byte) (*Edits, error) {
			return EditClient(Files(files), ClientRequest{Host: host, Config: "/m", Release: debian12}, []Assignment{{"ServerAliveInterval", value}})
		})
		check("server", func(files map[string][]byte) (*Edits, error) {
			c := Connection{User: "ann", Addr: "192.0.2.7"}
			return EditServer(Files(files), ServerRequest{Config: "/m", Connection: &c, Release: debian12}, []Assignment{{"ClientAliveInterval", value}}, len(host)%2 == 0)
		})
	})
}

// TestEditSeeds counts the seeds that are edited: a fuzz target whose seeds all
// fail tries nothing.
func TestEditSeeds(t *testing.T) {
	edited := 0
	for _, s := range editSeeds {
		files := map[string][]byte{"/m": []byte(s.main), "/o": []byte(s.other)}
		client, err := EditClient(Files(files), ClientRequest{Host: s.host, Config: "/m", Release: debian12}, []Assignment{{"ServerAliveInterval", s.value}})
		if err == nil && len(client.Files) > 0 {
			edited++
		}
		server, err := EditServer(Files(files), ServerRequest{Config: "/m", Release: debian12}, []Assignment{{"ClientAliveInterval", s.value}}, false)
		if err == nil && len(server.Files) > 0 {
			edited++
		}
	}
	if edited < 6 {
		t.Errorf("only %d edits come of the seeds", edited)
	}
}
