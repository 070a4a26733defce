package sshwire

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"math/big"
)

// curve is an elliptic curve's half: RFC 5656 for NIST's, RFC 8731 for X25519.
type curve struct{ key *ecdh.PrivateKey }

func startX25519() (agreement, error) { return startCurve(ecdh.X25519()) }
func startP256() (agreement, error)   { return startCurve(ecdh.P256()) }
func startP384() (agreement, error)   { return startCurve(ecdh.P384()) }
func startP521() (agreement, error)   { return startCurve(ecdh.P521()) }

func startCurve(c ecdh.Curve) (*curve, error) {
	key, err := c.GenerateKey(rand.Reader)
	return &curve{key}, err
}

func (c *curve) public() []byte { return c.key.PublicKey().Bytes() }

func (c *curve) secret(server []byte) ([]byte, error) {
	k, err := c.raw(server)
	return mpint(new(big.Int).SetBytes(k)), err
}

func (c *curve) raw(server []byte) ([]byte, error) {
	share, err := c.key.Curve().NewPublicKey(server)
	if err != nil {
		return nil, err
	}
	return c.key.ECDH(share)
}

// x25519Size is the length of an X25519 share.
const x25519Size = 32

// kem is the client's half of a key encapsulation.
type kem interface {
	encapsulationKey() []byte
	ciphertextSize() int
	decapsulate(ciphertext []byte) ([]byte, error)
}

// hybrid joins a post-quantum encapsulation with X25519: shares are joined
// end to end, and the hash over both secrets is the secret, as a string.
type hybrid struct {
	kem   kem
	curve *curve
	sum   func(secrets []byte) []byte
}

func startHybrid(k kem, sum func([]byte) []byte) (agreement, error) {
	c, err := startCurve(ecdh.X25519())
	return &hybrid{k, c, sum}, err
}

func (h *hybrid) public() []byte { return append(h.kem.encapsulationKey(), h.curve.public()...) }

func (h *hybrid) secret(server []byte) ([]byte, error) {
	n := h.kem.ciphertextSize()
	if len(server) != n+x25519Size {
		return nil, fmt.Errorf("it has %d bytes and not %d", len(server), n+x25519Size)
	}
	pq, err := h.kem.decapsulate(server[:n])
	if err != nil {
		return nil, err
	}
	classic, err := h.curve.raw(server[n:])
	if err != nil {
		return nil, err
	}
	return h.sum(append(pq, classic...)), nil
}

type mlkem768 struct{ key *mlkem.DecapsulationKey768 }

func startMLKEM() (agreement, error) {
	key, err := mlkem.GenerateKey768()
	if err != nil {
		return nil, err
	}
	return startHybrid(mlkem768{key}, func(b []byte) []byte { s := sha256.Sum256(b); return s[:] })
}

func (m mlkem768) encapsulationKey() []byte { return m.key.EncapsulationKey().Bytes() }
func (m mlkem768) ciphertextSize() int      { return mlkem.CiphertextSize768 }
func (m mlkem768) decapsulate(ciphertext []byte) ([]byte, error) {
	return m.key.Decapsulate(ciphertext)
}

func startSntrup() (agreement, error) {
	return startHybrid(newSntrup761(), func(b []byte) []byte { s := sha512.Sum512(b); return s[:] })
}
