// Command peers measures the engine beside the stores and caches one would otherwise take, in one run on one machine:
// Badger, Pebble and bbolt on disk, fastcache, otter and ristretto in memory. It is a module of its own, so that none of
// them is a dependency of the core.
//
//	go run . [-short] [-corpus DIR] [-traces DIR] [disk|memory|ratio|all]
//
// disk fills a fresh store with the same keys and values for each rival in turn, until it is closed and synced, opens it
// again, reads everything back and counts what is right, then reads keys at random. Rounds alternate between the rivals, so
// that a slow minute of the machine meets all of them; the figures are medians over rounds.
//
// memory measures hits of the memory tiers, ratio the hit ratios of eviction policies on recorded traces (see ratio.go for
// how sizes are made comparable).
//
// The last lines are figures that another program can read:
//
//	figure put_vs_badger VALUE x (ours N puts/s, theirs N puts/s)
//	figure get_warm_vs_badger VALUE x (ours N gets/s, theirs N gets/s)
//
// Values are JSON of 1 KiB that this program makes up, and, with -corpus, real payloads: every *.json file below that
// directory. Without one it says so and goes on.
package main
