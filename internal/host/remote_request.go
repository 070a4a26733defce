package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// request writes a command as lines for the shell that waits there. Standard
// output comes first, then the status, then standard error, each up to a mark
// that nobody there can know beforehand.
func (c Command) request(mark string) (string, error) {
	if len(c.Argv) == 0 {
		return "", errors.New("no program to run")
	}
	if c.Terminal || c.Standard || c.Inside != nil || c.As != nil {
		return "", errors.New("a program on another machine has no terminal, and runs as who logged in")
	}
	var b strings.Builder
	if c.Stdin == nil {
		b.WriteString("sshtay_in() { :; }\n")
	} else if err := feed(&b, c.Stdin); err != nil {
		return "", err
	}
	b.WriteString("sshtay_run() (\n")
	b.WriteString("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH\n")
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		if !isName(name) {
			return "", fmt.Errorf("%q is no name of a variable", name)
		}
		b.WriteString(name + "=" + Quote(value) + "; export " + name + "\n")
	}
	if c.Dir != "" {
		b.WriteString("cd " + Quote(c.Dir) + " || exit 126\n")
	}
	b.WriteString("exec")
	for _, a := range c.Argv {
		if strings.Contains(a, "\x00") {
			return "", errors.New("an argument contains a NUL")
		}
		b.WriteString(" " + Quote(a))
	}
	b.WriteString("\n)\n")
	input := "</dev/null sshtay_run"
	if c.Stdin != nil {
		input = "sshtay_in | sshtay_run"
	}
	fmt.Fprintf(&b, `if (PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; command -v %s) >/dev/null 2>&1; then
{ sshtay_err=$( { %s 3>&-; } 2>&1 1>&3 3>&-); sshtay_code=$?; } 3>&1
else sshtay_code=none sshtay_err=; fi
printf '\n=%%s out\n%%s\n=%%s status\n%%s\n=%%s end\n' %[3]s "$sshtay_code" %[3]s "$sshtay_err" %[3]s
`, Quote(c.Argv[0]), input, mark)
	return b.String(), nil
}

// feed writes a function that prints what the reader gives: bytes that some
// shell may look at as octal numbers, and in pieces, since a printf that is a
// program of its own takes no long words.
func feed(b *strings.Builder, from io.Reader) error {
	const most = 8 << 20
	data, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return err
	}
	if len(data) > most {
		return ErrTooLarge
	}
	b.WriteString("sshtay_in() {\n:\n")
	for piece := range bytes.SplitSeq(data, []byte("\n")) {
		for len(piece) > 16<<10 {
			b.WriteString("printf %b '" + Octal(string(piece[:16<<10])) + "'\n")
			piece = piece[16<<10:]
		}
		b.WriteString("printf %b '" + Octal(string(piece)) + `\0012'` + "\n")
	}
	// The last piece has no line end.
	s := strings.TrimSuffix(b.String(), `\0012'`+"\n")
	b.Reset()
	b.WriteString(s + "'\n}\n")
	return nil
}

// AnyShell wraps a script of sh into one line that every login shell hands on
// unchanged: sh, bash, dash, zsh, ksh, busybox, fish, csh and tcsh. Between the
// single quotes stands nothing that any of these would look at, and printf %b of
// the sh inside turns the escapes back. The script finds its own text in $S.
func AnyShell(script string) string {
	return `exec sh -c 'S="$(printf %b "` + escaped(script, "'\"\\`$!") + `")"; eval "$S"'`
}

// Octal escapes bytes for printf %b of any sh, between single quotes.
func Octal(s string) string { return escaped(s, `\'`) }

// escaped writes what does not print, and each of the bytes that mean something,
// as \0ooo.
func escaped(s, meaning string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || strings.IndexByte(meaning, c) >= 0 {
			fmt.Fprintf(&b, `\0%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isName(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// Quote makes one word of sh of any text without a NUL.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
