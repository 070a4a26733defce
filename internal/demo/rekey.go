package demo

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

var rekey = Fault{
	Name:  "rekey",
	Title: "the server dies when the keys of a session are renewed",
	What: "The server is good until the keys of a session are to be renewed: then it hangs up, as programs do that cannot. Its RekeyLimit is 512 MB or an hour, as hardening guides have it, so that every session ends on the hour or in the midst of a large copy. " +
		"Plain ssh says only that the other side closed the connection. Here it is set to ask for new keys at once, so that nobody need wait an hour.",
	Expect:  "rekey",
	Command: hello,
	Prints:  `(?i)connection.*(closed|reset)`,
	scene:   scene{rekey: "536870912 3600"},
	meet: func(s *server) meeting {
		return func(ctx context.Context, c *net.TCPConn) {
			mortal := *s
			config := *s.config
			mortal.config = &ssh.ServerConfig{ServerVersion: config.ServerVersion, PublicKeyCallback: config.PublicKeyCallback}
			mortal.config.AddHostKey(&signsOnce{Signer: s.signer, then: func() { c.Close() }})
			mortal.serve(ctx, c)
		}
	},
}

// A signsOnce is a host key that serves for the first exchange of keys only.
// At the second one it calls then.
type signsOnce struct {
	ssh.Signer
	used atomic.Bool
	then func()
}

func (s *signsOnce) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	if s.used.Swap(true) {
		s.then()
		return nil, errors.New("the keys cannot be renewed")
	}
	return s.Signer.Sign(rand, data)
}
