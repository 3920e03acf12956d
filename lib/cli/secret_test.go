package cli

import (
	"strings"
	"testing"
)

// TestSecretsCanBeEncrypted: no configuration line has a secret that could not be
// stored encrypted.
func TestSecretsCanBeEncrypted(t *testing.T) {
	for _, tc := range []struct {
		c    Command
		want string // of the error; "" for none
	}{
		{Command{Mode: ModeConfig, Pattern: "auth " + SecretPart}, ""},
		{Command{Mode: ModeConfig, Pattern: "auth side:[in|out] [type:{0|6|7|hex}] secret:SECRET(9)"}, ""},
		{Command{Mode: ModeConfig, Pattern: "auth method:{psk} [key " + SecretPart + "]"}, ""},
		{Command{Mode: ModeConfig, Pattern: "auth secret:SECRET"}, "cannot be encrypted"},
		{Command{Mode: ModeConfig, Pattern: "auth [type:{0|7}] secret:SECRET"}, "cannot be encrypted"},
		{Command{Mode: ModeConfig, Pattern: "auth [type:{0|6|7}] word:WORD secret:SECRET"}, "cannot be encrypted"},
		{Command{Mode: ModeConfig, Pattern: "auth [type:{0|6|7}] key:SECRET"}, "not the one argument"},
		{Command{Mode: ModeConfig, Pattern: "auth [type:{0|6|7}] secret:SECRET..."}, "not the one argument"},
		{Command{Mode: ModeConfig, Pattern: "auth " + SecretPart, Key: []string{"secret"}}, "part of the key"},
		{Command{Mode: ModeConfig, Pattern: "master key:SECRET", Immediate: true}, ""},
		{Command{Mode: ModeEnable, Pattern: "login key:SECRET"}, ""},
	} {
		tc.c.ID = "x"
		_, err := Merge(Owned{"d", Tree{Commands: []Command{tc.c}}})
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%+v: %v, want %q", tc.c, err, tc.want)
		}
	}
}
