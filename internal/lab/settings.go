package lab

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eachSetting calls set for every line "key = value" of a text. Blank lines
// and lines that begin with # are passed over; errors name the line.
func eachSetting(text string, set func(key, value string) error) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("line %q: want %q", line, "key = value")
		}
		if err := set(strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("line %q: %w", line, err)
		}
	}
	return nil
}

// known lists the keys there are.
func known[A, B any](a map[string]A, b map[string]B) string {
	keys := append(slices.Collect(maps.Keys(a)), slices.Collect(maps.Keys(b))...)
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

func number(to *int, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a number", v)
	}
	*to = n
	return nil
}

func duration(to *time.Duration, v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a time, such as 20ms or 3s", v)
	}
	*to = d
	return nil
}

// ratio reads a number from 0 to 1, or a percentage.
func ratio(to *float64, v string) error {
	digits, percent := strings.CutSuffix(v, "%")
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if percent {
		n /= 100
	}
	if err != nil || !(n >= 0 && n <= 1) {
		return fmt.Errorf("%q is not a ratio from 0 to 1 or a percentage", v)
	}
	*to = n
	return nil
}

func yesNo(to *bool, v string) error {
	*to = v == "yes"
	return oneOf(&v, v, "yes", "no")
}

func oneOf[T ~string](to *T, v T, choices ...T) error {
	if !slices.Contains(choices, v) {
		return errors.New("want one of " + quoted(choices))
	}
	*to = v
	return nil
}

func quoted[T ~string](all []T) string {
	var q []string
	for _, s := range all {
		q = append(q, strconv.Quote(string(s)))
	}
	return strings.Join(q, ", ")
}
