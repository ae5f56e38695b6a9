// Package crypto keeps what a cache puts on the disk secret and unaltered. It holds the whole key hierarchy, from the
// file an operator keeps to the seal on one record, and it is the only package that calls a cryptographic primitive.
//
// # The hierarchy
//
//	root key       32 bytes: a key file, the same text in an environment variable, or a passphrase (Argon2id)
//	  | HKDF-SHA-256, fresh salt in the stage-key file
//	wrapping key   used once: seals one stage-key file
//	  | AES-256-GCM
//	stage key      one generation of one stage: a random hash key and a random sealing key for each epoch
//	  | HKDF-SHA-256, fresh salt in the segment's header; bound to version, stage, generation, epoch and segment id
//	segment keys   one encrypts and authenticates (Seal), one only authenticates (Protect)
//	  | AES-256-GCM with random nonces
//	records
//
// The hash key turns cache keys into what stands on the disk ([Hasher]): no URL, header or tag is ever written in the
// clear, and nobody without the key can tell whether a known URL is in the cache.
//
// # Use
//
// A new store:
//
//	root, err := crypto.ReadKeyFile("root.key")
//	stage := crypto.NewStageKey("prod")
//	file, err := crypto.SealStageKey(root, stage)        // replace the stage-key file with it, atomically
//	header, sealer, err := stage.NewSegment(1)           // header.Append: the first thing in the segment's file
//	record, err = sealer.Seal(record, plaintext, aad)
//
// and after a restart:
//
//	stage, opened, err := crypto.OpenStageKey(file, "prod", root, oldRoots...)
//	header, err := crypto.ParseSegmentHeader(bytes)
//	sealer, err := stage.OpenSegment(header)
//	plaintext, err = sealer.Open(plaintext[:0], record, aad)
//
// If opened is not the current root key, seal the stage key again under the current one and replace the file.
//
// # What the errors mean
//
// The root key is judged in one place, [OpenStageKey]. A [*WrongKeyError] says that the file is intact and needs another
// key: nothing must be deleted, the operator has to be told. [ErrDamaged] says that no key will help. A segment that
// gives [ErrCommitment] under a stage key that opened is damage as well, and so is a record that gives [ErrAuth].
// [ErrFormatNewer] says that a later release wrote the bytes: stop, and touch nothing.
//
// # What the caller has to do
//
// Associated data is the caller's part of the bargain: whatever must not be changed or moved (key hash, expiry, stamp,
// flags, codec, and [Sealer.Context]) belongs into it. Replacing the stage-key file must be atomic and synced, file and
// directory; doing so with another generation is what destroys the old one. A segment takes at most [MaxSeals] records.
//
// # Limits
//
// A store without a root key keeps its stage key in the clear: damage is found, an attacker who can write to the disk is
// not. An attacker who can put back an old copy of a whole directory, stage-key file included, replays an old state;
// expiry bounds it. Sizes and times of records can be seen. Keys live in the process's memory for as long as they are in
// use; they are overwritten when they are forgotten, but the Go runtime may have copied them, and so may a core dump.
//
// # Compatibility and FIPS 140
//
// Everything written carries a version. This release reads and writes version 1 of each format. The last 32 bytes of a
// stage-key file of any version are the SHA-256 of what is before them, so that an older release tells a newer file from
// a damaged one. All but Argon2id works under GODEBUG=fips140=only; [DeriveRootKey] then returns [ErrNotFIPS].
package crypto
