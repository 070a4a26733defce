package sshconf

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestDurations(t *testing.T) {
	old, new := Release{Major: 9, Minor: 2}, Release{Major: 10, Minor: 3}
	const bad = -1
	for _, c := range []struct {
		in       string
		old, new int64
	}{
		{"0", 0, 0}, {"1", 1, 1}, {"2s", 2, 2}, {"3m", 180, 180}, {"1m30", 90, 90}, {"1m30s", 90, 90}, {"1h1s", 3601, 3601},
		{"1h30m", 5400, 5400}, {"1d", 86400, 86400}, {"1W", 604800, 604800}, {"1w2d3h4m5", 788645, 788645}, {"1w2d3h4m5s", 788645, 788645},
		{"-1", bad, bad}, {"", bad, bad}, {"trout", bad, bad}, {"-77", bad, bad}, {" ", bad, bad}, {"5x", bad, bad}, {"m", bad, bad},
		{fmt.Sprint(math.MaxInt32), math.MaxInt32, math.MaxInt32}, {fmt.Sprint(math.MaxInt32 + 1), bad, bad},
		{"3550w5d3h14m7s", 2147483647, 2147483647}, {"3550w5d3h14m8s", bad, bad}, {"99999d", bad, bad},
		{strings.Repeat("9", 400), bad, bad}, {"0x10", bad, bad},
		{"5s5", 10, bad}, {"1h 30m", 5400, bad}, {"+5", 5, bad}, {" 5", 5, bad}, {"5 ", bad, bad},
		{"10.5", bad, 10}, {"1m.5s", bad, 60}, {"1.5m", bad, bad}, {"1.s", bad, bad}, {"1.0d0.5s", bad, bad}, {"1e10", bad, bad},
		{"inf", bad, bad}, {"1s1.5", bad, bad}, {".5s", bad, 0},
	} {
		for _, r := range []struct {
			release Release
			want    int64
		}{{old, c.old}, {new, c.new}} {
			got, err := r.release.duration(c.in)
			if err != nil {
				got = bad
			}
			if got != r.want {
				t.Errorf("%d.%d: %q is %d, want %d", r.release.Major, r.release.Minor, c.in, got, r.want)
			}
		}
	}
}

func TestBytesWithUnits(t *testing.T) {
	const bad = -1
	for in, want := range map[string]int64{
		"0": 0, "16": 16, "1K": 1024, "64k": 65536, "1G": 1 << 30, "1.5K": 1536, "2.75G": 2952790016, "1e": 1 << 60, "K": 0, "": 0,
		"1KB": bad, "1..5K": bad, "x": bad, "1x": bad, "++1": bad, "9999999999999999999": bad, "16E": bad, "100b": 100, "1.9": 1,
	} {
		got, err := scaled(in)
		if err != nil {
			got = bad
		}
		if got != want {
			t.Errorf("%q is %d, want %d", in, got, want)
		}
	}
	if n, err := scaled("-1.5K"); n != -1536 || err != nil {
		t.Errorf("-1.5K is %d, %v", n, err)
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		s, pattern string
		want       bool
	}{
		{"", "", true}, {"", "aaa", false}, {"aaa", "", false}, {"aaa", "aaaa", false}, {"aaaa", "aaa", false},
		{"", "*", true}, {"a", "?", true}, {"aa", "a?", true}, {"a", "*", true}, {"aa", "a*", true}, {"aa", "?*", true},
		{"aa", "**", true}, {"aa", "?a", true}, {"aa", "*a", true}, {"ba", "a?", false}, {"ba", "a*", false}, {"ab", "?a", false},
		{"ab", "*a", false}, {"", "?", false}, {"abcbc", "a*bc", true}, {"web1.example.com", "*.example.*", true},
		{strings.Repeat("a", 5000), strings.Repeat("*a", 2000) + "b", false}, // at once
	} {
		if got := match(c.s, c.pattern); got != c.want {
			t.Errorf("%.20q %.20q: %v", c.s, c.pattern, got)
		}
	}
	for _, c := range []struct {
		s, list string
		lower   bool
		want    verdict
	}{
		{"", "", false, unmatched}, {"", "*", false, matched}, {"", "!*", false, negated}, {"", "!a,*", false, matched},
		{"", "*,!a", false, matched}, {"", "a,!*", false, negated}, {"", "!*,a", false, negated}, {"a", "", false, unmatched},
		{"a", "*", false, matched}, {"a", "!a", false, negated}, {"a", "!b", false, unmatched}, {"a", "!a,*", false, negated},
		{"b", "!a,*", false, matched}, {"a", "*,!a", false, negated}, {"b", "*,!a", false, matched}, {"a", "a,!*", false, negated},
		{"b", "a,!*", false, negated}, {"a", "a,!a", false, negated}, {"b", "a,!a", false, unmatched}, {"b", "!*,a", false, negated},
		{"abc", "ABC", false, unmatched}, {"ABC", "abc", false, unmatched}, {"abc", "ABC", true, matched}, {"ABC", "abc", true, unmatched},
		{"a", "a," + strings.Repeat("x", maxPattern), false, unmatched}, // too long a pattern spoils the list
	} {
		if got := matchList(c.s, c.list, c.lower); got != c.want {
			t.Errorf("%q %.20q %v: %d, want %d", c.s, c.list, c.lower, got, c.want)
		}
	}
}

func TestAddressLists(t *testing.T) {
	const broken verdict = 9
	for _, c := range []struct {
		addr, list string
		want       verdict
	}{
		{"127.0.0.1", "127.0.0.1/44", broken}, {"", "127.0.0.1/44", broken}, {"a", "*", unmatched}, {"127.0.0.1", "*", matched},
		{"", "*", unmatched}, {"127.0.0.1", "127.0.0.1", matched}, {"127.0.0.1", "127.0.0.2", unmatched}, {"127.0.0.1", "!127.0.0.1", negated},
		{"127.0.0.1", "!127.0.0.2", unmatched}, {"127.0.0.255", "127.0.0.0/24", matched}, {"127.0.1.1", "127.0.0.0/24", unmatched},
		{"127.0.0.1", "!127.0.0.0/24", negated}, {"127.0.0.1", "10.0.0.1,!127.0.0.1", negated}, {"127.0.0.1", "!127.0.0.1,10.0.0.1", negated},
		{"127.0.0.1", "10.0.0.1,127.0.0.2", unmatched}, {"10.0.0.1", "10.0.0.1/8", broken}, {"::1", "::/0", matched}, {"10.0.0.1", "::/0", unmatched},
		{"2001:db8::1", "2001:db8::/32", matched}, {"2001:db8::1", "2001:0db8::1", matched}, {"127.0.0.1", "127.1", matched},
		{"10.1.2.3", "10.*", matched}, {"10.1.2.3", "host.example.com", unmatched}, {"10.1.2.3", "", broken}, {"10.1.2.3", "a,,b", broken},
		{"10.1.2.3", "10.0.0.0/x", unmatched}, {"::ffff:10.0.0.1", "10.0.0.0/8", unmatched},
	} {
		got, err := matchAddrList(c.addr, c.list)
		if err != nil {
			got = broken
		}
		if got != c.want {
			t.Errorf("%q in %q: %d, want %d", c.addr, c.list, got, c.want)
		}
	}
}

// The C library takes more for an address than its usual forms.
func TestNumericAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"127.1": "127.0.0.1", "0x7f.1": "127.0.0.1", "2130706433": "127.0.0.1", "0177.0.0.1": "127.0.0.1", "1.2.3": "1.2.0.3",
		"::1.2.3.4": "::1.2.3.4", "::0001": "::1", "2001:DB8::": "2001:db8::", "::ffff:1.2.3.4": "::ffff:1.2.3.4", "fe80::1%lo": "fe80::1%lo",
		"256.1": "", "1.2.3.4.5": "", "1.2.3.256": "", "08.1": "", "web": "", "": "", "1.": "", ":::": "", "4294967296": "",
	} {
		got := ""
		if a, ok := parseAddr(in); ok {
			got = addrText(a)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestExpansion(t *testing.T) {
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"FOO": "bar", "BAR": "baz"}[name]
		return value, ok
	}
	tok := tokens{'h': "host", 'n': "name"}
	for _, c := range []struct {
		in, want string // want "" is an error
		tokens   tokens
		env      func(string) (string, bool)
	}{
		{"${FOO}", "bar", nil, env}, {" ${FOO} ", " bar ", nil, env}, {"${FOO}${BAR}", "barbaz", nil, env}, {"$", "$", nil, env},
		{"$FOO", "$FOO", nil, env}, {"a${BAZ}b", "", nil, env}, {"${", "", nil, env}, {"${F", "", nil, env}, {"${}", "", nil, env},
		{"%%", "%", tok, nil}, {"%h", "host", tok, nil}, {" %h %n ", " host name ", tok, nil}, {"%h${FOO}", "hostbar", tok, env},
		{"%x", "", tok, nil}, {"a%", "", tok, nil}, {"${FOO}", "${FOO}", tok, nil}, {"%h", "%h", nil, nil},
	} {
		got, err := expand(c.in, c.tokens, c.env)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
		}
	}
	if _, err := expand("${NO}%", tok, env); errors.Is(err, errUnsetVariable) {
		t.Error("a mistake counts more than an unset variable")
	}
	if _, err := expand(strings.Repeat("%h", 10), tokens{'h': strings.Repeat("x", maxExpanded/5)}, nil); err == nil {
		t.Error("no end to what tokens make")
	}
}

func TestGlob(t *testing.T) {
	env := Files(map[string][]byte{"/etc/ssh/a.conf": nil, "/etc/ssh/b.conf": nil, "/etc/ssh/.c.conf": nil, "/etc/ssh/d/e.conf": nil, "/etc/ssh/x[1]": nil})
	for pattern, want := range map[string][]string{
		"/etc/ssh/*.conf":      {"/etc/ssh/a.conf", "/etc/ssh/b.conf"},
		"/etc/ssh/.*.conf":     {"/etc/ssh/.c.conf"},
		"/etc/ssh/[!a].conf":   {"/etc/ssh/b.conf"},
		"/etc/ssh/[a-b].conf":  {"/etc/ssh/a.conf", "/etc/ssh/b.conf"},
		"/etc/*/?/*.conf":      {"/etc/ssh/d/e.conf"},
		"/etc/ssh/a.conf":      {"/etc/ssh/a.conf"},
		"/etc/ssh/none":        nil,
		"/etc/ssh//a.conf":     {"/etc/ssh/a.conf"},
		`/etc/ssh/x\[1\]`:      {"/etc/ssh/x[1]"},
		"/etc/ssh/[":           nil,
		"/etc/ssh/*a*.c*o*n*f": {"/etc/ssh/a.conf"},
	} {
		if got, err := env.Glob(pattern); !slices.Equal(got, want) || err != nil {
			t.Errorf("%s: %q, %v; want %q", pattern, got, err, want)
		}
	}
}

func TestServices(t *testing.T) {
	got := map[string]int{"ssh": 22}
	readServices("# x\nssh\t2222/tcp\nhttp 80/tcp www # web\nhttp 81/tcp\nhttp3 80/udp\nbad\nx 99999/tcp\n", got)
	if want := map[string]int{"ssh": 2222, "www": 80, "http": 80}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Lists of algorithms start from what the release proposes.
func TestAlgorithmLists(t *testing.T) {
	r := debian12
	for _, c := range []struct {
		kind             algorithmKind
		list, has, lacks string // has "" is an error
	}{
		{keyAlgorithms, "ssh-ed25519", "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"},
		{keyAlgorithms, "-ssh-ed25519-cert*", "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"},
		{keyAlgorithms, "-ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519"},
		{keyAlgorithms, "+ssh-dss-cert*", "ssh-dss-cert-v01@openssh.com", "ssh-dss"},
		{keyAlgorithms, "+ssh-dss", "ssh-dss", "ssh-dss-cert-v01@openssh.com"},
		{cipherAlgorithms, "^3des-cbc", "3des-cbc", "aes128-cbc"},
		{cipherAlgorithms, "arcfour", "", ""},
		{keyAlgorithms, "ED25519", "", ""},
	} {
		full, err := r.assemble(c.kind, c.list, r.defaultAlgorithms(c.kind, false))
		names := strings.Split(full, ",")
		if (err == nil) != (c.has != "") || c.has != "" && (!slices.Contains(names, c.has) || slices.Contains(names, c.lacks)) {
			t.Errorf("%s: %s, %v", c.list, full, err)
		}
	}
	if full, _ := r.assemble(cipherAlgorithms, "^aes256-ctr", r.defaultAlgorithms(cipherAlgorithms, false)); !strings.HasPrefix(full, "aes256-ctr,chacha20") {
		t.Errorf("^ puts first: %s", full)
	}
}

func TestNetworksOfThisMachine(t *testing.T) {
	a := netip.MustParseAddr("10.1.2.3")
	for list, want := range map[string]bool{"10.0.0.0/8": true, "192.168.0.0/16,10.1.2.3": true, "192.168.0.0/16": false} {
		if got, err := matchNetworks(a, list); got != want || err != nil {
			t.Errorf("%s: %v, %v", list, got, err)
		}
	}
	for _, list := range []string{"", "10.0.0.1/8", "x", "10.0.0.0/8,"} {
		if _, err := matchNetworks(a, list); err == nil {
			t.Errorf("%q is no list of networks", list)
		}
	}
}
