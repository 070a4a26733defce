package sshconf

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The directives of sshd_config that limit how many may come.

// colons reads up to n numbers between colons as scanf does: blanks before a
// number and a sign are taken, and what follows the last number is not looked
// at.
func colons(s string, n int) (numbers []int) {
	for len(numbers) < n {
		s = strings.TrimLeft(s, spaces)
		digits := strings.TrimLeft(s, "+-")
		sign := s[:len(s)-len(digits)]
		end := len(digits) - len(strings.TrimLeft(digits, "0123456789"))
		v, err := strconv.ParseInt(sign+digits[:end], 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			break
		}
		numbers = append(numbers, int(int32(v)))
		var more bool
		if s, more = strings.CutPrefix(digits[end:], ":"); !more {
			break
		}
	}
	return numbers
}

var errSpec = errors.New("invalid spec")

// maxStartups takes N or BEGIN:RATE:FULL. Until 10.1 the last line wins, and N
// keeps the rate of a line before. 10.1 and 10.2 read N as 10:30:N.
func maxStartups(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	n := colons(arg, 3)
	begin, rate, full := 0, 30, 0
	switch len(n) {
	case 3:
		begin, rate, full = n[0], n[1], n[2]
		if begin > full || rate > 100 || rate < 1 {
			return errSpec
		}
	case 1:
		begin, full = n[0], n[0]
		if before, set := r.text(l.key); set && !r.release.has(1001) {
			rate = colons(before, 3)[1]
		}
	default:
		return errSpec
	}
	if begin <= 0 || full <= 0 {
		return errSpec
	}
	if len(n) == 1 && r.release.has(1001) && !r.release.has(1003) {
		begin = 10
	}
	value := fmt.Sprintf("%d:%d:%d", begin, rate, full)
	if r.release.has(1001) {
		r.first(l.key, value)
	} else {
		r.last(l.key, value)
	}
	return nil
}

// perSourceStartups is set by the last line until 9.5.
func perSourceStartups(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	value := "none"
	if arg != "none" {
		n, err := integer(arg, 0, math.MaxInt32)
		if err != nil {
			return fmt.Errorf("integer value %w", err)
		}
		if n != math.MaxInt32 {
			value = strconv.FormatInt(n, 10)
		}
	}
	switch {
	case r.release.has(905):
		r.first(l.key, value)
	case r.active:
		r.last(l.key, value)
	}
	return nil
}

// netBlockSize takes V4 or V4:V6. The form V4 makes the second one 0 until
// 10.3, so that all of IPv6 counts as one source.
func netBlockSize(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	n := colons(arg, 2)
	if len(n) == 0 || n[0] < 0 || n[0] > 32 || len(n) == 2 && (n[1] < 0 || n[1] > 128) {
		return errSpec
	}
	if len(n) == 1 && r.release.has(1003) {
		n = append(n, 128)
	} else if len(n) == 1 {
		n = append(n, 0)
	}
	value := fmt.Sprintf("%d:%d", n[0], n[1])
	switch {
	case r.release.has(1001):
		r.first(l.key, value)
	case r.active:
		r.last(l.key, value)
	}
	return nil
}

// penaltyNames are the parts of PerSourcePenalties in the order of the dump.
var penaltyNames = strings.Fields("crash authfail noauth invaliduser grace-exceeded refuseconnection max min max-sources4 max-sources6 overflow overflow6")

var penaltyDefaults = map[string]string{
	"crash": "90", "authfail": "5", "noauth": "1", "invaliduser": "5", "grace-exceeded": "10", "refuseconnection": "10",
	"max": "600", "min": "15", "max-sources4": "65536", "max-sources6": "65536", "overflow": "permissive",
}

// hasPenalty tells since when a part exists.
func (r Release) hasPenalty(name string) bool {
	switch name {
	case "refuseconnection":
		return r.has(909)
	case "invaliduser":
		return r.has(1003)
	}
	return slices.Contains(penaltyNames, name)
}

// penalties sets each part by its first line; any part implies yes.
func penalties(r *run, l *line) error {
	words := l.all()
	if len(words) == 0 {
		return errors.New("no PerSourcePenalties specified")
	}
	for i, w := range words {
		if enabled := strings.ToLower(w); enabled == "yes" || enabled == "no" {
			if i != len(words)-1 {
				return fmt.Errorf("keyword %s \"%s\" argument must appear alone", l.key, enabled)
			}
			r.first(l.key, enabled)
			continue
		}
		name, value, _ := strings.Cut(w, ":")
		text, err := r.penalty(name, value)
		if err != nil {
			return err
		}
		r.penaltyPart(l.key, name, text)
	}
	return nil
}

// penaltyPart sets one part, and the whole to yes.
func (r *run) penaltyPart(key, name, text string) {
	if _, set := r.text(key + " " + name); set || !r.active {
		r.first(key+" "+name, text)
		return
	}
	r.first(key+" "+name, text)
	s := r.slot(key)
	if len(s.values) == 0 {
		s.values = []Value{{"yes", r.at}}
	} else {
		s.values[0].Text = "yes"
	}
}

// penalty reads the value of a part.
func (r *run) penalty(name, value string) (string, error) {
	if !r.release.hasPenalty(name) {
		return "", fmt.Errorf("unsupported PerSourcePenalties keyword %s", printable(name))
	}
	switch name {
	case "overflow", "overflow6":
		if value != "deny-all" && value != "permissive" {
			return "", fmt.Errorf("unsupported PerSourcePenalties keyword %s", printable(name+":"+value))
		}
		return value, nil
	case "max-sources4", "max-sources6":
		n, err := integer(value, 0, math.MaxInt32)
		return strconv.FormatInt(n, 10), err
	}
	if r.release.has(1003) {
		f, err := fractional(value)
		return strconv.FormatFloat(f, 'f', 6, 64), err
	}
	n, err := r.release.duration(value)
	return strconv.FormatInt(n, 10), err
}

// penaltySetting is PerSourcePenalties as the dump prints it.
func (r *run) penaltySetting(s Setting) Setting {
	if s.Text() == "no" {
		return s
	}
	from := s.From()
	var parts []string
	for _, name := range penaltyNames {
		if !r.release.hasPenalty(name) {
			continue
		}
		slot := r.slots["persourcepenalties "+name]
		value := r.release.penaltyDefault(name)
		if name == "overflow6" {
			value, _ = r.text("persourcepenalties overflow")
			if value == "" {
				value = "permissive"
			}
		}
		if slot != nil {
			value = slot.values[0].Text
			s.Hides = append(s.Hides, slot.hides...)
		}
		parts = append(parts, name+":"+value)
	}
	s.Values = []Value{{strings.Join(parts, " "), from}}
	return s
}

// penaltyDefault is what a part is without a line for it.
func (r Release) penaltyDefault(name string) string {
	value := penaltyDefaults[name]
	if name == "grace-exceeded" && !r.has(909) {
		value = "20"
	}
	if n, err := strconv.Atoi(value); err == nil && r.has(1003) && !strings.HasPrefix(name, "max-sources") {
		value = fmt.Sprintf("%d.000000", n)
	}
	return value
}

func exemptList(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errMissing
	}
	if _, err := matchAddrList("", arg); err != nil {
		return fmt.Errorf("invalid %s argument: %s", l.key, printable(arg))
	}
	r.first(l.key, arg)
	return nil
}
