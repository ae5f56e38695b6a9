// Package values makes what the benchmarks store: JSON of a given size that compresses about as API answers do, or real
// payloads from a folder. The same source gives the same bytes for the same number in every process, so whoever reads a
// value back can tell whether it is the right one.
package values
