//go:build unix

package sshlog

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sshtay/internal/testenv"
)

// BenchmarkRead reads an auth.log in memory; MB/s is of the log's text, and
// MB/cpu-s what one processor would do in a second that it had for itself.
func BenchmarkRead(b *testing.B) {
	for _, iso := range []bool{false, true} {
		name := map[bool]string{false: "syslog", true: "iso"}[iso]
		log, text := newAuthLog(1, iso), []byte(nil)
		for len(text) < 64<<20 {
			text = log.some(text)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			before := cpuTime(b)
			for b.Loop() {
				var s Story
				err := Read(context.Background(), bytes.NewReader(text), Options{Now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}, func(batch *Batch) error {
					s.Add(batch)
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				s.End()
				b.ReportMetric(float64(s.Unread)/float64(s.Lines), "unread/line")
			}
			b.ReportMetric(float64(len(text)*b.N)/1e6/(cpuTime(b)-before).Seconds(), "MB/cpu-s")
		})
	}
}

// cpuTime is the processors' time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchBytes is the size of the log of the figures.
const benchBytes = 1_000_000_000

// theLog writes an auth.log of a gigabyte: the catalogue's messages at the
// rates of a server on the internet.
func theLog(b *testing.B) string {
	name := filepath.Join(b.TempDir(), "auth.log")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	log := newAuthLog(1, false)
	var some []byte
	for written := 0; written < benchBytes; written += len(some) {
		some = log.some(some[:0])
		if _, err := w.Write(some); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	return name
}

// BenchmarkLogs reads the log with the program that SSHTAY names, and with
// what one types today; those that are slow get its first part only. MB/s is
// what came out; MB/cpu-s what one processor would do that has nothing else to do;
// MiB is the most memory that was in use.
func BenchmarkLogs(b *testing.B) {
	program := os.Getenv("SSHTAY")
	if program == "" {
		b.Skip("SSHTAY must name the program to measure: use `make bench`")
	}
	name := theLog(b)
	dir := b.TempDir()
	part := filepath.Join(dir, "auth.log")
	if out, err := exec.Command("sh", "-c", fmt.Sprintf("head -c 2000000 %s >%s", name, part)).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for _, c := range []struct{ what, line string }{
		{"sshtay", program + " explain --json " + name},
		{"grep-c", "grep -c sshd " + name},
		{"fail2ban-regex", "fail2ban-regex " + part + " sshd"},
		{"logwatch", "logwatch --service sshd --range all --logdir " + dir + " --archives no --numeric --output stdout --detail high"},
		{"lnav", "lnav -n -c ';SELECT count(*) FROM all_logs' " + part},
	} {
		b.Run(c.what, func(b *testing.B) {
			testenv.Need(b, strings.Fields(strings.ReplaceAll(c.line, program, "sh"))[0])
			file := name
			if strings.Contains(c.line, dir) {
				file = part
			}
			info, err := os.Stat(file)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			var used time.Duration
			var most int64
			for b.Loop() {
				cmd := exec.Command("timeout", "120", "sh", "-c", c.line+" 2>/dev/null")
				cmd.Stdout = io.Discard // a pipe: grep would stop at the first line for /dev/null
				if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
					b.Fatal(err)
				}
				u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
				used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				most = max(most, u.Maxrss)
			}
			b.ReportMetric(float64(info.Size())*float64(b.N)/1e6/used.Seconds(), "MB/cpu-s")
			b.ReportMetric(float64(most)/1024, "MiB")
		})
	}
}
