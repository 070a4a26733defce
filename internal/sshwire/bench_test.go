package sshwire

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
)

func BenchmarkReadIdent(b *testing.B) {
	in := strings.Repeat("Welcome to this machine\r\n", 10) + "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"
	for b.Loop() {
		if _, _, err := ReadIdent(bufio.NewReader(strings.NewReader(in)), nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadPacketAndKexInit(b *testing.B) {
	for b.Loop() {
		payload, err := ReadPacket(bytes.NewReader(goodInit), 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ParseKexInit(payload); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHandshake is the cost of our side and of Go's server together,
// without a network.
func BenchmarkHandshake(b *testing.B) {
	for _, kex := range []string{"curve25519-sha256", "mlkem768x25519-sha256"} {
		b.Run(kex, func(b *testing.B) {
			for b.Loop() {
				if r := through(b, Options{Offer: Offer{Kex: []string{kex}}}, nil, nil); r.Stage != StageDone {
					b.Fatal(r.Err)
				}
			}
		})
	}
}

// BenchmarkHandshakeSSHD is a whole handshake with the system's sshd.
func BenchmarkHandshakeSSHD(b *testing.B) {
	addr, _ := startSSHD(b, "127.0.0.1", "HostKey "+hostKey(b, "ed25519"), "MaxStartups 1000")
	for b.Loop() {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		if r := Handshake(context.Background(), conn, Options{}); r.Stage != StageDone {
			b.Fatal(r.Err)
		}
		conn.Close()
	}
}

func BenchmarkSntrupKey(b *testing.B) {
	for b.Loop() {
		newSntrup761()
	}
}
