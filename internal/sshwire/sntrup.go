package sshwire

import (
	"bytes"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	mathrand "math/rand/v2"
)

// Streamlined NTRU Prime 761, the client's half (NTRU Prime, round 3
// submission). OpenSSH 8.5 to 9.9 choose it before all others, and its large
// messages are what a path that loses full-size packets breaks: leaving it
// out would find such a path healthy. It runs in variable time, which would
// be wrong for a secret: here none is ever used.
const (
	sntrupP      = 761
	sntrupQ      = 4591
	sntrupWeight = 286 // of short polynomials
	sntrupHash   = 32
	sntrupHalf   = (sntrupQ - 1) / 2

	sntrupRounded    = 1007 // bytes of a rounded polynomial
	sntrupCiphertext = sntrupRounded + sntrupHash
)

type sntrup761 struct {
	f      poly // short, coefficients mod q
	gInv   poly // 1/g mod 3
	keyEnc []byte
}

func newSntrup761() *sntrup761 {
	var seed [32]byte
	rand.Read(seed[:])
	rng := mathrand.New(mathrand.NewChaCha8(seed))
	var g, gInv poly
	for ok := false; !ok; gInv, ok = g.invert(3) {
		for i := range g {
			g[i] = int32(rng.IntN(3))
		}
	}
	var f, f3, gq poly
	for _, i := range rng.Perm(sntrupP)[:sntrupWeight] {
		f[i] = 1
		if rng.IntN(2) == 0 {
			f[i] = sntrupQ - 1
		}
	}
	for i := range f {
		f3[i] = 3 * f[i] % sntrupQ
		gq[i] = mod(centred(g[i], 3), sntrupQ)
	}
	inverse, _ := f3.invert(sntrupQ) // R/q is a field, and f is not 0
	h := gq.mul(&inverse, sntrupQ)
	return &sntrup761{f, gInv, encodeMod(h.shifted(sntrupHalf), sntrupQ)}
}

func (s *sntrup761) encapsulationKey() []byte { return bytes.Clone(s.keyEnc) }
func (s *sntrup761) ciphertextSize() int      { return sntrupCiphertext }

// decapsulate opens a ciphertext. Its own check tells a damaged one.
func (s *sntrup761) decapsulate(ciphertext []byte) ([]byte, error) {
	var c poly
	for i, x := range decodeMod(ciphertext[:sntrupRounded], (sntrupQ+2)/3) {
		c[i] = mod(3*x-sntrupHalf, sntrupQ)
	}
	e := c.mul(&s.f, sntrupQ)
	for i := range e {
		e[i] = mod(centred(3*e[i]%sntrupQ, sntrupQ), 3)
	}
	r := e.mul(&s.gInv, 3)
	small := prefixed(3, r.encodeSmall())
	confirm := prefixed(2, append(bytes.Clone(small), prefixed(4, s.keyEnc)...))
	if !bytes.Equal(confirm, ciphertext[sntrupRounded:]) {
		return nil, errors.New("its sntrup761 ciphertext does not belong to our key")
	}
	return prefixed(1, append(small, ciphertext...)), nil
}

// prefixed is the scheme's hash: SHA-512 with a first byte that says what
// for, cut to 32 bytes.
func prefixed(what byte, b []byte) []byte {
	sum := sha512.Sum512(append([]byte{what}, b...))
	return sum[:sntrupHash]
}

// poly is a polynomial modulo x^761 - x - 1, lowest coefficient first, its
// coefficients from 0 to below a modulus (3 or 4591).
type poly [sntrupP]int32

func mod(x, q int32) int32 { return (x%q + q) % q }

// centred is x from 0 to q-1 as the value of least size.
func centred(x, q int32) int32 {
	if x > q/2 {
		return x - q
	}
	return x
}

func (a *poly) mul(b *poly, q int32) poly {
	var long [2*sntrupP - 1]int64
	for i, x := range a {
		if x == 0 {
			continue
		}
		for j, y := range b {
			long[i+j] += int64(x) * int64(y)
		}
	}
	for i := len(long) - 1; i >= sntrupP; i-- { // x^761 = x + 1
		long[i-sntrupP] += long[i]
		long[i-sntrupP+1] += long[i]
	}
	var product poly
	for i := range product {
		product[i] = int32(long[i] % int64(q))
	}
	return product
}

// invert is Euclid's algorithm with x^761 - x - 1. It fails when the two have
// a factor in common.
func (a *poly) invert(q int32) (poly, bool) {
	n := make([]int32, sntrupP+1)
	n[0], n[1], n[sntrupP] = q-1, q-1, 1
	d := append(append([]int32(nil), a[:]...), 0)
	// Always n = u*a and d = v*a, modulo x^761 - x - 1.
	u, v := make([]int32, sntrupP+1), make([]int32, sntrupP+1)
	v[0] = 1
	degN, degD := sntrupP, degree(d)
	for degD > 0 {
		factor := n[degN] * scalarInverse(d[degD], q) % q
		subtract(n, d, factor, degN-degD, q)
		subtract(u, v, factor, degN-degD, q)
		if degN = degree(n); degN < degD {
			n, d, u, v, degN, degD = d, n, v, u, degD, degN
		}
	}
	if degD < 0 {
		return poly{}, false
	}
	scale := scalarInverse(d[0], q)
	var inverse poly
	for i := range inverse {
		inverse[i] = v[i] * scale % q
	}
	return inverse, true
}

// subtract takes factor * x^shift * b from a.
func subtract(a, b []int32, factor int32, shift int, q int32) {
	for i := len(a) - 1; i >= shift; i-- {
		if b[i-shift] != 0 {
			a[i] = mod(a[i]-factor*b[i-shift], q)
		}
	}
}

// degree is -1 for zero.
func degree(a []int32) int {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != 0 {
			return i
		}
	}
	return -1
}

// scalarInverse is 1/x modulo the prime q: x to the power of q-2.
func scalarInverse(x, q int32) int32 {
	result := int32(1)
	for e := q - 2; e > 0; e >>= 1 {
		if e&1 == 1 {
			result = result * x % q
		}
		x = x * x % q
	}
	return result
}

// shifted adds to every centred coefficient.
func (a *poly) shifted(by int32) []int32 {
	out := make([]int32, sntrupP)
	for i, x := range a {
		out[i] = centred(x, sntrupQ) + by
	}
	return out
}

// encodeSmall packs four coefficients mod 3 into a byte, as 0, 1, 2 for
// -1, 0, 1.
func (a *poly) encodeSmall() []byte {
	out := make([]byte, (sntrupP+3)/4)
	for i, x := range a {
		out[i/4] |= byte(centred(x, 3)+1) << (2 * (i % 4))
	}
	return out
}

// encodeLimit is where the mixed-radix encoding writes out a byte.
const encodeLimit = 16384

// encodeMod writes 761 numbers below m in mixed radix: neighbours are joined
// into one number, low bytes are written out, until one number is left.
func encodeMod(r []int32, m int32) []byte {
	moduli := make([]int32, len(r))
	for i := range moduli {
		moduli[i] = m
	}
	var out []byte
	for len(r) > 1 {
		var r2, m2 []int32
		for i := 0; i+1 < len(r); i += 2 {
			x, m := r[i]+moduli[i]*r[i+1], moduli[i]*moduli[i+1]
			for m >= encodeLimit {
				out, x, m = append(out, byte(x)), x>>8, (m+255)>>8
			}
			r2, m2 = append(r2, x), append(m2, m)
		}
		if len(r)%2 == 1 {
			r2, m2 = append(r2, r[len(r)-1]), append(m2, moduli[len(r)-1])
		}
		r, moduli = r2, m2
	}
	for x, m := r[0], moduli[0]; m > 1; x, m = x>>8, (m+255)>>8 {
		out = append(out, byte(x))
	}
	return out
}

// decodeMod is the way back, for 761 numbers below m.
func decodeMod(b []byte, m int32) []int32 {
	moduli := make([]int32, sntrupP)
	for i := range moduli {
		moduli[i] = m
	}
	return decodeMixed(b, moduli)
}

func decodeMixed(b []byte, moduli []int32) []int32 {
	if len(moduli) == 1 {
		var x int32
		for i := len(b) - 1; i >= 0; i-- {
			x = x<<8 | int32(b[i])
		}
		return []int32{x % moduli[0]}
	}
	type low struct{ value, scale int32 }
	var lows []low
	var m2 []int32
	for i := 0; i+1 < len(moduli); i += 2 {
		m, l := moduli[i]*moduli[i+1], low{0, 1}
		for m >= encodeLimit {
			l.value += int32(b[0]) * l.scale
			l.scale, b, m = l.scale<<8, b[1:], (m+255)>>8
		}
		lows, m2 = append(lows, l), append(m2, m)
	}
	if len(moduli)%2 == 1 {
		m2 = append(m2, moduli[len(moduli)-1])
	}
	high := decodeMixed(b, m2)
	var out []int32
	for i, l := range lows {
		x := uint32(l.value) + uint32(l.scale)*uint32(high[i])
		out = append(out, int32(x%uint32(moduli[2*i])), int32(x/uint32(moduli[2*i])%uint32(moduli[2*i+1])))
	}
	if len(moduli)%2 == 1 {
		out = append(out, high[len(high)-1])
	}
	return out
}
