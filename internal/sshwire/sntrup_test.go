package sshwire

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// That the whole scheme is right, real servers show (they sign what it
// yields). Here are the promises of its parts.

func genPoly(t *rapid.T, q int32) *poly {
	var p poly
	copy(p[:], rapid.SliceOfN(rapid.Int32Range(0, q-1), sntrupP, sntrupP).Draw(t, "coefficients"))
	return &p
}

func TestSntrupInverse(t *testing.T) {
	one := poly{1}
	rapid.Check(t, func(t *rapid.T) {
		q := rapid.SampledFrom([]int32{3, sntrupQ}).Draw(t, "q")
		a := genPoly(t, q)
		inverse, ok := a.invert(q)
		switch {
		case ok:
			product := a.mul(&inverse, q)
			if product != one {
				t.Fatalf("a * 1/a = %v", product)
			}
		case q == sntrupQ && *a != (poly{}):
			t.Fatal("R/q is a field, and this has no inverse")
		}
	})
	if _, ok := new(poly).invert(3); ok {
		t.Error("zero has an inverse")
	}
}

func TestSntrupEncoding(t *testing.T) {
	for m, size := range map[int32]int{sntrupQ: 1158, (sntrupQ + 2) / 3: sntrupRounded} {
		rapid.Check(t, func(t *rapid.T) {
			r := rapid.SliceOfN(rapid.Int32Range(0, m-1), sntrupP, sntrupP).Draw(t, "numbers")
			b := encodeMod(r, m)
			if len(b) != size {
				t.Fatalf("%d bytes and not %d", len(b), size)
			}
			if got := decodeMod(b, m); !slices.Equal(got, r) {
				t.Fatalf("decoded %v from %v", got, r)
			}
		})
	}
}

func TestSntrupRejectsDamage(t *testing.T) {
	s := newSntrup761()
	for _, fill := range []byte{0, 0xff} {
		if _, err := s.decapsulate([]byte(strings.Repeat(string(rune(fill)), sntrupCiphertext)[:sntrupCiphertext])); err == nil {
			t.Errorf("a ciphertext of %#x only was opened", fill)
		}
	}
}
