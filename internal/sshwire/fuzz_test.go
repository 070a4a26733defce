package sshwire

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The seeds stand in testdata/fuzz, one file each: recorded from real servers
// and written by hand for the ill ones.

func TestFuzzSeedsExist(t *testing.T) {
	for target, least := range map[string]int{"FuzzReadIdent": 8, "FuzzReadPacket": 8, "FuzzParseKexInit": 6, "FuzzParseDisconnect": 4, "FuzzKexReply": 4} {
		seeds, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(seeds) < least {
			t.Errorf("%s has %d seeds, want at least %d (%v)", target, len(seeds), least, err)
		}
		for _, seed := range seeds {
			if b, err := os.ReadFile(seed); err != nil || !bytes.HasPrefix(b, []byte("go test fuzz v1\n")) {
				t.Errorf("%s is no seed: %v", seed, err)
			}
		}
	}
}

func FuzzReadIdent(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		id, before, err := ReadIdent(bufio.NewReader(bytes.NewReader(b)), func(Protocol) {})
		if (err == nil) != (id.Raw != "" && ReasonOf(err) == "") {
			t.Fatalf("%+v with %v", id, err)
		}
		if len(before.Lines) > keptLines || before.Count > maxIdentLines || len(id.Raw) > maxIdentLine {
			t.Fatalf("bounds: %d lines kept, %d counted, %d bytes", len(before.Lines), before.Count, len(id.Raw))
		}
		if err == nil {
			if again, err := ParseIdent(id.Raw); err != nil || again != id {
				t.Fatalf("%+v, then %+v, %v", id, again, err)
			}
		}
		Sniff(b)
	})
}

func FuzzReadPacket(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		payload, err := ReadPacket(bytes.NewReader(b), 0)
		if (err == nil) != (len(payload) > 0) {
			t.Fatalf("%d bytes of payload, %v", len(payload), err)
		}
		if err != nil {
			switch ReasonOf(err) {
			case ReasonBadPacket, ReasonClosed, ReasonProtocolError:
			default:
				t.Fatalf("%v is %s", err, ReasonOf(err))
			}
			return
		}
		again, err := ReadPacket(bytes.NewReader(Packet(payload, 0)), 0)
		if len(payload) < maxPacket-maxPadding && (err != nil || !bytes.Equal(again, payload)) {
			t.Fatalf("%v", err)
		}
	})
}

func FuzzParseKexInit(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKexInit(b)
		if err != nil {
			if ReasonOf(err) != ReasonProtocolError {
				t.Fatalf("%v is %s", err, ReasonOf(err))
			}
			return
		}
		// What was understood says itself again; what may follow is let be.
		if p := k.Payload(); len(b) < len(p) || !bytes.Equal(p[:len(p)-5], b[:len(p)-5]) {
			t.Fatalf("%q became %q", b, p)
		}
		Negotiate(NewKexInit(DefaultOffer()), k)
	})
}

func FuzzParseDisconnect(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDisconnect(b)
		if (d == nil) != (err != nil) {
			t.Fatalf("%v with %v", d, err)
		}
		if err != nil {
			return
		}
		if again, err := ParseDisconnect(d.Payload()); err != nil || *again != *d {
			t.Fatalf("%+v became %+v, %v", d, again, err)
		}
		if len(d.Text) > 1024 || len(d.Error()) > 8192 {
			t.Fatalf("kept %d bytes", len(d.Text))
		}
	})
}

// FuzzKexReply is the last message of a key exchange: shares, host keys and
// signatures.
func FuzzKexReply(f *testing.F) {
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		m, ok := methods[name]
		if !ok || m.start == nil || len(b) == 0 {
			return
		}
		half, err := m.start()
		if err != nil {
			t.Fatal(err)
		}
		r, err := finish(half, b, m.hash, nil, nil)
		if err != nil {
			return
		}
		if key, _ := checkHostKey("any", r); key.Verified {
			t.Fatal("a signature over a fresh secret cannot be right")
		}
	})
}
