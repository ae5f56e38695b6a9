package tier

// FailForTest makes the tier behave as after a failed commit: records are dropped, tombstones are kept.
func (d *Disk) FailForTest(on bool) { d.broken.Store(on) }
