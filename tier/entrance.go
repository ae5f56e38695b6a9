package tier

// The entrance is a tenth of what there is, for what is put for the first time. Most of that is never asked for again, and goes from there soon;
// what was asked for moves to the main part, which has all the rest (S3-FIFO, as in memory). So what comes once does not drive out what comes
// again and again. What is known, or fell out of the entrance not long ago, goes to the main part at once.
//
// Segments of the entrance go before their turn. That needs no tombstones: they supersede nothing (see supersede.go). A start does not know
// which they were, and takes all for the main part.
const (
	// entrancePart is the part of all segments that the entrance keeps when room is needed.
	entrancePart = 10
	// entranceLeast is the least number of segments in the capacity for which there is an entrance: where all of that is used, it has two.
	entranceLeast = 2 * entrancePart
	// ghostShare is the part of the index's memory that remembers what fell out of the entrance.
	ghostShare = 32
	// ghostsMost is the bytes for that where the index has no limit. One takes four.
	ghostsMost = 16 << 20
	// ghostEntry is what entries take at least on the disk, on average, where there is enough memory for a ghost of each.
	ghostEntry = 2 << 10
)

// newEntrance returns what remembers that; nil: there is no entrance.
func (d *Disk) newEntrance() *ghosts {
	if d.o.Capacity < entranceLeast*d.segmentSize {
		return nil
	}
	most := int64(ghostsMost)
	if d.o.IndexBytes > 0 {
		most = d.o.IndexBytes / ghostShare
	}
	return newGhosts(max(1, min(most/4, d.o.Capacity/ghostEntry)))
}

func (d *Disk) ghostBytes() int64 {
	if d.ghosts == nil {
		return 0
	}
	return d.ghosts.bytes()
}

// entranceTime is the clock of ghosts: they live until as much has passed the entrance as fits in the capacity.
func (d *Disk) entranceTime() uint64 {
	return uint64(d.entranceWritten.Load() / (d.o.Capacity/ghostLife + 1))
}

// entering tells whether what is put under h goes to the entrance. known: it supersedes something.
func (d *Disk) entering(h *Hash, known bool) bool {
	return d.ghosts != nil && !known && !d.ghosts.take(h, d.entranceTime())
}

// crowdedEntrance is the sealed segment of the entrance that goes first; nil: there is none, or it takes no more than its share.
func (d *Disk) crowdedEntrance() *segment {
	if d.ghosts == nil {
		return nil
	}
	var all, bytes int64
	var first *segment
	for _, s := range d.segments() {
		all += s.fileBytes.Load()
		if !inEntrance(s.stream) || s.is(stateDamaged) {
			continue
		}
		bytes += s.fileBytes.Load()
		if s.is(stateSealed) && (first == nil || expiresBefore(s, first)) {
			first = s
		}
	}
	if bytes <= all/entrancePart { // of what there is, for it may be the index's limit that keeps it below the capacity
		return nil
	}
	return first
}

// fellOut remembers a record that goes with its segment.
func (d *Disk) fellOut(h *Hash) { d.ghosts.add(h, d.entranceTime()) }
