package sshconf

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const spaces = " \t\n\v\f\r" // of the C library

// Why OpenSSH refuses a number.
var (
	errInvalid  = errors.New("invalid")
	errTooSmall = errors.New("too small")
	errTooLarge = errors.New("too large")
)

// integer reads a decimal number from low to high.
func integer(s string, low, high int64) (int64, error) {
	s = strings.TrimLeft(s, spaces)
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, errInvalid
	case n < low:
		return 0, errTooSmall
	case n > high:
		return 0, errTooLarge
	}
	return n, nil
}

// unit is what a letter after a number of a time means, in seconds; 0 if it
// is no unit.
func unit(c byte) int64 {
	switch c | 0x20 {
	case 's':
		return 1
	case 'm':
		return 60
	case 'h':
		return 60 * 60
	case 'd':
		return 24 * 60 * 60
	case 'w':
		return 7 * 24 * 60 * 60
	}
	return 0
}

// duration reads a time like 1h30m into seconds.
func (r Release) duration(s string) (int64, error) {
	if r.has(1003) {
		f, err := fractional(s)
		if err != nil || f > math.MaxInt32 {
			return 0, errInvalid
		}
		return int64(f), nil
	}
	var total int64
	for rest := s; ; {
		rest = strings.TrimLeft(rest, spaces)
		sign, digits := "", rest
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			sign, digits = rest[:1], rest[1:]
		}
		end := len(digits) - len(strings.TrimLeft(digits, "0123456789"))
		n, err := strconv.ParseInt(sign+digits[:end], 10, 64)
		if err != nil || n < 0 {
			return 0, errInvalid
		}
		rest = digits[end:]
		multiplier := int64(1)
		if rest != "" {
			multiplier, rest = unit(rest[0]), rest[1:]
		}
		if multiplier == 0 || n > math.MaxInt32/multiplier || total > math.MaxInt32-n*multiplier {
			return 0, errInvalid
		}
		total += n * multiplier
		if rest == "" {
			return total, nil
		}
	}
}

// fractional reads a time as 10.3 and later do: no blanks and signs, and a
// fraction in the term of seconds, which may stand there once.
func fractional(s string) (float64, error) {
	total, seconds := 0.0, false
	if s == "" {
		return 0, errInvalid
	}
	for s != "" {
		end := len(s) - len(strings.TrimLeft(s, "0123456789."))
		number := s[:end]
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || strings.HasSuffix(number, ".") {
			return 0, errInvalid
		}
		multiplier := int64(1)
		if s = s[end:]; s != "" {
			multiplier, s = unit(s[0]), s[1:]
		}
		if multiplier == 0 || multiplier == 1 && seconds || multiplier > 1 && strings.Contains(number, ".") {
			return 0, errInvalid
		}
		seconds = seconds || multiplier == 1
		total += n * float64(multiplier)
	}
	return total, nil
}

// scaled reads a number of bytes with a unit from K to E; a fraction counts
// before a unit and is dropped without one.
func scaled(s string) (int64, error) {
	s = strings.TrimLeft(s, spaces)
	negative := strings.HasPrefix(s, "-")
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	end := len(s) - len(strings.TrimLeft(s, "0123456789."))
	whole, fraction, _ := strings.Cut(s[:end], ".")
	if strings.Contains(fraction, ".") || len(whole) > 18 {
		return 0, errInvalid
	}
	if len(fraction) > 17 {
		fraction = fraction[:17]
	}
	n, _ := strconv.ParseInt("0"+whole, 10, 64)
	part, _ := strconv.ParseInt("0"+fraction, 10, 64)
	if suffix := s[end:]; suffix != "" {
		i := strings.IndexByte("bkmgtpe", suffix[0]|0x20)
		if i < 0 || len(suffix) > 1 && alphanumeric(suffix[1]) {
			return 0, errInvalid
		}
		factor := int64(1) << (10 * i)
		if n > math.MaxInt64/factor {
			return 0, errTooLarge
		}
		digits := len(fraction)
		for part >= math.MaxInt64/factor {
			part, digits = part/10, digits-1
		}
		part *= factor
		for ; digits > 0; digits-- {
			part /= 10
		}
		n = n*factor + part
	}
	if negative {
		n = -n
	}
	return n, nil
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// qos are the names of IPQoS values, in the order in which OpenSSH looks for a
// name to print.
var qos = []struct {
	name  string
	value int
}{
	{"none", math.MaxInt32},
	{"af11", 0x28}, {"af12", 0x30}, {"af13", 0x38}, {"af21", 0x48}, {"af22", 0x50}, {"af23", 0x58},
	{"af31", 0x68}, {"af32", 0x70}, {"af33", 0x78}, {"af41", 0x88}, {"af42", 0x90}, {"af43", 0x98},
	{"cs0", 0x00}, {"cs1", 0x20}, {"cs2", 0x40}, {"cs3", 0x60}, {"cs4", 0x80}, {"cs5", 0xa0}, {"cs6", 0xc0}, {"cs7", 0xe0},
	{"ef", 0xb8}, {"le", 0x04}, {"va", 0xb0},
	{"lowdelay", 0x10}, {"throughput", 0x08}, {"reliability", 0x04},
}

// QoSByte returns the byte that a value of IPQoS puts into packets, as a dump
// prints the value: "af21" is 0x48. It is 0 for a value that marks nothing.
func QoSByte(name string) int {
	for _, q := range qos {
		if strings.EqualFold(q.name, name) && q.value != math.MaxInt32 {
			return q.value
		}
	}
	n, err := strconv.ParseUint(name, 0, 8)
	if err != nil {
		return 0
	}
	return int(n)
}

// qosSpoken tells whether the release knows the value by this name. The three
// old type-of-service names are still read later, as "none".
func (r Release) qosSpoken(name string) bool {
	switch name {
	case "le":
		return r.has(802)
	case "va":
		return r.has(1003)
	case "lowdelay", "throughput", "reliability":
		return !r.has(1001) && !(r.Debian && r.has(1000))
	}
	return true
}

// qosText reads one value of IPQoS and returns it as the dump prints it.
func (r Release) qosText(s string) (string, error) {
	for _, q := range qos {
		switch {
		case !strings.EqualFold(q.name, s):
		case r.qosSpoken(q.name):
			return r.qosName(q.value), nil
		case q.name != "le" && q.name != "va":
			return "none", nil
		}
	}
	n, err := integer(s, 0, 255)
	if !r.has(908) { // hexadecimal and octal too
		var u uint64
		u, err = strconv.ParseUint(strings.TrimPrefix(strings.TrimLeft(s, spaces), "+"), 0, 8)
		n = int64(u)
	}
	if err != nil || strings.ContainsAny(s, "_oObB") {
		return "", errInvalid
	}
	return r.qosName(int(n)), nil
}

func (r Release) qosName(value int) string {
	for _, q := range qos {
		if q.value == value && r.qosSpoken(q.name) {
			return q.name
		}
	}
	return fmt.Sprintf("0x%02x", value)
}
