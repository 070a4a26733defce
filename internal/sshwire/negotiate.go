package sshwire

import (
	"fmt"
	"slices"
	"strings"
)

// Purpose is what two sides have to agree on: one word of a closed list.
type Purpose string

// The closed list, in the order in which OpenSSH decides.
const (
	PurposeKex                 Purpose = "key exchange"
	PurposeHostKey             Purpose = "host key"
	PurposeCipherToServer      Purpose = "cipher to the server"
	PurposeMACToServer         Purpose = "MAC to the server"
	PurposeCompressionToServer Purpose = "compression to the server"
	PurposeCipherToClient      Purpose = "cipher to the client"
	PurposeMACToClient         Purpose = "MAC to the client"
	PurposeCompressionToClient Purpose = "compression to the client"
)

// Agreed is the outcome of a negotiation. A MAC is empty where the cipher
// authenticates by itself; a name is empty where there is none in common.
type Agreed struct {
	Kex, HostKey                             string
	CipherToServer, CipherToClient           string
	MACToServer, MACToClient                 string
	CompressionToServer, CompressionToClient string
}

// NoCommonAlgorithm is a purpose for which the two sides share no algorithm.
type NoCommonAlgorithm struct {
	What           Purpose
	Client, Server []string // what each side offers, most wanted first
}

func (e *NoCommonAlgorithm) Error() string {
	return fmt.Sprintf("no common %s: we offer %.1024q, the server offers %.1024q", e.What, strings.Join(e.Client, ","), strings.Join(e.Server, ","))
}

// Reason is always [ReasonNoCommonAlgorithm].
func (e *NoCommonAlgorithm) Reason() Reason { return ReasonNoCommonAlgorithm }

// Negotiate decides as RFC 4253, 7.1 says: for each purpose the first of the
// client's names that the server has too. It returns every purpose that has
// none, so that all of them can be mended at once.
func Negotiate(client, server *KexInit) (Agreed, []*NoCommonAlgorithm) {
	var agreed Agreed
	var missing []*NoCommonAlgorithm
	choose := func(what Purpose, client, server []string) string {
		if name, ok := first(client, server); ok {
			return name
		}
		missing = append(missing, &NoCommonAlgorithm{what, client, server})
		return ""
	}
	chooseMAC := func(what Purpose, cipher string, client, server []string) string {
		if authenticates(cipher) {
			return ""
		}
		return choose(what, client, server)
	}
	agreed.Kex = choose(PurposeKex, Algorithms(client.Kex), Algorithms(server.Kex))
	agreed.HostKey = choose(PurposeHostKey, client.HostKeys, server.HostKeys)
	agreed.CipherToServer = choose(PurposeCipherToServer, client.CiphersToServer, server.CiphersToServer)
	agreed.MACToServer = chooseMAC(PurposeMACToServer, agreed.CipherToServer, client.MACsToServer, server.MACsToServer)
	agreed.CompressionToServer = choose(PurposeCompressionToServer, client.CompressionToServer, server.CompressionToServer)
	agreed.CipherToClient = choose(PurposeCipherToClient, client.CiphersToClient, server.CiphersToClient)
	agreed.MACToClient = chooseMAC(PurposeMACToClient, agreed.CipherToClient, client.MACsToClient, server.MACsToClient)
	agreed.CompressionToClient = choose(PurposeCompressionToClient, client.CompressionToClient, server.CompressionToClient)
	return agreed, missing
}

func first(client, server []string) (string, bool) {
	for _, name := range client {
		if name != "" && slices.Contains(server, name) {
			return name, true
		}
	}
	return "", false
}

// authenticates says whether a cipher needs no MAC beside it (RFC 5647 as
// OpenSSH does it, and chacha20-poly1305). Without a cipher there is nothing
// that a MAC could go with either.
func authenticates(cipher string) bool {
	switch cipher {
	case "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "chacha20-poly1305", "":
		return true
	}
	return false
}

// guessedWrong says whether a first_kex_packet_follows of the server has to
// be thrown away: both sides' favourites must be the same for it to count.
func guessedWrong(client, server *KexInit) bool {
	same := func(a, b []string) bool { return len(a) > 0 && len(b) > 0 && a[0] == b[0] }
	return server.FirstKexPacketFollow && !(same(client.Kex, server.Kex) && same(client.HostKeys, server.HostKeys))
}
