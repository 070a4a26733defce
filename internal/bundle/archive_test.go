package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

var someFiles = []File{
	{Report, "what was found", []byte(`{"schema":"sshtay.report/1"}`)},
	{"server/sshd-T/1", "settings", []byte("port 22\n")},
	{"server/sshd-T/1", "the same name again", []byte("port 23\n")},
	{"server/empty", "nothing", nil},
	{"server", "a name that is a folder's", nil},
}

func written(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, "sshtay-bundle", Manifest{Version: "1", At: time.Unix(1700000000, 0).UTC()}, someFiles); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWriteRead: what was written is read, each file once, with the reason why
// it is there.
func TestWriteRead(t *testing.T) {
	b, err := Read(bytes.NewReader(written(t)))
	if err != nil {
		t.Fatal(err)
	}
	if string(b.Files["server/sshd-T/1"]) != "port 22\n" || len(b.Files) != 5 || len(b.Manifest.Files) != 4 || !slices.Contains(slices.Collect(maps.Keys(b.Files)), "server~") {
		t.Errorf("%+v", b)
	}
	for _, e := range b.Manifest.Files {
		if e.Why == "" {
			t.Errorf("%s: nobody says why it is there", e.Name)
		}
	}
	if err := Write(io.Discard, "x", Manifest{}, []File{{Name: "../escape"}}); err == nil {
		t.Error("a name that leads elsewhere was written")
	}
}

// An entry of an archive as an attacker would make it.
type entry struct {
	tar.Header
	data string
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	out := tar.NewWriter(zip)
	for _, e := range entries {
		if e.Typeflag == 0 {
			e.Typeflag = tar.TypeReg
		}
		e.Size, e.Mode = int64(len(e.data)), 0o644
		if err := out.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		io.WriteString(out, e.data)
	}
	out.Close()
	zip.Close()
	return b.Bytes()
}

func file(name, data string) entry { return entry{tar.Header{Name: name}, data} }

// TestHostile: what a bundle never holds is refused, with what is wrong.
func TestHostile(t *testing.T) {
	list := func(names ...string) entry {
		m := Manifest{Schema: Schema}
		for _, n := range names {
			sum := sha256.Sum256([]byte("{}"))
			m.Files = append(m.Files, Entry{Name: n, Bytes: 2, SHA256: hex.EncodeToString(sum[:])})
		}
		text, _ := json.Marshal(m)
		return file("b/"+manifest, string(text))
	}
	good := []entry{list(Report), file("b/"+Report, "{}")}
	if _, err := Read(bytes.NewReader(archive(t, good...))); err != nil {
		t.Fatalf("the archive that the others differ from: %v", err)
	}
	with := func(more ...entry) []byte { return archive(t, append(more, good...)...) }
	many := make([]entry, mostFiles+1)
	for i := range many {
		many[i] = file(fmt.Sprintf("b/f%d", i), "")
	}
	bomb := file("b/bomb", strings.Repeat("\x00", mostBytes+1))
	whole := written(t)
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"not gzip":             {[]byte("hello"), "no bundle"},
		"empty":                {nil, "no bundle"},
		"cut":                  {whole[:len(whole)/2], "no whole bundle"},
		"climbs":               {with(file("b/../../etc/passwd", "x")), "not a file below"},
		"absolute":             {with(file("/etc/passwd", "x")), "not a file below"},
		"another folder":       {with(file("b/x", ""), file("c/x", "")), "not a file below"},
		"a Windows path":       {with(file(`b/..\x`, "")), "not a file below"},
		"symbolic link":        {with(entry{tar.Header{Name: "b/l", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}, ""}), "not a plain file"},
		"hard link":            {with(entry{tar.Header{Name: "b/l", Typeflag: tar.TypeLink, Linkname: "b/" + Report}, ""}), "not a plain file"},
		"device":               {with(entry{tar.Header{Name: "b/d", Typeflag: tar.TypeChar}, ""}), "not a plain file"},
		"folder":               {with(entry{tar.Header{Name: "b/d", Typeflag: tar.TypeDir}, ""}), "not a plain file"},
		"twice":                {with(file("b/"+Report, "{}")), "twice"},
		"not in the manifest":  {with(file("b/more", "x")), "not in its manifest"},
		"too many":             {with(many...), "more than 2000 files"},
		"bomb":                 {with(bomb), "more than 64 MiB"},
		"no manifest":          {archive(t, file("b/"+Report, "{}")), "no manifest.json"},
		"no report":            {archive(t, list()), "no report.json"},
		"another size":         {archive(t, list(Report), file("b/"+Report, "{}  ")), "changed or is damaged"},
		"another text":         {archive(t, list(Report), file("b/"+Report, "[]")), "changed or is damaged"},
		"manifest is no JSON":  {archive(t, file("b/"+manifest, "{"), file("b/"+Report, "{}")), manifest},
		"manifest of tomorrow": {archive(t, file("b/"+manifest, `{"schema":"sshtay.bundle/9"}`), file("b/"+Report, "{}")), "sshtay.bundle/9"},
	} {
		if _, err := Read(bytes.NewReader(c.data)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", name, err, c.says)
		}
	}
}

// FuzzRead: whatever comes is refused or read within the bounds.
func FuzzRead(f *testing.F) {
	f.Add(written(f))
	f.Add(archive(f, file("b/x", "y")))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Read(bytes.NewReader(data))
		if err == nil && len(b.Files[Report]) == 0 && len(b.Manifest.Files) == 0 {
			t.Error("an empty bundle was taken")
		}
	})
}
