package tier

// FailForTest makes the tier behave as after a failed commit: records are dropped, tombstones are kept.
func (d *Disk) FailForTest(on bool) {
	d.brokenAt.Store(int64(d.uptime()))
	d.broken.Store(on)
}

// GhostsForTest is how many are remembered that were evicted from the entrance and have not come back.
func (d *Disk) GhostsForTest() (n int) {
	if d.ghosts == nil {
		return 0
	}
	for i := range d.ghosts.slots {
		if d.ghosts.slots[i].Load() != 0 {
			n++
		}
	}
	return n
}
