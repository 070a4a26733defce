package commit

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"sshtay/internal/host"
)

// An edit is what changes between two texts: the lines before and behind stay.
type edit struct {
	head    int // lines that stay at the beginning
	old     []string
	new     []string
	tail    []string // lines that stay at the end
	context []string // the last of those at the beginning
}

// between compares two texts by whole lines, of which the last may have no end.
func between(old, new []byte) edit {
	a, b := strings.SplitAfter(string(old), "\n"), strings.SplitAfter(string(new), "\n")
	a, b = trim(a), trim(b)
	var e edit
	for e.head < min(len(a), len(b)) && a[e.head] == b[e.head] {
		e.head++
	}
	e.context = a[max(0, e.head-3):e.head]
	a, b = a[e.head:], b[e.head:]
	n := 0
	for n < min(len(a), len(b)) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	e.tail = a[len(a)-n:]
	e.old, e.new = a[:len(a)-n], b[:len(b)-n]
	return e
}

// trim drops the empty piece behind the last line end.
func trim(lines []string) []string {
	if n := len(lines); lines[n-1] == "" {
		return lines[:n-1]
	}
	return lines
}

// compose writes the lines of sh that print the new text, with the old one in
// the file "$1".
func compose(old, new []byte) string {
	e := between(old, new)
	var b strings.Builder
	if e.head > 0 {
		fmt.Fprintf(&b, "\thead -n %d \"$1\"\n", e.head)
	}
	literal(&b, e.new)
	if len(e.tail) > 0 {
		fmt.Fprintf(&b, "\ttail -n +%d \"$1\"\n", e.head+len(e.old)+1)
	}
	if b.Len() == 0 {
		return "\t:\n"
	}
	return b.String()
}

// literal writes the lines of sh that print these lines: as they are where
// nothing in them could be mistaken, else escaped.
func literal(b *strings.Builder, lines []string) {
	for len(lines) > 0 {
		n := 0
		for n < len(lines) && clean(lines[n]) {
			n++
		}
		if n == 0 {
			escaped(b, lines[0])
			lines = lines[1:]
			continue
		}
		end := "END"
		for i := 0; i < n; i++ {
			if lines[i] == end+"\n" {
				end, i = end+"_", -1
			}
		}
		fmt.Fprintf(b, "\tcat <<'%s'\n%s%s\n", end, strings.Join(lines[:n], ""), end)
		lines = lines[n:]
	}
}

// clean says whether a line can stand in a here-document of any shell: bytes
// that are not ASCII mean something to some of them.
func clean(line string) bool {
	text, whole := strings.CutSuffix(line, "\n")
	return whole && strings.IndexFunc(text, func(r rune) bool { return r != '\t' && (r < ' ' || r > '~') }) < 0
}

// escaped prints a line piece by piece: a printf that is a program of its own
// takes no long words.
func escaped(b *strings.Builder, line string) {
	for len(line) > 0 {
		n := min(len(line), 16<<10)
		fmt.Fprintf(b, "\tprintf %%b '%s'\n", host.Octal(line[:n]))
		line = line[n:]
	}
}

// diff is a unified diff of the two texts for people, as comment lines, or in a
// few words when it is long.
func diff(old, new []byte) string {
	const most = 60 // lines
	e := between(old, new)
	if len(e.old)+len(e.new) > most {
		return fmt.Sprintf("#   from line %d on, %d lines take the place of %d\n", e.head+1, len(e.new), len(e.old))
	}
	var b strings.Builder
	behind := e.tail[:min(3, len(e.tail))]
	around := len(e.context) + len(behind)
	fmt.Fprintf(&b, "#   @@ -%s +%s @@\n", span(e.head-len(e.context), around+len(e.old)), span(e.head-len(e.context), around+len(e.new)))
	for _, part := range []struct {
		sign  string
		lines []string
	}{{" ", e.context}, {"-", e.old}, {"+", e.new}, {" ", behind}} {
		for _, l := range part.lines {
			text, whole := strings.CutSuffix(l, "\n")
			b.WriteString("#   " + part.sign + line(strings.ReplaceAll(text, "\t", "    ")) + "\n")
			if !whole {
				b.WriteString("#   \\ No newline at end of file\n")
			}
		}
	}
	return b.String()
}

// span names lines as a unified diff does.
func span(before, n int) string {
	if n == 0 {
		return fmt.Sprintf("%d,0", before)
	}
	return fmt.Sprintf("%d,%d", before+1, n)
}

// sums is what the program compares a file with: the checksum and length of
// cksum, and the SHA-256. Nil is no file.
func sums(data []byte) string {
	if data == nil {
		return "none"
	}
	return fmt.Sprintf("%d %d %x", cksum(data), len(data), sha256.Sum256(data))
}

// cksum is the checksum of the POSIX program of that name: CRC-32 with the
// polynomial 0x04C11DB7, most significant bit first, over the data and its
// length.
func cksum(data []byte) uint32 {
	var crc uint32
	add := func(c byte) {
		crc ^= uint32(c) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04C11DB7
			} else {
				crc <<= 1
			}
		}
	}
	for _, c := range data {
		add(c)
	}
	for n := len(data); n > 0; n >>= 8 {
		add(byte(n))
	}
	return ^crc
}
