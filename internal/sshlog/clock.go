package sshlog

import (
	"strings"
	"time"
)

// A clock reads the times of logs. It remembers the hour and the second it read
// last, and how they were written: taking a million lines of one day apart must
// not ask for a calendar a million times.
type clock struct {
	now time.Time // gives the year that a time may lack, and its location

	hour [16]byte // how the last hour was written, its zone after it
	zone string
	at   time.Time

	second string // how the last second was written in syslog's form
	then   time.Time
}

// months are the names in the files of syslog daemons.
const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// cut takes the time from the begin of a line. The forms: "Nov 21 00:15:33 ",
// "2026-11-21T00:15:33.123+01:00 " and its variants, "Sat 2026-11-21 00:15:33
// CET ", and "1795220133.123456 ".
func (c *clock) cut(s string) (t time.Time, rest string, ok bool) {
	switch {
	case len(s) < 11:
		return time.Time{}, s, false
	case s[3] == ' ' && len(s) > 15 && s[6] == ' ' && s[9] == ':' && s[12] == ':' && s[15] == ' ':
		return c.syslog(s)
	case s[4] == '-' && s[7] == '-' && (s[10] == 'T' || s[10] == ' '):
		return c.iso(s, false)
	case s[3] == ' ' && len(s) > 24 && s[8] == '-' && s[11] == '-':
		return c.iso(s[4:], true)
	case s[9] == '.' || s[10] == '.':
		return c.unix(s)
	}
	return time.Time{}, s, false
}

// syslog reads "Nov 21 00:15:33 ", the time of RFC 3164.
func (c *clock) syslog(s string) (time.Time, string, bool) {
	if s[:15] == c.second {
		return c.then, s[16:], true
	}
	minute, ok := two(s[10:])
	second, ok2 := two(s[13:])
	if !ok || !ok2 {
		return time.Time{}, s, false
	}
	if string(c.hour[:9]) != s[:9] || c.zone != "syslog" {
		month := strings.Index(months, s[:3])
		day, ok := two(strings.Replace(s[4:6], " ", "0", 1))
		hour, ok2 := two(s[7:])
		if month < 0 || month%3 != 0 || !ok || !ok2 || day < 1 || day > 31 || hour > 23 {
			return time.Time{}, s, false
		}
		location := c.now.Location()
		t := time.Date(c.now.Year(), time.Month(month/3+1), day, hour, 0, 0, 0, location)
		if t.After(c.now.Add(24 * time.Hour)) {
			t = time.Date(c.now.Year()-1, time.Month(month/3+1), day, hour, 0, 0, 0, location)
		}
		copy(c.hour[:], s[:9])
		c.zone, c.at = "syslog", t
	}
	c.second, c.then = s[:15], c.at.Add(time.Duration(minute*60+second)*time.Second)
	return c.then, s[16:], true
}

// iso reads "2026-11-21T00:15:33", a fraction, and a zone; with a name of a
// zone after a space where that is wanted.
func (c *clock) iso(s string, named bool) (time.Time, string, bool) {
	if len(s) < 19 || s[13] != ':' || s[16] != ':' {
		return time.Time{}, s, false
	}
	minute, ok := two(s[14:])
	second, ok2 := two(s[17:])
	if !ok || !ok2 {
		return time.Time{}, s, false
	}
	end := 19
	var fraction time.Duration
	if end < len(s) && (s[end] == '.' || s[end] == ',') {
		unit := time.Second
		for end++; end < len(s) && s[end]-'0' <= 9; end++ {
			if unit /= 10; unit > 0 {
				fraction += time.Duration(s[end]-'0') * unit
			}
		}
	}
	zoneEnd := strings.IndexByte(s[end:], ' ')
	if zoneEnd < 0 {
		return time.Time{}, s, false
	}
	zone, rest := s[end:end+zoneEnd], s[end+zoneEnd+1:]
	if named {
		_, rest, _ = strings.Cut(rest, " ")
	}
	if string(c.hour[:13]) != s[:13] || c.zone != zone {
		t, ok := c.isoHour(s[:13], zone)
		if !ok {
			return time.Time{}, s, false
		}
		copy(c.hour[:], s[:13])
		c.zone, c.at = strings.Clone(zone), t
	}
	return c.at.Add(time.Duration(minute*60+second)*time.Second + fraction), rest, true
}

// isoHour reads "2026-11-21T00" with its zone.
func (c *clock) isoHour(hour, zone string) (time.Time, bool) {
	hour = hour[:10] + "T" + hour[11:]
	for _, layout := range []string{"Z07:00", "-0700", "-07"} {
		if t, err := time.Parse("2006-01-02T15"+layout, hour+zone); err == nil {
			_, offset := t.Zone()
			return t, offset > -24*3600 && offset < 24*3600
		}
	}
	if zone != "" {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation("2006-01-02T15", hour, c.now.Location())
	return t, err == nil
}

// unix reads seconds since 1970 with a fraction, as journalctl -o short-unix.
func (c *clock) unix(s string) (time.Time, string, bool) {
	number, rest, ok := strings.Cut(s, " ")
	whole, part, dot := strings.Cut(number, ".")
	high, ok2 := digits(whole[:min(9, len(whole))])
	micro, ok3 := digits(part)
	if !ok || !dot || !ok2 || !ok3 || len(whole) != 10 || len(part) != 6 || whole[9]-'0' > 9 {
		return time.Time{}, s, false
	}
	return time.Unix(int64(high)*10+int64(whole[9]-'0'), int64(micro)*1000).In(c.now.Location()), rest, true
}

func two(s string) (int, bool) {
	a, b := s[0]-'0', s[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}
