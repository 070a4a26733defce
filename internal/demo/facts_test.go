package demo

import (
	"regexp"
	"strings"
	"testing"
)

func TestFactsAnswerTheQuestionOnly(t *testing.T) {
	w := open(t, "throttle")
	const nonce = "0123456789abcdef"
	text, ok := w.server.factsFor(`exec sh -c 'S="$(printf %b "N=` + nonce + ` K=\0047x\0047\0012")"; eval "$S"'`)
	if !ok {
		t.Fatal("the question is not recognised")
	}
	if !strings.HasPrefix(text, "\n="+nonce+" begin\n") || !strings.HasSuffix(text, "\n="+nonce+" end\n") {
		t.Errorf("the answer is not between its marks:\n%.100s ... %s", text, text[len(text)-40:])
	}
	if left := regexp.MustCompile(`@[A-Z]+@`).FindString(text); left != "" {
		t.Errorf("%s was not filled in", left)
	}
	for _, part := range []string{"58 of 10-100 startups", "clientaliveinterval 60\n", "past MaxStartups\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("the answer lacks %q", part)
		}
	}
	for _, other := range []string{"", "sh", "N=" + nonce, `exec sh -c 'echo N=` + nonce + `'`, `exec sh -c 'S="$(printf %b "N=xyz ")"'`} {
		if _, ok := w.server.factsFor(other); ok {
			t.Errorf("%q is taken for the question", other)
		}
	}
}

func TestSilentServerSaysSo(t *testing.T) {
	text, _ := open(t, "no-keepalive").server.factsFor(`exec sh -c 'S="$(printf %b "N=0123456789abcdef K=`)
	if !strings.Contains(text, "clientaliveinterval 0\n") || strings.Contains(text, "MaxStartups throttling") {
		t.Errorf("the imaginary server of no-keepalive says:\n%s", text)
	}
}
