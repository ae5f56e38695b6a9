// Command engine measures package engine on a real disk and prints its figures.
//
//	go run ./bench/engine            # some minutes, and about twice -size on the disk
//	go run ./bench/engine -short     # under two minutes: smaller stores, fewer rounds, without warm
//	go run ./bench/engine -only put -profile DIR
//
// Stages run one after the other, each in a store of its own below -dir: put (writes, until closed; only what can be read
// after reopening counts), warm (reads from disk files that are in the page cache), cold (reads that reach the device,
// beside raw pread of the same files), memory (hits in memory and what they allocate), steady (several times the capacity
// written to a full store), compact (a store of nine dead entries in ten, compacted while it is read), restart (an index of
// 10 million entries, and a purge of them all) and idle (what a store writes while nothing, or next to nothing, happens).
//
// The output ends with a line per figure; see package report for its form. Rates are medians of several rounds.
// Comparisons with other engines are made by bench/peers. -sheet FILE appends the figures to a file too, so that a run of both
// (make bench-engine) can end with all of them.
package main
