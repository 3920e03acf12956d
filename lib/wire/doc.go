// Package wire reads and writes the big-endian byte layouts that Internet
// protocols use.
//
// Reader walks over a byte slice with bounds checked at every step. Its error
// is sticky: after the first read past the end every further read answers zero
// and consumes nothing, so that a decoder reads a whole structure in a straight
// line and asks Err once at the end. Offsets are absolute: a Reader cut out of
// another one with Sub goes on counting from the start of the outermost slice,
// so an error names the byte of the packet where it happened.
//
// Writing is done in the style of append: functions take a slice and return the
// longer slice. BeginLen16 and EndLen16 reserve a length field and fill it in
// when the length is known.
//
// Checksum is the Internet checksum of RFC 1071.
//
// Nothing here allocates, apart from the error value of a failed read and what
// append itself needs. The package knows no protocol: names of messages,
// fields and addresses belong to the packet packages.
package wire
