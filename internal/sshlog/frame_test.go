package sshlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// framed are lines as loggers, containers and programs of many kinds write
// them: what they tell, on whose side, and when.
var framedLines = []struct {
	text  string
	tells Symptom
	role  Role
	at    string // hour and minute, as the line has them
}{
	{"Nov 21 00:15:33 web1 sshd[1]: error: no more sessions", NoMoreSessions, OfServer, "00:15"},
	{"<38>Nov 21 00:15:33 sshd[1]: error: no more sessions", NoMoreSessions, OfServer, "00:15"},
	{"2026-11-21T00:15:33.123456+01:00 web1 sshd[1]: error: no more sessions", NoMoreSessions, OfServer, "00:15"},
	{"<38>1 2026-11-21T00:15:33.123456+01:00 web1 sshd 77 - - error: no more sessions", NoMoreSessions, OfServer, "00:15"},
	{`<38>1 2026-11-21T00:15:33Z web1 sshd 77 ID [x@1 a="b"] error: no more sessions`, NoMoreSessions, OfServer, "00:15"},
	{"Sat 2026-11-21 00:15:33 CET web1 sshd[1]: error: no more sessions", NoMoreSessions, OfServer, "00:15"},
	{"1795220133.123456 web1 sshd[1]: error: no more sessions", NoMoreSessions, OfServer, "01:15"},
	{"[ 1234.5] web1 sshd[1]: error: no more sessions", NoMoreSessions, OfServer, ""},
	{"[  209.582912] sshd[888]: fatal: Missing privilege separation directory: /run/sshd", DaemonBroken, OfServer, ""},
	{"[ 1234.5] sshd[99]: segfault at 0 ip 00007f sp 00007f error 4 in libc.so.6", ChildCrash, OfServer, ""},
	{`{"MESSAGE":"error: no more sessions","SYSLOG_IDENTIFIER":"sshd","_PID":"12","__REALTIME_TIMESTAMP":"1795220133000000"}`, NoMoreSessions, OfServer, "01:15"},
	{`{"MESSAGE":[110,111,32,109,111,114,101,32,115,101,115,115,105,111,110,115],"_COMM":"sshd-session"}`, NoMoreSessions, OfServer, ""},
	{`{"log":"error: no more sessions\n","stream":"stderr","time":"2026-11-21T00:15:33.1Z"}`, NoMoreSessions, OfServer, "00:15"},
	{`{"log":"Nov 21 00:17:33 x sshd[1]: no more sessions\n","stream":"stdout","time":"2026-11-21T00:15:33.1Z"}`, NoMoreSessions, OfServer, "00:17"},
	{"2026-11-21T00:15:33.123456789Z stderr F no more sessions", NoMoreSessions, OfServer, "00:15"},
	{"2026-11-21T00:15:33.123456789Z stderr P no more \n2026-11-21T00:16:33Z stderr F sessions", NoMoreSessions, OfServer, "00:16"},
	{"2026-11-21T00:15:33.123456789Z no more sessions", NoMoreSessions, OfServer, "00:15"},
	{"sshd-1  | Nov 21 00:15:33 x sshd[1]: no more sessions", NoMoreSessions, OfServer, ""},
	{"sshd-1  | no more sessions", NoMoreSessions, OfServer, ""},
	{"[pod/sshd-0/sshd] no more sessions", NoMoreSessions, OfServer, ""},
	{"3396 2026-11-21 00:15:33.123 no more sessions", NoMoreSessions, OfServer, "00:15"},
	{"8580 16:25:51 525 error: fork: Not enough space", ForkFailure, OfServer, ""},
	{"21/11/2026 00:15:33     4 Information     sshd: Connection reset by 10.0.0.1 port 4000 [preauth]", ClientResetEarly, OfServer, ""},
	{"Message          : sshd: Connection reset by 10.0.0.1 port 4000", ClientResetEarly, OfServer, ""},
	{"<Data Name='payload'>no more sessions</Data>", NoMoreSessions, OfServer, ""},
	{`fatal: [web1]: UNREACHABLE! => {"changed": false, "msg": "Failed to connect to the host via ssh: kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by 10.0.0.1 port 22", "unreachable": true}`, ResetAtBanner, OfClient, ""},
	{"[12:00:00.123] > kex_exchange_identification: read: Connection reset by peer", ResetAtBanner, OfClient, ""},
	{"[12:00:00.123] stderr> ssh: connect to host web1 port 22: Connection timed out", ConnectTimeout, OfClient, ""},
	{"paramiko.ssh_exception.SSHException: Error reading SSH protocol banner", BannerPatience, OfClient, ""},
	{"ERROR:paramiko.transport:Exception (client): Error reading SSH protocol banner[Errno 104] Connection reset by peer", ResetAtBanner, OfClient, ""},
	{"2026/11/21 00:15:33 Failed to dial: ssh: handshake failed: EOF", HandshakeClosed, OfClient, ""},
	{"FATAL ERROR: Network error: Software caused connection abort", SessionAborted, OfClient, ""},
	{"rsync: connection unexpectedly closed (0 bytes received so far) [sender]", LostConnection, OfClient, ""},
	{"Nov 21 00:15:33 gw dropbear[77]: Exit (root) from <10.0.0.1:4000>: Keepalive timeout", ClientSilent, OfServer, "00:15"},
	{"Caused by: java.net.SocketException: Connection reset", ResetSomewhere, OfClient, ""},
	{"ssh_exchange_identification : read: Connection reset by peer", ResetAtBanner, OfClient, ""},
	{"sshd[77]: fatal: Missing privilege separation directory: /run/sshd", DaemonBroken, OfServer, ""},
}

var cet = time.FixedZone("", 3600)

func events(t testing.TB, r io.Reader) (all []Event, sum Batch) {
	t.Helper()
	err := Read(context.Background(), r, Options{Now: time.Date(2026, 11, 21, 12, 0, 0, 0, cet)}, func(b *Batch) error {
		all = append(all, b.Events...)
		sum.Lines, sum.Chatter, sum.Others, sum.Unread, sum.Cut = sum.Lines+b.Lines, sum.Chatter+b.Chatter, sum.Others+b.Others, sum.Unread+b.Unread, sum.Cut+b.Cut
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, sum
}

func TestFrames(t *testing.T) {
	for _, l := range framedLines {
		all, sum := events(t, strings.NewReader(l.text+"\r\n"))
		if len(all) == 0 || sum.Unread > 0 {
			t.Errorf("%s\n is not read: %+v", l.text, sum)
			continue
		}
		e := all[0]
		role := e.Role
		if role == OfNobody { // a bare line that both sides say: a client's, when nothing else tells
			role = OfClient
		}
		e.Role = role
		at := ""
		if !e.Time.IsZero() {
			at = e.Time.Format("15:04")
		}
		if e.Tells() != l.tells || role != l.role || at != l.at {
			t.Errorf("%s\n tells %v on the side %d at %q; want %v, %d, %q", l.text, e.Tells(), role, at, l.tells, l.role, l.at)
		}
	}
}

// TestWhatIsNoMessageIsCounted: nothing is dropped in silence.
func TestWhatIsNoMessageIsCounted(t *testing.T) {
	all, sum := events(t, strings.NewReader("hello world\n\nNov 21 00:15:33 web1 sshd[1]: a thing of the future\nNov 21 00:15:33 web1 CRON[1]: (root) CMD (x)\ndebug2: channel 0: x\n"))
	if len(all) != 0 || !reflect.DeepEqual(sum, Batch{Lines: 5, Unread: 2, Others: 1, Chatter: 2}) {
		t.Errorf("%v %+v", all, sum)
	}
}

// TestChunksDoNotMatter: however a log is handed over, the same is read.
func TestChunksDoNotMatter(t *testing.T) {
	log, text := newAuthLog(7, false), []byte(nil)
	for len(text) < 3*chunkSize {
		text = log.some(text)
	}
	want, sum := events(t, bytes.NewReader(text))
	if sum.Lines != bytes.Count(text, []byte("\n")) || sum.Unread > 0 || len(want) < sum.Lines/2 {
		t.Fatalf("%+v of %d lines, %d events", sum, bytes.Count(text, []byte("\n")), len(want))
	}
	for name, r := range map[string]io.Reader{"halves": iotest.HalfReader(bytes.NewReader(text)), "data with the end": iotest.DataErrReader(bytes.NewReader(text)), "without the last line end": bytes.NewReader(text[:len(text)-1])} {
		if got, _ := events(t, r); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d events, want %d", name, len(got), len(want))
		}
	}
}

// TestBadInput: what was readable is read, and the rest is told.
func TestBadInput(t *testing.T) {
	good := "Nov 21 00:15:33 web1 sshd[1]: error: no more sessions\n"
	long := "Nov 21 00:15:33 web1 sshd[1]: " + strings.Repeat("x", 5*chunkSize) + "\n"
	all, sum := events(t, strings.NewReader(good+long+good+"\x00\x00\x00\n"+"\xff\xfe\xfd\n"+good))
	if len(all) != 3 || sum.Cut != 1 || sum.Lines != 6 || sum.Unread != 3 {
		t.Errorf("%d events, %+v", len(all), sum)
	}
	all, sum = events(t, strings.NewReader(good+strings.Repeat("y", 3*chunkSize)))
	if len(all) != 1 || sum.Cut != 1 {
		t.Errorf("an endless line: %d events, %+v", len(all), sum)
	}
	if err := Read(context.Background(), iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(good))), Options{}, func(*Batch) error { return nil }); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("an error of reading is not told: %v", err)
	}
	stop := errors.New("enough")
	if err := Read(context.Background(), strings.NewReader(strings.Repeat(good, 50000)), Options{}, func(*Batch) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("emit's error is not told: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Read(ctx, strings.NewReader(strings.Repeat(good, 50000)), Options{}, func(*Batch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("reading goes on when nobody wants it: %v", err)
	}
}

func TestDecoded(t *testing.T) {
	text := strings.Repeat("Nov 21 00:15:33 web1 sshd[1]: error: no more sessions\n", 5000)
	var zipped, zstded, utf16le bytes.Buffer
	g := gzip.NewWriter(&zipped)
	g.Write([]byte(text))
	g.Close()
	z, _ := zstd.NewWriter(&zstded)
	z.Write([]byte(text))
	z.Close()
	utf16le.WriteString("\xff\xfe")
	for _, u := range utf16.Encode([]rune(text)) {
		utf16le.Write([]byte{byte(u), byte(u >> 8)})
	}
	for name, data := range map[string][]byte{"plain": []byte(text), "utf-8 with a mark": []byte("\ufeff" + text), "gzip": zipped.Bytes(), "two gzips": append(slices.Clone(zipped.Bytes()), zipped.Bytes()...), "zstd": zstded.Bytes(), "utf-16": utf16le.Bytes()} {
		r, err := Decoded(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(r)
		if want := strings.Repeat(text, 1+strings.Count(name, "two")); string(got) != want || err != nil {
			t.Errorf("%s: %d bytes, want %d, %v", name, len(got), len(want), err)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = "abcdefgh\n"[r.IntN(9)]
	}
	var big bytes.Buffer
	g = gzip.NewWriter(&big)
	g.Write(noise)
	g.Close()
	cut, err := Decoded(bytes.NewReader(big.Bytes()[:big.Len()/2]))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	err = Read(context.Background(), cut, Options{}, func(b *Batch) error { lines += b.Lines; return nil })
	if !errors.Is(err, ErrCut) || lines < 40000 {
		t.Errorf("of a gzip cut in the middle %d lines were read: %v", lines, err)
	}
	if _, err := Decoded(strings.NewReader("\xfd7zXZ\x00...")); !errors.Is(err, ErrCompression) {
		t.Errorf("xz: %v", err)
	}
}

func TestInOrder(t *testing.T) {
	got := InOrder([]string{"/var/log/auth.log", "/var/log/auth.log.1", "/var/log/auth.log.10.gz", "/var/log/auth.log.2.gz", "secure", "secure-20261115", "secure-20261108.gz", "-"})
	want := []string{"/var/log/auth.log.10.gz", "/var/log/auth.log.2.gz", "/var/log/auth.log.1", "/var/log/auth.log", "secure-20261108.gz", "secure-20261115", "secure", "-"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzRead(f *testing.F) {
	for _, l := range framedLines {
		f.Add([]byte(l.text))
	}
	f.Add([]byte(strings.Repeat("x", chunkSize+10)))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Decoded(bytes.NewReader(text))
		if err != nil {
			return
		}
		var story Story
		told, lines := 0, 0
		err = Read(context.Background(), io.LimitReader(r, 4<<20), Options{Now: time.Unix(1e9, 0)}, func(b *Batch) error {
			if b.Chatter+b.Others+b.Unread+len(b.Events) < b.Lines {
				t.Errorf("of %d lines %d were dropped in silence", b.Lines, b.Lines-b.Chatter-b.Others-b.Unread-len(b.Events))
			}
			told, lines = told+len(b.Events), lines+b.Lines
			story.Add(b)
			return nil
		})
		story.End()
		for _, s := range story.Seen {
			if s == nil {
				continue
			}
			if s.N == 0 || len(s.Lines) == 0 || len(s.Lines) > maxSeenLines || s.Symptom.IsProgress() || s.Symptom.String() == "" {
				t.Errorf("%+v", s)
			}
		}
		if err == nil && lines < bytes.Count(text, []byte("\n")) && bytes.IndexByte(text, 0x1f) < 0 && bytes.IndexByte(text, 0xb5) < 0 && bytes.IndexByte(text, 'Z') < 0 && bytes.IndexByte(text, 0xfe) < 0 && len(text) < chunkSize {
			t.Errorf("%d lines of %d", lines, bytes.Count(text, []byte("\n")))
		}
	})
}

// FuzzHead: what a framer remembers of one line changes nothing of how it reads
// the next one.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		"Nov 21 00:15:33 web1 sshd[7]: a\nNov 21 00:15:34 web1 sshd[8]: b\nNov 21 00:15:34 web1 sshd[0]: c\nNov 21 00:15:34 web1 sshd[1234567890]: d",
		"2026-11-21T00:15:33+01:00 web1 sshd[7]: a\n2026-11-21T00:15:33+01:00 web1 sshd[8] b\n2026-11-21T00:15:33+01:00 web1 sshd[]: c",
		"1795220133.123456 stderr F Nov 21 00:15:33 a b[7]: c\nNov 21 00:15:33 stderr F a\nNov 21 00:15:33 stderr b[7]: c\nNov 21 00:15:33 a b[7]: d",
		"Nov 21 00:15:33 kernel[7]: [1.5] a\nNov 21 00:15:33 kernel[8]: [1.5] a\nNov 21 00:15:33 <38>a sudo[1]: x\nNov 21 00:15:33 sudo[2]: x\nNov 21 00:15:33 sudo[3]: x",
	} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		all := framer{clock: clock{now: now}}
		for line := range strings.SplitSeq(text, "\n") {
			one := framer{clock: clock{now: now}, part: all.part}
			want, wantKind := one.parse(line)
			got, kind := all.parse(line)
			if got.Time.Equal(want.Time) {
				got.Time = want.Time // each has a zone of its own
			}
			if got != want || kind != wantKind {
				t.Errorf("%q is %+v (%d), after the lines before it %+v (%d)", line, want, wantKind, got, kind)
			}
		}
	})
}
