package unified

import "testing"

func TestDiff(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"same", "a\n", "a\n", ""},
		{"one line", "a\nb\nc\n", "a\nx\nc\n", "--- /f\n+++ /f\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
		{"no line end", "a", "a\nb", "--- /f\n+++ /f\n@@ -1,1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n\\ No newline at end of file\n"},
		{"line ends of Windows", "a\r\n", "a\r\nb\r\n", "--- /f\n+++ /f\n@@ -1,1 +1,2 @@\n a\r\n+b\r\n"},
	} {
		if got := Diff("/f", []byte(c.old), []byte(c.new)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got, want := Diff("/f", nil, []byte("a\n")), "--- /dev/null\n+++ /f\n@@ -0,0 +1,1 @@\n+a\n"; got != want {
		t.Errorf("a new file: %q, want %q", got, want)
	}
	if got, want := Diff("/f", []byte("a\n"), nil), "--- /f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n"; got != want {
		t.Errorf("a removed file: %q, want %q", got, want)
	}
}
