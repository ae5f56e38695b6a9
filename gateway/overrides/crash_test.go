package overrides

import (
	"testing"
	"time"

	"stagecache/gateway/config"
	"stagecache/internal/vfs"
)

// A change that is killed at any operation leaves what was set before or what was to be set, whole, and one that was acknowledged
// stays. What is to last is synced before it is renamed.
func TestAChangeCrashedAtEveryOperation(t *testing.T) {
	for _, verdict := range []vfs.Verdict{vfs.Fail, vfs.FailAfter} {
		for k := int64(1); ; k++ {
			dir := t.TempDir()
			m := open(t, dir)
			m.Use(parse(t, file), nil)
			set := func(d time.Duration) error {
				return m.Change(t.Context(), "prod", Change{Entries: map[string]func(*config.Settings) error{"*": ttl(d)}})
			}
			if err := set(time.Second); err != nil {
				t.Fatal(err)
			}
			var did []string
			crash := vfs.CrashAt(k, verdict)
			faulty := &vfs.Faulty{FS: vfs.OS, Hook: func(n int64, op, name string) vfs.Verdict {
				did = append(did, op)
				return crash(n, op, name)
			}}
			m.fs = faulty
			err := set(2 * time.Second)
			got := open(t, dir).Use(parse(t, file), nil).Stages[0].Default.TTL
			if got != 2*time.Second && (err == nil || got != time.Second) {
				t.Errorf("operation %d: %v after %v", k, got, err)
			}
			if faulty.Operations() < k {
				synced := 0
				for _, op := range did {
					switch op {
					case "sync":
						synced++
					case "rename":
						if synced == 0 {
							t.Errorf("renamed before it was synced: %v", did)
						}
					}
				}
				if last := did[len(did)-1]; len(did) < 4 || last != "syncdir" {
					t.Errorf("the operations were %v, want the folder synced at the end", did)
				}
				break
			}
		}
	}
}
