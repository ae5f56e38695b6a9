package tier

import "slices"

// No old version ever comes back. At run time the index sees to that: it knows only the newest. After a restart the index
// is made from what the segments list, and the highest sequence wins; so an older version could come back if the segment
// with the newer one had been dropped first. It cannot, because of how segments are dropped and of what is written here:
//
//   - Segments go in the order of (latest expiry in them, age), but for those of the entrance (below), and for the first of the main part where
//     it supersedes nothing in the entrance's that it overtakes (Disk.turn). A newer record that expires after everything in the older
//     one's segment is therefore dropped after it, and so is one in the same segment. Nothing need be done.
//   - Otherwise (the newer record expires sooner or at the same moment, or the older one's segment is still being written, or the newer one is
//     not stored at all) a tombstone goes to the disk: hash, sequence, and a moment after the latest expiry of the older one's segment, which
//     raises the expiry of the segment it is written to. It is committed before the newer record.
//   - A file that may hold records which the index does not know (an unlink failed, or what it lists could not be read) counts as the older
//     one's segment for whatever is put while it is there. The same holds for single records: what moved out of a file, what could not be read
//     and may be later, what was in a commit that failed and may have taken effect.
//   - What is put when the index knows no older version, and there is no such file, and no tombstone is owed for it, supersedes nothing, so it
//     may go at any time. All records of the entrance are of that kind, and the tombstones in its segments are about what is in the same segment.
//   - A segment that is dropped out of order (damaged, or compacted) has its tombstones carried over, and when it is dropped
//     with records the index points to, they leave tombstones. So does a record that was replaced on its way out of a segment that is
//     compacted, for what replaced it may still wait when that segment goes.
//
// The index keeps 42 bits of a hash. Where two keys agree in them, the older entry is lost, and with it the knowledge of what
// a later Put of that key supersedes: at 58 million entries, about one insert in 75,000.

// shadow is a segment that holds an older version of something.
type shadow struct{ seg *segment }

// shadowed is a tombstone that is owed: it is written as soon as a commit succeeds.
type shadowed struct {
	hash    Hash
	seq     uint64
	shadows []shadow
	expires int64 // at least; 0: as the shadows say
}

// unindex takes h out of the index and adds the segment it lay in to shadows. The caller holds h's pending shard.
func (d *Disk) unindex(shadows []shadow, h *Hash, seq uint64) []shadow {
	select {
	case <-d.loaded:
	default:
		// While the index is loading, any segment may hold an older version.
		for _, s := range d.segments() {
			shadows = addShadow(shadows, s)
		}
	}
	if l, removed := d.index.Supersede(h, seq); removed {
		d.account(l, -1)
		if s := d.segs[l.seg].Load(); s != nil {
			shadows = addShadow(shadows, s)
		}
	}
	// Last, for whoever takes something out of the index without the shard's lock says first that it is there all the same.
	return d.addStrays(shadows, h)
}

// addStrays adds the files that may hold versions of h which the index does not know.
func (d *Disk) addStrays(shadows []shadow, h *Hash) []shadow {
	for _, s := range d.strays.all() {
		shadows = addShadow(shadows, s)
	}
	for _, s := range d.copied.all() {
		if s.copies.Load().has(h) {
			shadows = addShadow(shadows, s)
		}
	}
	return shadows
}

func addShadow(shadows []shadow, s *segment) []shadow {
	if slices.Contains(shadows, shadow{s}) {
		return shadows
	}
	return append(shadows, shadow{s})
}

// owe adds a tombstone to those that the next round writes: one for each hash, for while the disk does not take writes there may be many.
func (d *Disk) owe(t *shadowed) {
	defer d.kick()
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	if d.nothingWaits() {
		d.queueSince = d.uptime()
	}
	was := d.tombs[t.hash]
	if was == nil {
		if d.tombs == nil {
			d.tombs = make(map[Hash]*shadowed)
		}
		d.tombs[t.hash] = t
		return
	}
	was.seq, was.expires = max(was.seq, t.seq), max(was.expires, t.expires)
	for _, sh := range t.shadows {
		was.shadows = addShadow(was.shadows, sh.seg)
	}
}

// graves sorts the tombstones that a version of hash with seq needs by the stream they go to. target and expires are the
// newer version's; target is nil if there is none on disk. Called by the writer, between rotating segments and committing.
func (d *Disk) graves(out *[streams][]tombstone, hash Hash, seq uint64, shadows []shadow, target *segment, expires, now int64) {
	var latest int64
	for _, sh := range shadows {
		s := sh.seg
		switch until := s.maxExpiry.Load(); {
		case s == target || s.isGone() || until <= now:
		case s.is(stateActive):
			// Its latest expiry may still grow, so only a place in the same file is sure to stay as long.
			out[s.stream] = append(out[s.stream], tombstone{hash, seq, until + 1})
		case target == nil || until >= expires:
			// One more than its latest expiry: of two segments that expire together, the older goes first, and that may be
			// the tombstone's.
			latest = max(latest, until+1)
		}
	}
	if latest > 0 {
		c := classOf(latest - now)
		out[c] = append(out[c], tombstone{hash, seq, latest})
	}
}
