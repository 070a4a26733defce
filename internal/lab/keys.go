package lab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// A keyFile is a private key as OpenSSH keeps it, and its public half.
type keyFile struct {
	kind            string // rsa, ecdsa or ed25519
	private, public []byte
	raw             []byte // of an ed25519 key: seed and public key, as tinysshd keeps it
}

// keys are those of a whole run: every server has the same, and so has every
// user. They are worth nothing outside the lab.
type keys struct {
	host []keyFile
	user keyFile
}

// theKeys makes the keys on first use, for RSA takes a while.
var theKeys = sync.OnceValues(func() (*keys, error) {
	var k keys
	_, hostEd, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	hostEC, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	hostRSA, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		return nil, err
	}
	_, user, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	for _, made := range []struct {
		kind string
		key  crypto.Signer
	}{{"ed25519", hostEd}, {"ecdsa", hostEC}, {"rsa", hostRSA}} {
		f, err := newKeyFile(made.kind, made.key)
		if err != nil {
			return nil, err
		}
		k.host = append(k.host, f)
	}
	k.user, err = newKeyFile("ed25519", user)
	return &k, err
})

func newKeyFile(kind string, key crypto.Signer) (keyFile, error) {
	block, err := ssh.MarshalPrivateKey(key, "lab")
	if err != nil {
		return keyFile{}, fmt.Errorf("cannot write a key down: %w", err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return keyFile{}, fmt.Errorf("cannot write a key down: %w", err)
	}
	f := keyFile{kind: kind, private: pem.EncodeToMemory(block), public: ssh.MarshalAuthorizedKey(public)}
	if ed, ok := key.(ed25519.PrivateKey); ok {
		f.raw = ed
	}
	return f, nil
}

// knownHosts says of every host that it has our host keys.
func (k *keys) knownHosts() []byte {
	var b strings.Builder
	for _, h := range k.host {
		fmt.Fprintf(&b, "* %s", h.public)
	}
	return []byte(b.String())
}
