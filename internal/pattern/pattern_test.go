package pattern

import "testing"

func TestPattern(t *testing.T) {
	p := New(`^(a+)b`)
	if !p.MatchString("aab") || p.MatchString("b") || p.FindString("aabc") != "aab" || p.FindStringSubmatch("aab")[1] != "aa" || p.Regexp().NumSubexp() != 1 {
		t.Error("it is not the regular expression")
	}
	wrong := New(`(`) // not compiled before its first use
	defer func() {
		if recover() == nil {
			t.Error("a wrong pattern was used")
		}
	}()
	wrong.MatchString("")
}
