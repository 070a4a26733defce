package cause

import (
	"strings"
	"testing"
)

func TestSSHDsOwnWords(t *testing.T) {
	for text, want := range map[string]string{
		"sshd: no hostkeys available -- exiting.\r\n":                                                  "sshd: no hostkeys available -- exiting.",
		`Could not load host key: /etc/ssh/ssh_host_rsa_key\r\nsshd: no hostkeys available\r\n`:        "Could not load host key: /etc/ssh/ssh_host_rsa_key",
		"welcome\n/usr/sbin/sshd: error while loading shared libraries: libcrypto.so.3: cannot open\n": "/usr/sbin/sshd: error while loading shared libraries: libcrypto.so.3: cannot open",
		"HTTP/1.1 400 Bad Request\r\n":                                                                 "",
		"":                                                                                             "",
	} {
		if got, ok := sshdsOwnWords(text); got != want || ok != (want != "") {
			t.Errorf("%q says %q, %v; want %q", text, got, ok, want)
		}
	}
}

func TestFirstLine(t *testing.T) {
	long := strings.Repeat("é", lineLimit+1)
	for text, want := range map[string]string{
		"one\ntwo": "one", `one\r\ntwo`: "one", ` one \n`: "one", "": "", long: long[:2*lineLimit] + "...",
	} {
		if got := firstLine(text); got != want {
			t.Errorf("firstLine(%q) = %q, want %q", text, got, want)
		}
	}
}
