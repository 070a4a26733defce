package cli

import (
	"strconv"
	"strings"
	"time"
)

// sinceUnits are those that time.ParseDuration does not know.
var sinceUnits = map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

// mostSince is the farthest that one may look back.
const mostSince = 100 * 365 * 24 * time.Hour

// parseSince reads what --since takes: a time that has passed since, such as
// 7d or 36h, or a date, with or without an hour, in this machine's zone. An
// empty text is no time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	wrong := usage("", "--since %q: want a time such as 7d, 36h, 2026-11-20 or \"2026-11-20 10:00\"", text)
	ago, err := time.ParseDuration(text)
	if unit, known := sinceUnits[text[len(text)-1]]; known {
		var n float64
		n, err = strconv.ParseFloat(text[:len(text)-1], 64)
		if err == nil && !(n*float64(unit) <= float64(mostSince)) {
			return time.Time{}, wrong
		}
		ago = time.Duration(n * float64(unit))
	}
	if err == nil {
		if ago <= 0 || ago > mostSince {
			return time.Time{}, wrong
		}
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, strings.TrimSpace(text), now.Location()); err == nil {
			if t.After(now) {
				return time.Time{}, usage("", "--since %q: that is still to come", text)
			}
			return t, nil
		}
	}
	return time.Time{}, wrong
}
