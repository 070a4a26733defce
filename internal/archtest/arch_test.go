// Package archtest keeps the arrows of the architecture pointing one way.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers says which packages of ours each package may import, and why no more.
var layers = map[string]struct{ may, why string }{
	".":                          {"cli", "main only hands over"},
	"internal/archtest":          {"", "it looks at source only"},
	"internal/testenv":           {"", "tests ask it what the machine has; the product never does"},
	"internal/fact":              {"", "the vocabulary depends on nobody"},
	"internal/target":            {"", "what the user named is data"},
	"internal/remedy":            {"", "plans are data"},
	"internal/sshwire":           {"", "bytes in, values out: it can be fuzzed and reused"},
	"internal/sshconf":           {"", "configuration text in, values out"},
	"internal/sshlog":            {"", "log text in, symptoms out"},
	"internal/explain":           {"cause report sshlog pcap", "symptoms in, weighed causes out: no log is read here, and nothing is asked of a machine"},
	"internal/rst":               {"", "packets in, who sent the reset out: judged without a socket or a clock"},
	"internal/pattern":           {"", "one way to keep patterns from costing time at every start"},
	"internal/idle":              {"", "who sleeps how long and what that shows: no clock and no sockets, so thousands of devices can be simulated"},
	"internal/sock":              {"", "what a kernel tells and takes of a socket, judged by nobody here"},
	"internal/visible":           {"", "one way to make hostile text printable, for everybody"},
	"internal/bundle":            {"pattern", "an archive is files in, bytes out: it knows neither machines nor causes"},
	"internal/change":            {"host remedy sshconf", "it knows how to change a machine, never why; and only computes: commit carries it out"},
	"internal/unified":           {"", "one way to show what changes in a file, for everybody"},
	"internal/cause":             {"fact remedy pattern", "a judge sees facts, not machines: the same facts give the same verdict anywhere"},
	"internal/host":              {"target", "the door does not know why it is opened"},
	"internal/commit":            {"change host visible", "it carries changes out, whatever they are; that they worked is verified by a function of the caller"},
	"internal/pcap":              {"rst", "captures in, stories out"},
	"internal/probe":             {"fact target host idle rst sock sshwire sshconf sshlog visible pattern", "a probe observes, it does not judge"},
	"internal/diagnose":          {"cause fact host probe target", "the only place where observing and judging meet"},
	"internal/report":            {"cause fact remedy target visible", "rendering is pure: a value in, text out"},
	"internal/report/reporttest": {"", "tests of any package hold reports to the published schema; the product never does"},
	"internal/demo":              {"", "faulty servers on loopback know nothing of who diagnoses them"},
	"internal/lab":               {"host", "scenarios know nothing of the code they judge: they run the program"},
	"internal/cli":               {"bundle change commit diagnose cause remedy report unified explain pcap sshlog sshconf demo lab host idle target probe fact sock visible", "the shell around the core; nobody imports it"},
}

// pure packages use only the standard packages of harmless: no clock, no
// files, no sockets.
var (
	pure     = []string{"internal/fact", "internal/remedy", "internal/cause", "internal/target", "internal/visible", "internal/report"}
	harmless = strings.Fields("bytes cmp encoding/json errors fmt html io maps math net/netip regexp slices sort strconv strings sync time unicode unicode/utf16 unicode/utf8")
)

// doors are the standard packages that only one package of ours may use.
var doors = map[string]struct{ who, why string }{
	"os/exec": {"internal/host internal/testenv", "one place to bound, record and refuse what is run"},
}

// writers are the functions of package os that change the file system.
var writers = strings.Fields("Create CreateTemp WriteFile OpenFile Mkdir MkdirAll MkdirTemp Remove RemoveAll Rename Symlink Link Chmod Chown Lchown Truncate Chtimes")

func TestImports(t *testing.T) {
	found := imports(t, os.DirFS("../.."))
	for pkg, used := range found {
		rule, ok := layers[pkg]
		if !ok {
			t.Errorf("package %s has no place in the architecture: add it to layers, with a reason", pkg)
			continue
		}
		for _, name := range used {
			own, isOwn := strings.CutPrefix(name, "sshtay/internal/")
			door, isDoor := doors[name]
			switch {
			case isOwn && !slices.Contains(strings.Fields(rule.may), own):
				t.Errorf("%s imports %s; it may import only [%s]: %s", pkg, own, rule.may, rule.why)
			case !isOwn && slices.Contains(pure, pkg) && !slices.Contains(harmless, name):
				t.Errorf("%s is pure and imports %s", pkg, name)
			case isDoor && !slices.Contains(strings.Fields(door.who), pkg):
				t.Errorf("%s imports %s; only %s may: %s", pkg, name, door.who, door.why)
			}
		}
	}
}

// imports reads the sources themselves. Asking "go list" would be shorter, but
// the test cache does not see what a child process reads, and would go on
// saying ok.
func imports(t *testing.T, root fs.FS) map[string][]string {
	found := map[string][]string{}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && p != "." || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		pkg := path.Dir(p)
		found[pkg] = append(found[pkg], []string{}...) // a package without imports is a package too
		if strings.HasSuffix(p, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			found[pkg] = append(found[pkg], name)
		}
		if pkg != "internal/host" && pkg != "internal/testenv" {
			checkWrites(t, p, f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 5 {
		t.Fatalf("found only %d packages: is the root right?", len(found))
	}
	return found
}
