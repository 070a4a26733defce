package demo

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// identification is what the imaginary server says it is.
const identification = "SSH-2.0-OpenSSH_9.2p1 sshtay-demo"

// Limits of the server, as sshd's LoginGraceTime and MaxSessions.
const (
	graceTime   = 60 * time.Second
	maxSessions = 10
)

// A server is the embedded SSH server: one host key, one client key that may
// log in, under any name.
type server struct {
	config *ssh.ServerConfig
	signer ssh.Signer // of the host key
	host   ssh.PublicKey
	key    ed25519.PrivateKey // of the client
	port   int                // on which the client sees it
	scene  scene
	alive  time.Duration // how often it asks the client for a sign of life; 0 is never
}

// A scene is what is special about the server and its client.
type scene struct {
	silent bool   // neither of them sends keepalives
	held   int    // connections that do not log in, beside the visitor's
	rekey  string // the server's RekeyLimit, as sshd -T prints it; "" is the default
}

func newServer(scene scene) (*server, error) {
	_, hostKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making a host key for the demo: %w", err)
	}
	host, err := ssh.NewSignerFromKey(hostKey)
	if err != nil {
		return nil, fmt.Errorf("making a host key for the demo: %w", err)
	}
	clientPublic, clientKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making a client key for the demo: %w", err)
	}
	client, err := ssh.NewPublicKey(clientPublic)
	if err != nil {
		return nil, fmt.Errorf("making a client key for the demo: %w", err)
	}
	s := &server{signer: host, host: host.PublicKey(), key: clientKey, scene: scene, alive: time.Minute}
	if scene.silent {
		s.alive = 0
	}
	s.config = &ssh.ServerConfig{
		ServerVersion: identification,
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if !bytes.Equal(key.Marshal(), client.Marshal()) {
				return nil, errors.New("not the key of this demo")
			}
			return nil, nil
		},
	}
	s.config.AddHostKey(host)
	return s, nil
}

// serve plays sshd on one connection, until the client leaves or ctx is done.
func (s *server) serve(ctx context.Context, c net.Conn) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	unhook := context.AfterFunc(ctx, func() { c.Close() })
	defer unhook()

	c.SetDeadline(time.Now().Add(graceTime))
	conn, channels, requests, err := ssh.NewServerConn(c, s.config)
	if err != nil {
		return
	}
	c.SetDeadline(time.Time{})

	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { ssh.DiscardRequests(requests) })
	parts.Go(func() { s.askAlive(ctx, conn) })
	defer leave()

	free := make(chan struct{}, maxSessions)
	for offered := range channels {
		if offered.ChannelType() != "session" {
			offered.Reject(ssh.UnknownChannelType, "the demo server has sessions only")
			continue
		}
		select {
		case free <- struct{}{}:
		default:
			offered.Reject(ssh.ResourceShortage, "open failed")
			continue
		}
		channel, wishes, err := offered.Accept()
		if err != nil {
			break
		}
		parts.Go(func() {
			defer func() { <-free }()
			s.session(ctx, channel, wishes)
		})
	}
	conn.Close()
}

// askAlive asks the client for a sign of life, as ClientAliveInterval does.
func (s *server) askAlive(ctx context.Context, conn ssh.Conn) {
	if s.alive == 0 {
		return
	}
	tick := time.NewTicker(s.alive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, _, err := conn.SendRequest("keepalive@openssh.com", true, nil); err != nil {
				return
			}
		}
	}
}
