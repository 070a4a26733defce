package cli

import (
	"testing"
	"time"
)

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.FixedZone("CET", 3600))
	at := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, now.Location())
	}
	for text, want := range map[string]time.Time{
		"7d": at(11, 21, 12, 0), "36h": at(11, 27, 0, 0), "2w": at(11, 14, 12, 0), "90m": at(11, 28, 10, 30), "1.5d": at(11, 27, 0, 0),
		"2026-11-20": at(11, 20, 0, 0), "2026-11-20 10:00": at(11, 20, 10, 0), "2026-11-20T10:00": at(11, 20, 10, 0), "2026-11-20T09:00:00Z": at(11, 20, 10, 0),
	} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v %v, want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"d", "-7d", "0h", "NaNd", "1e30d", "99999999999w", "yesterday", "2026-13-01", "2026-11-29", " "} {
		if got, err := parseSince(bad, now); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	if got, err := parseSince("", now); err != nil || !got.IsZero() {
		t.Errorf("nothing: %v %v", got, err)
	}
}
