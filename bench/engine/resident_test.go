package main

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"stagecache/engine"
)

// TestTheResidentSetKeepsToTheConfiguration guards against memory that the configured sum does not know of: garbage, maps, buffers in
// flight. STAGECACHE_LONG=1 measures all sizes, else the least one, with more than memory has room for.
func TestTheResidentSetKeepsToTheConfiguration(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector multiplies what is resident")
	}
	sizes := residentSizes[:1]
	if os.Getenv("STAGECACHE_LONG") != "" {
		sizes = residentSizes
	}
	for _, memory := range sizes {
		for _, l := range residentLoads(memory) {
			t.Run(fmt.Sprintf("%d bytes, values of %d to %d", memory, l.Least, l.Most), func(t *testing.T) {
				l.Dir = t.TempDir()
				r, err := measureResident(l)
				if errors.Is(err, errors.ErrUnsupported) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d resident above %d: %.2f of what is configured", r.Peak-r.Base, r.Base, r.share(memory))
				most := 1.05
				if memory == engine.MinMemory {
					most = 1.15 // what is the same at every size weighs more there
				}
				if r.share(memory) > most {
					t.Errorf("%d bytes are resident above the process's own %d, with %d configured", r.Peak-r.Base, r.Base, memory)
				}
				if r.MemoryHits == 0 || r.MemoryBytes < memory/3 {
					t.Errorf("%d hits in memory, which holds %d bytes: it was not filled, so this shows nothing", r.MemoryHits, r.MemoryBytes)
				}
			})
		}
	}
}
