package lab

import (
	"encoding/binary"
	"slices"
	"testing"
)

// kexInit makes the KEXINIT of a client as it is on the wire.
func kexInit(ciphers, macs string) []byte {
	p := append(make([]byte, 5), 20)
	p = append(p, make([]byte, 16)...)
	for _, list := range []string{"curve25519-sha256", "ssh-ed25519", ciphers, ciphers, macs, macs} {
		p = binary.BigEndian.AppendUint32(p, uint32(len(list)))
		p = append(p, list...)
	}
	return p
}

func TestFirstChoices(t *testing.T) {
	for _, c := range []struct {
		packet []byte
		want   []string
	}{
		{kexInit("chacha20-poly1305@openssh.com,aes128-ctr", "umac-64@openssh.com"), []string{"chacha20-poly1305@openssh.com"}},
		{kexInit("aes128-ctr,aes256-gcm@openssh.com", "umac-64@openssh.com,hmac-sha1"), []string{"aes128-ctr", "umac-64@openssh.com"}},
		{kexInit("aes128-ctr", "hmac-sha1")[:60], nil},
		{[]byte("GET / HTTP/1.1"), nil},
		{nil, nil},
	} {
		if got := firstChoices(c.packet); !slices.Equal(got, c.want) {
			t.Errorf("%q: %v", c.packet, got)
		}
	}
}
