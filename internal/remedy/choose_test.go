package remedy

import "testing"

func TestChoose(t *testing.T) {
	step := func(kinds ...Kind) (steps []Step) {
		for _, k := range kinds {
			steps = append(steps, Step{Kind: k})
		}
		return steps
	}
	finding := []Remedy{
		{ID: "look", Side: Server, Steps: step(Note)},
		{ID: "first", Side: Client, Steps: step(Note, SSHConfig)},
		{ID: "instead", Side: Server, Steps: step(SSHDConfig, Implied), Unless: []string{"first"}},
		{ID: "beside", Side: Server, Steps: step(Sysctl, Implied)},
		{ID: "half", Side: Server, Steps: step(Sysctl, Advice)},
		{ID: "typed", Side: Server, Steps: step(Command)},
		{ID: "router", Side: Network, Steps: step(MSSClamp), Unless: []string{"instead"}},
	}
	for _, tt := range []struct {
		sides        []Side
		chosen, left string
	}{
		{nil, "", "look first instead beside half typed router"},
		{[]Side{Client, Server}, "first beside", "look half typed router"},
		{[]Side{Client}, "first", "look beside half typed router"},
		{[]Side{Server}, "instead beside", "look first half typed"},
		{[]Side{Network}, "router", "look first instead beside half typed"},
	} {
		chosen, left := Choose(finding, tt.sides...)
		if got := ids(chosen); got != tt.chosen {
			t.Errorf("%v: chosen %q, want %q", tt.sides, got, tt.chosen)
		}
		if got := ids(left); got != tt.left {
			t.Errorf("%v: left %q, want %q", tt.sides, got, tt.left)
		}
	}
}

func ids(all []Remedy) (text string) {
	for i, r := range all {
		if i > 0 {
			text += " "
		}
		text += r.ID
	}
	return text
}
