package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"stagecache/gateway/control"
)

// writeStats shows the figures of one stage.
func writeStats(w io.Writer, s control.Stats, offline bool) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	if off(s) {
		line("stage", "%s (its cache is off)", s.Stage)
		line("disk", "%s", bytesText(s.DiskBytes))
		t.Flush()
		return
	}
	if offline {
		line("stage", "%s (the gateway is not running)", s.Stage)
	} else {
		line("stage", "%s (up for %s)", s.Stage, secondsText(s.UptimeSeconds))
		line("hit ratio", "%s (%s, %s, %s)", percentText(s.HitRatio),
			many(s.Hits, "hit", "hits"), many(s.Misses, "miss", "misses"), many(s.Bypasses, "bypass", "bypasses"))
		line("lookups", "%s found in memory, %s on disk", countText(s.MemoryHits), countText(s.DiskHits))
		line("backend", "%s, %s saved", many(s.BackendRequests, "request", "requests"), secondsText(s.BackendSecondsSaved))
		line("shared", "%s coalesced, %s served stale", countText(s.Coalesced), countText(s.StaleServed))
	}
	line("entries", "%s (%s before compression)", countText(s.Entries), bytesText(s.LogicalBytes))
	line("disk", "%s of %s (%s)", bytesText(s.DiskBytes), bytesText(s.CapacityBytes), percentText(used(s)))
	if offline {
		t.Flush()
		return
	}
	line("memory", "%s", bytesText(s.MemoryBytes))
	line("stored", "%s, %s evicted", countText(s.Stores), countText(s.Evictions))
	line("invalidated", "%s, %s", many(s.Purges, "purge", "purges"), many(s.Flushes, "flush", "flushes"))
	line("trouble", "%s dropped, %s quarantined", many(s.SpillDropped, "disk copy", "disk copies"), many(s.Quarantined, "segment", "segments"))
	t.Flush()
}

// writeStatsTable shows one line per stage.
func writeStatsTable(w io.Writer, list []control.Stats, offline bool) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no stages")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "STAGE\tHIT RATIO\tHITS\tMISSES\tENTRIES\tDISK\tCAPACITY\tUSED\tMEMORY\tBACKEND SAVED")
	for _, s := range list {
		if off(s) {
			fmt.Fprintf(t, "%s\tcache off\t-\t-\t-\t%s\t-\t-\t-\t-\n", s.Stage, bytesText(s.DiskBytes))
			continue
		}
		if offline { // what counts requests is with the gateway
			fmt.Fprintf(t, "%s\tnot running\t-\t-\t%s\t%s\t%s\t%s\t-\t-\n", s.Stage,
				countText(s.Entries), bytesText(s.DiskBytes), bytesText(s.CapacityBytes), percentText(used(s)))
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Stage, percentText(s.HitRatio), countText(s.Hits), countText(s.Misses),
			countText(s.Entries), bytesText(s.DiskBytes), bytesText(s.CapacityBytes), percentText(used(s)), bytesText(s.MemoryBytes),
			secondsText(s.BackendSecondsSaved))
	}
	t.Flush()
}

// off tells a stage whose cache is switched off: no other has no capacity.
func off(s control.Stats) bool { return s.CapacityBytes == 0 }

// used is how much of its capacity a stage takes on the disk.
func used(s control.Stats) float64 {
	if s.CapacityBytes <= 0 {
		return 0
	}
	return float64(s.DiskBytes) / float64(s.CapacityBytes)
}

// many is plural for counters.
func many(n uint64, one, more string) string { return plural(int64(n), one, more) }
