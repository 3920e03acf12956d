package plugin

import (
	"log/slog"
	"testing"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// TestLogLevelFollowsConfiguration: the line, its absence, and the command line,
// which has the last word.
func TestLogLevelFollowsConfiguration(t *testing.T) {
	log, err := telemetry.NewLog(telemetry.LogConfig{Level: slog.LevelWarn})
	if err != nil {
		t.Fatal(err)
	}
	old := processLog
	processLog = log
	t.Cleanup(func() { processLog = old })
	t.Setenv(EnvLogLevel, "")
	debugging := &conf.Tree{Block: conf.Block{Nodes: []*conf.Node{
		{ID: LogLevelID, Owner: "zebra", Args: cli.Args{"level": {Kind: cli.KindFlag, Text: "debugging"}}}}}}
	for _, tc := range []struct {
		tree *conf.Tree
		env  string
		want slog.Level
	}{{debugging, "", slog.LevelDebug}, {&conf.Tree{}, "", slog.LevelInfo}, {debugging, "errors", slog.LevelInfo}} {
		t.Setenv(EnvLogLevel, tc.env)
		followLogLevel(tc.tree)
		if got := log.Level(); got != tc.want {
			t.Errorf("level is %v, want %v", got, tc.want)
		}
	}
}
