package demo

import (
	"bytes"
	"io"
	"regexp"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// ours matches a goroutine that the package, or the SSH library for it, has
// started; the tests' own goroutines are started by package testing.
var ours = regexp.MustCompile(`created by (sshtay/internal/demo\.|golang\.org/x/crypto/ssh\.)`)

func leftovers() string {
	var b bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&b, 2)
	var left []string
	for one := range strings.SplitSeq(b.String(), "\n\n") {
		if ours.MatchString(one) {
			left = append(left, one)
		}
	}
	return strings.Join(left, "\n\n")
}

// Each world is closed while guests are in the middle of it. Not parallel: it
// looks at all goroutines of the process.
func TestCloseLeavesNothingRunning(t *testing.T) {
	for _, f := range All() {
		w, err := f.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		silent, greeter := dial(t, w), dial(t, w)
		io.WriteString(greeter, "SSH-2.0-test\r\n")
		if f.Name == "healthy" || f.Name == "no-keepalive" {
			client, err := login(t, w)
			if err != nil {
				t.Fatal(err)
			}
			session, err := client.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			if err := session.Start("sleep 9999; echo never"); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		w.Close()
		silent.Close()
		greeter.Close()
		// The library's goroutines end by themselves once their connection is
		// closed, a moment after the world.
		end := time.Now().Add(patience)
		for leftovers() != "" && time.Now().Before(end) {
			time.Sleep(5 * time.Millisecond)
		}
		if left := leftovers(); left != "" {
			t.Errorf("%s: still running after Close:\n%s", f.Name, left)
		}
	}
}
