package lab

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// packetSeeds reads testdata/packets: one packet a file, in hexadecimal.
func packetSeeds(t testing.TB) [][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/packets/*.hex")
	if err != nil || len(names) < 8 {
		t.Fatalf("found %d packets, want 8: %v", len(names), err)
	}
	var all [][]byte
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, raw)
	}
	return all
}

// TestPacketSeeds: the seeds are packets, with checksums that we agree with.
func TestPacketSeeds(t *testing.T) {
	tcp := 0
	for i, raw := range packetSeeds(t) {
		p, ok := parse(raw)
		if !ok {
			t.Errorf("seed %d is not a packet", i)
			continue
		}
		if p.tcp {
			tcp++
		}
		if !whole(t, raw) {
			t.Errorf("seed %d: a checksum of the kernel's is not ours", i)
		}
	}
	if tcp < 4 {
		t.Errorf("only %d seeds are TCP", tcp)
	}
}

// FuzzPass: whatever enters a link that does everything to packets, nothing
// breaks, and little comes out.
func FuzzPass(f *testing.F) {
	for _, raw := range packetSeeds(f) {
		f.Add(raw, uint64(1))
	}
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		bad := Lane{Delay: time.Second, Jitter: 2 * time.Second, Loss: 0.1, Burst: Burst{0.1, 0.5}, Reorder: 0.2, Duplicate: 0.2, Corrupt: 0.5, Clean: 10, Spoil: 0.5, DropOver: 1400, DropDSCP: []int{1}, KeepDSCP: true, Bleach: true, Rate: 1e6, Hops: 3}
		l := NewLink(bad, bad, Box{Idle: time.Second, After: ResetSender, Table: 2, Resets: []Reset{{Bytes: 10, To: ResetBoth}}}, seed)
		for i := range 4 {
			now := time.Duration(i) * 700 * time.Millisecond
			fates := l.Pass(now, Way(i%2), slices.Clone(raw))
			made, _ := l.Tick(now)
			for _, f := range append(fates, made...) {
				if f.At < now || len(f.Raw) > max(len(raw), 1280) {
					t.Fatalf("at %s: a packet of %d bytes at %s", now, len(f.Raw), f.At)
				}
			}
			if len(fates) > 6 {
				t.Fatalf("one packet became %d", len(fates))
			}
		}
	})
}

// FuzzParse: no text makes the reader of scenarios break, and what it accepts
// it accepts again.
func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("scenario/*.txtar")
	if err != nil || len(names) == 0 {
		f.Fatalf("found no scenarios: %v", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("fuzz", text)
		if err != nil {
			return
		}
		if s.Title == "" || s.Want.First == "" {
			t.Errorf("accepted a scenario without title or wish: %q", text)
		}
		if _, err := Parse("fuzz", text); err != nil {
			t.Errorf("accepted once, then not: %v", err)
		}
	})
}
