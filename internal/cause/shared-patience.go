package cause

import (
	"fmt"
	"time"

	"sshtay/internal/fact"
)

// sshdAsksEvery is the silence after which sshd really asks for a sign of
// life. In sshd 9.2 to 9.4 only every second ClientAliveInterval counts; why
// says so then, in words that follow a time, and is empty otherwise.
func sshdAsksEvery(v *fact.View, set time.Duration) (every time.Duration, why string) {
	if r, known := sshdRelease(v); known && r.within(release{9, 2}, release{9, 4}) {
		return 2 * set, fmt.Sprintf(", twice what is set, by a fault of %v that 9.5 mended", r)
	}
	return set, ""
}

// givesUpAfter is the silence after which OpenSSH gives a peer up: it waits
// for the answer to its last question, too.
func givesUpAfter(every time.Duration, count int) time.Duration {
	return every * time.Duration(count+1)
}
