// Package tier is where bytes live: Memory keeps the hot copies in fastcache, Disk keeps everything in a log of bbolt
// segments, sealed. Both are a Tier and pass one contract suite.
//
// Most callers need two functions: NewMemory and OpenDisk. A caller gives records a Hash as address, a sequence number that
// grows with every Put of a store, and a stamp that it interprets itself; a Tier never looks into a record's Blob.
//
// Disk is a log. A commit stores one value, the batch, in a bucket of its own: sealed records back to back, then a sealed
// index of them. Batches are appended to an active segment (one bbolt file per retention class) until it is full or old;
// then a footer that lists the batches is written, the file is cut to its used length and never changes again. Space comes
// back by unlinking whole segments. An index in memory says where the newest version of each hash lies, so that a read is
// one pread at a known offset, outside any bbolt transaction.
//
// Small records are packed with a dictionary of what they have in common, which their segment carries (see dictionary.go).
//
// Keys belong to the caller: Disk gets a *crypto.StageKey, which names one generation, and derives a key per segment.
// A record is bound to its hash, sequence, stamp, expiry, flags, segment, generation and stage: moved or altered, it does not open.
//
// The order in which segments are dropped guarantees that an older version never outlives the newer one that replaced it;
// where the order alone does not, a tombstone is written (see supersede.go).
package tier
