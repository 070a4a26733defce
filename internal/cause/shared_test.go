package cause

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 250 * time.Millisecond: "0.25 s", 1860 * time.Millisecond: "1.86 s", 2500 * time.Millisecond: "2.5 s", time.Minute: "60 s", 350 * time.Second: "350 s", 15 * time.Minute: "15 min",
		2 * time.Hour: "2 h", 7875 * time.Second: "2 h 11 min", 49 * time.Hour: "2 d 1 h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}
