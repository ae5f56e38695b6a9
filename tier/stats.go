package tier

// DiskStats are a Disk's figures; counters count from OpenDisk.
type DiskStats struct {
	Entries      int64 // the index points to, and waiting
	DiskBytes    int64 // as du counts, with files set aside
	LogicalBytes int64 // blobs of live entries before packing; in proportion where a segment holds dead ones too
	IndexBytes   int64
	QueueBytes   int64
	Segments     int
	Stored       int64 // records put
	Dropped      int64 // records that found no room in the queue, or whose commit failed
	Evicted      int64 // live entries given up for capacity
	Moved        int64 // entries that were asked for and so moved before their segment was evicted
	Quarantined  int64 // damaged segments and files
	FalseMatches int64 // reads that an index entry of another hash cost
	Written      int64 // bytes of batches committed
	DataWritten  int64 // of these, sealed records
	MinStamp     uint64
	HasStamp     bool // MinStamp is of some record

	DictionaryBytes int64 // in memory, of dictionaries to pack by
	GhostBytes      int64 // in memory, of what remembers who fell out of the entrance
}

// Stats sums up over the segments.
func (d *Disk) Stats() DiskStats {
	st := DiskStats{DiskBytes: d.diskBytes.Load() + d.quarantinedFiles.Load(), IndexBytes: d.index.Bytes(), DictionaryBytes: d.dictionaryBytes(), GhostBytes: d.ghostBytes(), Stored: d.stored.Load(),
		Dropped: d.dropped.Load(), Evicted: d.evicted.Load(), Moved: d.moved.Load(), Quarantined: d.quarantined.Load(), FalseMatches: d.falseMatches.Load(),
		Written: d.written.Load(), DataWritten: d.dataWritten.Load()}
	// What waits comes first: what lands in between is counted twice, not missed.
	for i := range d.pending {
		sh := &d.pending[i]
		sh.mu.RLock()
		st.Entries += int64(len(sh.m))
		for _, p := range sh.m {
			st.LogicalBytes += int64(len(p.Blob))
			if !st.HasStamp || p.Stamp < st.MinStamp {
				st.HasStamp, st.MinStamp = true, p.Stamp
			}
		}
		sh.mu.RUnlock()
	}
	for _, s := range d.segments() {
		st.Segments++
		live, bytes := s.live.Load(), s.liveBytes.Load()
		st.Entries += live
		s.metaMu.Lock()
		if t := &s.totals; t.dataBytes > 0 {
			st.LogicalBytes += int64(float64(t.rawBytes) * min(1, float64(bytes)/float64(t.dataBytes)))
			if !st.HasStamp || t.minStamp < st.MinStamp {
				st.HasStamp, st.MinStamp = true, t.minStamp
			}
		}
		s.metaMu.Unlock()
	}
	d.queueMu.Lock()
	st.QueueBytes = d.queueBytes + d.moving.bytes
	d.queueMu.Unlock()
	return st
}
