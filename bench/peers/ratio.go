package main

import (
	"fmt"
	"os"

	"stagecache/bench/internal/report"
	"stagecache/tier"
)

// Hit ratios are compared at the same number of entries, as a share of the keys that occur. Our tiers are bounded by bytes and
// have least sizes: 32 MiB for the memory tier alone; 512 MiB of disk, with 32 MiB of memory, for both tiers. So the values are
// as large as makes that many fill them ("large"), or, for "memory tier", so many users repeat the trace side by side, each
// with its own keys, that values of about 1 KiB fill it (see crowd).

var shares = []int{1, 5, 10, 25, 50} // percent

// maxVolume is how much one run of both tiers may write: with few entries the values are large.
const (
	maxVolume      = 12e9
	maxVolumeShort = 3e9
)

// contestants are the policies that others have, then what we have, then models of what we could have.
var contestants = []string{"fifo", "lru", "otter", "ristretto", "memory tier", "memory, large", "both tiers, large", "2nd chance", "two rings", "s3-fifo"}

// The first of contestants are rivals, the next ours, the rest models.
const (
	rivalPolicies = 4
	ourPolicies   = 3
)

func isOurs(i int) bool { return i >= rivalPolicies && i < rivalPolicies+ourPolicies }

func (b *bench) newPolicy(name string, size int) (policy, error) {
	switch name {
	case "fifo":
		return newFIFO(size, 0), nil
	case "lru":
		return newLRU(size), nil
	case "otter":
		return newOtter(size)
	case "ristretto":
		return newRistretto(size)
	case "memory tier":
		users := max(1, tier.MemoryStep/1200/size)
		return &crowd{policy: newMemoryPolicy(size * users), users: uint32(users)}, nil
	case "memory, large":
		return newMemoryPolicy(size), nil
	case "both tiers, large":
		dir, err := os.MkdirTemp(b.dir, "ratio-")
		if err != nil {
			return nil, err
		}
		return newEnginePolicy(dir, size)
	case "2nd chance":
		return newFIFO(size, 1), nil
	case "two rings":
		return newTwoRings(size), nil
	case "s3-fifo":
		return newS3FIFO(size), nil
	}
	panic("no policy " + name)
}

func (b *bench) ratio() error {
	b.printf("\n== ratio\n")
	if b.traces == "" {
		b.printf("no -traces given: hit ratios are not measured\n")
		return nil
	}
	traces, err := readTraces(b.traces)
	if err != nil {
		b.printf("hit ratios are not measured: %v\n", err)
		return nil
	}
	for _, t := range traces {
		if err := b.ratioTable(t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	b.printf("to best: points of difference to the best of %v, not to the models. Models: what our tiers could do, without their layout.\n", contestants[:rivalPolicies])
	b.printf("-: not run, as the values that make so few entries fill %s would be written more than %s in all\n",
		report.Bytes(ratioCapacity), report.Bytes(b.maxVolume()))
	return nil
}

func (b *bench) maxVolume() int64 {
	if b.short {
		return maxVolumeShort
	}
	return maxVolume
}

func (b *bench) ratioTable(t *trace) error {
	b.printf("%s: %d requests for %d keys; hits in percent\n", t.name, len(t.keys), t.distinct)
	head := []string{"entries"}
	for i, name := range contestants {
		head = append(head, name)
		if isOurs(i) {
			head = append(head, "to best")
		}
	}
	for i := len(head) - (len(contestants) - rivalPolicies - ourPolicies); i < len(head); i++ {
		head[i] += " (model)"
	}
	var rows [][]string
	for _, share := range shares {
		if share == shares[0] && b.short {
			continue // the longest
		}
		row, err := b.ratioRow(t, share)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	b.table(head, rows)
	return nil
}

func (b *bench) ratioRow(t *trace, share int) ([]string, error) {
	size := max(10, t.distinct*share/100)
	row := []string{fmt.Sprintf("%d %% (%d)", share, size)}
	best, fifo := 0.0, 0.0
	for i, name := range contestants {
		if name == "both tiers, large" && (1-fifo/100)*float64(len(t.keys))*float64(valueSize(size)) > float64(b.maxVolume()) {
			row = append(row, "-", "-")
			continue
		}
		hits, err := b.replay(t, name, size)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		row = append(row, fmt.Sprintf("%.1f", hits))
		if i < rivalPolicies {
			best = max(best, hits)
		}
		if name == "fifo" {
			fifo = hits
		}
		if isOurs(i) {
			row = append(row, fmt.Sprintf("%+.1f", hits-best))
		}
	}
	return row, nil
}

// replay is the share of hits in percent.
func (b *bench) replay(t *trace, name string, size int) (float64, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	p, err := b.newPolicy(name, size)
	if err != nil {
		return 0, err
	}
	hits := 0
	for i, key := range t.keys {
		if i%1024 == 0 && b.ctx.Err() != nil {
			break
		}
		hit, err := p.access(key)
		if err != nil {
			return 0, err
		}
		if hit {
			hits++
		}
	}
	if err := p.close(); err != nil {
		return 0, err
	}
	return 100 * float64(hits) / float64(len(t.keys)), b.ctx.Err()
}
