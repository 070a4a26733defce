package sshlog

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/bzip2"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// ErrCompression is for a log in a compression that is not known here.
var ErrCompression = errors.New("compressed with xz, which sshtay does not read: try xzcat FILE | sshtay explain -")

// maxWindow bounds the memory that unpacking may take.
const maxWindow = 8 << 20

// Decoded returns what r holds, unpacked when it begins as gzip, zstd or bzip2
// does, and as UTF-8 when it begins as UTF-16 does. A log that ends too early
// gives what there was, and then an error.
func Decoded(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	begin, _ := b.Peek(6)
	var unpacked io.Reader
	var err error
	switch {
	case bytes.HasPrefix(begin, []byte{0x1f, 0x8b}):
		unpacked, err = gzip.NewReader(b)
	case bytes.HasPrefix(begin, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		var z *zstd.Decoder
		z, err = zstd.NewReader(b, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		unpacked = z
	case bytes.HasPrefix(begin, []byte("BZh")):
		unpacked = bzip2.NewReader(b)
	case bytes.HasPrefix(begin, []byte("\xfd7zXZ\x00")):
		return nil, ErrCompression
	default:
		return unwide(b), nil
	}
	if err != nil {
		return nil, err
	}
	return unwide(bufio.NewReaderSize(whole{unpacked}, 64<<10)), nil
}

// whole tells an end that comes too early from the one that is due.
type whole struct{ io.Reader }

// ErrCut is for a compressed log that ends too early.
var ErrCut = errors.New("it ends in the middle: the rest is missing")

func (t whole) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrCut
	}
	return n, err
}

// unwide returns UTF-8 for what begins with a mark of UTF-16, as PowerShell
// writes files, and takes a mark of UTF-8 away.
func unwide(b *bufio.Reader) io.Reader {
	begin, _ := b.Peek(3)
	switch {
	case bytes.HasPrefix(begin, []byte("\xff\xfe")):
		return &wide{from: b, low: 0}
	case bytes.HasPrefix(begin, []byte("\xfe\xff")):
		return &wide{from: b, low: 1}
	case bytes.HasPrefix(begin, []byte("\ufeff")):
		b.Discard(3)
	}
	return b
}

// wide reads UTF-16.
type wide struct {
	from *bufio.Reader
	low  int // which byte of a pair is the low one
	left []byte
	high rune // the first half of a pair of surrogates
}

func (w *wide) Read(p []byte) (int, error) {
	for len(w.left) < len(p) {
		var pair [2]byte
		if _, err := io.ReadFull(w.from, pair[:]); err != nil {
			if len(w.left) > 0 {
				break
			}
			return 0, err
		}
		r := rune(pair[w.low]) | rune(pair[1-w.low])<<8
		switch {
		case r == 0xfeff:
			continue
		case w.high != 0:
			r, w.high = utf16.DecodeRune(w.high, r), 0
		case utf16.IsSurrogate(r):
			w.high = r
			continue
		}
		w.left = utf8.AppendRune(w.left, r)
	}
	n := copy(p, w.left)
	w.left = append(w.left[:0], w.left[n:]...)
	return n, nil
}

// InOrder sorts the names of logs so that rotated ones come oldest first: of
// auth.log.2.gz, auth.log.1 and auth.log, or secure-20261101 and secure. Sets
// of different logs stay in the order of their first member.
func InOrder(names []string) []string {
	type rotated struct {
		name   string
		set    int
		age    int    // of auth.log.2.gz
		stamp  string // of secure-20261101
		number int
	}
	sets := map[string]int{}
	var all []rotated
	for i, name := range names {
		base, age, stamp := cutRotation(name)
		set, known := sets[base]
		if !known {
			set = i
			sets[base] = i
		}
		all = append(all, rotated{name, set, age, stamp, i})
	}
	slices.SortStableFunc(all, func(a, b rotated) int {
		return cmp.Or(cmp.Compare(a.set, b.set), cmp.Compare(b.age, a.age), cmp.Compare(a.stamp, b.stamp), cmp.Compare(a.number, b.number))
	})
	var sorted []string
	for _, r := range all {
		sorted = append(sorted, r.name)
	}
	return sorted
}

// newest is the stamp of the log that is not rotated yet.
const newest = "~"

// cutRotation takes what logrotate puts behind a name apart.
func cutRotation(name string) (base string, age int, stamp string) {
	for _, packed := range []string{".gz", ".zst", ".bz2", ".xz"} {
		name = strings.TrimSuffix(name, packed)
	}
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		if n, err := strconv.Atoi(name[dot+1:]); err == nil && n < 10000 {
			return name[:dot], n, newest
		}
	}
	if dash := strings.LastIndexByte(name, '-'); dash > strings.LastIndexByte(name, '/') && len(name)-dash > 8 {
		if _, err := strconv.Atoi(strings.ReplaceAll(name[dash+1:], "_", "")); err == nil {
			return name[:dash], 0, name[dash+1:]
		}
	}
	return path.Clean(name), 0, newest
}
