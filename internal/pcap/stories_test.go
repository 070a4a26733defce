package pcap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sshtay/internal/testenv"
)

func stories(t testing.TB, name string) []Story {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, tally, err := Stories(f, 22)
	if err != nil || tally.Broken != "" || len(all) == 0 {
		t.Fatalf("%s: %d stories, %+v, %v", name, len(all), tally, err)
	}
	return all
}

// TestStories: captures of real connections, made in the lab with tcpdump on
// the laptop and dumpcap on the server, tell what was done to them.
func TestStories(t *testing.T) {
	for name, c := range map[string]struct {
		stage  string // completed last
		end    End
		hole   *Hole
		idle   time.Duration // to the second
		stalls int
	}{
		"reset.pcap":              {"kex", End{Kind: Reset, By: "server", Sender: "middlebox", Hops: 2}, nil, 4 * time.Second, 0},
		"tap.pcap":                {"kexinit", End{Kind: Reset, By: "server", Sender: "middlebox", Hops: 3}, nil, 0, 0},
		"hole-to.pcap":            {"kexinit", End{Kind: Silence}, &Hole{"server", 93, 1500, 8}, 0, 3},
		"hole-to-server.pcapng":   {"banner", End{Kind: Closed, By: "server"}, &Hole{"server", 164, 1500, 0}, 0, 1},
		"hole-from.pcap":          {"kexinit", End{Kind: Closed, By: "client"}, &Hole{"client", 1188, 1500, 0}, 0, 1},
		"hole-from-server.pcapng": {"kexinit", End{Kind: Silence}, &Hole{"client", 1188, 1500, 8}, 0, 3},
		"loss-to.pcap":            {"kex", End{Kind: Open}, nil, 0, 0},
	} {
		s := stories(t, name)[0]
		if !strings.Contains(s.ClientIdent, "OpenSSH") || !strings.Contains(s.ServerIdent, "OpenSSH") || !s.Whole || s.Unread != "" || s.RTT < 20*time.Millisecond {
			t.Errorf("%s: %+v", name, s)
		}
		if len(s.Stages) == 0 || s.Stages[len(s.Stages)-1].Name != c.stage {
			t.Errorf("%s: stages %+v", name, s.Stages)
		}
		if s.End.Kind == Reset && len(s.End.Reasons) == 0 {
			t.Errorf("%s: nothing shows who sent the reset", name)
		}
		s.End.Reasons = nil
		if diff := cmp.Diff(c.end, s.End); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(c.hole, s.Hole); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if s.Idle.Truncate(time.Second) != c.idle || len(s.Stalls) != c.stalls {
			t.Errorf("%s: idle %v, stalls %+v", name, s.Idle, s.Stalls)
		}
	}
}

// TestAgainstTshark: the same counts for each direction of each connection.
func TestAgainstTshark(t *testing.T) {
	tshark := testenv.Need(t, "tshark")[0]
	files, err := filepath.Glob("testdata/*.pcap*")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		ours := map[string]string{}
		for _, s := range stories(t, filepath.Base(file)) {
			for from, c := range map[string]Count{s.Client.String(): s.FromClient, s.Server.String(): s.FromServer} {
				to := s.Server.String()
				if from == to {
					to = s.Client.String()
				}
				ours[from+" "+to] = fmt.Sprintf("%d packets, %d bytes, %d again", c.Packets, c.Bytes, c.Resent+c.Late)
			}
		}
		out, err := exec.Command(tshark, "-r", file, "-Y", "tcp", "-T", "fields", "-e", "ip.src", "-e", "tcp.srcport", "-e", "ip.dst", "-e", "tcp.dstport", "-e", "tcp.len",
			"-e", "tcp.analysis.retransmission", "-e", "tcp.analysis.fast_retransmission", "-e", "tcp.analysis.spurious_retransmission", "-e", "tcp.analysis.out_of_order").Output()
		if err != nil {
			t.Fatal(err)
		}
		type count struct{ packets, bytes, again int }
		counts := map[string]*count{}
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimRight(line, "\n"), "\t")
			key := f[0] + ":" + f[1] + " " + f[2] + ":" + f[3]
			if counts[key] == nil {
				counts[key] = &count{}
			}
			c, n := counts[key], 0
			fmt.Sscan(f[4], &n)
			c.packets++
			c.bytes += n
			if strings.Join(f[5:], "") != "" && n > 0 {
				c.again++
			}
		}
		theirs := map[string]string{}
		for key, c := range counts {
			theirs[key] = fmt.Sprintf("%d packets, %d bytes, %d again", c.packets, c.bytes, c.again)
		}
		if filepath.Base(file) == "tap.pcap" { // tshark calls what follows a forged reset out of order
			for key := range theirs {
				theirs[key], ours[key] = theirs[key][:strings.LastIndex(theirs[key], ",")], ours[key][:strings.LastIndex(ours[key], ",")]
			}
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%s (-tshark +ours): %s", file, diff)
		}
	}
}

// TestDamaged: of a capture that ends in the middle of a packet, or that lies
// about its lengths, what was readable is used and the rest is told.
func TestDamaged(t *testing.T) {
	whole, err := os.ReadFile("testdata/hole-to.pcap")
	if err != nil {
		t.Fatal(err)
	}
	all, tally, err := Stories(bytes.NewReader(whole[:len(whole)-100]), 22)
	if err != nil || tally.Broken == "" || len(all) != 1 || all[0].ServerIdent == "" {
		t.Errorf("cut: %d stories, %+v, %v", len(all), tally, err)
	}
	lying := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(lying[24+8:], 1<<31) // the length of the first packet
	if all, tally, err = Stories(bytes.NewReader(lying), 22); err != nil || tally.Broken == "" || len(all) != 0 {
		t.Errorf("lying: %d stories, %+v, %v", len(all), tally, err)
	}
	short := bytes.Clone(whole[:24])
	for rest := whole[24:]; len(rest) >= 16; { // as with tcpdump -s 80
		n := binary.LittleEndian.Uint32(rest[8:])
		head := bytes.Clone(rest[:16])
		binary.LittleEndian.PutUint32(head[8:], min(n, 80))
		short = append(append(short, head...), rest[16:16+min(n, 80)]...)
		rest = rest[16+n:]
	}
	all, tally, err = Stories(bytes.NewReader(short), 22)
	if err != nil || tally.Cut == 0 || len(all) != 1 || all[0].Unread == "" || all[0].Hole == nil {
		t.Errorf("snapped: %+v, %+v, %v", all, tally, err)
	}
	if _, _, err := Stories(strings.NewReader("Nov 21 10:00:00 web1 sshd[1]: hello\n"), 22); err == nil {
		t.Error("a log was taken for a capture")
	}
}

// FuzzStories: whatever a capture holds, its story ends.
func FuzzStories(f *testing.F) {
	for _, name := range []string{"reset.pcap", "tap.pcap", "hole-to-server.pcapng"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, _, err := Stories(bytes.NewReader(data), 22)
		if err != nil && len(all) > 0 {
			t.Error("stories of what is no capture")
		}
		for _, s := range all {
			if s.Took < 0 || s.FromClient.Bytes < 0 || s.FromServer.Resent < 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

// BenchmarkStories reads a capture of a bulk transfer.
func BenchmarkStories(b *testing.B) {
	data, err := os.ReadFile("testdata/loss-to.pcap")
	if err != nil {
		b.Fatal(err)
	}
	// The same packets many times over: the reading is what costs.
	many := bytes.Clone(data)
	for len(many) < 8<<20 {
		many = append(many, data[24:]...)
	}
	b.SetBytes(int64(len(many)))
	for b.Loop() {
		if _, _, err := Stories(bytes.NewReader(many), 22); err != nil {
			b.Fatal(err)
		}
	}
}
