package target

import (
	"slices"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, good := range []string{"", "web1", "deploy@web1", "ssh://deploy@web1:2222", "2001:db8::1", "user@domain@host", "xn--grn-ioa"} {
		if err := (Target{Given: good}).Validate(); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"-oProxyCommand=id", "@host", "user@", "user@-oProxyCommand=id", "a b", "a\nb", "a\x1b[2J", strings.Repeat("x", 2000)} {
		if err := (Target{Given: bad}).Validate(); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	for _, port := range []int{-1, 65536} {
		if err := (Target{Given: "web1", Port: port}).Validate(); err == nil {
			t.Errorf("port %d was accepted", port)
		}
	}
}

func TestSSHArgs(t *testing.T) {
	got := Target{Given: "web1", ConfigFile: "f", Port: 22, Identities: []string{"a", "b"}, Jump: "j", User: "u", Options: []string{"X=1", "Y 2"}, Family: 6}.SSHArgs()
	want := strings.Split("-F f -p 22 -i a -i b -J j -l u -o X=1 -o", " ")
	want = append(want, "Y 2", "-6")
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if got := (Target{Given: "web1"}).SSHArgs(); len(got) != 0 {
		t.Errorf("no options gave %q", got)
	}
}
