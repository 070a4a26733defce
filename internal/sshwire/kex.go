package sshwire

import (
	"crypto"
	_ "crypto/sha1"   // diffie-hellman-group1-sha1, group14-sha1 and group-exchange-sha1
	_ "crypto/sha256" // most methods
	_ "crypto/sha512" // the larger ones
	"fmt"
	"slices"
)

// agreement is the client's half of a key agreement, as the exchange hash
// wants it: an mpint's content for Diffie-Hellman, an octet string otherwise.
type agreement interface {
	// public is the client's share.
	public() []byte
	// secret combines it with the server's share. The result goes into the
	// exchange hash as a string with its length before it.
	secret(server []byte) ([]byte, error)
}

// method is a key exchange method. start is nil for group exchange, which
// has to ask for its group first.
type method struct {
	hash  crypto.Hash
	start func() (agreement, error)
}

var methods = map[string]method{
	"mlkem768x25519-sha256":                {crypto.SHA256, startMLKEM},
	"sntrup761x25519-sha512":               {crypto.SHA512, startSntrup},
	"sntrup761x25519-sha512@openssh.com":   {crypto.SHA512, startSntrup},
	"curve25519-sha256":                    {crypto.SHA256, startX25519},
	"curve25519-sha256@libssh.org":         {crypto.SHA256, startX25519},
	"ecdh-sha2-nistp256":                   {crypto.SHA256, startP256},
	"ecdh-sha2-nistp384":                   {crypto.SHA384, startP384},
	"ecdh-sha2-nistp521":                   {crypto.SHA512, startP521},
	"diffie-hellman-group-exchange-sha256": {crypto.SHA256, nil},
	"diffie-hellman-group-exchange-sha1":   {crypto.SHA1, nil},
	"diffie-hellman-group18-sha512":        {crypto.SHA512, startGroup18},
	"diffie-hellman-group16-sha512":        {crypto.SHA512, startGroup16},
	"diffie-hellman-group14-sha256":        {crypto.SHA256, startGroup14},
	"diffie-hellman-group14-sha1":          {crypto.SHA1, startGroup14},
	"diffie-hellman-group1-sha1":           {crypto.SHA1, startGroup1},
}

// CanExchange says whether [Handshake] can carry out a key exchange method.
func CanExchange(kex string) bool {
	_, ok := methods[kex]
	return ok
}

// Message numbers that belong to the key exchange methods: 30 and 31 for
// those that know their group (RFC 4253, 8; RFC 5656, 4), 31 to 34 for group
// exchange (RFC 4419, 5).
const (
	msgKexInitECDH  = 30
	msgKexReplyECDH = 31
	msgGexGroup     = 31
	msgGexInit      = 32
	msgGexReply     = 33
	msgGexRequest   = 34
)

// transport carries the messages of a key exchange. receive gives back the
// payload of a message with that number, and deals with all others.
type transport interface {
	send(payload []byte)
	receive(number byte) ([]byte, error)
}

// reply is what a server's last key exchange message says, and the exchange
// hash that it should have signed.
type reply struct {
	hostKey, signature, hash []byte
}

// exchange carries out a key exchange. magic is the beginning of the exchange
// hash's input: both identifications and both KEXINITs. bits is the size of
// group to ask for where the method asks.
func exchange(t transport, name string, magic []byte, bits uint32) (*reply, error) {
	m := methods[name]
	if m.start == nil {
		return groupExchange(t, m.hash, magic, bits)
	}
	half, err := m.start()
	if err != nil {
		return nil, err
	}
	t.send(appendString([]byte{msgKexInitECDH}, half.public()))
	payload, err := t.receive(msgKexReplyECDH)
	if err != nil {
		return nil, err
	}
	return finish(half, payload, m.hash, magic, nil)
}

// finish reads the reply and computes the exchange hash; group is what group
// exchange adds to it.
func finish(half agreement, payload []byte, hash crypto.Hash, magic, group []byte) (*reply, error) {
	r := reader{rest: payload}
	number := r.byte()
	hostKey, share, signature := r.string(), r.string(), r.string()
	if r.failed {
		return nil, &ProtocolViolation{Message: number, Why: "the key exchange reply is cut short", Payload: keep(payload)}
	}
	secret, err := half.secret(share)
	if err != nil {
		return nil, &ProtocolViolation{Message: number, Why: fmt.Sprintf("the server's share of the key exchange: %v", err), Payload: keep(payload)}
	}
	b := appendString(slices.Clone(magic), hostKey)
	b = append(b, group...)
	b = appendString(appendString(appendString(b, half.public()), share), secret)
	h := hash.New()
	h.Write(b)
	return &reply{hostKey, signature, h.Sum(nil)}, nil
}
