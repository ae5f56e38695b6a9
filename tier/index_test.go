package tier

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// crowded is one of few hashes in few shards, whose fingerprints lie close together and at both ends, so that runs meet, wrap
// around and are cut.
func crowded(r *rand.Rand) (h Hash) {
	fp := uint64(r.IntN(40))
	if r.IntN(2) == 0 {
		fp = 1<<32 - 1 - fp
	}
	binary.LittleEndian.PutUint64(h[:], uint64(r.IntN(2))<<54|fp)
	return h
}

// An index answers like a map, whatever is put in and taken out, while it grows and while segments die. A find that ended too
// early, or a deletion that left a hole in a run, would show.
func TestIndexIsAMap(t *testing.T) {
	for seed := range rounds(20, 200, 5000) {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		dead := make(map[uint16]bool)
		x := newIndex(func(seg uint16) bool { return !dead[seg] })
		model := make(map[Hash]loc)
		for step := range 400 {
			h := crowded(r)
			l := loc{uint16(slotFirst + r.IntN(6)), uint32(r.IntN(100)), shortSize(r.IntN(5000))}
			was, had := model[h]
			switch op := r.IntN(20); {
			case op < 9:
				if dead[l.seg] {
					continue // nothing is put where nothing is
				}
				old, replaced, inserted := x.Insert(&h, l, uint64(step))
				// An entry of a dead segment may have made room already.
				if !inserted || replaced != had && !dead[was.seg] || replaced && old != was {
					t.Fatalf("seed %d, step %d: insert: %v %v %v, had %v %v", seed, step, old, replaced, inserted, was, had)
				}
				model[h] = l
			case op < 12:
				old, removed := x.Supersede(&h, uint64(step))
				if removed != had && !dead[was.seg] || removed && old != was {
					t.Fatalf("seed %d, step %d: supersede: %v %v, had %v %v", seed, step, old, removed, was, had)
				}
				delete(model, h)
			case op < 14:
				at := l
				if had && r.IntN(2) == 0 {
					at = was
				}
				if removed := x.RemoveAt(&h, at); removed != (had && at.seg == was.seg && at.off == was.off) && !dead[was.seg] {
					t.Fatalf("seed %d, step %d: remove at %v: %v, had %v %v", seed, step, at, removed, was, had)
				} else if removed {
					delete(model, h)
				}
			case op < 16:
				from := l
				if had && r.IntN(2) == 0 {
					from = was
				}
				to := loc{l.seg, l.off + 1000, l.size}
				if dead[to.seg] {
					continue
				}
				if moved := x.Move(&h, from, to); moved != (had && from.seg == was.seg && from.off == was.off) && !dead[was.seg] {
					t.Fatalf("seed %d, step %d: move: %v, had %v %v", seed, step, moved, was, had)
				} else if moved {
					model[h] = to
				}
			case op < 17:
				x.Ask(&h)
			case op < 18:
				dead[uint16(slotFirst+r.IntN(6))] = true
			default:
				x.Sweep()
				for k, l := range model {
					if dead[l.seg] {
						delete(model, k)
					}
				}
				clear(dead) // their numbers are used again
			}
			for h, l := range model {
				if got, ok := x.Lookup(&h); (!ok || got != l) && !dead[l.seg] {
					t.Fatalf("seed %d, step %d: %x is at %v, %v; want %v", seed, step, h[:8], got, ok, l)
				}
			}
			if h := crowded(r); !hasKey(model, h) {
				if l, ok := x.Lookup(&h); ok && !dead[l.seg] {
					t.Fatalf("seed %d, step %d: %x is at %v, and should not be", seed, step, h[:8], l)
				}
			}
		}
	}
}

func hasKey(m map[Hash]loc, h Hash) bool { _, ok := m[h]; return ok }

// While loading, the highest sequence wins in whatever order segments are read, and a tombstone wins over a record of its own
// sequence; afterwards nothing is left of the tombstones.
func TestLoadingInAnyOrder(t *testing.T) {
	type entry struct {
		h   Hash
		seq uint64
		l   loc
	}
	for seed := range rounds(20, 300, 5000) {
		r := rand.New(rand.NewPCG(uint64(seed), 2))
		var entries []entry
		for n := range 300 {
			l := loc{uint16(slotFirst + r.IntN(6)), uint32(n), shortSize(100)}
			if r.IntN(4) == 0 {
				l = loc{seg: slotTomb}
			}
			entries = append(entries, entry{crowded(r), uint64(r.IntN(40)), l})
		}
		want := make(map[Hash]entry)
		for _, e := range entries {
			w, ok := want[e.h]
			if !ok || e.seq > w.seq || e.seq == w.seq && e.l.seg == slotTomb {
				want[e.h] = e
			}
		}
		for range 3 {
			r.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
			x := newIndex(func(seg uint16) bool { return seg < maxSlots })
			x.StartLoading(int64(r.IntN(2) * 1000))
			for _, e := range entries {
				was, wasSeq, inserted := x.Load(&e.h, e.l, e.seq)
				if !inserted && (wasSeq < e.seq || was.seg == slotNone) {
					t.Fatalf("seed %d: %d kept out by %d at %v", seed, e.seq, wasSeq, was)
				}
			}
			x.FinishLoading()
			for h, e := range want {
				got, ok := x.Lookup(&h)
				if ok != (e.l.seg != slotTomb) {
					t.Fatalf("seed %d: %x: found %v, want %+v", seed, h[:8], ok, e)
				}
				// Of two records with one sequence, either may stand.
				if ok && !slices.ContainsFunc(entries, func(o entry) bool { return o.h == h && o.seq == e.seq && o.l == got }) {
					t.Fatalf("seed %d: %x is at %v, want %+v", seed, h[:8], got, e)
				}
			}
			for i := range x.shards {
				for _, s := range x.shards[i].slots {
					if s.seg() == slotTomb {
						t.Fatalf("seed %d: a tombstone is left", seed)
					}
				}
				if x.shards[i].seqs != nil {
					t.Fatalf("seed %d: sequences are left", seed)
				}
			}
		}
	}
}

// A supersession that comes while the index is loading holds for what is loaded later.
func TestSupersedeWhileLoading(t *testing.T) {
	for _, first := range []bool{true, false} {
		x := newIndex(func(seg uint16) bool { return seg < maxSlots })
		x.StartLoading(0)
		h := hashOf(1)
		old := loc{slotFirst, 10, 20}
		if first {
			x.Insert(&h, old, 5)
		}
		if l, removed := x.Supersede(&h, 8); removed != first || first && l != old {
			t.Fatalf("%v %v", l, removed)
		}
		if !first {
			if _, _, inserted := x.Insert(&h, old, 5); inserted {
				t.Fatal("the older version was loaded")
			}
		}
		if _, ok := x.Lookup(&h); ok {
			t.Fatal("found")
		}
		if _, _, inserted := x.Insert(&h, loc{slotFirst, 30, 20}, 8); !inserted {
			t.Fatal("the version that supersedes was kept out")
		}
		x.FinishLoading()
		if l, ok := x.Lookup(&h); !ok || l.off != 30 {
			t.Fatalf("%v %v", l, ok)
		}
	}
}

// So does a removal: the older version in a segment that is read later is no answer.
func TestRemoveWhileLoading(t *testing.T) {
	x := newIndex(func(seg uint16) bool { return seg < maxSlots })
	x.StartLoading(0)
	h, newer, older := hashOf(1), loc{slotFirst, 10, 20}, loc{slotFirst, 30, 20}
	x.Insert(&h, newer, 5)
	if x.RemoveAt(&h, older) || !x.RemoveAt(&h, newer) || x.RemoveAt(&h, newer) {
		t.Fatal("not removed, or removed twice")
	}
	if _, _, inserted := x.Insert(&h, older, 4); inserted {
		t.Fatal("the older version was loaded")
	}
	x.FinishLoading()
	if l, ok := x.Lookup(&h); ok {
		t.Fatalf("found at %v", l)
	}
}

// A size in short form is an upper bound, at most 0.2 % above, and takes no bit of its neighbour.
func TestShortSizeBounds(t *testing.T) {
	check := func(n int) {
		s := shortSize(n)
		if got := longSize(s); got < n || float64(got) > float64(n)*1.002+0.5 {
			t.Fatalf("%d became %d", n, got)
		}
		if s&hitBit != 0 {
			t.Fatalf("%d takes the bit that says that it was asked for", n)
		}
	}
	for n := range 1 << 17 {
		check(n)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1_000_000 {
		check(r.IntN(maxBlob + recordHeaderSize + 1))
	}
	for e := range bits.Len(maxBlob) {
		for d := -2; d <= 2; d++ {
			check(max(0, 1<<e+d))
		}
	}
}

func TestIndexMemoryPerEntry(t *testing.T) {
	for _, n := range []int{1_000_000, 5_000_000}[:rounds(1, 2, 2)] {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		x := newIndex(func(uint16) bool { return true })
		r := rand.New(rand.NewPCG(uint64(n), 3))
		var h Hash
		for i := range n {
			binary.LittleEndian.PutUint64(h[:], r.Uint64())
			x.Insert(&h, loc{seg: slotFirst, off: uint32(i), size: shortSize(1000)}, uint64(i))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		heap := float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
		said := float64(x.Bytes()) / float64(n)
		t.Logf("%d entries: %.2f bytes each on the heap, %.2f by its own account", n, heap, said)
		if heap > 16 || said > 16 || heap < said*0.9 {
			t.Errorf("%d entries: %.2f bytes each on the heap, %.2f by its own account", n, heap, said)
		}
		runtime.KeepAlive(x)
	}
}

// LoadAll is Load for many: the same index, and word of everything that was not a plain insertion.
func TestLoadAllIsLoadItemByItem(t *testing.T) {
	for seed := range uint64(rounds(20, 200, 1000)) {
		r := rand.New(rand.NewPCG(seed, 7))
		one, many := newIndex(func(uint16) bool { return true }), newIndex(func(uint16) bool { return true })
		one.StartLoading(100)
		many.StartLoading(100)
		for range 5 {
			var b loadedBatch
			var want []loadResult
			for n := range 1 + r.IntN(400) {
				h := hashOf(r.IntN(200)) // many come again, in one batch and in later ones
				to := loc{seg: uint16(slotTomb + r.IntN(3)), off: uint32(r.Uint64()), size: 5}
				seq := uint64(1 + r.IntN(50))
				b.x.entries = append(b.x.entries, indexEntry{hash: h})
				b.add(&h, to, seq)
				if was, wasSeq, inserted := one.Load(&h, to, seq); !inserted || was.seg != slotNone {
					want = append(want, loadResult{int32(n), to, was, seq, wasSeq, inserted})
				}
			}
			many.LoadAll(&b)
			slices.SortFunc(b.unusual, func(x, y loadResult) int { return int(x.n - y.n) })
			if !slices.Equal(b.unusual, want) {
				t.Fatalf("seed %d: other results:\n%v\nwant\n%v", seed, b.unusual, want)
			}
		}
		one.FinishLoading()
		many.FinishLoading()
		for i := range 200 {
			h := hashOf(i)
			got, ok := many.Lookup(&h)
			if want, wok := one.Lookup(&h); got != want || ok != wok {
				t.Fatalf("seed %d: %d lies at %v, %v; want %v, %v", seed, i, got, ok, want, wok)
			}
		}
	}
}

// A shard always has an empty slot, however it came to its size: without one, a look for what is not there would not end.
func TestAShardIsNeverFull(t *testing.T) {
	for n := range 5000 {
		if room := roomFor(n + 1); (n+1)*indexFull > room*(indexFull-1) {
			t.Fatalf("%d slots for %d entries", room, n+1)
		}
	}
}
