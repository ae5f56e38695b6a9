package tier

// FailForTest makes the tier behave as after a failed commit: records are dropped, tombstones are kept.
func (d *Disk) FailForTest(on bool) {
	d.brokenAt.Store(int64(d.uptime()))
	d.broken.Store(on)
}
