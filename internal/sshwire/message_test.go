package sshwire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

func TestPacketRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SliceOfN(rapid.Byte(), 1, 4000).Draw(t, "payload")
		extra := rapid.IntRange(-10, 400).Draw(t, "extra padding")
		p := Packet(payload, extra)
		padding := len(p) - 5 - len(payload)
		if len(p)%blockSize != 0 || padding < minPadding || padding > maxPadding {
			t.Fatalf("%d bytes, %d of padding", len(p), padding)
		}
		if least := len(Packet(payload, 0)); len(p)-least > max(extra, 0) || extra > 0 && extra < 200 && least+extra-len(p) >= blockSize {
			t.Fatalf("asked for %d more than %d, got %d", extra, least, len(p))
		}
		got, err := ReadPacket(bytes.NewReader(p), 0)
		if err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("%v, %x", err, got)
		}
		cut := rapid.IntRange(0, len(p)-1).Draw(t, "cut")
		_, err = ReadPacket(bytes.NewReader(p[:cut]), 7)
		if broken, ok := err.(*BrokenOff); !ok || broken.Got != cut || broken.Offset != 7 || broken.Reason() != ReasonClosed {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	})
}

func genNames(t *rapid.T, label string) []string {
	return rapid.SliceOfN(rapid.StringMatching(`[a-z0-9@.-]{1,40}`), 0, 20).Draw(t, label)
}

func TestKexInitRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &KexInit{FirstKexPacketFollow: rapid.Bool().Draw(t, "follows"), Reserved: rapid.Uint32().Draw(t, "reserved")}
		copy(want.Cookie[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "cookie"))
		for i, list := range want.lists() {
			if names := genNames(t, fmt.Sprint("list ", i)); len(names) > 0 {
				*list = names
			}
		}
		got, err := ParseKexInit(want.Payload())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
		cut := rapid.IntRange(0, len(want.Payload())-1).Draw(t, "cut")
		if _, err := ParseKexInit(want.Payload()[:cut]); ReasonOf(err) != ReasonProtocolError {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	})
}

func TestDisconnectRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &Disconnect{Code: rapid.Uint32().Draw(t, "code"), Text: rapid.StringN(0, 200, 1000).Draw(t, "text"), Lang: "en"}
		got, err := ParseDisconnect(want.Payload())
		if err != nil || *got != *want {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
	short, err := ParseDisconnect([]byte{msgDisconnect, 0, 0, 0, 11})
	if err != nil || short.Name() != "BY_APPLICATION" || short.Text != "" {
		t.Errorf("without text: %+v, %v", short, err)
	}
	long := &Disconnect{Code: 2, Text: strings.Repeat("\u00fc", 5000)}
	if got, err := ParseDisconnect(long.Payload()); err != nil || len(got.Text) > 1024 || !strings.HasPrefix(long.Text, got.Text) || len(got.Text) < 1000 {
		t.Errorf("long text: %d bytes, %v", len(got.Text), err)
	}
	for code, name := range map[uint32]string{0: "unknown", 1: "HOST_NOT_ALLOWED_TO_CONNECT", 2: "PROTOCOL_ERROR", 3: "KEY_EXCHANGE_FAILED", 5: "MAC_ERROR",
		10: "CONNECTION_LOST", 12: "TOO_MANY_CONNECTIONS", 14: "NO_MORE_AUTH_METHODS_AVAILABLE", 15: "ILLEGAL_USER_NAME", 16: "unknown", 1 << 31: "unknown"} {
		if got := (&Disconnect{Code: code}).Name(); got != name {
			t.Errorf("code %d is %s, want %s", code, got, name)
		}
	}
}

func TestNegotiate(t *testing.T) {
	side := func(kex, key, cipher, mac, compression string) *KexInit {
		return NewKexInit(Offer{strings.Fields(kex), strings.Fields(key), strings.Fields(cipher), strings.Fields(mac), strings.Fields(compression)})
	}
	tests := []struct {
		name           string
		client, server *KexInit
		want           Agreed
		missing        []Purpose
	}{
		{"the client's first wins", side("k1 k2", "h1 h2", "c1 c2", "m1 m2", "none z"), side("k2 k1", "h2 h1", "c2 c1", "m2 m1", "z none"),
			Agreed{"k1", "h1", "c1", "c1", "m1", "m1", "none", "none"}, nil},
		{"what only one has is passed over", side("k0 k2", "h2", "c2", "m2", "none"), side("k9 k2", "h2", "c2", "m2", "none"),
			Agreed{"k2", "h2", "c2", "c2", "m2", "m2", "none", "none"}, nil},
		{"AEAD needs no MAC", side("k", "h", "aes128-gcm@openssh.com", "m1", "none"), side("k", "h", "aes128-gcm@openssh.com", "m2", "none"),
			Agreed{"k", "h", "aes128-gcm@openssh.com", "aes128-gcm@openssh.com", "", "", "none", "none"}, nil},
		{"chacha20 neither", side("k", "h", "chacha20-poly1305@openssh.com c", "", "none"), side("k", "h", "c chacha20-poly1305@openssh.com", "", "none"),
			Agreed{"k", "h", "chacha20-poly1305@openssh.com", "chacha20-poly1305@openssh.com", "", "", "none", "none"}, nil},
		{"signals are no algorithms", side("ext-info-c kex-strict-c-v00@openssh.com", "h", "c", "m", "none"), side("ext-info-c kex-strict-c-v00@openssh.com", "h", "c", "m", "none"),
			Agreed{"", "h", "c", "c", "m", "m", "none", "none"}, []Purpose{PurposeKex}},
		{"everything missing is listed", side("k", "h", "c", "m", "z"), side("", "", "", "", ""),
			Agreed{}, []Purpose{PurposeKex, PurposeHostKey, PurposeCipherToServer, PurposeCompressionToServer, PurposeCipherToClient, PurposeCompressionToClient}},
		{"MAC missing", side("k", "h", "c", "m", "z"), side("k", "h", "c", "n", "z"),
			Agreed{"k", "h", "c", "c", "", "", "z", "z"}, []Purpose{PurposeMACToServer, PurposeMACToClient}},
	}
	for _, test := range tests {
		got, missing := Negotiate(test.client, test.server)
		var what []Purpose
		for _, m := range missing {
			what = append(what, m.What)
		}
		if got != test.want || !slices.Equal(what, test.missing) {
			t.Errorf("%s: %+v, missing %v", test.name, got, missing)
		}
	}
}

func TestReasonOf(t *testing.T) {
	system := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}
	}
	for _, test := range []struct {
		err  error
		want Reason
	}{
		{nil, ""},
		{system(syscall.ECONNREFUSED), ReasonRefused},
		{system(syscall.ECONNRESET), ReasonReset},
		{system(syscall.EPIPE), ReasonClosed},
		{system(syscall.ETIMEDOUT), ReasonTimedOut},
		{system(syscall.EHOSTUNREACH), ReasonUnreachable},
		{system(syscall.ENETUNREACH), ReasonNoRoute},
		{system(syscall.EACCES), ReasonLocal},
		{system(syscall.EMFILE), ReasonLocal},
		{io.EOF, ReasonClosed},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, ReasonTimedOut},
		{context.DeadlineExceeded, ReasonTimedOut},
		{context.Canceled, ReasonCancelled},
		{fmt.Errorf("%w: %w", context.Canceled, &BrokenOff{Err: os.ErrDeadlineExceeded}), ReasonCancelled},
		{&net.DNSError{IsNotFound: true}, ReasonNameNotFound},
		{&net.DNSError{IsTimeout: true}, ReasonNameFailed},
		{&net.DNSError{IsTemporary: true}, ReasonNameFailed},
		{&BrokenOff{Err: io.EOF, Write: syscall.ECONNRESET}, ReasonReset},
		{&BrokenOff{Err: io.EOF, Write: syscall.EPIPE}, ReasonClosed},
		{errors.New("whatever"), ReasonLocal},
	} {
		got := ReasonOf(test.err)
		if got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
		if got != "" && !slices.Contains(Reasons, got) {
			t.Errorf("%q is not on the closed list", got)
		}
	}
}

func TestCancelledHandshake(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	conn, err := net.Dial("tcp", hostile(t, hang))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := Handshake(ctx, conn, Options{OnStage: func(Stage) { cancel() }})
	if r.Reason != ReasonCancelled || !errors.Is(r.Err, context.Canceled) {
		t.Errorf("%s: %v", r.Reason, r.Err)
	}
}

func TestOurPrimes(t *testing.T) {
	for bits, p := range map[int]string{1024: group1().Text(16), 2048: group14().Text(16), 4096: group16().Text(16), 8192: group18().Text(16)} {
		if len(p) != bits/4 || !strings.HasPrefix(p, "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd1") || !strings.HasSuffix(p, "ffffffffffffffff") {
			t.Errorf("%d bits: %s", bits, p)
		}
	}
	if !group1().ProbablyPrime(1) || !group14().ProbablyPrime(1) {
		t.Error("no primes")
	}
}

// TestFiller: what fills a connection is messages to ignore, whole ones.
func TestFiller(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100_000).Draw(t, "bytes")
		stream, rest := Filler(n)
		if len(stream) != n || len(rest) == 0 {
			t.Fatalf("%d and %d bytes", len(stream), len(rest))
		}
		all := bytes.NewReader(append(stream, rest...))
		for all.Len() > 0 {
			payload, err := ReadPacket(all, 0)
			if err != nil || payload[0] != msgIgnore {
				t.Fatalf("%v", err)
			}
		}
	})
}
