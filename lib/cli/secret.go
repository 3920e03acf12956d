package cli

import (
	"errors"
	"fmt"
	"slices"
)

// SecretPart is the part of a pattern that takes a secret: its type, which may be left
// out, and the secret. Type 0, or none, is the secret as it is, 7 is Cisco's type 7, and
// 6 is one that zebra encrypted (zebra/confstore). How long a secret may be is up to
// who reads it (policy.ReadSecret): what is encrypted is longer.
const SecretPart = "[type:{0|6|7}] secret:SECRET(800)"

// Names of the arguments of SecretPart. A pattern may allow further types, if it has
// these names.
const (
	SecretType = "type"
	SecretText = "secret"
)

// TypeEncrypted is the type of a secret that zebra encrypted.
const TypeEncrypted = "6"

// SecretHelp explains SecretPart.
func SecretHelp() Help {
	return Help{"0": "The secret follows as it is", "6": "The secret follows encrypted", "7": "The secret follows in Cisco's type 7", "secret": "The secret"}
}

// checkSecrets refuses a configuration line whose secret could not be stored
// encrypted: one that has no type before it, or that tells the line from others.
func (c *Command) checkSecrets(root *node) error {
	if !c.configuration() || c.Immediate {
		return nil
	}
	plain, typed := false, false
	for shape := range shapes(root) {
		for i, t := range shape {
			if t.kind != KindSecret {
				continue
			}
			if t.name != SecretText || t.repeated {
				return fmt.Errorf("the secret of %q is not the one argument %q", c.Pattern, SecretText)
			}
			if i > 0 && shape[i-1].group == SecretType {
				typed = typed || shape[i-1].word == TypeEncrypted
			} else {
				plain = true
			}
		}
	}
	if plain && !typed {
		return fmt.Errorf("the secret of %q cannot be encrypted: it is to be %q", c.Pattern, SecretPart)
	}
	if slices.Contains(c.Key, SecretText) || slices.Contains(c.Key, SecretType) {
		return errors.New("a secret is part of the key")
	}
	return nil
}
