package change_test

import (
	"testing"

	"sshtay/internal/change"
	"sshtay/internal/commit"
	"sshtay/internal/remedy"
	"sshtay/internal/testenv"
)

// greets ends well when a real sshd on this machine greets a new client and
// agrees with it on a key.
const greets = "ssh-keyscan -T 3 -t ed25519 127.0.0.1 2>/dev/null | grep -q ed25519"

// serving is a machine whose real sshd serves.
const serving = "mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; echo 'HostKey /etc/ssh/ssh_host_ed25519_key' >/etc/ssh/sshd_config; " + noInit

// noInit leaves nobody who starts sshd but ourselves.
const noInit = "rm -f /etc/init.d/ssh*\n"

// TestMends: what is broken by a real fault works after the change, and is
// broken again when it is rolled back.
func TestMends(t *testing.T) {
	testenv.Need(t, "sshd", "ssh-keyscan", "ssh-keygen", "nft", "ip", "ss", "socat")
	for name, tt := range map[string]struct {
		setup string
		kind  remedy.Kind
		with  map[string]string
		works string
	}{
		"hosts.deny": {
			setup: serving + "/usr/sbin/sshd >/dev/null 2>&1; echo 'sshd: ALL' >/etc/hosts.deny",
			kind:  remedy.HostsDeny, with: map[string]string{"address": "127.0.0.1"}, works: greets,
		},
		"the privilege separation folder": {
			setup: serving + "/usr/sbin/sshd >/dev/null 2>&1; rmdir /run/sshd",
			kind:  remedy.PrivsepDir, works: greets,
		},
		"the folder, and sshd did not start for it": {
			setup: serving + "rmdir /run/sshd",
			kind:  remedy.PrivsepDir, works: greets,
		},
		"no host keys": {
			setup: serving + "rm /etc/ssh/ssh_host_*", kind: remedy.HostKeys, works: greets,
		},
		"open host keys": {
			setup: serving + "chmod 644 /etc/ssh/ssh_host_ed25519_key", kind: remedy.HostKeys, works: greets,
		},
		"a dead sshd": {setup: serving, kind: remedy.StartSSHD, works: greets},
		"the clamp": {
			setup: "socat TCP-LISTEN:7,fork,reuseaddr EXEC:'sleep 5' >/dev/null 2>&1 &\n", kind: remedy.MSSClamp, with: map[string]string{"mss": "1240"},
			// The kernel sends no segment of more than 1240 bytes to either end.
			works: `socat -u TCP:127.0.0.1:7,retry=20,interval=0.1 - >/dev/null & c=$!
n=0; until ss -Htn state established 'dport = :7' | grep -q :7; do n=$((n+1)); [ $n -lt 100 ]; sleep 0.05; done
all=$(ss -Htin state established '( dport = :7 or sport = :7 )'); kill $c
printf '%s\n' "$all" | grep -o ' mss:[0-9]*' | awk -F: '{ if ($2 > 1240) bad = 1; n++ } END { exit bad || !n }'`,
		},
		"the route": {
			setup: network, kind: remedy.RouteMTU, with: map[string]string{"to": "198.51.100.7", "mtu": "1280"},
			works: "ip route get 198.51.100.7 | grep -q 'mtu 1280' && ! ip route get 198.51.100.8 | grep -q mtu",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.must("ip link set lo up\n" + tt.setup)
			steps := []remedy.Step{{Kind: tt.kind, Text: "mend it", With: tt.with}}
			if tt.kind == remedy.HostKeys { // none came up without
				steps = append(steps, remedy.Step{Kind: remedy.StartSSHD, Text: "start it"})
			}
			if status, _ := m.sh(tt.works); status == 0 {
				t.Fatal("it works before it is mended")
			}
			changes, left, err := change.Plan(t.Context(), m, remedy.Server, change.Request{}, []change.Wanted{{Cause: "test", Remedy: remedy.Remedy{ID: "mend", Side: remedy.Server, Steps: steps}}})
			if err != nil || len(left) > 0 {
				t.Fatalf("%v, left: %+v", err, left)
			}
			out, err := commit.Apply(t.Context(), m, commit.Transaction{ID: "mend", Title: "mend it", Changes: changes})
			if err != nil || out.Code != commit.OK {
				t.Fatalf("code %d, %v: %s", out.Code, err, out.Said)
			}
			if status, said := m.sh(tt.works); status != 0 {
				t.Errorf("it does not work after it was mended: %s\n%s", said, out.Said)
			}
			if out, err = commit.Rollback(t.Context(), m, "mend", "by the test"); err != nil || out.Code != commit.OK {
				t.Fatalf("code %d, %v: %s", out.Code, err, out.Said)
			}
			if status, _ := m.sh(tt.works); status == 0 {
				t.Error("it works after the rollback")
			}
		})
	}
}
