package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/spoortrace/spoor/internal/trontest"
)

// TestTRONNode runs the command against a node that serves real blocks of TRON.
// A script finds it at $TRON, and its port for solidified blocks at $SOLID.
func TestTRONNode(t *testing.T) {
	node, err := trontest.Start(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close) // after the scripts, which outlive this function
	testscript.Run(t, testscript.Params{
		Dir: "testdata/tronnode", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("SPOOR_DATA", filepath.Join(env.WorkDir, "data"))
			env.Setenv("TRON", node.Target)
			env.Setenv("SOLID", node.Solid)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": exits},
	})
}
