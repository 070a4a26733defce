package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sshtay/internal/explain"
	"sshtay/internal/probe"
	"sshtay/internal/report"
	"sshtay/internal/report/reporttest"
	"sshtay/internal/sshlog"
)

// TestHistoryContract: a history that is printed as JSON is what
// docs/explain.schema.json says, whichever messages were in the log.
func TestHistoryContract(t *testing.T) {
	text, err := os.ReadFile("../../docs/explain.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := reporttest.Compile(doc)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for _, form := range []string{"Accepted publickey for a from 192.0.2.9 port 4000 ssh2", "Connection reset by 192.0.2.9 port 4000", "Timeout before authentication for 192.0.2.9 port 4001",
		"Server listening on :: port 22.", "exited MaxStartups throttling after 00:05:00, 7 connections dropped", "no more sessions", "Connection closed by 2001:db8::1 port 9 [preauth]"} {
		log.WriteString("Nov 21 00:15:33 web1 sshd[1]: " + form + "\n")
	}
	for _, dated := range []bool{true, false} {
		var story sshlog.Story
		in := log.String()
		if !dated {
			in = strings.ReplaceAll(in, "Nov 21 00:15:33 web1 ", "")
		}
		err = sshlog.Read(context.Background(), strings.NewReader(in), sshlog.Options{Now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}, func(b *sshlog.Batch) error {
			story.Add(b)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		story.End()
		e, h := explain.Of(&story), probe.HistoryOf(&story)
		e.History = &h
		if len(h.Troubles) < 4 || len(h.Networks) != 2 {
			t.Errorf("%+v", h)
		}
		var out bytes.Buffer
		if err := report.ExplainJSON(&out, e); err != nil {
			t.Fatal(err)
		}
		printed, err := jsonschema.UnmarshalJSON(&out)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(printed); err != nil {
			t.Errorf("dated %v: %v", dated, err)
		}
	}
}
