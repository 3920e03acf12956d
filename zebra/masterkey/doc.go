// Package masterkey encrypts the secrets of the configuration: what is printed
// behind type 6. The decision is in docs/decisions/master-key.md.
//
// A [Ring] is a value that does not change: the master key with which secrets are
// encrypted, and those before it as long as something may be left of their time. It
// has a file of its own, which only its owner can read. Whoever has that file and
// the configuration has the secrets; whoever has the configuration only, has not.
//
// An encrypted secret is a word of letters, digits, "-", "_" and one dot:
//
//	g1.BASE64URL(salt, 16 | nonce, 12 | ciphertext | tag, 16)
//
// "g1" names this form: the key of AES-256-GCM is PBKDF2-HMAC-SHA-256 of the master
// key with the salt. The salt is chosen when the master key is set, and is part of
// each word, so that any router with the same master key reads it, in whatever line
// it stands. Cisco's own type 6 is not published; its words are told from ours by
// the form, and refused.
package masterkey
