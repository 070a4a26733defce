package probe

import (
	"context"
	"fmt"
	"net"
	"testing"

	"sshtay/internal/fact"
	"sshtay/internal/testenv"
)

// nameServer answers every question with this code.
func nameServer(t *testing.T, code byte) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			b[2], b[3] = b[2]|0x80, 0x80|code
			c.WriteTo(b[:n], from)
		}
	}()
	old := resolver
	resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
	t.Cleanup(func() { resolver = old; c.Close() })
}

// A name that does not exist is told from a service that does not answer.
func TestHandshakeWithoutAName(t *testing.T) {
	testenv.Need(t, "getent")
	for code, reason := range map[byte]string{3: "name-not-found", 2: "name-failed"} {
		nameServer(t, code)
		env, facts := shaken(t, nil, "HostName no-such-host.invalid")
		want(t, facts, fact.HandshakeStage, "none")
		want(t, facts, fact.HandshakeReason, reason)
		want(t, facts, fact.HandshakeVia, "direct")
		absent(t, facts, fact.HandshakeAddresses, "no connection")
		if _, ok := fact.ResolveTime.Get(facts); !ok || env.Budget.Spent() != 0 {
			t.Errorf("%d connections", env.Budget.Spent())
		}
	}
}

// The system's own name service is asked, as ssh asks it.
func TestHandshakeFindsLocalhost(t *testing.T) {
	testenv.Need(t, "getent")
	s := newServer(t, "")
	_, facts := shaken(t, nil, "HostName localhost\nPort %d\nAddressFamily inet", s.port)
	completed(t, facts)
	e, _ := facts.Entry(fact.ResolveTime.Name())
	if e.Source != "getent ahosts" {
		t.Errorf("source %q", e.Source)
	}
}

func TestParseAddresses(t *testing.T) {
	got := parseAddresses("2001:db8::1 STREAM web1\n2001:db8::1 DGRAM\n192.0.2.7   RAW \ngarbage\n\nfe80::1%lo STREAM\n")
	if fmt.Sprint(got) != "[2001:db8::1 192.0.2.7 fe80::1%lo]" {
		t.Errorf("got %v", got)
	}
}
