//go:build unix

package sshlog

import (
	"bytes"
	"context"
	"syscall"
	"testing"
	"time"
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
