package archtest

import (
	"go/ast"
	"slices"
	"testing"
)

// checkWrites refuses calls that change the file system outside package host.
func checkWrites(t *testing.T, file string, f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "os" && slices.Contains(writers, sel.Sel.Name) {
			t.Errorf("%s uses os.%s; only package host changes files: one place to journal, bound and refuse", file, sel.Sel.Name)
		}
		return true
	})
}
