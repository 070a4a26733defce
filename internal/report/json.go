package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON writes the report in the form of the contract: indented, in a stable
// order, and safe to print on a terminal.
func JSON(w io.Writer, r Report) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("the report cannot be written as JSON: %w", err)
	}
	_, err := w.Write(printable(b.Bytes()))
	return err
}

// printable writes the characters that could move a cursor, reorder a line or
// hide as JSON escapes. The encoder does so for the oldest of them only; they
// stand in strings alone, so the meaning stays. U+FFFD is among them, because
// the encoder writes it in two ways, and a report that was read is to be written
// as it was.
func printable(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\n' || unicode.IsPrint(r) && r != utf8.RuneError:
			out = append(out, text[:size]...)
		case r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[size:]
	}
	return out
}
