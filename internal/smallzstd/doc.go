// Package smallzstd packs small values into zstd frames (RFC 8878), which any zstd decoder reads.
//
// A general encoder spends most of its time per value, not per byte: on JSON of 1 KiB, three quarters of it go into sorting
// symbols, and into building and describing tables. This one is for values of up to MaxSize bytes and knows it: one block, the
// predefined tables for sequences, and scratch memory that fits a processor's first cache. What repeats is found by s2. On JSON
// of 1 KiB it takes 0.57 of the library's time at its fastest level, for a result of about the same size (between 2 % smaller and 5 % larger).
//
// Append is all there is. There is no decoder here.
package smallzstd
