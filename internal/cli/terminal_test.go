package cli

import (
	"bytes"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	said := func(want string) {
		t.Helper()
		if got := out.String(); got != want {
			t.Errorf("on the terminal: %q, want %q", got, want)
		}
		out.Reset()
	}
	p := &progress{out: &out, on: true}
	p.say("one")
	said("\r\x1b[Kone ...")
	p.say("two")
	said("\r\x1b[Ktwo ...")
	p.giveWay(true)
	p.say("three") // while ssh asks
	said("\n")
	p.giveWay(false)
	p.say("four")
	p.say("")
	said("\r\x1b[Kfour ...\r\x1b[K")

	p = &progress{out: &out, on: true, after: time.Hour}
	p.say("soon done")
	p.giveWay(true)
	p.giveWay(false)
	p.say("")
	said("")
	p.say("takes long")
	p.showNow()
	p.say("")
	p.showNow()
	said("\r\x1b[Ktakes long ...\r\x1b[K")

	p = &progress{out: &out}
	p.say("one")
	p.giveWay(true)
	said("")
}
