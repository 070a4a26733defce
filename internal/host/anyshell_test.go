package host

import (
	"os/exec"
	"strings"
	"testing"

	"sshtay/internal/testenv"
)

// TestEveryByteSurvivesEveryShell: the script prints its own text, in which
// every byte occurs that a script can hold.
func TestEveryByteSurvivesEveryShell(t *testing.T) {
	text := "printf '%s' \"$S\"\nexit 0\n"
	for c := byte(1); c < 255; c++ {
		text += string([]byte{c, c})
	}
	text += strings.Repeat(` \n \\ \0101 %b %s !! $HOME $(id) "'"'"' `+"`id`", 500) + "."
	command := AnyShell(text)
	if len(command) > 100<<10 {
		t.Fatalf("the command has %d bytes; the kernel takes 128 KiB", len(command))
	}
	// The old csh is not here: it takes no word as long as this, and is fed the
	// script in another way.
	for _, shell := range []string{"sh", "bash", "dash", "zsh", "fish", "tcsh", "busybox"} {
		argv := []string{"-c", command}
		if shell == "busybox" {
			argv = []string{"ash", "-c", command}
		}
		out, err := exec.Command(testenv.Need(t, shell)[0], argv...).Output()
		if err != nil || string(out) != text {
			t.Errorf("%s: %v, %d bytes of %d came back: %.200q", shell, err, len(out), len(text), out)
		}
	}
}
