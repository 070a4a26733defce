package sshwire

import (
	"crypto"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
)

// dh is a classic Diffie-Hellman half (RFC 4253, 8).
type dh struct{ p, g, x, e *big.Int }

// secretBits is the size of our exponent. It protects nothing here, since no
// key is ever used, and OpenSSH's own are no longer for most ciphers.
const secretBits = 512

func startDH(p, g *big.Int) (*dh, error) {
	b := make([]byte, secretBits/8)
	rand.Read(b)
	d := &dh{p: p, g: g, x: new(big.Int).SetBytes(b)}
	d.e = new(big.Int).Exp(g, d.x, p)
	return d, nil
}

func (d *dh) public() []byte { return mpint(d.e) }

func (d *dh) secret(server []byte) ([]byte, error) {
	f := new(big.Int).SetBytes(server)
	most := new(big.Int).Sub(d.p, big.NewInt(1))
	if len(server) > 0 && server[0]&0x80 != 0 || f.Cmp(big.NewInt(1)) <= 0 || f.Cmp(most) >= 0 {
		return nil, errors.New("it is out of range")
	}
	return mpint(new(big.Int).Exp(f, d.x, d.p)), nil
}

func startGroup1() (agreement, error)  { return startDH(group1(), big.NewInt(2)) }
func startGroup14() (agreement, error) { return startDH(group14(), big.NewInt(2)) }
func startGroup16() (agreement, error) { return startDH(group16(), big.NewInt(2)) }
func startGroup18() (agreement, error) { return startDH(group18(), big.NewInt(2)) }

// The primes of RFC 2409 and RFC 3526, by the formula that defines them.
var (
	group1  = sync.OnceValue(func() *big.Int { return modp(1024, 129093) })
	group14 = sync.OnceValue(func() *big.Int { return modp(2048, 124476) })
	group16 = sync.OnceValue(func() *big.Int { return modp(4096, 240904) })
	group18 = sync.OnceValue(func() *big.Int { return modp(8192, 4743158) })
)

// modp is 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + c).
func modp(n uint, c int64) *big.Int {
	power := func(k uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), k) }
	middle := piBits(n - 130)
	middle.Add(middle, big.NewInt(c))
	p := power(n)
	p.Sub(p, power(n-64))
	p.Sub(p, big.NewInt(1))
	return p.Add(p, middle.Lsh(middle, 64))
}

// piBits is pi * 2^k, rounded down: Machin's formula, with bits to spare.
func piBits(k uint) *big.Int {
	const spare = 64
	arccot := func(n int64) *big.Int {
		sum, square := new(big.Int), big.NewInt(n*n)
		term := new(big.Int).Lsh(big.NewInt(1), k+spare)
		term.Quo(term, big.NewInt(n))
		for i := int64(1); term.Sign() != 0; i += 4 {
			sum.Add(sum, new(big.Int).Quo(term, big.NewInt(i)))
			term.Quo(term, square)
			sum.Sub(sum, new(big.Int).Quo(term, big.NewInt(i+2)))
			term.Quo(term, square)
		}
		return sum
	}
	a, b := arccot(5), arccot(239)
	pi := a.Sub(a.Lsh(a, 2), b)
	return pi.Rsh(pi.Lsh(pi, 2), spare)
}

// Sizes of group that group exchange asks for, in bits: OpenSSH's own.
const (
	minGroup = 2048
	maxGroup = 8192
)

// groupExchange asks the server for a group first (RFC 4419).
func groupExchange(t transport, hash crypto.Hash, magic []byte, bits uint32) (*reply, error) {
	wish := binary.BigEndian.AppendUint32(nil, minGroup)
	wish = binary.BigEndian.AppendUint32(wish, bits)
	wish = binary.BigEndian.AppendUint32(wish, maxGroup)
	t.send(append([]byte{msgGexRequest}, wish...))
	payload, err := t.receive(msgGexGroup)
	if err != nil {
		return nil, err
	}
	r := reader{rest: payload[1:]}
	pBytes, gBytes := r.string(), r.string()
	p, g := new(big.Int).SetBytes(pBytes), new(big.Int).SetBytes(gBytes)
	if r.failed || p.BitLen() < minGroup || p.BitLen() > maxGroup || p.Bit(0) == 0 || g.Cmp(big.NewInt(1)) <= 0 || g.Cmp(p) >= 0 {
		return nil, &ProtocolViolation{Message: msgGexGroup, Payload: keep(payload),
			Why: fmt.Sprintf("its group of %d bits is not one of %d to %d", p.BitLen(), minGroup, maxGroup)}
	}
	half, err := startDH(p, g)
	if err != nil {
		return nil, err
	}
	t.send(appendString([]byte{msgGexInit}, half.public()))
	if payload, err = t.receive(msgGexReply); err != nil {
		return nil, err
	}
	group := appendString(appendString(wish, pBytes), gBytes)
	return finish(half, payload, hash, magic, group)
}

// groupBits is the size of group that OpenSSH's client asks for: it follows
// from the longest key that the agreed algorithms need. Old Cisco servers
// take no more than 4096.
func groupBits(a Agreed, server Ident) uint32 {
	need := 0
	for _, name := range []string{a.CipherToServer, a.CipherToClient, a.MACToServer, a.MACToClient} {
		need = max(need, keyBytes(name))
	}
	bits := uint32(maxGroup)
	switch {
	case need <= 14:
		bits = 2048
	case need <= 16:
		bits = 3072
	case need <= 24:
		bits = 7680
	}
	if strings.HasPrefix(server.Software, "Cisco-1.") {
		bits = min(bits, 4096)
	}
	return bits
}

// keyBytes is the length of the key that a cipher or MAC takes.
func keyBytes(name string) int {
	switch {
	case name == "":
		return 0
	case strings.HasPrefix(name, "chacha20"), strings.HasPrefix(name, "hmac-sha2-512"):
		return 64
	case strings.HasPrefix(name, "aes256"), strings.HasPrefix(name, "hmac-sha2-256"):
		return 32
	case strings.HasPrefix(name, "aes192"):
		return 24
	case strings.HasPrefix(name, "hmac-sha1"):
		return 20
	}
	return 16
}
