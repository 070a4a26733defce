package demo

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestFlowIsForgottenAfterSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flow{limit: 2 * time.Second, last: time.Now()}
		for _, c := range []struct {
			silence time.Duration
			known   bool
		}{
			{0, true},
			{time.Second, true},
			{2 * time.Second, true},
			{2*time.Second + 1, false},
			{0, false}, // a forgotten flow does not come back
		} {
			time.Sleep(c.silence)
			if got := f.known(); got != c.known {
				t.Errorf("after %v of silence the flow is known: %v", c.silence, got)
			}
		}
	})
}

func TestCarryDropsWhatComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flow{limit: 2 * time.Second, last: time.Now()}
		sender, in := net.Pipe()
		out, receiver := net.Pipe()
		go func() {
			f.carry(out, in)
			out.Close()
		}()
		go func() {
			io.WriteString(sender, "in time, ")
			time.Sleep(time.Second)
			io.WriteString(sender, "just so")
			time.Sleep(3 * time.Second)
			io.WriteString(sender, "too late") // taken, and dropped
			sender.Close()
		}()
		if got, err := io.ReadAll(receiver); string(got) != "in time, just so" || err != nil {
			t.Errorf("came through: %q, %v", got, err)
		}
	})
}
