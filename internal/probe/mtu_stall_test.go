package probe

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sshtay/internal/sock"
)

// TestStall: each row is what the kernel says of one connection over time, and
// the direction in which it is stuck at the end, if it is.
func TestStall(t *testing.T) {
	const rtt = 20 * time.Millisecond
	type look struct {
		at   time.Duration
		info sock.Info
	}
	sent := sock.Info{RTT: rtt, BytesSent: 1601, BytesAcked: 42, BytesReceived: 1153, Unacked: 2}
	hole := sent
	hole.Sacked, hole.Backoff, hole.BytesSent, hole.BytesRetrans, hole.TotalRetrans = 1, 2, 1601+3*1448, 3*1448, 3
	nearly := hole
	nearly.Backoff = 1
	long := hole
	long.Sacked = 0
	small := sock.Info{RTT: rtt, BytesSent: 141, BytesAcked: 42, BytesReceived: 1153, Unacked: 1, Backoff: 4}
	nobody := sock.Info{RTT: rtt, BytesSent: 1601, BytesAcked: 1, Unacked: 3, Backoff: 4}
	before := sock.Info{RTT: rtt, BytesAcked: 1602, BytesReceived: 41}
	tail := sock.Info{RTT: rtt, BytesAcked: 2810, BytesReceived: 1153, OutOfOrder: 1}
	silent := tail
	silent.OutOfOrder = 0
	mended := tail
	mended.BytesReceived = 2717
	for name, c := range map[string]struct {
		looks []look
		want  string
	}{
		"a KEXINIT that vanishes":             {[]look{{0, sent}, {700 * time.Millisecond, hole}}, toServer},
		"the same without SACK":               {[]look{{0, sent}, {700 * time.Millisecond, long}}, toServer},
		"sent again only once by the timer":   {[]look{{0, sent}, {400 * time.Millisecond, nearly}}, ""},
		"a short message is lost":             {[]look{{0, small}, {3 * time.Second, small}}, ""},
		"nobody ever answered":                {[]look{{0, nobody}, {3 * time.Second, nobody}}, ""},
		"a reply of which only the tail came": {[]look{{0, before}, {50 * time.Millisecond, tail}, {time.Second, tail}}, fromServer},
		"not yet long enough":                 {[]look{{0, before}, {50 * time.Millisecond, tail}, {500 * time.Millisecond, tail}}, ""},
		"a lost segment that was mended":      {[]look{{0, before}, {50 * time.Millisecond, tail}, {300 * time.Millisecond, mended}, {5 * time.Second, mended}}, ""},
		"a server that hangs":                 {[]look{{0, before}, {time.Second, silent}, {5 * time.Second, silent}}, ""},
	} {
		var s stall
		got, now := "", time.Now()
		for _, l := range c.looks {
			got = s.look(now.Add(l.at), l.info)
		}
		if got != c.want {
			t.Errorf("%s: stuck %q, want %q", name, got, c.want)
		}
	}
}

func TestQuiet(t *testing.T) {
	var s stall
	now, i := time.Now(), sock.Info{BytesAcked: 42}
	if q := s.quiet(now, i); q != 0 {
		t.Errorf("one that was never looked at is quiet for %v", q)
	}
	s.look(now, i)
	if q := s.quiet(now.Add(time.Second), i); q != time.Second {
		t.Errorf("quiet for %v", q)
	}
	i.Unacked = 1
	if q := s.quiet(now.Add(time.Second), i); q != 0 {
		t.Errorf("quiet for %v with data on the way", q)
	}
}

// TestRungs: the sizes to try ascend, end at the top, and leave small gaps; a
// usual limit lies between two that are neighbours.
func TestRungs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.IntRange(100, 1500).Draw(t, "lo")
		hi := rapid.IntRange(lo+1, lo+1500).Draw(t, "hi")
		sizes := rungs(lo, hi)
		if sizes[len(sizes)-1] != hi || sizes[0] <= lo || !slices.IsSorted(sizes) {
			t.Fatalf("%v for %d to %d", sizes, lo, hi)
		}
		last := lo
		for _, n := range sizes {
			if gap := n - last; gap > coarseStep || n > fineFrom && last >= fineFrom && gap > fineStep || hi-lo <= everyByte && gap > 1 {
				t.Fatalf("nothing between %d and %d", last, n)
			}
			last = n
		}
		for _, n := range usualMTUs {
			if n > lo && n < hi && (!slices.Contains(sizes, n) || !slices.Contains(sizes, n+1)) {
				t.Fatalf("%d is not told from %d", n, n+1)
			}
		}
	})
}

// TestClimbed: the rungs that passed are those whose last byte was
// acknowledged.
func TestClimbed(t *testing.T) {
	segments := []int{100, 200, 300}
	for acked, want := range map[int]int{-1: 0, 0: 0, 99: 0, 100: 1, 299: 1, 300: 2, 599: 2, 600: 3, 9999: 3} {
		if got := climbed(segments, acked); got != want {
			t.Errorf("%d bytes are %d rungs, want %d", acked, got, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		v4, stamps bool
		want       int
	}{{true, false, 40}, {true, true, 52}, {false, false, 60}, {false, true, 72}} {
		if got := headers(c.v4, c.stamps); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// TestShortKex: only what the user's ssh offers is asked for.
func TestShortKex(t *testing.T) {
	env := &Env{Config: map[string][]string{
		"kexalgorithms": {"sntrup761x25519-sha512@openssh.com,ecdh-sha2-nistp256,curve25519-sha256"},
		"ciphers":       {"aes256-cbc"},
	}}
	if got := shortKex(env); !slices.Equal(got, []string{"KexAlgorithms=curve25519-sha256,ecdh-sha2-nistp256"}) {
		t.Errorf("%q", got)
	}
}
