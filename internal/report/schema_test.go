package report

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sshtay/internal/report/reporttest"
)

// reports reads the golden reports.
func reports(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, file := range goldens(t, "json") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[file] = text
	}
	return out
}

func TestGoldensKeepTheContract(t *testing.T) {
	for file, text := range reports(t) {
		if err := reporttest.Check(text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestSchemaKnowsEveryProperty: what is written is documented, so under a
// schema that allows no additions the reports still pass.
func TestSchemaKnowsEveryProperty(t *testing.T) {
	schema := closedSchema(t, reporttest.Report, 9)
	for file, text := range reports(t) {
		report, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(report); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// closedSchema is a contract that allows no additions, which has at least so
// many kinds of objects.
func closedSchema(t *testing.T, name string, objects int) *jsonschema.Schema {
	t.Helper()
	text, err := reporttest.Schema(name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	closed := 0
	closeObjects(doc, &closed)
	if closed < objects {
		t.Fatalf("only %d objects in %s have properties", closed, name)
	}
	schema, err := reporttest.Compile(doc)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// closeObjects forbids additions to every object that the schema describes.
func closeObjects(node any, closed *int) {
	switch n := node.(type) {
	case map[string]any:
		if n["type"] == "object" && n["properties"] != nil && n["additionalProperties"] == nil {
			n["additionalProperties"] = false
			*closed++
		}
		for _, child := range n {
			closeObjects(child, closed)
		}
	case []any:
		for _, child := range n {
			closeObjects(child, closed)
		}
	}
}

// TestSchemaRefuses: each way to break the contract is noticed.
func TestSchemaRefuses(t *testing.T) {
	whole := string(write(t, JSON, New(brokenAtBanner(t))))
	for _, c := range []struct{ name, old, new string }{
		{"another schema", `"sshtay.report/1"`, `"sshtay.report/2"`},
		{"no such verdict", `"verdict": "broken"`, `"verdict": "bad"`},
		{"healthy with findings", `"verdict": "broken"`, `"verdict": "healthy"`},
		{"at risk with a finding that breaks", `"verdict": "broken"`, `"verdict": "at-risk"`},
		{"broken without a finding that breaks", `"impact": "breaks"`, `"impact": "risk"`},
		{"a local time", `"at": "2026-11-20T10:00:00Z"`, `"at": "2026-11-20T10:00:00+01:00"`},
		{"no time", `"at": "2026-11-20T10:00:00Z"`, `"at": "todayZ"`},
		{"null for a list", `"jumps": []`, `"jumps": null`},
		{"no such stage", `"reached": "connect"`, `"reached": "moon"`},
		{"a possible finding", `"status": "likely"`, `"status": "possible"`},
		{"no such side", `"side": "server"`, `"side": "other"`},
		{"no such risk", `"risk": "harmless"`, `"risk": "none"`},
		{"a fact of null", `"value": 4,`, `"value": null,`},
		{"a duration in words", `"value": 0.0203`, `"value": "20ms"`},
		{"a fact without a source", `"source": "probe/story",`, ``},
		{"a left out property", `"version": "0.1.0",`, ``},
		{"a port as text", `"port": 22`, `"port": "22"`},
		{"a fact with a space in its name", `"path.rtt"`, `"path rtt"`},
		{"no such stage of the handshake", `"value": "connect"`, `"value": "lunch"`},
	} {
		broken := strings.Replace(whole, c.old, c.new, 1)
		if broken == whole {
			t.Errorf("%s: nothing was replaced", c.name)
		}
		if !json.Valid([]byte(broken)) {
			t.Errorf("%s: no JSON any more", c.name)
		}
		if reporttest.Check([]byte(broken)) == nil {
			t.Errorf("%s: accepted", c.name)
		}
	}
	reporttest.Validate(t, []byte(whole))
	reporttest.Validate(t, []byte(strings.Replace(whole, "{", `{"an_addition": {"of": "a newer version"},`, 1)))
}
