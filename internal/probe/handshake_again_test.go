package probe

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"sshtay/internal/fact"
)

// A server that sometimes closes without a word gets a second and a third
// visit; no more, and none after a refusal in words.
func TestAgain(t *testing.T) {
	tests := []struct {
		name            string
		visits          []string // what the server does: "" closes, text is said first, "ssh" serves
		tries, failures int
		stage, reason   string
	}{
		{"fine at once", []string{"ssh"}, 1, 0, "kex", ""},
		{"closed, then fine", []string{"", "ssh", "ssh"}, 3, 1, "kex", ""},
		{"closed always", []string{"", "", ""}, 3, 3, "connect", "closed"},
		{"closed last", []string{"", "ssh", ""}, 3, 2, "connect", "closed"},
		{"refused in words", []string{"Not allowed at this time\r\n"}, 1, 1, "connect", "throttled"},
		{"refused in words at last", []string{"", "Exceeded MaxStartups\r\n"}, 2, 2, "connect", "throttled"},
	}
	s := newServer(t, "")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			visits := make(chan string, 10)
			for _, v := range test.visits {
				visits <- v
			}
			serve(l, func(c *net.TCPConn) { receive(c, <-visits, s.port) })
			env, facts := shaken(t, nil, "HostName 127.0.0.1\nPort %d", l.Addr().(*net.TCPAddr).Port)
			Again.Run(context.Background(), env, facts)
			want(t, facts, fact.HandshakeTries, test.tries)
			want(t, facts, fact.HandshakeFailures, test.failures)
			want(t, facts, fact.HandshakeStage, test.stage)
			if test.reason == "" {
				absent(t, facts, fact.HandshakeReason, "")
				absent(t, facts, fact.HandshakeDetail, "")
			} else {
				want(t, facts, fact.HandshakeReason, test.reason)
			}
			if len(visits) != 0 || env.Budget.Spent() != test.tries {
				t.Errorf("%d visits unspent, %d connections", len(visits), env.Budget.Spent())
			}
		})
	}
}

// receive is one visit to a moody server: all of them end in order.
func receive(c *net.TCPConn, mood string, port int) {
	if mood == "ssh" {
		join(c, port)
		return
	}
	c.Write([]byte(mood))
	c.CloseWrite()
	io.Copy(io.Discard, c)
}

// join carries a connection to a port of loopback.
func join(c *net.TCPConn, port int) {
	to, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return
	}
	defer to.Close()
	go to.(*net.TCPConn).ReadFrom(c)
	c.ReadFrom(to)
}

// Again is also worth it when our own connection passed and the login's was
// shut out; and never beyond the manners.
func TestAgainAfterTheLoginWasShutOut(t *testing.T) {
	s := newServer(t, "")
	env, facts := shaken(t, nil, "HostName 127.0.0.1\nPort %d", s.port)
	fact.LoginStage.Put(facts, "connect", "test")
	fact.LoginReason.Put(facts, "reset", "test")
	Again.Run(context.Background(), env, facts)
	want(t, facts, fact.HandshakeTries, 3)
	completedAgain, _ := fact.HandshakeFailures.Get(facts)
	if completedAgain != 0 {
		t.Errorf("%d failures", completedAgain)
	}
	for range mostSpent {
		env.Budget.Take()
	}
	Again.Run(context.Background(), env, facts)
	want(t, facts, fact.HandshakeTries, 3)
}
