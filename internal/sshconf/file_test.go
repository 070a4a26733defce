package sshconf

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWordsOfALine(t *testing.T) {
	for _, c := range []struct {
		in       string
		keyword  string
		args     []string
		problem  string
		nothing  bool
		complain string
	}{
		{in: "Port 22", keyword: "Port", args: []string{"22"}},
		{in: "  Port\t22  ", keyword: "Port", args: []string{"22"}},
		{in: "Port=22", keyword: "Port", args: []string{"22"}},
		{in: "Port = 22", keyword: "Port", args: []string{"22"}},
		{in: "Port= 22", keyword: "Port", args: []string{"22"}},
		{in: "Port == 22", keyword: "Port", args: []string{"=", "22"}},
		{in: `Port="22"`, keyword: "Port", args: []string{"22"}},
		{in: `"Port" 22`, keyword: "Port", args: []string{"22"}},
		{in: `Po"rt" 22`, keyword: "Port", args: []string{"22"}},
		{in: "=Port 22", keyword: "Port", args: []string{"22"}},
		{in: "Port 22 # twenty-two", keyword: "Port", args: []string{"22"}},
		{in: "Port 22#23", keyword: "Port", args: []string{"22#23"}},
		{in: "Port 22\r", keyword: "Port", args: []string{"22"}},
		{in: "Port 2\r2", keyword: "Port", args: []string{"2\r2"}},
		{in: "Port 22 \f", keyword: "Port", args: []string{"22"}},
		{in: "Host a b 'c d' e\\ f", keyword: "Host", args: []string{"a", "b", "c d", "e f"}},
		{in: `Host ""`, keyword: "Host", args: []string{""}},
		{in: `Host "a\"b" 'c\'d' e\\f g\h`, keyword: "Host", args: []string{`a"b`, `c'd`, `e\f`, `g\h`}},
		{in: `Host 'a\ b'`, keyword: "Host", args: []string{`a\ b`}},
		{in: `Host a"b c"d`, keyword: "Host", args: []string{"ab cd"}},
		{in: `Host "a`, keyword: "Host", problem: openQuote},
		{in: `Host a # it's`, keyword: "Host", args: []string{"a"}},
		{in: "Port", keyword: "Port", problem: noArgument},
		{in: "Port =", keyword: "Port", problem: noArgument},
		{in: "Port #", keyword: "Port"},
		{in: "", nothing: true},
		{in: "   ", nothing: true},
		{in: "\r", nothing: true},
		{in: "# Port 22", nothing: true},
		{in: `#"Port 22`, nothing: true},
		{in: `"Port 22`, nothing: true, complain: openKeyword},
		{in: "Port 22\x00 33", keyword: "Port", args: []string{"22"}, complain: nulByte},
		{in: "\f", keyword: "\f", problem: noArgument},
	} {
		f := Parse("c", []byte(c.in+"\n"))
		var complain string
		if len(f.Problems) > 0 {
			complain = f.Problems[0].Text
		}
		if complain != c.complain {
			t.Errorf("%q: complains %q, want %q", c.in, complain, c.complain)
		}
		if c.nothing != (len(f.Lines) == 0) {
			t.Errorf("%q: %d directives", c.in, len(f.Lines))
			continue
		}
		if c.nothing {
			continue
		}
		l := f.Lines[0]
		if l.Keyword != c.keyword || l.Problem != c.problem || !slices.Equal(l.Args, c.args) {
			t.Errorf("%q: %q %q problem %q, want %q %q problem %q", c.in, l.Keyword, l.Args, l.Problem, c.keyword, c.args, c.problem)
		}
	}
}

// Match criteria are cut with other rules than arguments.
func TestDelimiter(t *testing.T) {
	for in, want := range map[string][]string{
		"":                      {""},
		"\t":                    {"", ""},
		"blob":                  {"blob"},
		"blob   ":               {"blob", ""},
		"one  \t two":           {"one", "two"},
		"one=two":               {"one", "two"},
		"one = two":             {"one", "two"},
		"one==two":              {"one", "", "two"},
		`"one two" three`:       {"one two", "three"},
		`"one"`:                 {"one", ""},
		`"open`:                 nil,
		`host a exec "test -f"`: {"host", "a", "exec", "test -f", ""},
		`'a b' c`:               {"'a", "b'", "c"},
		`"back\"slash`:          {`back\`, "slash"}, // nothing escapes
	} {
		d := delimiter{rest: in}
		var got []string
		for w, ok := d.next(); ok; w, ok = d.next() {
			got = append(got, w)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestLinesKnowWhereTheyAre(t *testing.T) {
	src := "# first\r\n\r\nHost a\r\n  Port 22\r\n\n\tUser b"
	f := Parse("c", []byte(src))
	want := []struct {
		number int
		text   string
	}{{3, "Host a\r\n"}, {4, "  Port 22\r\n"}, {6, "\tUser b"}}
	if len(f.Lines) != len(want) {
		t.Fatalf("%d directives, want %d", len(f.Lines), len(want))
	}
	for i, w := range want {
		l := f.Lines[i]
		if l.Number != w.number || src[l.Start:l.End] != w.text {
			t.Errorf("line %d %q, want %d %q", l.Number, src[l.Start:l.End], w.number, w.text)
		}
	}
}

// A file no person wrote costs little and says so.
func TestHugeFiles(t *testing.T) {
	for name, src := range map[string][]byte{
		"100 MB of lines":  bytes.Repeat([]byte("a b\n"), 25<<20),
		"100 MB, one line": append([]byte("Host "), bytes.Repeat([]byte("a"), 100<<20)...),
		"many directives":  bytes.Repeat([]byte("a b\n"), MaxLines+1),
	} {
		begin := time.Now()
		f := Parse(name, src)
		if len(f.Problems) != 1 || f.Problems[0].Line != 0 || len(f.Lines) != 0 {
			t.Errorf("%s: problems %v, %d lines", name, f.Problems, len(f.Lines))
		}
		if len(f.Bytes()) != len(src) || &f.Bytes()[0] != &src[0] {
			t.Errorf("%s: bytes lost or copied", name)
		}
		t.Logf("%s: %v", name, time.Since(begin))
	}
	if f := Parse("newlines", bytes.Repeat([]byte("\n"), MaxFileSize)); len(f.Lines)+len(f.Problems) != 0 {
		t.Errorf("empty lines: %d lines, problems %v", len(f.Lines), f.Problems)
	}
	if f := Parse("NULs", bytes.Repeat([]byte("\x00\n"), 1000)); len(f.Problems) != maxProblems {
		t.Errorf("NULs: %d problems", len(f.Problems))
	}
}

// FuzzParse: no byte is lost, and every directive stands where it says.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file := Parse("c", bytes.Clone(src))
		if !bytes.Equal(file.Bytes(), src) {
			t.Fatal("bytes lost")
		}
		var again []byte
		at, number := 0, 1
		for _, l := range file.Lines {
			number += bytes.Count(src[at:l.Start], []byte("\n"))
			if l.Start < at || l.End <= l.Start || l.End > len(src) || l.Number != number {
				t.Fatalf("line %d says bytes %d to %d after %d", l.Number, l.Start, l.End, at)
			}
			again = append(append(again, src[at:l.Start]...), src[l.Start:l.End]...)
			if body := src[l.Start : l.End-1]; bytes.IndexByte(body, '\n') >= 0 {
				t.Fatalf("line %d is several: %q", l.Number, body)
			}
			number, at = number+1, l.End
			if src[l.End-1] != '\n' && l.End != len(src) {
				t.Fatalf("line %d ends in the middle", l.Number)
			}
		}
		if again = append(again, src[at:]...); !bytes.Equal(again, src) {
			t.Fatal("the spans do not make the file")
		}
	})
}

// seeds are the files of testdata/seeds; both fuzz targets start from them.
func seeds(t testing.TB) (all [][]byte) {
	files, err := filepath.Glob("testdata/seeds/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, src)
	}
	return all
}

// A fuzz target whose seeds went missing would go on saying ok.
func TestSeedsAreThere(t *testing.T) {
	if n := len(seeds(t)); n < 8 {
		t.Fatalf("%d seeds in testdata/seeds, want at least 8", n)
	}
	all := string(bytes.Join(seeds(t), nil))
	for _, has := range []string{"\r\n", "\x00", `"`, "'", "\\", "=", "#", "Match", "Include", "\f"} {
		if !strings.Contains(all, has) {
			t.Errorf("no seed has %q", has)
		}
	}
}
