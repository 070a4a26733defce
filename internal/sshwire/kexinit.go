package sshwire

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// maxNames bounds a name-list. OpenSSH's longest has some twenty names.
const maxNames = 1024

// Offer is one side's algorithms, most wanted first, for both directions.
// Empty lists stay empty on the wire: nothing is offered then.
type Offer struct {
	Kex, HostKeys, Ciphers, MACs, Compression []string
}

// KexInit is an SSH_MSG_KEXINIT (RFC 4253, 7.1). ToServer and ToClient name
// the direction in which the data flows.
type KexInit struct {
	Cookie               [16]byte
	Kex, HostKeys        []string
	CiphersToServer      []string
	CiphersToClient      []string
	MACsToServer         []string
	MACsToClient         []string
	CompressionToServer  []string
	CompressionToClient  []string
	LanguagesToServer    []string
	LanguagesToClient    []string
	FirstKexPacketFollow bool
	Reserved             uint32
}

// lists are the ten name-lists in their order on the wire.
func (k *KexInit) lists() [10]*[]string {
	return [10]*[]string{&k.Kex, &k.HostKeys, &k.CiphersToServer, &k.CiphersToClient, &k.MACsToServer,
		&k.MACsToClient, &k.CompressionToServer, &k.CompressionToClient, &k.LanguagesToServer, &k.LanguagesToClient}
}

// NewKexInit makes a KEXINIT of an offer, with a fresh cookie.
func NewKexInit(o Offer) *KexInit {
	k := &KexInit{Kex: o.Kex, HostKeys: o.HostKeys, CiphersToServer: o.Ciphers, CiphersToClient: o.Ciphers,
		MACsToServer: o.MACs, MACsToClient: o.MACs, CompressionToServer: o.Compression, CompressionToClient: o.Compression}
	rand.Read(k.Cookie[:])
	return k
}

// Opening is the KEXINIT that the user's ssh would send, as bytes for the wire.
func Opening(o Offer) []byte { return Packet(NewKexInit(o.filled().announced()).Payload(), 0) }

// Payload is the message as it goes into a packet and into the exchange hash.
func (k *KexInit) Payload() []byte {
	p := append([]byte{msgKexInit}, k.Cookie[:]...)
	for _, list := range k.lists() {
		p = appendNames(p, *list)
	}
	follows := byte(0)
	if k.FirstKexPacketFollow {
		follows = 1
	}
	return binary.BigEndian.AppendUint32(append(p, follows), k.Reserved)
}

// ParseKexInit reads an SSH_MSG_KEXINIT, message number included. It takes
// what OpenSSH takes: bytes after the end are let be. The error is a
// [*ProtocolViolation].
func ParseKexInit(payload []byte) (*KexInit, error) {
	r := reader{rest: payload}
	number := r.byte()
	if number != msgKexInit {
		return nil, &ProtocolViolation{Message: number, Why: "not an SSH_MSG_KEXINIT", Payload: keep(payload)}
	}
	k := &KexInit{}
	copy(k.Cookie[:], r.bytes(len(k.Cookie)))
	for i, list := range k.lists() {
		if *list = r.names(maxNames); r.failed {
			return nil, &ProtocolViolation{Message: number, Payload: keep(payload),
				Why: fmt.Sprintf("name-list %d of 10 is cut short or has more than %d names", i+1, maxNames)}
		}
	}
	k.FirstKexPacketFollow = r.byte() != 0
	if k.Reserved = r.uint32(); r.failed {
		return nil, &ProtocolViolation{Message: number, Why: "its end is missing", Payload: keep(payload)}
	}
	return k, nil
}

// signalNames are not algorithms: they tell the peer what this side can do,
// by way of the key exchange list.
var signalNames = []string{"ext-info-c", "ext-info-s", strictClient, strictServer, "kexguess2@matt.ucc.asn.au"}

const (
	strictClient = "kex-strict-c-v00@openssh.com"
	strictServer = "kex-strict-s-v00@openssh.com"
)

// Algorithms returns a key exchange list without the names that signal
// something else, for showing and comparing.
func Algorithms(kex []string) []string {
	return slices.DeleteFunc(slices.Clone(kex), func(name string) bool {
		return slices.Contains(signalNames, name) || strings.HasPrefix(name, "kex-strict-") || strings.HasPrefix(name, "ext-info-")
	})
}

// Strict says whether both sides announced OpenSSH's strict key exchange
// (9.6, and older versions with the fix for Terrapin): then no other message
// may come before the first NEWKEYS.
func Strict(client, server *KexInit) bool {
	return slices.Contains(client.Kex, strictClient) && slices.Contains(server.Kex, strictServer)
}
