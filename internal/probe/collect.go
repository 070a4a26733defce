package probe

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"strings"
)

// collector is the script that brings the server's side: one file of POSIX sh
// that reads, and changes nothing.
//
//go:embed collect.sh
var collector string

// A nonce makes the marks of one run unlike anything that a log, a file or a
// login message may hold.
func newNonce() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// script is the collector as it is sent: without comments and indentation,
// which the server has no use for.
func script(nonce string) string {
	var b strings.Builder
	b.WriteString("N=" + nonce + "\n")
	for line := range strings.Lines(collector) {
		line = strings.TrimLeft(line, "\t")
		if line != "\n" && !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// beginMark and endMark enclose everything that the script prints.
func beginMark(nonce string) string { return "\n=" + nonce + " begin\n" }
func endMark(nonce string) string   { return "\n=" + nonce + " end\n" }
