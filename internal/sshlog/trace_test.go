package sshlog

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sshtay/internal/fact"
)

// transcripts are runs of ssh, named by the version and what happened.
var transcripts = map[string]struct {
	stage, reason string
	method        string
	methods       string
	says          string // part of the error
}{
	"7.4-session":               {Session, "", "publickey", "publickey,gssapi-keyex,gssapi-with-mic,password", ""},
	"7.9-http":                  {Connect, "not-ssh", "", "", "closed by remote host"},
	"7.9-reset-before-banner":   {Connect, "reset", "", "", "Connection reset by peer"},
	"8.2-closed-before-banner":  {Connect, "closed", "", "", "closed by remote host"},
	"9.2-banner-timeout":        {Connect, "timed-out", "", "", "during banner exchange"},
	"9.2-changed-host-key":      {Banner, "host-key-changed", "", "", "Offending ED25519 key in /tmp/cl/kh2:1"},
	"9.2-cut-in-session":        {Session, "reset", "publickey", "", "Broken pipe"},
	"9.2-jump-host-denies":      {None, "proxy-failed", "", "", "deploy@bastion: Permission denied"},
	"9.2-max-sessions":          {Auth, "session-refused", "publickey", "", "open failed"},
	"9.2-no-cipher":             {Banner, "no-common-algorithm", "", "", "no matching cipher found"},
	"9.2-proxy-ends":            {None, "proxy-failed", "", "", "exec: exit: not found"},
	"9.2-server-says-it-is-ssh": {Kex, "permission-denied", "", "publickey", "deploy@web1"},
	"9.2-session":               {Session, "", "publickey", "publickey", ""},
	"9.2-unknown-host-key":      {Banner, "host-key-unknown", "", "", "verification failed"},
	"9.2-wrong-key":             {Kex, "permission-denied", "", "publickey", "Permission denied (publickey)"},
	"9.6-too-many-keys":         {Kex, "too-many-failures", "", "publickey,password", "Too many authentication failures"},
	"9.8-corrupted":             {Kex, "bad-packet", "", "", "message authentication code incorrect"},
	"10.5-reset-in-kex":         {Banner, "reset", "", "", "Connection reset by 192.0.2.7"},
	"10.5-throttled":            {Connect, "throttled", "", "", "Not allowed at this time"},
}

func TestTranscripts(t *testing.T) {
	for name, want := range transcripts {
		var trace Trace
		for line := range strings.Lines(read(t, filepath.Join("testdata/trace", name+".txt"))) {
			trace.Add(line)
		}
		if trace.Stage() != want.stage || trace.Reason() != want.reason || trace.Method != want.method ||
			strings.Join(trace.Methods, ",") != want.methods || !strings.Contains(trace.Error(), want.says) || want.says == "" && trace.Error() != "" {
			t.Errorf("%s: stage %s, reason %q, method %q of %q, error %q; want %+v",
				name, trace.Stage(), trace.Reason(), trace.Method, trace.Methods, trace.Error(), want)
		}
	}
	if files, _ := filepath.Glob("testdata/trace/*.txt"); len(files) != len(transcripts) {
		t.Errorf("%d transcripts on disk, %d in the table", len(files), len(transcripts))
	}
}

// TestServerAcceptsKey: that a key is good, and that it is not, is known
// before the login is over.
func TestServerAcceptsKey(t *testing.T) {
	for name, want := range map[string]bool{"9.2-session": true, "9.2-wrong-key": false, "9.6-too-many-keys": false} {
		var trace Trace
		for line := range strings.Lines(read(t, filepath.Join("testdata/trace", name+".txt"))) {
			trace.Add(line)
		}
		if trace.Taken != want {
			t.Errorf("%s: a key was accepted: %v, want %v", name, trace.Taken, want)
		}
	}
}

// TestSayings holds single lines of many versions to their words.
func TestSayings(t *testing.T) {
	for line, want := range map[string]string{
		"/home/u/.ssh/config: line 3: Bad configuration option: foo":                                  "config-error",
		"/home/u/.ssh/config line 3: invalid time value.":                                             "config-error",
		"command-line line 0: Bad number.":                                                            "config-error",
		"Bad owner or permissions on /home/u/.ssh/config":                                             "config-error",
		"ssh: Could not resolve hostname web1: Name or service not known":                             "name-not-found",
		"ssh: Could not resolve hostname web1: nodename nor servname provided, or not known":          "name-not-found",
		"ssh: Could not resolve hostname web1: Temporary failure in name resolution":                  "name-failed",
		"ssh: Could not resolve hostname web1: Try again":                                             "name-failed",
		"ssh: connect to host web1 port 22: Connection refused":                                       "refused",
		"ssh: connect to host web1 port 22: Operation timed out":                                      "timed-out",
		"ssh: connect to host web1 port 22: No route to host":                                         "unreachable",
		"ssh: connect to host web1 port 22: Network is unreachable":                                   "no-route",
		"ssh: connect to host web1 port 22: Permission denied":                                        "local-error",
		"kex_exchange_identification: read: Connection reset by peer":                                 "reset",
		"kex_exchange_identification: banner line contains invalid characters":                        "not-ssh",
		"banner exchange: Connection to 192.0.2.7 port 22: invalid format":                            "not-ssh",
		"Protocol major versions differ: 2 vs. 1":                                                     "version-mismatch",
		"Unable to negotiate with 192.0.2.7 port 22: no matching host key type found. Their offer: x": "no-common-algorithm",
		"@       WARNING: REVOKED HOST KEY DETECTED!               @":                                 "host-key-revoked",
		"No ED25519 host key is known for web1 and you have requested strict checking.":               "host-key-unknown",
		"Bad server host key: Invalid key length":                                                     "bad-signature",
		"ssh_dispatch_run_fatal: Connection to 192.0.2.7 port 22: incorrect signature":                "bad-signature",
		"ssh_dispatch_run_fatal: Connection to 192.0.2.7 port 22: unexpected internal error":          "protocol-error",
		"Bad packet length 1213486160.":                                                               "bad-packet",
		"Corrupted MAC on input.":                                                                     "bad-packet",
		"Received disconnect from 192.0.2.7 port 22:11: Bye":                                          "disconnected",
		"Received disconnect from 192.0.2.7: 2: Too many authentication failures for root":            "too-many-failures",
		"Permission denied (publickey).":                                                              "permission-denied",
		"exec request failed on channel 0":                                                            "session-refused",
		"Timeout, server web1 not responding.":                                                        "timed-out",
		"Connection to 192.0.2.7 port 22 timed out":                                                   "timed-out",
		"Connection to web1 closed by remote host.":                                                   "closed",
		"packet_write_wait: Connection to 192.0.2.7 port 22: Broken pipe":                             "reset",
		"Read from remote host web1: Connection reset by peer":                                        "reset",
		"Connection closed by 192.0.2.7 port 22":                                                      "closed",
		"Connection reset by 192.0.2.7 port 22":                                                       "reset",
		"OpenSSL version mismatch. Built against 30000080, you have 30100000":                         "local-error",
		"Welcome to web1. Connection closed by mistake? Call us.":                                     "",
		"Load key \"/home/u/.ssh/id_ed25519\": bad permissions":                                       "",
	} {
		var trace Trace
		trace.Add(line + "\r\n")
		if trace.Reason() != want {
			t.Errorf("%q is %q, want %q", line, trace.Reason(), want)
		}
	}
}

// TestWordsAreOfTheClosedList: causes know no other words than these.
func TestWordsAreOfTheClosedList(t *testing.T) {
	for _, s := range symptomTable {
		if s.reason != "" && !slices.Contains(fact.LoginReasons, s.reason) {
			t.Errorf("%q is not a word of login.reason", s.reason)
		}
	}
}

// TestTheFirstReasonStays, and the error keeps the last lines.
func TestTheFirstReasonStays(t *testing.T) {
	var trace Trace
	for _, line := range []string{"Corrupted MAC on input.", "ssh_dispatch_run_fatal: Connection to 192.0.2.7 port 22: message authentication code incorrect"} {
		if !trace.Add(line) {
			t.Errorf("%q is not taken as ssh's own", line)
		}
	}
	if trace.Reason() != "bad-packet" || strings.Count(trace.Error(), ";") != 1 {
		t.Errorf("reason %q, error %q", trace.Reason(), trace.Error())
	}
	if trace.Add("hello") {
		t.Error("a line of the session is taken as ssh's own")
	}
}

func FuzzTrace(f *testing.F) {
	for name := range transcripts {
		f.Add(read(f, filepath.Join("testdata/trace", name+".txt")))
	}
	f.Fuzz(func(t *testing.T, text string) {
		var trace, again Trace
		for line := range strings.Lines(text) {
			trace.Add(line)
			again.Add(line)
		}
		if !reflect.DeepEqual(trace, again) {
			t.Error("the same lines gave two answers")
		}
		if !slices.Contains(stages, trace.Stage()) || trace.Reason() != "" && !slices.Contains(fact.LoginReasons, trace.Reason()) {
			t.Errorf("stage %q, reason %q", trace.Stage(), trace.Reason())
		}
		if len(trace.errors) > maxErrors || len(trace.Methods) > maxMethods {
			t.Errorf("kept %d errors and %d methods", len(trace.errors), len(trace.Methods))
		}
	})
}

func read(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
