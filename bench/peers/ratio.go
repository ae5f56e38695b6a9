package main

import (
	"fmt"
	"slices"

	"stagecache/bench/internal/report"
)

// worst is the row in which one of ours is furthest behind.
type worst struct {
	points       float64
	ours, theirs string
}

// ratio compares hit ratios of eviction policies; see contestants.go for how sizes are made comparable.
func (b *bench) ratio() error {
	b.printf("\n== ratio: hits in percent, at so many entries; in brackets the points to the best of the others\n")
	traces := []*trace{makeTrace(madeRequests)}
	if b.traces == "" {
		b.printf("no -traces given: recorded requests are not measured\n")
	} else if read, err := readTraces(b.traces); err != nil {
		b.printf("recorded requests are not measured: %v\n", err)
	} else {
		traces = append(traces, read...)
	}
	behind := make(map[string]worst)
	for _, t := range traces {
		if err := b.ratioTable(t, behind); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	for _, c := range contestants {
		if c.note != "" && b.measures(&c) {
			b.printf("  %s: %s\n", c.name, c.note)
		}
	}
	b.printf("  -: more than %s to write, or more than %.0f million requests\n", report.Bytes(maxVolume), maxRequests/1e6)
	for _, c := range contestants {
		if w, ok := behind[c.name]; ok && c.figure != "" {
			b.sheet.Add(report.Figure{Name: c.figure, Value: w.points, Unit: "points", Ours: w.ours, Theirs: w.theirs})
		}
	}
	return nil
}

// measures tells whether c is part of this run.
func (b *bench) measures(c *contestant) bool {
	if len(b.columns) == 0 {
		return !c.long || !b.short
	}
	return slices.Contains(b.columns, c.name)
}

func (b *bench) ratioTable(t *trace, behind map[string]worst) error {
	b.printf("%s: %d requests for %d keys\n", t.name, len(t.keys), t.distinct)
	head := []string{"entries"}
	for _, c := range contestants {
		if b.measures(&c) {
			head = append(head, c.name)
		}
	}
	var rows [][]string
	for _, share := range b.shares {
		row, err := b.ratioRow(t, share, behind)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	b.table(head, rows)
	return nil
}

// ratioRow measures all contestants with room for so many thousandths of the keys.
func (b *bench) ratioRow(t *trace, share int, behind map[string]worst) ([]string, error) {
	size := max(10, t.distinct*share/1000)
	row := []string{fmt.Sprintf("%.1f %% (%d)", float64(share)/10, size)}
	var best, misses float64
	var bestName string
	for i := range contestants {
		c := &contestants[i]
		if !b.measures(c) {
			continue
		}
		users := float64(c.users(size))
		if users*float64(len(t.keys)) > maxRequests || c.volume != nil && c.volume(users*misses, users*float64(t.distinct)) > maxVolume {
			row = append(row, "-")
			continue
		}
		hits, err := b.replay(t, c, size)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		if !c.ours {
			row = append(row, fmt.Sprintf("%.1f", hits))
			if hits > best && !c.model {
				best, bestName = hits, c.name
			}
			if c.name == "fifo" {
				misses = (1 - hits/100) * float64(len(t.keys))
			}
			continue
		}
		row = append(row, fmt.Sprintf("%.1f [%+.1f]", hits, hits-best))
		if w, ok := behind[c.name]; !ok || hits-best < w.points {
			behind[c.name] = worst{hits - best, fmt.Sprintf("%.1f %%, %s, %d entries", hits, t.name, size), fmt.Sprintf("%s %.1f %%", bestName, best)}
		}
	}
	return row, nil
}

// replay is the share of hits in percent.
func (b *bench) replay(t *trace, c *contestant, size int) (float64, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	users := c.users(size)
	p, err := c.make(b, size*users)
	if err != nil {
		return 0, err
	}
	if users > 1 {
		p = &crowd{policy: p, users: uint32(users)}
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
